//! The program itself: signals, and a configuration that is changed under its eyes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::support::{Client, Program, Upstream, eventually, get, ok, proxy, soon};

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

#[tokio::test]
async fn sighup_and_a_changed_file_are_followed_and_a_mistake_is_told() {
    let [first, second] =
        [Upstream::replying(ok("first")).await, Upstream::replying(ok("second")).await];
    let mut program = Program::start(&proxy().to(&first).text());
    let addr = program.listens().await;
    assert_eq!(get(addr, "/", "").await.text(), "first");
    write(&program.file, &proxy().to(&second).text());
    program.signal("HUP").await;
    program.says("the configuration was reloaded").await;
    assert_eq!(get(addr, "/", "").await.text(), "second");
    // Without a signal.
    write(&program.file, "[server]\nlisten = 5\n");
    let line = program.says("not reloaded").await;
    assert!(line.contains("proxy.conf:2:10: key `server.listen`"), "{line}");
    assert_eq!(get(addr, "/", "").await.text(), "second");
    write(&program.file, &proxy().to(&first).text());
    program.says("the configuration was reloaded").await;
    assert_eq!(get(addr, "/", "").await.text(), "first");
    program.signal("USR1").await;
    program.says("the access log was opened again").await;
    program.signal("TERM").await;
    let ended = soon("the end", program.child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
}

const SOCKET: &str =
    "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Asks until it is told to stop, half of the clients on connections that they keep, and counts.
async fn load(addr: SocketAddr, keeps: bool, stop: Arc<AtomicBool>, asked: Arc<AtomicUsize>) {
    let mut client = Client::to(addr).await;
    while !stop.load(Ordering::SeqCst) {
        let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!((answer.status, answer.text()), (200, "hello"));
        asked.fetch_add(1, Ordering::SeqCst);
        if !keeps || answer.header("connection") == Some("close") {
            client = Client::to(addr).await;
        }
    }
}

#[tokio::test]
async fn another_process_takes_over_without_a_failed_request_and_sockets_end_by_themselves() {
    let go = Arc::new(AtomicBool::new(false));
    let released = go.clone();
    let up = Upstream::scripted(move |mut conn| {
        let go = released.clone();
        async move {
            while let Some(head) = conn.request().await {
                if head.starts_with("GET /ws") {
                    conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
                    while let [byte] = conn.bytes(1).await[..] {
                        conn.send([byte]).await;
                    }
                    return;
                }
                if head.starts_with("GET /slow") {
                    eventually("go", || go.load(Ordering::SeqCst)).await;
                }
                conn.send(ok("hello")).await;
            }
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("handover.sock");
    let text = proxy().server("workers = 2").to(&up).text();
    let args =
        ["--handover".as_ref(), socket.as_os_str(), "--admin".as_ref(), "127.0.0.1:0".as_ref()];
    let mut old = Program::start_with(&text, &args);
    let addr = old.listens().await;
    eventually("the socket", || socket.exists()).await;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..6 {
        clients.spawn(load(addr, number % 2 == 0, stop.clone(), asked.clone()));
    }
    let mut tunnel = Client::to(addr).await;
    tunnel.send(SOCKET).await;
    assert_eq!(tunnel.head().await.status, 101);
    let mut slow = Client::to(addr).await;
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut idle = Client::to(addr).await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.header("connection"), None);
    // One worker more than before.
    let text = proxy().server("workers = 3").to(&up).text();
    let mut new = Program::start_with(&text, &args);
    assert_eq!(new.listens().await, addr, "the port is the same");
    new.says("took over").await;
    old.says("handed over").await;
    let so_far = asked.load(Ordering::SeqCst);
    eventually("requests after it", || asked.load(Ordering::SeqCst) > so_far + 200).await;
    tunnel.send("x").await;
    assert_eq!(tunnel.exactly(1).await, b"x", "the old one's tunnel lives on");
    let last = idle.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((last.text(), last.header("connection")), ("hello", Some("close")));
    go.store(true, Ordering::SeqCst);
    assert_eq!(slow.response().await.text(), "hello");
    drop(tunnel);
    let ended = soon("the old one's end", old.child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
    stop.store(true, Ordering::SeqCst);
    while let Some(client) = soon("the clients", clients.join_next()).await {
        client.unwrap();
    }
    assert!(socket.exists(), "the new one waits for its own successor");
    new.signal("TERM").await;
    let ended = soon("the end", new.child.wait()).await.unwrap();
    assert!(ended.success() && !socket.exists(), "{ended}");
}

#[tokio::test]
async fn a_local_ca_that_a_reload_turns_on_is_told_as_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let up = Upstream::replying(ok("hello")).await;
    let mut program = Program::start(&proxy().to(&up).text());
    program.listens().await;
    let local = proxy()
        .listen("{ address = \"127.0.0.2:0\", tls = \"local\" }")
        .tls(&format!("dir = {:?}", dir.path()))
        .to(&up);
    write(&program.file, &local.text());
    program.signal("HUP").await;
    let told = program.says("the local CA").await;
    assert!(told.contains("fingerprint="), "{told}");
    program.says("the configuration was reloaded").await;
    // Once is enough.
    write(&program.file, &local.server("keep_alive = \"9s\"").text());
    program.signal("HUP").await;
    let line = program.says("").await;
    assert!(line.contains("the configuration was reloaded"), "{line}");
}

#[tokio::test]
async fn listeners_of_a_service_manager_are_taken_and_outlive_the_program() {
    let up = Upstream::replying(ok("hello")).await;
    let [wanted, stray] = [(), ()].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let addr = wanted.local_addr().unwrap();
    let text = proxy().listen(&format!("\"{addr}\"")).server("workers = 2").to(&up).text();
    for _ in 0..2 {
        // Nobody accepts yet, and nobody is refused.
        let mut waiting = Client::to(addr).await;
        waiting.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let mut program = Program::start_on([&wanted, &stray], &text);
        let complaint = program.says("no address of [server] listen is the same").await;
        assert!(complaint.contains(&stray.local_addr().unwrap().to_string()), "{complaint}");
        assert_eq!(program.listens().await, addr);
        assert_eq!(waiting.response().await.text(), "hello");
        for _ in 0..8 {
            assert_eq!(get(addr, "/", "").await.text(), "hello");
        }
        program.signal("TERM").await;
        let ended = soon("the end", program.child.wait()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
}

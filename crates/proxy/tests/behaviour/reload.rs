//! Another configuration while the proxy serves: nothing that is under way is disturbed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::support::{Client, Upstream, eventually, get, ok, proxy, soon};

const HANDSHAKE: &str =
    "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const AGREED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Answers with its name, and echoes on a WebSocket; `/slow` is answered when `go` is set, and so is the end of `/live`.
async fn named(name: &'static str, go: Arc<AtomicBool>) -> Upstream {
    Upstream::scripted(move |mut conn| {
        let go = go.clone();
        async move {
            while let Some(head) = conn.request().await {
                if head.starts_with("GET /ws") {
                    conn.send(AGREED).await;
                    while let [byte] = conn.bytes(1).await[..] {
                        conn.send([byte]).await;
                    }
                    return;
                }
                if head.starts_with("GET /live") {
                    conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
                        .await;
                    eventually("go", || go.load(Ordering::SeqCst)).await;
                    conn.send("0\r\n\r\n").await;
                    continue;
                }
                if head.starts_with("GET /slow") {
                    eventually("go", || go.load(Ordering::SeqCst)).await;
                }
                conn.send(ok(name)).await;
            }
        }
    })
    .await
}

async fn web_socket(addr: SocketAddr) -> Client {
    web_socket_at(addr, "/ws").await
}

async fn web_socket_at(addr: SocketAddr, path: &str) -> Client {
    let mut client = Client::to(addr).await;
    client.send(HANDSHAKE.replace("/ws", path)).await;
    assert_eq!(client.head().await.status, 101);
    client
}

async fn echoes(client: &mut Client) -> bool {
    client.send("x").await;
    client.exactly(1).await == b"x"
}

#[tokio::test]
async fn new_requests_go_the_new_way_and_those_under_way_end_as_they_began() {
    let go = Arc::new(AtomicBool::new(false));
    let (first, second) = (named("first", go.clone()).await, named("second", go.clone()).await);
    let mut running =
        proxy().admin().upstream("one", &[first.addr], "").route("/*", "one", "").start();
    let mut socket = web_socket(running.addr).await;
    let mut slow = Client::to(running.addr).await;
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the slow request", || first.requests().len() == 2).await;
    let mut kept = Client::to(running.addr).await;
    assert_eq!(kept.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "first");
    let next = proxy().upstream("two", &[second.addr], "").route("/*", "two", "");
    running.reload(&next).await.unwrap();
    assert_eq!(kept.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "second");
    assert_eq!(get(running.addr, "/", "").await.text(), "second");
    assert!(echoes(&mut socket).await);
    go.store(true, Ordering::SeqCst);
    assert_eq!(slow.response().await.text(), "first");
    let total = running.metric("proxy_requests_total{status=\"2xx\"}").await;
    assert_eq!(total.as_deref(), Some("4"), "counters go on");
    let reloads = running.metric("proxy_config_reloads_total{result=\"success\"}").await;
    assert_eq!(reloads.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_configuration_with_a_mistake_changes_nothing_and_is_told_with_its_place() {
    let up = Upstream::replying(ok("as before")).await;
    let mut running = proxy().admin().to(&up).start();
    let stamp = "proxy_config_last_reload_success_timestamp_seconds";
    let before = running.metric(stamp).await;
    let bad = proxy().server("kep_alive = \"1s\"").to(&up);
    let error = running.reload(&bad).await.unwrap_err().to_string();
    assert!(error.contains("proxy.conf:5:1: key `server.kep_alive`: unknown key"), "{error}");
    // An address that somebody else has.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = proxy().server(&format!("listen = [\"{}\"]", taken.local_addr().unwrap())).to(&up);
    let error = running.reload(&bad).await.unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    // What is fixed at the start.
    let error =
        running.reload(&proxy().server("workers = 2").to(&up)).await.unwrap_err().to_string();
    assert!(error.contains("server.workers") && error.contains("restart"), "{error}");
    // A log that can't be written.
    let bad = proxy().server("access_log = \"/nowhere/access.log\"").to(&up);
    let error = running.reload(&bad).await.unwrap_err().to_string();
    assert!(error.contains("access log"), "{error}");
    assert_eq!(get(running.addr, "/", "").await.text(), "as before");
    let failures = running.metric("proxy_config_reloads_total{result=\"failure\"}").await;
    assert_eq!(failures.as_deref(), Some("4"));
    assert_eq!(running.metric(stamp).await, before);
}

#[tokio::test]
async fn an_unchanged_upstream_keeps_its_connections_and_a_changed_one_starts_anew() {
    let (same, other) = (named("same", Arc::default()).await, named("other", Arc::default()).await);
    let build = |lines: &str| {
        proxy()
            .upstream("a-changes", &[other.addr], lines)
            .upstream("same", &[same.addr], "idle_timeout = \"1m\"")
            .route("/same", "same", "")
            .route("/other", "a-changes", "")
    };
    let mut running = build("idle_timeout = \"1m\"").start();
    for times in 1..=3 {
        for path in ["/same", "/other"] {
            get(running.addr, path, "").await;
        }
        assert_eq!(same.connections(), 1);
        assert_eq!(other.connections(), times, "one for each of its settings");
        // Another upstream comes before it: its place in the list is not what it is known by.
        let next =
            build(&format!("idle_timeout = \"{}m\"", times + 1)).upstream("a", &[other.addr], "");
        running.reload(&next).await.unwrap();
    }
}

#[tokio::test]
async fn a_removed_upstream_is_left_at_once_where_idle_and_else_when_its_exchange_is_over() {
    let go = Arc::new(AtomicBool::new(false));
    let closed = Arc::new(AtomicUsize::new(0));
    let (gone, released) = (closed.clone(), go.clone());
    let old = Upstream::scripted(move |mut conn| {
        let (gone, go) = (gone.clone(), released.clone());
        async move {
            while let Some(head) = conn.request().await {
                if head.starts_with("GET /slow") {
                    eventually("go", || go.load(Ordering::SeqCst)).await;
                }
                conn.send(ok("old")).await;
            }
            gone.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let new = Upstream::replying(ok("new")).await;
    let mut running = proxy().only(&old, "idle_timeout = \"1m\"").start();
    let mut slow = Client::to(running.addr).await;
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the slow request", || old.requests().len() == 1).await;
    get(running.addr, "/", "").await;
    assert_eq!((old.connections(), closed.load(Ordering::SeqCst)), (2, 0));
    running.reload(&proxy().to(&new)).await.unwrap();
    eventually("the idle connection to close", || closed.load(Ordering::SeqCst) == 1).await;
    go.store(true, Ordering::SeqCst);
    assert_eq!(slow.response().await.text(), "old");
    eventually("the other one to close", || closed.load(Ordering::SeqCst) == 2).await;
    assert_eq!(slow.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "new");
}

#[tokio::test]
async fn what_is_under_way_with_a_removed_server_ends_after_the_time_that_is_left_to_it() {
    let go = Arc::new(AtomicBool::new(false));
    let (gone, stays) = (named("gone", go.clone()).await, named("stays", go.clone()).await);
    let build = |lines: &str| {
        proxy()
            .admin()
            .server("reload_timeout = \"200ms\"")
            .upstream("other-name", &[stays.addr], lines)
            .route("/ws-stays", "other-name", "")
    };
    let mut running = build("").upstream("gone", &[gone.addr], "").route("/*", "gone", "").start();
    let mut kept = web_socket_at(running.addr, "/ws-stays").await;
    let mut cut = web_socket(running.addr).await;
    let [mut slow, mut live] = [Client::to(running.addr).await, Client::to(running.addr).await];
    live.send("GET /live HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(live.head().await.status, 200);
    assert_eq!(live.chunk().await, b"x");
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the slow request", || gone.requests().len() == 3).await;
    // The upstream that stays changes, but not its server.
    running.reload(&build("idle_timeout = \"9s\"")).await.unwrap();
    assert!(echoes(&mut cut).await && echoes(&mut kept).await, "not at once");
    let answer = slow.response().await;
    assert_eq!((answer.status, answer.code()), (504, "upstream_removed".to_owned()));
    assert_eq!(live.rest().await, b"", "without the end of a body that is complete");
    assert!(cut.is_closed().await);
    assert!(echoes(&mut kept).await);
    let failures = running.metric("proxy_failures_total{class=\"upstream_removed\"}").await;
    assert_eq!(failures.as_deref(), Some("3"));
    go.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn a_server_that_comes_back_in_time_loses_nothing() {
    let up = named("here", Arc::default()).await;
    let other = named("other", Arc::default()).await;
    let build = |addr| {
        proxy()
            .server("reload_timeout = \"300ms\"")
            .upstream("one", &[addr], "")
            .route("/*", "one", "")
    };
    let mut running = build(up.addr).start();
    let mut socket = web_socket(running.addr).await;
    running.reload(&build(other.addr)).await.unwrap();
    let mut cut = web_socket(running.addr).await;
    running.reload(&build(up.addr)).await.unwrap();
    assert!(cut.is_closed().await, "the other one's time is over, and so the first one's was");
    assert!(echoes(&mut socket).await);
}

#[tokio::test]
async fn addresses_come_and_go_and_open_connections_outlive_theirs() {
    let up = Upstream::replying(ok("here")).await;
    let listen = |list: &str| proxy().server(&format!("listen = [{list}]")).to(&up);
    let mut running = listen("\"127.0.0.1:0\"").start();
    let old = running.addr;
    let mut kept = Client::to(old).await;
    running.reload(&listen("\"127.0.0.1:0\", \"127.0.0.2:0\"")).await.unwrap();
    let addrs = running.proxy.addrs();
    assert_eq!((addrs.len(), addrs[0]), (2, old), "the port that is bound stays");
    for addr in &addrs {
        assert_eq!(get(*addr, "/", "").await.text(), "here");
    }
    running.reload(&listen("\"127.0.0.2:0\"")).await.unwrap();
    assert_eq!(running.proxy.addrs(), addrs[1..]);
    eventually("the port to close", || std::net::TcpStream::connect(old).is_err()).await;
    assert_eq!(kept.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "here");
}

#[tokio::test]
async fn an_address_becomes_all_addresses_with_the_port_that_is_the_proxys_own_already() {
    let up = Upstream::replying(ok("here")).await;
    let listen = |address: &str| proxy().server(&format!("listen = [\"{address}\"]")).to(&up);
    // Another program of this machine may have the port at another address: then with another port.
    for _ in 0..20 {
        let mut running = listen("127.0.0.2:0").start();
        let port = running.addr.port();
        match running.reload(&listen(&format!("0.0.0.0:{port}"))).await {
            Ok(()) => {
                let other = SocketAddr::from(([127, 0, 0, 3], port));
                assert_eq!(get(other, "/", "").await.text(), "here");
                return;
            }
            Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
        }
    }
    panic!("no port is free at all addresses");
}

#[tokio::test]
async fn limits_and_timeouts_of_the_server_section_change_too() {
    let up = Upstream::replying(ok("here")).await;
    let mut running = proxy().to(&up).start();
    let _held = [Client::to(running.addr).await, Client::to(running.addr).await];
    assert_eq!(get(running.addr, "/", "").await.status, 200);
    running.reload(&proxy().server("max_connections = 1").to(&up)).await.unwrap();
    assert_eq!(Client::to(running.addr).await.response().await.status, 503);
    let next = proxy().server("keep_alive = \"10ms\"").to(&up);
    running.reload(&next).await.unwrap();
    let mut client = Client::to(running.addr).await;
    client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.is_closed().await, "an idle connection ends soon");
}

#[tokio::test]
async fn decisions_of_one_session_service_are_worth_nothing_after_another_took_its_place() {
    let good = super::support::auth_service().await;
    let stern = Upstream::replying("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
    let up = Upstream::replying(ok("secret")).await;
    let build = |service: &Upstream| proxy().auth(service, "cache = \"1h\"").to(&up);
    let mut running = build(&good).start();
    let ask = "cookie: session=good\r\n";
    assert_eq!(get(running.addr, "/", ask).await.status, 200);
    running.reload(&build(&good)).await.unwrap();
    assert_eq!(get(running.addr, "/", ask).await.status, 200);
    assert_eq!(good.requests().len(), 1, "the decision outlives a reload that leaves it be");
    running.reload(&build(&stern)).await.unwrap();
    assert_eq!(get(running.addr, "/", ask).await.status, 401);
}

#[tokio::test]
async fn the_access_log_goes_on_in_a_new_file_after_the_old_one_was_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let [file, rotated] = ["access.log", "access.log.1"].map(|name| dir.path().join(name));
    let up = Upstream::replying(ok("here")).await;
    let mut running =
        proxy().server(&format!("access_log = {:?}", file.display().to_string())).to(&up).start();
    get(running.addr, "/first", "").await;
    std::fs::rename(&file, &rotated).unwrap();
    running.proxy.reopen_log().unwrap();
    eventually("the lines so far", || {
        std::fs::read_to_string(&rotated).is_ok_and(|text| text.contains("/first"))
    })
    .await;
    get(running.addr, "/second", "").await;
    soon("the end", running.proxy.shutdown()).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("/second") && !text.contains("/first"), "{text}");
    assert!(!std::fs::read_to_string(&rotated).unwrap().contains("/second"));
}

#[tokio::test]
async fn many_reloads_under_load_cost_no_request_and_no_web_socket() {
    const RELOADS: usize = 40;
    let (first, second) =
        (named("first", Arc::default()).await, named("second", Arc::default()).await);
    let build = |turn: usize| {
        let addr = if turn.is_multiple_of(2) { first.addr } else { second.addr };
        proxy()
            .server("workers = 2")
            .server(&format!("listen = [\"127.0.0.1:0\", \"127.0.0.{}:0\"]", 2 + turn % 2))
            .upstream("steady", &[first.addr], "")
            .upstream("changing", &[addr], &format!("response_timeout = \"{}s\"", 30 + turn))
            .route("/*", "changing", "")
            .route("/steady", "steady", "")
            .route("/ws", "changing", "")
    };
    let mut running = build(0).start();
    let addr = running.addr;
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = tokio::task::JoinSet::new();
    for number in 0..8 {
        let stop = stop.clone();
        load.spawn(async move {
            let path = if number % 2 == 0 { "/steady" } else { "/x" };
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
            let (mut client, mut asked) = (Client::to(addr).await, 0);
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(client.ask(&request).await.status, 200);
                asked += 1;
                // Some on a connection of their own.
                if asked % 16 == 0 {
                    client = Client::to(addr).await;
                }
            }
            asked
        });
    }
    let mut sockets = Vec::new();
    for turn in 1..=RELOADS {
        sockets.push(web_socket(addr).await);
        running.reload(&build(turn)).await.unwrap();
    }
    for socket in &mut sockets {
        assert!(echoes(socket).await);
    }
    stop.store(true, Ordering::SeqCst);
    let asked: Vec<i32> = soon("the load", load.join_all()).await;
    assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
}

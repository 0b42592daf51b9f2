//! The end: what is under way is finished, within limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::support::{Client, Upstream, eventually, ok, proxy, soon};

#[tokio::test]
async fn a_request_under_way_is_finished_and_new_connections_are_refused() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let up = Upstream::scripted(move |mut conn| {
        let wait = wait.clone();
        async move {
            conn.request().await;
            if let Some(wait) = wait.lock().await.take() {
                wait.await.unwrap();
            }
            conn.send(ok("finished")).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let addr = running.addr;
    let mut idle = Client::to(addr).await;
    let mut client = Client::to(addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the request", || up.requests().len() == 1).await;
    let down = tokio::spawn(running.proxy.shutdown());
    assert!(idle.is_closed().await, "an idle connection is closed at once");
    eventually("the port to close", || std::net::TcpStream::connect(addr).is_err()).await;
    go.send(()).unwrap();
    let answer = client.response().await;
    assert_eq!(answer.text(), "finished");
    assert_eq!(answer.header("connection"), Some("close"));
    soon("the end", down).await.unwrap();
}

#[tokio::test]
async fn live_streams_and_tunnels_do_not_hold_up_the_end() {
    let up = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        if head.contains("/ws") {
            conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
        } else {
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
        }
        assert!(conn.is_closed().await);
    })
    .await;
    let running = proxy().server("drain_timeout = \"60s\"").to(&up).start();
    let mut events = Client::to(running.addr).await;
    events.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
    events.head().await;
    let mut socket = Client::to(running.addr).await;
    socket
        .send("GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await;
    assert_eq!(socket.head().await.status, 101);
    let started = Instant::now();
    soon("the end", running.proxy.shutdown()).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(events.is_closed().await && socket.is_closed().await);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_when_the_drain_time_is_over() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        std::future::pending::<()>().await;
    })
    .await;
    let running = proxy().server("drain_timeout = \"300ms\"").to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the request", || up.requests().len() == 1).await;
    let started = Instant::now();
    soon("the end", running.proxy.shutdown()).await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let text = format!(
        "[server]\nlisten = [\"{addr}\"]\n[upstreams.main]\nservers = [\"127.0.0.1:1\"]\n[[hosts]]\nnames = [\"*\"]\n\
         [[hosts.routes]]\npath = \"/*\"\nupstream = \"main\"\n"
    );
    let config = proxy::Config::parse(&text, "proxy.conf").unwrap().config;
    let error = proxy::Proxy::bind(config, proxy::Options::default()).unwrap_err().to_string();
    assert!(error.contains(&addr.to_string()) && error.contains("in use"), "{error}");
}

#[tokio::test]
async fn many_workers_share_one_port() {
    let up = Upstream::replying(ok("shared")).await;
    let running = proxy().server("workers = 3").to(&up).start();
    for _ in 0..30 {
        let answer = super::support::get(running.addr, "/", "").await;
        assert_eq!(answer.text(), "shared");
    }
    soon("the end", running.proxy.shutdown()).await;
}

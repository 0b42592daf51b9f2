//! Several servers behind one name.

use super::support::{Client, Upstream, eventually, get, ok, proxy};

#[tokio::test]
async fn round_robin_takes_servers_in_turn() {
    let servers = [
        Upstream::replying(ok("a")).await,
        Upstream::replying(ok("b")).await,
        Upstream::replying(ok("c")).await,
    ];
    let addrs: Vec<_> = servers.iter().map(|up| up.addr).collect();
    let running = proxy().upstream("main", &addrs, "").route("/*", "main", "").start();
    for _ in 0..9 {
        get(running.addr, "/", "").await;
    }
    assert_eq!(servers.each_ref().map(|up| up.requests().len()), [3, 3, 3]);
}

#[tokio::test]
async fn least_connections_avoids_a_server_that_is_busy() {
    let busy = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        assert!(conn.is_closed().await);
    })
    .await;
    let free = Upstream::replying(ok("free")).await;
    let running = proxy()
        .upstream("main", &[busy.addr, free.addr], "policy = \"least_connections\"")
        .route("/*", "main", "")
        .start();
    // Hold one request at the busy server; the other one answers until then.
    let mut held = Vec::new();
    while busy.requests().is_empty() {
        let mut client = Client::to(running.addr).await;
        let before = free.requests().len();
        client.send("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
        eventually("a server to get it", || {
            !busy.requests().is_empty() || free.requests().len() > before
        })
        .await;
        held.push(client);
    }
    for _ in 0..6 {
        assert_eq!(get(running.addr, "/", "").await.text(), "free");
    }
    assert_eq!(busy.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_over_for_any_request() {
    let gone = Upstream::replying(ok("")).await.addr;
    let up = Upstream::replying(ok("there")).await;
    let running = proxy().upstream("main", &[gone, up.addr], "").route("/*", "main", "").start();
    for _ in 0..6 {
        let mut client = Client::to(running.addr).await;
        let answer = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        assert_eq!((answer.status, answer.text()), (200, "there"));
    }
}

#[tokio::test]
async fn a_sick_server_is_taken_out_and_put_back() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let sick = Upstream::answering(move |head| {
        if head.starts_with("GET /health") && !state.load(Ordering::SeqCst) {
            return "HTTP/1.1 500 Sick\r\ncontent-length: 0\r\n\r\n".into();
        }
        ok("recovered")
    })
    .await;
    let running = proxy()
        .admin()
        .upstream(
            "main",
            &[sick.addr],
            "health = { path = \"/health\", interval = \"100ms\", timeout = \"1s\" }",
        )
        .route("/*", "main", "")
        .start();
    let admin = running.proxy.admin().unwrap();
    while get(admin, "/ready", "").await.status == 200 {}
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_server"));
    well.store(true, Ordering::SeqCst);
    while get(admin, "/ready", "").await.status != 200 {}
    assert_eq!(get(running.addr, "/", "").await.text(), "recovered");
}

//! Connections on which nothing happens for a while.

use super::support::{Authority, Client, Running, Upstream, get, ok, proxy, soon};

const ASK: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Waits until so many connections are parked.
async fn parked(running: &Running, count: usize) {
    let admin = running.proxy.admin().unwrap();
    let line = format!("proxy_connections_parked {count}\n");
    soon(&line, async { while !get(admin, "/metrics", "").await.text().contains(&line) {} }).await;
}

#[tokio::test]
async fn a_parked_connection_serves_the_next_request_whole_or_in_pieces() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().admin().to(&up).start();
    let mut client = Client::to(running.addr).await;
    for pieces in [&[ASK][..], &["G", "ET / HTTP/1.1\r\nhost: a\r\n", "\r\n"], &["\r\n", ASK]] {
        assert_eq!(client.ask(ASK).await.text(), "in");
        parked(&running, 1).await;
        for piece in pieces {
            client.send(piece).await;
        }
        assert_eq!(client.response().await.text(), "in");
        parked(&running, 1).await;
    }
}

#[tokio::test]
async fn a_parked_connection_with_tls_goes_on_where_it_was() {
    let up = Upstream::replying(ok("in")).await;
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let running = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"certificates\" }")
        .tls(&authority.section("a", &[]))
        .admin()
        .to(&up)
        .start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    for _ in 0..2 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await.text(), "in");
        parked(&running, 1).await;
    }
}

#[tokio::test]
async fn a_parked_connection_becomes_a_tunnel() {
    let up = Upstream::scripted(|mut conn| async move {
        while let Some(head) = conn.request().await {
            if head.contains("/ws") {
                conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi").await;
                assert_eq!(conn.bytes(2).await, b"ho");
                return;
            }
            conn.send(ok("in")).await;
        }
    })
    .await;
    let running = proxy().admin().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.ask(ASK).await;
    parked(&running, 1).await;
    client
        .send("GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nho")
        .await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.exactly(2).await, b"hi");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_parked_connection_ends_with_its_client_its_time_and_its_proxy() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().server("keep_alive = \"2s\"").admin().to(&up).start();
    let mut leaves = Client::to(running.addr).await;
    let mut stays = Client::to(running.addr).await;
    leaves.ask(ASK).await;
    stays.ask(ASK).await;
    parked(&running, 2).await;
    drop(leaves);
    parked(&running, 1).await;
    assert!(stays.is_closed().await, "its time is over");
    let mut last = Client::to(running.addr).await;
    last.ask(ASK).await;
    parked(&running, 1).await;
    let down = tokio::spawn(running.proxy.shutdown());
    assert!(last.is_closed().await, "at once");
    soon("the end", down).await.unwrap();
}

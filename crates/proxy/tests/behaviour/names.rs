//! Servers that are known by name: their addresses come, go and stay.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::support::{Client, Running, Upstream, eventually, get, ok, proxy};

/// A resolver with a few names.
#[derive(Debug, Default)]
struct Table {
    names: Mutex<HashMap<String, Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Table {
    fn set(&self, name: &str, ips: &[&str]) {
        let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        self.names.lock().unwrap().insert(name.to_owned(), ips);
    }

    fn forget(&self, name: &str) {
        self.names.lock().unwrap().remove(name);
    }

    /// What is asked from now on has been taken over.
    async fn settled(&self) {
        let before = self.asked.load(Ordering::SeqCst);
        eventually("the resolver", || self.asked.load(Ordering::SeqCst) > before + 2).await;
    }
}

impl proxy::Lookup for Table {
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = self.names.lock().unwrap().get(host).cloned();
        known.ok_or_else(|| io::Error::other("the resolver is away"))
    }
}

/// A server at each of two addresses, on one port, which says which one it is.
async fn two_servers() -> (Upstream, Upstream) {
    let first = answering_slowly("127.0.0.1:0".parse().unwrap(), "first").await;
    let addr = SocketAddr::new("127.0.0.2".parse().unwrap(), first.addr.port());
    let second = answering_slowly(addr, "second").await;
    (first, second)
}

/// `/held` is answered once the client has sent the rest of its body; `/tunnel` becomes an echo.
async fn answering_slowly(addr: SocketAddr, name: &'static str) -> Upstream {
    Upstream::scripted_on(addr, move |mut conn| async move {
        while let Some(head) = conn.request().await {
            if head.starts_with("POST /held") {
                conn.bytes(4).await;
            }
            if head.starts_with("GET /tunnel") {
                conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
                while let [byte] = conn.bytes(1).await[..] {
                    conn.send([byte]).await;
                }
                return;
            }
            conn.send(ok(name)).await;
        }
    })
    .await
}

fn named(table: &Arc<Table>, port: u16) -> Running {
    let server = format!("\"app.internal:{port}\"");
    proxy()
        .names(table.clone())
        .servers("main", &server, "resolve = \"20ms\"\nidle_timeout = \"1h\"")
        .route("/*", "main", "")
        .start()
}

#[tokio::test]
async fn a_server_that_left_finishes_what_it_has_and_gets_nothing_new() {
    let (first, second) = two_servers().await;
    let table = Arc::new(Table::default());
    table.set("app.internal", &["127.0.0.1"]);
    let running = named(&table, first.addr.port());
    let mut idle = Client::to(running.addr).await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "first");
    let mut held = Client::to(running.addr).await;
    held.send("POST /held HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nha").await;
    let mut tunnel = Client::to(running.addr).await;
    tunnel
        .send(
            "GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .await;
    assert_eq!(tunnel.head().await.status, 101);
    eventually("the request", || first.requests().len() == 3).await;

    table.set("app.internal", &["127.0.0.2"]);
    while idle.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text() != "second" {}
    let before = first.requests().len();
    for _ in 0..6 {
        assert_eq!(get(running.addr, "/", "").await.text(), "second");
    }
    tunnel.send("x").await;
    assert_eq!(tunnel.exactly(1).await, b"x");
    held.send("lf").await;
    assert_eq!(held.response().await.text(), "first");
    // Its connection isn't kept for another request either.
    assert_eq!(get(running.addr, "/", "").await.text(), "second");
    assert_eq!(first.requests().len(), before);
    drop(second);
}

#[tokio::test]
async fn a_resolver_that_fails_changes_nothing() {
    let (first, _second) = two_servers().await;
    let table = Arc::new(Table::default());
    table.set("app.internal", &["127.0.0.1"]);
    let running = named(&table, first.addr.port());
    assert_eq!(get(running.addr, "/", "").await.text(), "first");
    table.forget("app.internal");
    table.settled().await;
    assert_eq!(get(running.addr, "/", "").await.text(), "first");
    // No address at all is no good answer either.
    table.set("app.internal", &[]);
    table.settled().await;
    assert_eq!(get(running.addr, "/", "").await.text(), "first");
}

#[tokio::test]
async fn a_name_that_is_not_known_at_the_start_is_503_until_it_is() {
    let (first, _second) = two_servers().await;
    let table = Arc::new(Table::default());
    let running = named(&table, first.addr.port());
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_server"));
    assert!(answer.header("retry-after").is_some());
    table.set("app.internal", &["127.0.0.1"]);
    table.settled().await;
    assert_eq!(get(running.addr, "/", "").await.text(), "first");
}

#[tokio::test]
async fn every_address_of_a_name_is_a_server() {
    let (first, second) = two_servers().await;
    let table = Arc::new(Table::default());
    table.set("app.internal", &["127.0.0.1", "127.0.0.2"]);
    let running = named(&table, first.addr.port());
    for _ in 0..6 {
        get(running.addr, "/", "").await;
    }
    assert_eq!((first.requests().len(), second.requests().len()), (3, 3));
}

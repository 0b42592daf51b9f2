//! Servers that speak HTTP/2: requests beside each other on few connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use super::support::{Client, Running, Upstream, eventually, get, ok, proxy};
use super::transport::{Passage, tls_to};

/// A server that speaks HTTP/2 alone. `/held` is answered when it is let go; all connections break at the first
/// `/breaks`; a body comes back.
struct Server {
    addr: SocketAddr,
    seen: Arc<Seen>,
    go: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    connections: Mutex<Vec<AbortHandle>>,
    /// Requests whose answer nobody waited for.
    left: AtomicUsize,
    broke: AtomicBool,
}

/// Counts a request that is dropped before its end.
struct Underway(Arc<Seen>, bool);

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.1 {
            self.0.left.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Server {
    /// At most so many streams on a connection.
    async fn allowing(streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (go, gone) = watch::channel(false);
        let remembered = seen.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, gone) = (remembered.clone(), gone.clone());
                let serving = tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, seen.clone(), gone.clone()));
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .max_concurrent_streams(streams)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
                remembered.connections.lock().unwrap().push(serving.abort_handle());
            }
        });
        Self { addr, seen, go, accepting }
    }

    async fn new() -> Self {
        Self::allowing(1000).await
    }

    fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.seen.connections.lock().unwrap().len()
    }

    /// Breaks all connections.
    fn cut(&self) {
        self.seen.cut();
    }

    fn behind(&self, lines: &str) -> Running {
        let lines = format!("protocol = \"h2c\"\n{lines}");
        proxy().upstream("main", &[self.addr], &lines).route("/*", "main", "").start()
    }
}

impl Seen {
    fn cut(&self) {
        for connection in &*self.connections.lock().unwrap() {
            connection.abort();
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Seen>,
    mut gone: watch::Receiver<bool>,
) -> Result<Response<String>, Infallible> {
    let mut underway = Underway(seen.clone(), false);
    let (head, mut body) = request.into_parts();
    seen.requests.lock().unwrap().push(format!(
        "{:?} {} {} host={:?} connection={:?}",
        head.version,
        head.method,
        head.uri,
        head.headers.get("host"),
        head.headers.get("connection"),
    ));
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        bytes.extend(frame.into_data().unwrap_or_else(|_| Bytes::new()));
    }
    if head.uri.path() == "/breaks" && !seen.broke.swap(true, Ordering::SeqCst) {
        seen.cut();
        std::future::pending::<()>().await;
    }
    if head.uri.path() == "/held" {
        let _ = gone.wait_for(|go| *go).await;
    }
    underway.1 = true;
    let text = if bytes.is_empty() { "answered".into() } else { String::from_utf8(bytes).unwrap() };
    Ok(Response::new(text))
}

async fn held(addr: SocketAddr) -> Client {
    let mut client = Client::to(addr).await;
    client.send("GET /held HTTP/1.1\r\nhost: chat.test\r\n\r\n").await;
    client
}

#[tokio::test]
async fn requests_share_one_connection() {
    let server = Server::new().await;
    let running = server.behind("");
    assert_eq!(
        get(running.addr, "/a?b=c", "connection: x-hop\r\nx-hop: 1\r\n").await.text(),
        "answered"
    );
    let first = &server.requests()[0];
    assert_eq!(first, "HTTP/2.0 GET http://chat.test/a?b=c host=None connection=None");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(held(running.addr).await);
    }
    eventually("all of them", || server.requests().len() == 21).await;
    server.go.send(true).unwrap();
    for client in &mut waiting {
        assert_eq!(client.response().await.text(), "answered");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_burst_does_not_open_a_connection_each() {
    let server = Server::new().await;
    let running = server.behind("");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(Client::to(running.addr).await);
    }
    for client in &mut waiting {
        client.send("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    }
    eventually("all of them", || server.requests().len() == 20).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn bodies_pass_both_ways() {
    let server = Server::new().await;
    let running = server.behind("");
    let large = "large ".repeat(500_000);
    let mut client = Client::to(running.addr).await;
    for _ in 0..2 {
        let length = large.len();
        client
            .send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"))
            .await;
        client.send(&large).await;
        assert!(client.response().await.text() == large);
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
        assert_eq!(client.response().await.text(), "abc");
    }
    let head = client.ask("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_full_connection_gets_a_second_one_beside_it() {
    // The limit is the proxy's or the server's.
    for (allowed, lines) in [(1000, "max_streams = 2"), (2, "")] {
        let server = Server::allowing(allowed).await;
        let running = server.behind(lines);
        // The server has said what it allows before its first answer.
        assert_eq!(get(running.addr, "/", "").await.status, 200);
        let mut waiting = Vec::new();
        for number in 1..=3 {
            waiting.push(held(running.addr).await);
            eventually("it", || server.requests().len() == 1 + number).await;
        }
        assert_eq!(server.connections(), 2, "{lines}");
        server.go.send(true).unwrap();
        for client in &mut waiting {
            assert_eq!(client.response().await.text(), "answered");
        }
    }
}

#[tokio::test]
async fn when_all_streams_are_taken_requests_wait() {
    let server = Server::new().await;
    let running = server.behind("max_streams = 1\nmax_connections = 1");
    let mut first = held(running.addr).await;
    eventually("the first", || server.requests().len() == 1).await;
    let mut second = held(running.addr).await;
    assert_eq!(get(running.addr, "/%2f", "").await.status, 400);
    assert_eq!(server.requests().len(), 1);
    server.go.send(true).unwrap();
    assert_eq!(first.response().await.text(), "answered");
    assert_eq!(second.response().await.text(), "answered");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_stream_and_no_other() {
    let server = Server::new().await;
    let running = server.behind("");
    let mut stays = held(running.addr).await;
    let leaves = held(running.addr).await;
    eventually("both", || server.requests().len() == 2).await;
    drop(leaves);
    eventually("one to be cancelled", || server.seen.left.load(Ordering::SeqCst) == 1).await;
    server.go.send(true).unwrap();
    assert_eq!(stays.response().await.text(), "answered");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_broke_is_replaced() {
    let server = Server::new().await;
    let running = server.behind("");
    let mut client = Client::to(running.addr).await;
    for round in 1..=3 {
        let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!((answer.status, answer.text()), (200, "answered"));
        assert_eq!(server.connections(), round);
        server.cut();
    }
}

#[tokio::test]
async fn r30_a_safe_request_on_a_connection_that_broke_is_sent_again_and_no_other() {
    let breaks = |server: &Server| {
        let requests = server.requests();
        requests.iter().filter(|request| request.contains("/breaks")).count()
    };
    for (first, request, status, sent) in [
        ("/", "GET /breaks HTTP/1.1\r\nhost: a\r\n\r\n", 200, 2),
        ("/", "POST /breaks HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", 502, 1),
        ("/", "PUT /breaks HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", 502, 1),
        ("/", "POST /breaks HTTP/1.1\r\nhost: a\r\n\r\n", 502, 1),
        // Without one before it the connection is fresh.
        ("", "GET /breaks HTTP/1.1\r\nhost: a\r\n\r\n", 502, 1),
    ] {
        let server = Server::new().await;
        let running = server.behind("");
        if !first.is_empty() {
            assert_eq!(get(running.addr, first, "").await.status, 200);
        }
        let answer = Client::to(running.addr).await.ask(request).await;
        assert_eq!((answer.status, breaks(&server)), (status, sent), "{first} {request}");
        if sent == 2 {
            let requests = server.requests();
            assert_eq!(requests[1], requests[2], "the whole request");
        }
    }
}

#[tokio::test]
async fn a_request_that_was_under_way_when_the_connection_broke_fails() {
    let server = Server::new().await;
    let running = server.behind("");
    let mut client = Client::to(running.addr).await;
    client.send("POST /held HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
    eventually("it", || server.requests().len() == 1).await;
    server.cut();
    let answer = client.response().await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_504_and_others_go_on() {
    let server = Server::new().await;
    let running = server.behind("response_timeout = \"100ms\"");
    let answer = get(running.addr, "/held", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    eventually("it to be cancelled", || server.seen.left.load(Ordering::SeqCst) == 1).await;
    assert_eq!(get(running.addr, "/", "").await.text(), "answered");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let server = Server::new().await;
    let running = server.behind("idle_timeout = \"100ms\"");
    assert_eq!(get(running.addr, "/", "").await.status, 200);
    let closed = || server.seen.connections.lock().unwrap()[0].is_finished();
    eventually("the connection to be closed", closed).await;
    assert_eq!(get(running.addr, "/", "").await.status, 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_websocket_has_a_connection_of_its_own() {
    let up = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
        conn.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .await;
        while let [byte] = conn.bytes(1).await[..] {
            conn.send([byte]).await;
        }
    })
    .await;
    let running = proxy().only(&up, "protocol = \"h2c\"").start();
    let mut client = Client::to(running.addr).await;
    client
        .send(
            "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\necho",
        )
        .await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.exactly(4).await, b"echo");
}

#[tokio::test]
async fn a_server_that_does_not_speak_it_gets_no_request() {
    let up = Upstream::replying(ok("")).await;
    let running = proxy().only(&up, "protocol = \"h2c\"\nresponse_timeout = \"1s\"").start();
    let answer = get(running.addr, "/", "").await;
    assert!((502..=504).contains(&answer.status), "{}", answer.status);
    let seen = up.requests();
    assert!(!seen.iter().any(|head| head.contains("HTTP/1.1")), "{seen:?}");
}

#[tokio::test]
async fn with_tls_it_is_agreed_on() {
    let server = Server::new().await;
    let at = |passage: &Passage<SocketAddr>| {
        let lines = format!("protocol = \"h2\"\ntls = {{ ca = \"{}\" }}", passage.ca());
        proxy().upstream("main", &[passage.at], &lines).route("/*", "main", "").start()
    };
    let door = tls_to(server.addr, "127.0.0.1", "h2").await;
    let running = at(&door);
    for _ in 0..3 {
        assert_eq!(get(running.addr, "/", "").await.text(), "answered");
    }
    assert!(server.requests()[0].starts_with("HTTP/2.0 GET https://chat.test/ "));
    assert_eq!(server.connections(), 1);
    // One that can't is not spoken to.
    let door = tls_to(server.addr, "127.0.0.1", "http/1.1").await;
    let answer = get(at(&door).addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_refused"));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn health_is_asked_over_http2() {
    let server = Server::new().await;
    let health = "health = { path = \"/health\", interval = \"50ms\", timeout = \"1s\" }";
    let running = server.behind(health);
    eventually("a question", || server.requests().iter().any(|it| it.contains("/health "))).await;
    assert_eq!(get(running.addr, "/", "").await.status, 200);
}

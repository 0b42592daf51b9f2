//! HTTPS: certificates by name, kept sessions, changed keys, and everything that HTTP does.

use tokio::io::AsyncWriteExt as _;
use tokio_rustls::rustls::HandshakeKind;

use super::support::{Authority, Builder, Client, Upstream, eventually, ok, proxy, soon};

const TLS: &str = "{ address = \"127.0.0.1:0\", tls = \"certificates\" }";
const REQUEST: &str = "GET /a HTTP/1.1\r\nhost: a.test\r\n\r\n";

/// A proxy with certificates for `a.test` (the default) and for all names below `b.test`.
fn secure(authority: &Authority) -> Builder {
    authority.issue("a", &["a.test", "other.test"]);
    authority.issue("b", &["*.b.test"]);
    let sections = authority.section("a", &[]) + &authority.section("b", &["*.b.test"]);
    proxy().listen(TLS).tls(&sections)
}

#[tokio::test]
async fn the_upstream_is_told_that_the_client_came_by_https() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    for _ in 0..2 {
        let response = client.ask(REQUEST).await;
        assert_eq!((response.status, response.text()), (200, "hello"));
    }
    let head = upstream.requests().pop().unwrap();
    assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
    assert!(head.contains(";proto=https\r\n"), "{head}");
}

#[tokio::test]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let builder = secure(&authority);
    let a = authority.issue("a", &["a.test", "other.test"]);
    let b = authority.issue("b", &["*.b.test"]);
    let running = builder.to(&upstream).start();
    let trust = authority.trust();
    assert_eq!(trust.shown(running.addr, "a.test").await, a);
    assert_eq!(trust.shown(running.addr, "one.b.test").await, b);
    assert_eq!(trust.shown(running.addr, "TWO.b.TEST").await, b);
    assert_eq!(trust.shown(running.addr, "other.test").await, a, "the first is for all others");
    assert!(trust.try_connect(running.addr, "a.b.b.test").await.is_err(), "a star is one label");
}

#[tokio::test]
async fn r16_a_host_of_another_certificate_is_misdirected() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "one.b.test").await;
    for (host, status) in [
        ("one.b.test", 200),
        ("two.B.test:443", 200),
        ("a.test", 421),
        ("b.test", 421),
        ("one.b.test", 200),
    ] {
        let response = client.ask(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert_eq!(response.status, status, "{host}");
        if status == 421 {
            assert_eq!(response.code(), "misdirected_request");
        }
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_session_is_resumed_after_a_reload() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let builder = secure(&authority).to(&upstream);
    let file = authority.file("proxy.conf");
    std::fs::write(&file, builder.text()).unwrap();
    let mut running = builder.start();
    let trust = authority.trust();
    let kind = async |addr| {
        let mut client = trust.connect(addr, "a.test").await;
        // The tickets come with the first answer.
        assert_eq!(client.ask(REQUEST).await.status, 200);
        client.stream.get_ref().1.handshake_kind().unwrap()
    };
    assert_eq!(kind(running.addr).await, HandshakeKind::Full);
    assert_eq!(kind(running.addr).await, HandshakeKind::Resumed);
    running.proxy.reload(&file).await.unwrap();
    assert_eq!(kind(running.addr).await, HandshakeKind::Resumed);
}

#[tokio::test]
async fn changed_files_are_shown_to_whoever_comes_then() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let trust = authority.trust();
    let mut open = trust.connect(running.addr, "a.test").await;
    let new = authority.issue("a", &["a.test", "other.test"]);
    soon("the new certificate", async {
        while trust.shown(running.addr, "a.test").await != new {}
    })
    .await;
    assert_eq!(open.ask(REQUEST).await.status, 200, "who is connected stays so");
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let trust = authority.trust().alpn(&["http/0.9", "http/1.1"]);
    let client = trust.connect(running.addr, "a.test").await;
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let trust = authority.trust().alpn(&["http/0.9"]);
    assert!(trust.try_connect(running.addr, "a.test").await.is_err());
}

#[tokio::test]
async fn plain_http_is_told_to_come_by_https() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    let response = client.ask(REQUEST).await;
    assert_eq!(response.status, 400);
    assert!(response.text().contains("https_required"), "{}", response.text());
    assert!(client.is_closed().await);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_waited_for_only_so_long() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let lines = "handshake_timeout = \"100ms\"\n".to_owned() + &authority.section("a", &[]);
    let running = proxy().listen(TLS).tls(&lines).to(&upstream).start();
    for begin in [b"".as_slice(), &[0x16, 3, 1, 0, 200, 1]] {
        let mut client = Client::to(running.addr).await;
        client.send(begin).await;
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_proxy_header_may_come_before_the_handshake() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let running = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"certificates\", proxy_protocol = true }")
        .server("trusted_proxies = [\"127.0.0.0/8\"]")
        .tls(&authority.section("a", &[]))
        .to(&upstream)
        .start();
    let mut bare = Client::to(running.addr).await;
    bare.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").await;
    let stream = authority.trust().try_on(bare.stream, "a.test").await.unwrap();
    assert_eq!(Client::on(stream).ask(REQUEST).await.status, 200);
    assert!(upstream.request().contains("forwarded: for=192.0.2.7;host=\"a.test\";proto=https"));
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    let upstream = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        let body = conn.bytes(3_000_000).await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n").await;
        conn.send(body).await;
    })
    .await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    client.send("POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3000000\r\n\r\n").await;
    client.send(&body).await;
    client.stream.flush().await.unwrap();
    let response = client.response().await;
    assert_eq!(response.status, 200);
    assert!(response.body == body);
}

#[tokio::test]
async fn requests_may_be_sent_before_the_answers_are_there() {
    let upstream = Upstream::answering(|head| ok(head.split(' ').nth(1).unwrap())).await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    let all: String = (0..40)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a.test\r\nx: {n:0100}\r\n\r\n"))
        .collect();
    client.send(all).await;
    for n in 0..40 {
        assert_eq!(client.response().await.text(), format!("/{n}"));
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_noticed() {
    let upstream = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        // Never answered: the proxy hangs up when its client does.
        assert_eq!(conn.bytes(1).await, b"");
        conn.note("hung up");
    })
    .await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    client.send(REQUEST).await;
    eventually("the request", || upstream.requests().len() == 1).await;
    client.stream.shutdown().await.unwrap();
    drop(client);
    eventually("the hang-up", || upstream.requests().len() == 2).await;
}

#[tokio::test]
async fn a_web_socket_is_a_tunnel_through_tls() {
    let upstream = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nwelcome").await;
        let all = conn.bytes(1_000_005).await;
        conn.send(all).await;
    })
    .await;
    let authority = Authority::new();
    let running = secure(&authority).to(&upstream).start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    client
        .send("GET /ws HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly")
        .await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.exactly(7).await, b"welcome");
    client.send(vec![7; 1_000_000]).await;
    client.stream.flush().await.unwrap();
    let back = client.exactly(1_000_005).await;
    assert!(back.starts_with(b"early\x07") && back.ends_with(&[7; 1000]));
    assert!(client.is_closed().await, "the server's end comes through");
}

#[tokio::test]
async fn without_usable_files_it_does_not_start() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    let builder = secure(&authority).to(&upstream);
    std::fs::write(authority.file("b.key"), std::fs::read(authority.file("a.key")).unwrap())
        .unwrap();
    let config = proxy::Config::parse(&builder.text(), "proxy.conf").unwrap().config;
    let error = proxy::Proxy::bind(config, proxy::Options::default()).unwrap_err().to_string();
    assert!(error.contains("b.key: it is no key for"), "{error}");
}

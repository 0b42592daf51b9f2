//! HTTP/2 towards clients: each request goes on as any other, and no frame does harm. `http2_web_socket` has the
//! tunnels.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::support::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, begin, block, frame, get_block,
};
use super::support::{Authority, Client, Upstream, eventually, header, ok, proxy, soon};

pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

async fn on(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Body> {
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = soon("a handshake", handshake).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn to(addr: SocketAddr) -> SendRequest<Body> {
    on(TcpStream::connect(addr).await.unwrap()).await
}

pub(super) fn get(path: &str) -> http::Request<Body> {
    http::Request::get(format!("http://a.test{path}")).body(Empty::new().boxed()).unwrap()
}

async fn text(response: http::Response<Incoming>) -> String {
    let body = soon("a body", response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn r28_a_request_goes_on_as_http_1_1() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let mut client = to(running.addr).await;
    let mut request = get("/a?b");
    for crumb in ["one=1", "two=2; three=3", "four=4"] {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    let response = soon("an answer", client.send_request(request)).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    assert_eq!(text(response).await, "hello");
    let head = upstream.request();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some("a.test"));
    assert_eq!(header(&head, "cookie"), Some("one=1; two=2; three=3; four=4"));
    assert_eq!(header(&head, "via"), Some("2.0 hybrid-chat"));
    assert_eq!(header(&head, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(&head, "te"), None);
    assert_eq!(header(&head, "transfer-encoding"), None);
}

#[tokio::test]
async fn tls_agrees_on_it() {
    let upstream = Upstream::replying(ok("hello")).await;
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    authority.issue("b", &["b.test"]);
    let running = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"certificates\" }")
        .tls(&(authority.section("a", &[]) + &authority.section("b", &["b.test"])))
        .to(&upstream)
        .start();
    let trust = authority.trust().alpn(&["h2", "http/1.1"]);
    let stream = trust.try_connect(running.addr, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut client = on(stream).await;
    let response = soon("an answer", client.send_request(get("/"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&upstream.request(), "x-forwarded-proto"), Some("https"));
    let mut other = get("/");
    *other.uri_mut() = "https://b.test/".parse().unwrap();
    let response = soon("an answer", client.send_request(other)).await.unwrap();
    assert_eq!(response.status(), 421, "of another certificate");
}

#[tokio::test]
async fn a_hundred_requests_share_a_connection() {
    let upstream = Upstream::answering(|head| ok(head.split(' ').nth(1).unwrap())).await;
    let running = proxy().to(&upstream).start();
    let client = to(running.addr).await;
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut client = client.clone();
        asking.spawn(async move {
            let path = format!("/{n}");
            let response = client.send_request(get(&path)).await.unwrap();
            assert_eq!(text(response).await, path);
        });
    }
    let done = soon("all answers", asking.join_all()).await;
    assert_eq!(done.len(), 100);
}

#[tokio::test]
async fn bodies_of_unknown_length_go_both_ways() {
    let upstream = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"), "{head}");
        assert_eq!(conn.bytes(15).await, b"5\r\nhello\r\n0\r\n\r\n");
        conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .await;
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = to(running.addr).await;
    // Even one of a kind that has no body elsewhere.
    let pieces = futures_util::stream::iter([Ok(Frame::data(Bytes::from("hello")))]);
    let request = http::Request::get("http://a.test/")
        .body(StreamBody::new(SyncStream(pieces)).boxed())
        .unwrap();
    let response = soon("an answer", client.send_request(request)).await.unwrap();
    assert_eq!(text(response).await, "abc");
}

/// A stream that may be shared.
struct SyncStream<S>(S);

impl<S: futures_util::Stream + Unpin> futures_util::Stream for SyncStream<S> {
    type Item = S::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx)
    }
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    let upstream = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        let length = header(&head, "content-length").unwrap().parse().unwrap();
        let body = conn.bytes(length).await;
        conn.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")).await;
        conn.send(body).await;
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = to(running.addr).await;
    let body: Bytes = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let request =
        http::Request::post("http://a.test/").body(Full::new(body.clone()).boxed()).unwrap();
    let response = soon("an answer", client.send_request(request)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "3000000");
    let back = soon("the body", response.into_body().collect()).await.unwrap().to_bytes();
    assert!(back == body);
}

#[tokio::test]
async fn the_preface_may_come_in_pieces_and_what_only_looks_like_it_is_http_1() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    for byte in PREFACE {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    client.send(frame(SETTINGS, 0, 0, &[])).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get_block(&[]))).await;
    let answer = frames::next(&mut client).await;
    assert_eq!((answer.kind, answer.stream), (HEADERS, 1), "{answer:?}");
    for method in ["PUT", "PRI"] {
        let mut client = Client::to(running.addr).await;
        for byte in format!("{method} / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").bytes() {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.response().await.status, 200, "{method}");
    }
}

#[tokio::test]
async fn each_request_has_a_deadline_of_its_own() {
    let upstream = Upstream::scripted(|mut conn| async move {
        while let Some(head) = conn.request().await {
            if !head.starts_with("GET /never") {
                conn.send(ok("soon")).await;
            }
        }
    })
    .await;
    let running = proxy().only(&upstream, "response_timeout = \"200ms\"").start();
    let client = to(running.addr).await;
    let ask = |path| {
        let mut client = client.clone();
        async move { soon("an answer", client.send_request(get(path))).await.unwrap() }
    };
    let (late, early) = tokio::join!(ask("/never"), ask("/a"));
    assert_eq!((late.status().as_u16(), early.status().as_u16()), (504, 200));
    assert_eq!(ask("/b").await.status(), 200, "the connection goes on");
}

#[tokio::test]
async fn who_reads_nothing_of_an_answer_loses_it_and_nothing_else() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().only(&upstream, "body_idle_timeout = \"200ms\"").start();
    // SETTINGS_INITIAL_WINDOW_SIZE 0: not a byte may be sent.
    let mut client = begin(running.addr, &[0, 4, 0, 0, 0, 0]).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get_block(&[]))).await;
    assert_eq!(frames::next(&mut client).await.kind, HEADERS);
    let cut = frames::next(&mut client).await;
    assert_eq!((cut.kind, cut.stream), (RST_STREAM, 1), "{cut:?}");
    client.send(frame(PING, 0, 0, b"are you?")).await;
    let pong = frames::next(&mut client).await;
    assert_eq!((pong.kind, pong.flags, &pong.payload[..]), (PING, ACK, &b"are you?"[..]));
}

#[tokio::test]
async fn a_cancelled_request_is_cancelled_at_the_server() {
    let upstream = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        assert_eq!(conn.bytes(1).await, b"");
        conn.note("hung up");
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = begin(running.addr, &[]).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get_block(&[]))).await;
    eventually("the request", || upstream.requests().len() == 1).await;
    client.send(frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())).await;
    eventually("the hang-up", || upstream.requests().len() == 2).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &get_block(&[]))).await;
    eventually("the next request", || upstream.requests().len() == 3).await;
    drop(client);
    eventually("its end", || upstream.requests().len() == 4).await;
}

#[tokio::test]
async fn an_idle_connection_is_sent_away() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().server("keep_alive = \"100ms\"").to(&upstream).start();
    let mut client = begin(running.addr, &[]).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get_block(&[]))).await;
    let mut saw = Vec::new();
    while saw.last() != Some(&GOAWAY) {
        saw.push(frames::next(&mut client).await.kind);
    }
    assert_eq!(saw, [HEADERS, DATA, GOAWAY]);
    client.rest().await;
}

#[tokio::test]
async fn at_the_end_open_requests_are_answered_and_no_new_one_is_taken() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut conn| {
        let mut gone = gone.clone();
        async move {
            conn.request().await.unwrap();
            gone.wait_for(|gone| *gone).await.unwrap();
            conn.send(ok("hello")).await;
        }
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = begin(running.addr, &[]).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get_block(&[]))).await;
    eventually("the request", || upstream.requests().len() == 1).await;
    let ending = tokio::spawn(running.proxy.shutdown());
    assert_eq!(frames::next(&mut client).await.kind, GOAWAY);
    let ping = frames::next(&mut client).await;
    assert_eq!(ping.kind, PING);
    client.send(frame(PING, ACK, 0, &ping.payload)).await;
    assert_eq!(frames::next(&mut client).await.kind, GOAWAY);
    go.send(true).unwrap();
    assert_eq!(frames::next(&mut client).await.kind, HEADERS);
    let body = frames::next(&mut client).await;
    assert_eq!((body.kind, &body.payload[..]), (DATA, &b"hello"[..]));
    soon("the end", ending).await.unwrap();
    soon("the connection's end", async { client.rest().await }).await;
}

#[tokio::test]
async fn a_live_stream_passes_piece_by_piece() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut conn| {
        let mut gone = gone.clone();
        async move {
            conn.request().await.unwrap();
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
                .await;
            gone.wait_for(|gone| *gone).await.unwrap();
            conn.send("data: 2\n\n").await;
        }
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = to(running.addr).await;
    let mut body = soon("an answer", client.send_request(get("/"))).await.unwrap().into_body();
    let first = soon("a piece", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: 1\n\n");
    go.send(true).unwrap();
    let second = soon("a piece", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second, "data: 2\n\n");
}

#[tokio::test]
async fn r17_a_fragment_is_neither_routed_on_nor_forwarded() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let mut client = begin(running.addr, &[]).await;
    let head = block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a.test"),
        (":path", "/a?b#/../c"),
    ]);
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).await;
    assert_eq!(frames::next(&mut client).await.kind, HEADERS);
    assert!(upstream.request().starts_with("GET /a?b HTTP/1.1\r\n"));
}

#[tokio::test]
async fn windows_are_as_configured_and_who_answers_no_ping_is_gone() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy()
        .server("http2_stream_window = \"128KiB\"")
        .server("http2_connection_window = \"512KiB\"")
        .server("http2_ping_interval = \"100ms\"")
        .server("http2_ping_timeout = \"200ms\"")
        .to(&upstream)
        .start();
    let mut client = begin(running.addr, &[]).await;
    let mut payloads = HashMap::new();
    while !payloads.contains_key(&PING) {
        let seen = frames::any(&mut client).await;
        // The first settings are the server's, the next ones say that it has read ours.
        payloads.entry(seen.kind).or_insert(seen.payload);
    }
    let window = payloads[&SETTINGS].chunks(6).find(|setting| setting[..2] == [0, 4]).unwrap();
    assert_eq!(window[2..], (128_u32 << 10).to_be_bytes());
    // On top of what every connection begins with.
    assert_eq!(payloads[&WINDOW_UPDATE], ((512_u32 << 10) - 65_535).to_be_bytes());
    client.rest().await;
}

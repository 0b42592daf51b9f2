//! R24: an answer that comes before the request is complete reaches its client, whatever that is still sending.
//! A reset would take the answer away before it is read (RFC 9112 §9.6).

use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncRead, AsyncWrite};

use super::http2;
use super::support::frames::{
    self, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, begin, block, frame,
};
use super::support::{Authority, Client, Running, Upstream, ok, proxy, soon};

const MIB: usize = 1 << 20;

/// A client that sends all of its body before it looks at the answer.
async fn upload<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Client<S>,
    framing: &str,
    body: usize,
) {
    let end = if framing.contains("chunked") { "\r\n" } else { "\r\n\r\n" };
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}{end}")).await;
    let piece = vec![b'x'; 16 << 10];
    for _ in 0..body / piece.len() {
        client.send(&piece).await;
    }
}

async fn sees_the_413<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) {
    let answer = client.response().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed_in_peace().await, "reset");
}

async fn limited() -> (Upstream, Running) {
    let up = Upstream::replying(ok("")).await;
    let running =
        proxy().upstream("main", &[up.addr], "").route("/*", "main", "max_body = 10").start();
    (up, running)
}

#[tokio::test]
async fn r24_a_client_in_the_middle_of_its_upload_sees_why_it_was_refused() {
    let (_up, running) = limited().await;
    // What is drained before the answer, and much more than that.
    for body in [MIB / 8, 8 * MIB, 64 * MIB] {
        let sized = format!("content-length: {body}");
        let mut client = Client::to(running.addr).await;
        upload(&mut client, &sized, body).await;
        sees_the_413(&mut client).await;
        let mut client = Client::to(running.addr).await;
        upload(&mut client, &format!("transfer-encoding: chunked\r\n\r\n{body:x}"), body).await;
        sees_the_413(&mut client).await;
    }
}

#[tokio::test]
async fn r24_over_tls_too() {
    let up = Upstream::replying(ok("")).await;
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let running = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"certificates\" }")
        .tls(&authority.section("a", &[]))
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "max_body = 10")
        .start();
    let mut client = authority.trust().connect(running.addr, "a.test").await;
    upload(&mut client, &format!("content-length: {}", 8 * MIB), 8 * MIB).await;
    sees_the_413(&mut client).await;
}

#[tokio::test]
async fn r24_an_answer_of_the_server_arrives_though_the_client_is_still_sending() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
            .await;
        // Closed with the upload unread, as servers do.
    })
    .await;
    let running = proxy().to(&up).start();
    for body in [MIB, 8 * MIB] {
        let sized = format!("content-length: {body}");
        let mut client = Client::to(running.addr).await;
        upload(&mut client, &sized, 16 << 10).await;
        let answer = client.response().await;
        assert_eq!((answer.status, answer.text()), (403, "no"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed_in_peace().await, "reset");
        // If all of it was read meanwhile the connection is as good as before.
        let mut client = Client::to(running.addr).await;
        upload(&mut client, &sized, body).await;
        let answer = client.response().await;
        assert_eq!((answer.status, answer.text()), (403, "no"));
        if answer.header("connection") == Some("close") {
            assert!(client.is_closed_in_peace().await, "reset");
        } else {
            assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "no");
        }
    }
}

#[tokio::test]
async fn r24_a_client_that_sends_nothing_of_its_body_is_told_and_left() {
    let (_up, running) = limited().await;
    let mut client = Client::to(running.addr).await;
    upload(&mut client, &format!("content-length: {}", 8 * MIB), 0).await;
    sees_the_413(&mut client).await;
}

#[tokio::test]
async fn r24_over_http_2_only_the_stream_ends() {
    let (up, running) = limited().await;
    let mut client = http2::to(running.addr).await;
    let large = Full::new(vec![b'x'; 8 * MIB].into()).boxed();
    let request = http::Request::post("http://a.test/").body(large).unwrap();
    let answer = soon("an answer", client.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 413);
    let body = soon("its body", answer.into_body().collect()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("body_too_large"));
    assert!(up.requests().is_empty());
    let next = soon("the next answer", client.send_request(http2::get("/"))).await.unwrap();
    assert_eq!(next.status(), 200);
}

#[tokio::test]
async fn r24_over_http_2_the_client_is_told_to_stop_without_blame() {
    let (_up, running) = limited().await;
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    for more in [&[("content-length", "8388608")][..], &[]] {
        let mut client = begin(running.addr, &[]).await;
        client.send(frame(HEADERS, END_HEADERS, 1, &block(&[&post[..], more].concat()))).await;
        // Three of the four that may be sent without being asked.
        for _ in 0..3 {
            client.send(frame(DATA, 0, 1, &[b'x'; 16 << 10])).await;
        }
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(frames::next(&mut client).await);
        }
        let kinds: Vec<u8> = seen.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds, [HEADERS, DATA, RST_STREAM], "{seen:?}");
        assert_eq!(seen[1].flags, END_STREAM);
        // NO_ERROR: the answer is good (RFC 9113 §8.1).
        assert_eq!(seen[2].payload, [0; 4]);
    }
}

//! WebSockets over HTTP/2 (RFC 8441).

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::SendRequest;

use super::http2::{Body, get, to};
use super::support::frames::{
    self, DATA, END_HEADERS, END_STREAM, HEADERS, PING, begin, block, frame,
};
use super::support::{Client, Upstream, header, proxy, soon};

/// A connection with an extended CONNECT (RFC 8441) under way on stream 1.
async fn web_socket(addr: SocketAddr) -> Client {
    let mut client = begin(addr, &[]).await;
    let head = block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a.test"),
        (":path", "/ws"),
        ("sec-websocket-version", "13"),
    ]);
    client.send(frame(HEADERS, END_HEADERS, 1, &head)).await;
    client
}

/// The proof of RFC 6455 §1.3, as a WebSocket library makes it.
fn proof(head: &str) -> String {
    let key = header(head, "sec-websocket-key").unwrap();
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes())
}

#[tokio::test]
async fn a_web_socket_is_a_tunnel_on_a_stream() {
    let upstream = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "host"), Some("a.test"));
        assert_eq!(header(&head, "upgrade"), Some("websocket"));
        assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
        conn.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {}\r\n\r\nwelcome",
            proof(&head)
        ))
        .await;
        while let [byte] = conn.bytes(1).await[..] {
            conn.send([byte.to_ascii_uppercase()]).await;
        }
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = web_socket(running.addr).await;
    let answer = frames::next(&mut client).await;
    // `:status: 200` of the static table.
    assert_eq!((answer.kind, answer.flags, answer.payload[0]), (HEADERS, END_HEADERS, 0x88));
    let mut got = Vec::new();
    client.send(frame(DATA, 0, 1, b"hello")).await;
    while got.len() < 12 {
        got.extend(frames::next(&mut client).await.payload);
    }
    assert_eq!(got, b"welcomeHELLO");
    // Its end goes through, and back; the connection serves on.
    client.send(frame(DATA, END_STREAM, 1, &[])).await;
    let end = frames::next(&mut client).await;
    assert_eq!((end.kind, end.flags & END_STREAM, end.stream), (DATA, END_STREAM, 1));
    client.send(frame(PING, 0, 0, b"are you?")).await;
    assert_eq!(frames::next(&mut client).await.kind, PING);
}

#[tokio::test]
async fn only_a_proven_101_opens_a_web_socket() {
    for (answer, status) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", "403"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", "502"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
            "502",
        ),
    ] {
        let upstream = Upstream::replying(answer).await;
        let running = proxy().to(&upstream).start();
        let mut client = to_extended(running.addr).await;
        let request = http::Request::connect("http://a.test/ws")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(Empty::new().boxed())
            .unwrap();
        let response = soon("an answer", client.send_request(request)).await.unwrap();
        assert_eq!(response.status().as_str(), status, "{answer}");
    }
}

/// A connection whose server has said that it knows extended CONNECT.
async fn to_extended(addr: SocketAddr) -> SendRequest<Body> {
    let mut client = to(addr).await;
    // The settings are there when the first answer is.
    let ready = soon("an answer", client.send_request(get("/"))).await.unwrap();
    drop(ready);
    client
}

#[tokio::test]
async fn r16_a_host_beside_another_authority_opens_no_web_socket() {
    let upstream =
        Upstream::replying("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let running = proxy().to(&upstream).start();
    for (host, status) in [("b.test", 400), ("A.test", 403)] {
        let mut client = to_extended(running.addr).await;
        let request = http::Request::connect("http://a.test/ws")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .header("host", host)
            .body(Empty::new().boxed())
            .unwrap();
        let response = soon("an answer", client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), status, "{host}");
    }
    assert_eq!(upstream.requests().iter().filter(|head| head.contains("/ws")).count(), 1);
}

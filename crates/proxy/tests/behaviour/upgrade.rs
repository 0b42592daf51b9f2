//! WebSocket: the connection is handed over after a 101, and only then.

use tokio::io::AsyncWriteExt as _;

use super::support::{Client, Upstream, eventually, get, ok, proxy};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: chat.test\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test]
async fn r27_bytes_flow_both_ways_and_those_behind_the_heads_come_first() {
    let up = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap().to_ascii_lowercase();
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        assert!(head.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n"), "{head}");
        // The first frame rides in the same segment as the head.
        conn.send(format!("{AGREED}welcome")).await;
        while let [byte] = conn.bytes(1).await[..] {
            conn.send([byte.to_ascii_uppercase()]).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(format!("{HANDSHAKE}early")).await;
    let answer = client.head().await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(client.exactly(12).await, b"welcomeEARLY");
    client.send("more").await;
    assert_eq!(client.exactly(4).await, b"MORE");
}

#[tokio::test]
async fn r27_nothing_of_the_client_goes_on_before_the_server_agrees() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        conn.request().await.unwrap();
        conn.send(ok("second")).await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client
        .send(format!(
            "{HANDSHAKE}GET /smuggled HTTP/1.1\r\nhost: chat.test\r\nx-chat-identity: root\r\n\r\n"
        ))
        .await;
    let refused = client.response().await;
    assert_eq!((refused.status, refused.text()), (403, "no"));
    // What follows is a request of its own, cleaned like any other.
    assert_eq!(client.response().await.text(), "second");
    let second = up.requests()[1].to_ascii_lowercase();
    assert!(second.starts_with("get /smuggled") && second.contains("x-forwarded-for"), "{second}");
    assert!(!second.contains("x-chat-identity"), "{second}");
}

#[tokio::test]
async fn r27_only_a_101_to_websocket_opens_a_tunnel() {
    for wrong in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n",
    ] {
        let up = Upstream::replying(wrong).await;
        let running = proxy().to(&up).start();
        let mut client = Client::to(running.addr).await;
        let answer = client.ask(HANDSHAKE).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "bad_switch"), "{wrong}");
    }
    // 200 is an ordinary answer, not a tunnel.
    let up = Upstream::replying(ok("plain")).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    assert_eq!(client.ask(HANDSHAKE).await.text(), "plain");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "plain");
}

#[tokio::test]
async fn r27_a_101_nobody_asked_for_is_a_bad_gateway() {
    let up = Upstream::replying(AGREED).await;
    let running = proxy().to(&up).start();
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "bad_switch"));
}

#[tokio::test]
async fn r27_a_connection_that_was_a_tunnel_never_serves_another_request() {
    let up = Upstream::scripted(|mut conn| async move {
        while let Some(head) = conn.request().await {
            if head.contains("/ws") {
                conn.send(AGREED).await;
                assert!(conn.is_closed().await);
                return;
            }
            conn.send(ok(&conn.number.to_string())).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut first = Client::to(running.addr).await;
    assert_eq!(first.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "0");
    let mut socket = Client::to(running.addr).await;
    socket.send(HANDSHAKE).await;
    assert_eq!(socket.head().await.status, 101);
    drop(socket);
    assert_eq!(first.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "1");
}

#[tokio::test]
async fn r27_each_direction_closes_by_itself() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send(AGREED).await;
        let mut all = Vec::new();
        while let [byte] = conn.bytes(1).await[..] {
            all.push(byte);
        }
        // The client has closed its side and still listens.
        conn.send(format!("got {}", String::from_utf8(all).unwrap())).await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(HANDSHAKE).await;
    client.head().await;
    client.send("last words").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, b"got last words");
}

#[tokio::test]
async fn r27_the_server_may_close_its_side_first() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send(format!("{AGREED}bye")).await;
        conn.stream.shutdown().await.unwrap();
        let heard = conn.bytes(20).await;
        conn.note(std::str::from_utf8(&heard).unwrap());
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(HANDSHAKE).await;
    client.head().await;
    assert_eq!(client.exactly(3).await, b"bye");
    assert!(client.is_closed_in_peace().await, "the server's end is passed on");
    // It still listens.
    client.send("last words").await;
    client.stream.shutdown().await.unwrap();
    eventually("what it heard", || up.requests().len() == 2).await;
    assert_eq!(up.requests()[1], "last words");
}

#[tokio::test]
async fn large_messages_survive_a_reader_that_lags() {
    const SIZE: usize = 8 * 1024 * 1024;
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send(AGREED).await;
        let piece: Vec<u8> = (0..=255).cycle().take(SIZE).collect();
        conn.send(&piece).await;
        assert_eq!(conn.bytes(SIZE).await, piece);
        conn.send("same").await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(HANDSHAKE).await;
    client.head().await;
    let piece = client.exactly(SIZE).await;
    assert!(piece.iter().copied().eq((0..=255).cycle().take(SIZE)));
    client.send(&piece).await;
    assert_eq!(client.exactly(4).await, b"same");
}

#[tokio::test]
async fn a_silent_tunnel_is_closed_after_its_idle_time() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send(AGREED).await;
        assert!(conn.is_closed().await);
    })
    .await;
    let running = proxy().only(&up, "tunnel_idle = \"100ms\"").start();
    let mut client = Client::to(running.addr).await;
    client.send(HANDSHAKE).await;
    client.head().await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_real_websocket_library_talks_through() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let running = proxy().upstream("main", &[addr], "").route("/*", "main", "").start();
    let url = format!("ws://{}/chat/ws", running.addr);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for size in [0, 1, 125, 126, 70_000] {
        let text = "x".repeat(size);
        socket.send(Message::text(text.clone())).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), text);
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    server.await.unwrap();
}

//! Live streams over HTTP/1: the connection passes them on by itself once the head is written.

use tokio::sync::oneshot;

use super::support::{Client, Upstream, proxy, soon};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const ASK: &str = "GET /events HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server that greets a stream with one event, and then sends what it is told to and closes.
async fn events(last: &'static str) -> Upstream {
    Upstream::scripted(move |mut conn| async move {
        conn.request().await.unwrap();
        conn.send(HEAD).await;
        conn.send("data: hello\n\n").await;
        conn.send(last).await;
    })
    .await
}

#[tokio::test]
async fn a_stream_that_ends_has_a_last_chunk_and_its_connection_ends_with_it() {
    let up = events("data: bye\n\n").await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask(ASK).await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.text(), "data: hello\n\ndata: bye\n\n");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_stream_that_breaks_off_has_no_last_chunk() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n").await;
        conn.send("transfer-encoding: chunked\r\n\r\n3\r\none\r\n5\r\ntw").await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(ASK).await;
    client.head().await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert!(rest.starts_with("3\r\none\r\n"), "{rest:?}");
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_the_stream_without_chunks() {
    let up = events("data: bye\n\n").await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET /events HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("transfer-encoding"), None);
    assert_eq!(client.rest().await, b"data: hello\n\ndata: bye\n\n");
}

#[tokio::test]
async fn a_stream_that_begins_before_its_request_ends_lets_the_request_go_on() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        conn.send(HEAD).await;
        let rest = conn.bytes(4).await;
        conn.send([b"data: ", &rest[..], b"\n\n"].concat()).await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("POST /events HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n").await;
    client.head().await;
    client.send("late").await;
    assert_eq!(client.chunk().await, b"data: late\n\n");
}

#[tokio::test]
async fn a_request_behind_a_stream_is_not_answered_with_something_else() {
    let up = events("data: bye\n\n").await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send([ASK, ASK].concat()).await;
    assert_eq!(client.response().await.text(), "data: hello\n\ndata: bye\n\n");
    assert!(client.rest().await.is_empty());
    assert_eq!(up.requests().len(), 1);
}

#[tokio::test]
async fn a_stream_whose_client_reads_nothing_holds_the_server_back() {
    let (stuck, heard) = oneshot::channel();
    let stuck = std::sync::Mutex::new(Some(stuck));
    let up = Upstream::scripted(move |mut conn| {
        let stuck = stuck.lock().unwrap().take().unwrap();
        async move {
            conn.request().await.unwrap();
            conn.send(HEAD).await;
            let event = format!("data: {}\n\n", "x".repeat(64 * 1024));
            let mut sent = 0;
            // No answer in a second: the buffers on the way are full.
            while let Ok(()) =
                tokio::time::timeout(std::time::Duration::from_secs(1), conn.send(&event)).await
            {
                sent += event.len();
            }
            let _ = stuck.send(sent);
            std::future::pending::<()>().await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(ASK).await;
    client.head().await;
    let sent = soon("the server to be held back", heard).await.unwrap();
    assert!(sent < 64 << 20, "{sent} bytes went somewhere though nobody reads");
    let mut got = 0;
    while got + 64 * 1024 < sent {
        got += client.chunk().await.len();
    }
}

//! Bodies pass through as they come, and no faster than they are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::support::{Client, Upstream, eventually, ok, proxy, soon};

/// More than all the socket buffers on the way hold.
const PLENTY: usize = 64 << 20;

#[tokio::test]
async fn an_event_reaches_the_client_before_the_next_one_exists() {
    let (next, taken) = tokio::sync::mpsc::unbounded_channel::<()>();
    let taken = Arc::new(tokio::sync::Mutex::new(taken));
    let up = Upstream::scripted(move |mut conn| {
        let taken = taken.clone();
        async move {
            conn.request().await.unwrap();
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while taken.lock().await.recv().await.is_some() {
                conn.send("9\r\ndata: x\n\n\r\n").await;
            }
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    for _ in 0..3 {
        next.send(()).unwrap();
        assert_eq!(client.chunk().await, b"data: x\n\n");
    }
}

#[tokio::test]
async fn a_silent_event_stream_outlives_the_idle_limit_of_bodies() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let up = Upstream::scripted(move |mut conn| {
        let wait = wait.clone();
        async move {
            conn.request().await.unwrap();
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n")
                .await;
            wait.lock().await.take().unwrap().await.unwrap();
            conn.send("data: late\n\n").await;
        }
    })
    .await;
    let running = proxy().only(&up, "body_idle_timeout = \"50ms\"").start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    // Several times the limit: the point is that nothing happens in it.
    tokio::time::sleep(Duration::from_millis(400)).await;
    go.send(()).unwrap();
    assert_eq!(client.chunk().await, b"data: late\n\n");
}

#[tokio::test]
async fn an_upload_is_passed_on_before_it_is_complete() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let up = Upstream::scripted(move |mut conn| {
        let told = told.clone();
        async move {
            conn.request().await.unwrap();
            told.send(conn.bytes(5).await).unwrap();
            conn.bytes(5).await;
            conn.send(ok("done")).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfirst").await;
    assert_eq!(soon("the first half", heard.recv()).await.unwrap(), b"first");
    client.send("other").await;
    assert_eq!(client.response().await.text(), "done");
}

#[tokio::test]
async fn a_slow_client_slows_the_server_down_instead_of_filling_the_proxy() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let up = Upstream::scripted(move |mut conn| {
        let counter = counter.clone();
        async move {
            conn.request().await.unwrap();
            conn.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {PLENTY}\r\n\r\n")).await;
            let piece = vec![b'x'; 64 * 1024];
            while counter.load(Ordering::SeqCst) < PLENTY {
                if conn.stream.write_all(&piece).await.is_err() {
                    return;
                }
                counter.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    let stuck = settled(&sent).await;
    assert!(stuck < PLENTY / 2, "{stuck} bytes went somewhere though nobody reads");
    assert_eq!(client.exactly(PLENTY).await.len(), PLENTY);
}

#[tokio::test]
async fn a_slow_server_slows_the_client_down_instead_of_filling_the_proxy() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let up = Upstream::scripted(move |mut conn| {
        let wait = wait.clone();
        async move {
            conn.request().await.unwrap();
            wait.lock().await.take().unwrap().await.unwrap();
            let got = conn.bytes(PLENTY).await.len();
            conn.send(ok(&got.to_string())).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {PLENTY}\r\n\r\n")).await;
    let (mut read, mut write) = client.stream.into_split();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let sending = tokio::spawn(async move {
        let piece = vec![b'x'; 64 * 1024];
        while counter.load(Ordering::SeqCst) < PLENTY {
            write.write_all(&piece).await.unwrap();
            counter.fetch_add(piece.len(), Ordering::SeqCst);
        }
        write
    });
    let stuck = settled(&sent).await;
    assert!(stuck < PLENTY / 2, "{stuck} bytes went somewhere though nobody reads");
    go.send(()).unwrap();
    let _write = soon("the upload", sending).await.unwrap();
    let mut answer = vec![0; 1024];
    let read =
        soon("the answer", tokio::io::AsyncReadExt::read(&mut read, &mut answer)).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).ends_with(&PLENTY.to_string()));
}

/// The count once it no longer grows.
async fn settled(count: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    soon("the flow to stop", async {
        loop {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let now = count.load(Ordering::SeqCst);
            if now == last {
                return now;
            }
            last = now;
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_stream_from_the_server() {
    let gone = Arc::new(AtomicUsize::new(0));
    let counter = gone.clone();
    let up = Upstream::scripted(move |mut conn| {
        let counter = counter.clone();
        async move {
            conn.request().await.unwrap();
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: x\n\n")
                .await;
            assert!(conn.is_closed().await);
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    drop(client);
    eventually("the server to notice", || gone.load(Ordering::SeqCst) == 1).await;
}

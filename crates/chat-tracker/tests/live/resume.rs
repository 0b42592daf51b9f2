//! Streams that come back, fall behind, or outlive the tracker.

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::streams::{Sse, Ws, in_time};
use crate::support::{tracker, tracker_with};

#[tokio::test]
async fn connections_that_break_at_any_moment_lose_and_double_nothing() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    let mut stream = Sse::open(&tracker, "alice", None).await;
    let talking = async {
        for number in 0..200 {
            alice.says("general", &format!("message {number}")).await;
        }
    };
    let reading = async {
        let mut seqs = Vec::new();
        while seqs.len() < 200 {
            // Longer and longer stays, with the connection cut after each.
            seqs.extend(stream.seqs((seqs.len() / 9 + 1).min(200 - seqs.len())).await);
            let cursor = stream.cursor.clone();
            stream = Sse::open(&tracker, "alice", Some(&cursor)).await;
        }
        seqs
    };
    let ((), seqs) = tokio::join!(talking, reading);
    assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_cursor_works_on_the_other_kind_of_stream_too() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    let sse = Sse::open(&tracker, "alice", None).await;
    alice.says("general", "one").await;
    let mut ws = Ws::open(&tracker, &format!("peer_id=alice&cursor={}", sse.cursor)).await;
    let event = ws.next_of("message").await;
    assert_eq!(event["message"], "one");
    alice.says("general", "two").await;
    let cursor = event["cursor"].as_str().unwrap();
    let mut sse = Sse::open(&tracker, "alice", Some(cursor)).await;
    assert_eq!(sse.next_of("message").await["message"], "two");
}

#[tokio::test]
async fn a_restart_ends_streams_and_resets_those_that_come_back() {
    let tracker = tracker().await;
    tracker.guest("alice").await.joins("general").await;
    let mut sse = Sse::open(&tracker, "alice", None).await;
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    let tracker = tracker.restarted().await;
    while sse.next().await.is_some() {}
    let closed = loop {
        if let Err(code) = ws.try_next().await {
            break code;
        }
    };
    assert_eq!(closed, Some(1001));
    let mut sse = Sse::open(&tracker, "alice", Some(&sse.cursor)).await;
    let reset = sse.next().await.unwrap();
    assert_eq!((&reset["type"], &reset["reason"]), (&"reset".into(), &"restarted".into()));
    // The reset's cursor is good for the next time.
    let cursor = sse.cursor.clone();
    let message = json!({ "peer_id": "alice", "channel": "general", "message": "x" });
    tracker.ok("/broadcast-peer", message).await;
    let mut sse = Sse::open(&tracker, "alice", Some(&cursor)).await;
    assert_eq!(sse.seqs(1).await, [1]);
}

#[tokio::test]
async fn a_cursor_that_is_too_old_is_reset() {
    let tracker = tracker_with(&["--resume-events", "10"]).await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    let cursor = Sse::open(&tracker, "alice", None).await.cursor;
    for _ in 0..15 {
        alice.says("general", "x").await;
    }
    let mut sse = Sse::open(&tracker, "alice", Some(&cursor)).await;
    assert_eq!(sse.next().await.unwrap()["reason"], "too_old");
}

#[tokio::test]
async fn a_slow_reader_is_cut_off_with_a_reset_and_delays_nobody() {
    let tracker = tracker_with(&["--stream-queue", "20"]).await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    // It asks for the stream, and then does not read.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = in_time(socket.connect(tracker.addr)).await.unwrap();
    let request = "GET /chat/events?peer_id=alice HTTP/1.1\r\nhost: tracker\r\n\r\n";
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    in_time(slow.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut quick = Sse::open(&tracker, "alice", None).await;
    // More than the sockets' buffers and the queue hold together.
    let text = "x".repeat(16 * 1024);
    for round in 0..60 {
        join_all((0..10).map(|_| alice.says("general", &text))).await;
        let expected: Vec<u64> = (round * 10 + 1..=round * 10 + 10).collect();
        assert_eq!(quick.seqs(10).await, expected);
    }
    assert_eq!(tracker.tracker().hub.counts().slow_readers, 1);
    let mut rest = Vec::new();
    in_time(slow.read_to_end(&mut rest)).await.unwrap();
    let rest = String::from_utf8_lossy(&rest);
    let last = rest.rsplit("data: ").next().unwrap();
    assert!(last.starts_with(r#"{"type":"reset","reason":"slow_reader"}"#), "{last}");
}

//! Server-Sent Events, as curl and a browser's EventSource see them.

use serde_json::json;

use crate::streams::{Sse, Ws, in_time};
use crate::support::{refused, tracker, tracker_with};

#[tokio::test]
async fn a_stream_says_what_it_is_and_starts_with_retry_and_hello() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let request = tracker.client.get(tracker.url("/chat/events/?peer_id=ALICE"));
    let response = in_time(request.send()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut sse = Sse::of(response);
    let hello = sse.next().await.unwrap();
    assert_eq!(hello, json!({ "type": "hello", "peer_id": "alice", "heartbeat": 15 }));
    assert!(sse.cursor.contains(':'));
}

#[tokio::test]
async fn a_channel_message_reaches_its_members_with_all_its_fields_and_nobody_else() {
    let tracker = tracker().await;
    let (alice, bob) = (tracker.guest("alice").await, tracker.guest("bob").await);
    let eve = tracker.guest("eve").await;
    alice.joins("general").await;
    bob.joins("general").await;
    let mut at_alice = Sse::open(&tracker, "alice", None).await;
    let mut at_bob = Sse::open(&tracker, "bob", None).await;
    let mut at_eve = Sse::open(&tracker, "eve", None).await;
    let said = bob.says("general", "line one\nline two: é \u{2028}").await;
    for stream in [&mut at_alice, &mut at_bob] {
        let event = stream.next_of("message").await;
        assert_eq!(
            event,
            json!({
                "type": "message", "channel": "general", "from": "bob", "seq": 1,
                "message": "line one\nline two: é \u{2028}",
                "id": said["id"], "timestamp": said["timestamp"],
            })
        );
    }
    // What comes next at the outsider is something else.
    alice.writes("eve", "psst", "d-1").await;
    let event = at_eve.next_of("direct").await;
    assert_eq!((event["message"].as_str(), event["id"].as_str()), (Some("psst"), Some("d-1")));
    eve.acks("alice", "d-1").await;
    let delivered = at_alice.next_of("delivered").await;
    assert_eq!((delivered["id"].as_str(), delivered["to"].as_str()), (Some("d-1"), Some("eve")));
}

#[tokio::test]
async fn joining_and_leaving_takes_effect_with_the_next_message() {
    let tracker = tracker().await;
    let (alice, bob) = (tracker.guest("alice").await, tracker.guest("bob").await);
    alice.joins("general").await;
    let mut at_bob = Sse::open(&tracker, "bob", None).await;
    alice.says("general", "before bob").await;
    bob.joins("general").await;
    alice.says("general", "with bob").await;
    bob.post("/chat/channels/leave", json!({ "peer_id": "bob", "channel": "general" })).await;
    alice.says("general", "after bob").await;
    bob.joins("general").await;
    alice.says("general", "bob again").await;
    assert_eq!(at_bob.seqs(2).await, [2, 4]);
}

#[tokio::test]
async fn silence_is_filled_with_heartbeats_on_both_kinds_of_stream() {
    let tracker = tracker_with(&["--heartbeat", "1"]).await;
    let alice = tracker.guest("alice").await;
    let mut sse = Sse::open(&tracker, "alice", None).await;
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    for _ in 0..2 {
        assert_eq!(ws.next_of("heartbeat").await, json!({ "type": "heartbeat" }));
    }
    alice.joins("general").await;
    sse.next_of("membership").await;
    assert!(sse.comments > 0);
}

#[tokio::test]
async fn who_is_no_peer_gets_no_stream() {
    let tracker = tracker().await;
    let nobody = tracker.get("/chat/events?peer_id=nobody").await;
    refused(nobody, 404, "peer_not_registered");
    refused(tracker.get("/chat/events").await, 400, "peer_id_required");
    refused(tracker.get("/chat/events?peer_id=a%20b").await, 400, "invalid_query");
    refused(tracker.post("/chat/events", json!({})).await, 405, "method_not_allowed");
}

#[tokio::test]
async fn a_peer_has_so_many_streams_and_an_ended_one_makes_room() {
    let tracker = tracker_with(&["--streams-per-peer", "2"]).await;
    tracker.guest("alice").await;
    let first = Sse::open(&tracker, "alice", None).await;
    let _second = Sse::open(&tracker, "alice", None).await;
    let third = Sse::opened(&tracker, "alice", None).await;
    refused(third.err().unwrap(), 429, "too_many_requests");
    drop(first);
    in_time(async {
        while Sse::opened(&tracker, "alice", None).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

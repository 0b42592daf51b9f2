//! Direct messages by way of the mailbox.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Peer, good, masked, refused, tracker, tracker_with};

async fn delivery(sender: &Peer<'_>, id: &str) -> Value {
    let ask = json!({ "peer_id": sender.id, "ids": [id] });
    good(sender.post("/chat/direct/status", ask).await)["deliveries"][0]["delivery"].clone()
}

#[tokio::test]
async fn a_message_waits_until_it_is_acknowledged() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    assert_eq!(delivery(&alice, "d-1").await, "unknown");
    assert_eq!(alice.writes("bob", "psst", "d-1").await["delivery"], "queued");
    for _ in 0..2 {
        assert_eq!(
            masked(bob.mailbox().await),
            json!({ "status": "success", "count": 1, "more": false, "messages": [
                { "id": "*", "from": "alice", "to": "bob", "message": "psst", "timestamp": "*" },
            ]})
        );
    }
    assert_eq!(delivery(&alice, "d-1").await, "queued");
    // Only its recipient acknowledges it.
    assert_eq!(alice.acks("alice", "d-1").await["acked"], 0);
    assert_eq!(bob.acks("alice", "d-1").await["acked"], 1);
    assert_eq!(bob.acks("alice", "d-1").await["acked"], 0);
    assert_eq!(bob.mailbox().await["count"], 0);
    assert_eq!(delivery(&alice, "d-1").await, "delivered");
    let retry = alice.writes("bob", "psst", "d-1").await;
    assert_eq!((&retry["duplicate"], &retry["delivery"]), (&json!(true), &json!("delivered")));
    assert_eq!(bob.mailbox().await["count"], 0);
}

#[tokio::test]
async fn an_id_names_one_direct_message_only() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    tracker.guest("bob").await;
    tracker.guest("carol").await;
    alice.writes("bob", "psst", "d-1").await;
    for (to, text) in [("bob", "other"), ("carol", "psst")] {
        let other = json!({ "from_peer": "alice", "to_peer": to, "message": text, "id": "d-1" });
        refused(alice.post("/send-peer", other).await, 409, "id_conflict");
    }
}

#[tokio::test]
async fn a_full_mailbox_says_so_and_has_room_again_after_an_ack() {
    let tracker = tracker_with(&["--mailbox-messages", "2", "--mailbox-bytes", "100"]).await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    alice.writes("bob", "one", "d-1").await;
    let send = |text: &str, id: &str| json!({ "from_peer": "alice", "to_peer": "bob", "message": text, "id": id });
    let big = "x".repeat(98);
    refused(alice.post("/send-peer", send(&big, "d-2")).await, 429, "mailbox_full");
    alice.writes("bob", "two", "d-2").await;
    refused(alice.post("/send-peer", send("three", "d-3")).await, 429, "mailbox_full");
    // A retry of what is in it is no new message.
    assert_eq!(alice.writes("bob", "two", "d-2").await["duplicate"], true);
    bob.acks("alice", "d-1").await;
    alice.writes("bob", "three", "d-3").await;
}

#[tokio::test]
async fn a_long_mailbox_is_fetched_page_by_page() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    for n in 0..5 {
        alice.writes("bob", &n.to_string(), &format!("d-{n}")).await;
    }
    let page = good(bob.get("/chat/mailbox?peer_id=bob&limit=3").await);
    assert_eq!((&page["count"], &page["more"]), (&json!(3), &json!(true)));
    let refs: Vec<Value> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| json!({ "from": each["from"], "id": each["id"] }))
        .collect();
    good(bob.post("/chat/mailbox/ack", json!({ "peer_id": "bob", "messages": refs })).await);
    let page = good(bob.get("/chat/mailbox?peer_id=bob&limit=3").await);
    assert_eq!((&page["count"], &page["more"]), (&json!(2), &json!(false)));
    assert_eq!(page["messages"][0]["message"], "3");
    let none = json!({ "peer_id": "bob", "messages": [] });
    refused(bob.post("/chat/mailbox/ack", none).await, 400, "invalid_body");
}

#[tokio::test]
async fn messages_and_receipts_are_forgotten_after_their_time() {
    let tracker = tracker_with(&["--mailbox-days", "30"]).await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    alice.writes("bob", "never fetched", "d-1").await;
    alice.writes("bob", "fetched", "d-2").await;
    bob.acks("alice", "d-2").await;
    let after = |days: i64| Timestamp::now() + SignedDuration::from_hours(days * 24);
    assert_eq!(tracker.tracker().expire(after(29)).await.unwrap(), 0);
    assert_eq!(bob.mailbox().await["count"], 1);
    assert_eq!(tracker.tracker().expire(after(31)).await.unwrap(), 2);
    assert_eq!(bob.mailbox().await["count"], 0);
    assert_eq!(delivery(&alice, "d-2").await, "unknown");
}

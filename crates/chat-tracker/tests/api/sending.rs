//! Sending to channels: numbers, retries, pages, read markers.

use serde_json::{Value, json};

use crate::support::{good, refused, tracker};

#[tokio::test]
async fn concurrent_senders_get_numbers_without_gaps_or_doubles() {
    let tracker = tracker().await;
    for id in ["a", "b", "c", "d"] {
        tracker.guest(id).await.joins("general").await;
    }
    let mut calls = Vec::new();
    for n in 0..200 {
        let sender = ["a", "b", "c", "d"][n % 4];
        let body = json!({ "peer_id": sender, "channel": "general", "message": n.to_string() });
        let request = tracker.client.post(tracker.url("/broadcast-peer")).json(&body);
        calls.push(tokio::spawn(crate::support::answer(request)));
    }
    let mut seqs = Vec::new();
    for call in calls {
        seqs.push(good(call.await.unwrap())["seq"].as_u64().unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_retry_with_the_same_id_gives_the_first_result() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    let body = json!({ "peer_id": "alice", "channel": "general", "message": "once", "id": "m-1" });
    let first = tracker.ok("/broadcast-peer", body.clone()).await;
    assert_eq!((&first["id"], &first["seq"]), (&json!("m-1"), &json!(1)));
    assert_eq!(first.get("duplicate"), None);
    alice.says("general", "between").await;
    let retry = tracker.ok("/broadcast-peer", body).await;
    let mut expected = first;
    expected["duplicate"] = json!(true);
    assert_eq!(retry, expected);
    let page = tracker.ok("/get-messages", json!({ "channel": "general" })).await;
    assert_eq!(page["count"], 2);
}

#[tokio::test]
async fn an_id_names_one_message_only() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    for peer in [&alice, &bob] {
        peer.joins("general").await;
        peer.joins("side").await;
    }
    let say = |peer: &str, channel: &str, text: &str| json!({ "peer_id": peer, "channel": channel, "message": text, "id": "m-1" });
    tracker.ok("/broadcast-peer", say("alice", "general", "one")).await;
    for other in [say("alice", "general", "two"), say("alice", "side", "one")] {
        refused(tracker.post("/broadcast-peer", other).await, 409, "id_conflict");
    }
    // Another sender's ids are its own.
    assert_eq!(tracker.ok("/broadcast-peer", say("bob", "general", "one")).await["seq"], 2);
}

#[tokio::test]
async fn history_is_paged_by_number_in_both_directions() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    for n in 1..=10 {
        alice.says("general", &n.to_string()).await;
    }
    let seqs = async |body: Value| {
        let page = tracker.ok("/get-messages", body).await;
        assert_eq!(page["head_seq"], 10);
        let messages = page["messages"].as_array().unwrap();
        assert_eq!(page["count"], messages.len());
        messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(seqs(json!({ "channel": "general", "limit": 3 })).await, [8, 9, 10]);
    let back = json!({ "channel": "general", "limit": 3, "before_seq": 8 });
    assert_eq!(seqs(back).await, [5, 6, 7]);
    let on = json!({ "channel": "general", "limit": 3, "after_seq": 7 });
    assert_eq!(seqs(on).await, [8, 9, 10]);
    let on = json!({ "channel": "general", "limit": 3, "after_seq": 2 });
    assert_eq!(seqs(on).await, [3, 4, 5]);
    let between = json!({ "channel": "general", "after_seq": 2, "before_seq": 5 });
    assert_eq!(seqs(between).await, [3, 4]);
    let beyond = json!({ "channel": "general", "after_seq": u64::MAX });
    assert_eq!(seqs(beyond).await, [0; 0]);
    let page = good(tracker.get("/chat/messages?channel=general&before_seq=3&limit=200").await);
    assert_eq!(page["count"], 2);
}

#[tokio::test]
async fn a_read_marker_moves_forward_only_and_sending_moves_ones_own() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    alice.joins("general").await;
    bob.joins("general").await;
    for text in ["one", "two", "three"] {
        alice.says("general", text).await;
    }
    assert_eq!(alice.channel("general").await["unread"], 0);
    assert_eq!(bob.channel("general").await["unread"], 3);
    assert_eq!(bob.reads("general", 2).await["unread"], 1);
    assert_eq!(bob.reads("general", 1).await["read_seq"], 2);
    // Nobody has read what was not said yet.
    assert_eq!(bob.reads("general", 99).await["read_seq"], 3);
    alice.says("general", "four").await;
    let channel = bob.channel("general").await;
    assert_eq!(
        channel,
        json!({ "channel": "general", "private": false, "joined": true, "members_count": 2,
            "head_seq": 4, "read_seq": 3, "unread": 1 })
    );
}

#[tokio::test]
async fn a_newcomer_has_nothing_unread_and_can_read_it_all() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    alice.says("general", "before bob").await;
    let bob = tracker.guest("bob").await;
    bob.joins("general").await;
    assert_eq!(bob.channel("general").await["unread"], 0);
    let page = good(bob.get("/chat/messages?channel=general&peer_id=bob").await);
    assert_eq!(page["messages"][0]["message"], "before bob");
}

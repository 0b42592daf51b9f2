//! Who is there, as others are told.

use serde_json::{Value, json};

use crate::streams::{Sse, in_time};
use crate::support::{Running, good, tracker_with};

/// The next event about a peer.
async fn about(stream: &mut Sse, peer: &str) -> Value {
    loop {
        let event = stream.next_of("presence").await;
        if event["peer_id"] == peer {
            return event;
        }
    }
}

async fn listed(tracker: &Running) -> Vec<String> {
    let list = good(tracker.get("/get-list").await);
    let peers = list["peers"].as_array().unwrap();
    peers.iter().map(|peer| peer["peer_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn members_are_told_who_comes_and_goes_and_the_list_follows() {
    // Offline is told 5 s after the stream ended: on a busy machine that may take a little longer.
    let flags = ["--active-after-stream", "9", "--active-after-call", "600"];
    let tracker = tracker_with(&flags).await;
    let (alice, bob) = (tracker.guest("alice").await, tracker.guest("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let mut at_alice = Sse::open(&tracker, "alice", None).await;
    let at_bob = Sse::open(&tracker, "bob", None).await;
    loop {
        let event = about(&mut at_alice, "bob").await;
        assert_eq!(event["active"], true);
        if event["online"] == true {
            break;
        }
    }
    let members = good(tracker.get("/chat/members?channel=general").await);
    assert!(members["members"].as_array().unwrap().iter().all(|member| member["online"] == true));
    drop(at_bob);
    let event = about(&mut at_alice, "bob").await;
    assert_eq!((&event["active"], &event["online"]), (&json!(true), &json!(false)));
    let event = about(&mut at_alice, "bob").await;
    assert_eq!((&event["active"], &event["online"]), (&json!(false), &json!(false)));
    assert_eq!(listed(&tracker).await, ["alice"]);
}

#[tokio::test]
async fn a_caller_without_a_stream_drops_out_of_the_list_and_stays_known() {
    let tracker = tracker_with(&["--active-after-call", "1"]).await;
    tracker.guest("curl").await;
    in_time(async {
        while !listed(&tracker).await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tracker.guest("alice").await;
    let body = json!({ "from_peer": "alice", "to_peer": "curl" });
    let info = tracker.ok("/connect-peer", body).await;
    assert_eq!(info["peer_info"]["active"], false);
}

#[tokio::test]
async fn strangers_are_told_nothing_of_each_other() {
    let tracker = tracker_with(&[]).await;
    let alice = tracker.guest("alice").await;
    tracker.guest("eve").await.joins("elsewhere").await;
    alice.joins("general").await;
    let mut at_alice = Sse::open(&tracker, "alice", None).await;
    let mut at_eve = Sse::open(&tracker, "eve", None).await;
    // Both have been told of themselves: everything of that second has been told.
    about(&mut at_alice, "alice").await;
    let told = at_eve.next_of("presence").await;
    assert_eq!(told["peer_id"], "eve");
    alice.says("general", "x").await;
    loop {
        let event = at_alice.next().await.unwrap();
        assert_ne!(event["peer_id"], "eve", "{event}");
        if event["type"] == "message" {
            return;
        }
    }
}

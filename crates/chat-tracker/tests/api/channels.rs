//! Channels: making, joining, leaving, and keeping them private.

use serde_json::{Value, json};

use crate::support::{good, refused, tracker};

#[tokio::test]
async fn general_is_there_from_the_start() {
    let tracker = tracker().await;
    let all = good(tracker.get("/chat/channels?scope=all").await);
    assert_eq!(all["count"], 1);
    assert_eq!(all["channels"][0]["channel"], "general");
    assert_eq!(all["channels"][0]["joined"], false);
}

#[tokio::test]
async fn a_channel_is_made_joined_and_left() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    let make = json!({ "peer_id": "alice", "channel": "lớp-10A" });
    assert_eq!(
        good(alice.post("/chat/channels", make.clone()).await),
        json!({ "status": "success", "channel": "lớp-10A", "peer_id": "alice", "joined": true,
            "members_count": 1 })
    );
    refused(alice.post("/chat/channels", make).await, 409, "channel_exists");
    let bob_there = json!({ "peer_id": "bob", "channel": "lớp-10A" });
    let joined = good(bob.post("/chat/channels/join", bob_there.clone()).await);
    assert_eq!(joined["members_count"], 2);
    // Joining twice changes nothing.
    let joined = good(bob.post("/chat/channels/join", bob_there.clone()).await);
    assert_eq!(joined["members_count"], 2);
    let left = good(bob.post("/chat/channels/leave", bob_there.clone()).await);
    assert_eq!((&left["joined"], &left["members_count"]), (&json!(false), &json!(1)));
    good(bob.post("/chat/channels/leave", bob_there).await);
    assert_eq!(bob.channel("lớp-10A").await, Value::Null);
    let nowhere = json!({ "peer_id": "bob", "channel": "nowhere" });
    refused(bob.post("/chat/channels/join", nowhere).await, 404, "channel_not_found");
}

#[tokio::test]
async fn members_are_listed_with_their_presence() {
    let tracker = tracker().await;
    for id in ["bob", "alice"] {
        tracker.guest(id).await.joins("general").await;
    }
    let members = good(tracker.get("/chat/members?channel=general").await);
    let ids: Vec<&Value> =
        members["members"].as_array().unwrap().iter().map(|each| &each["peer_id"]).collect();
    assert_eq!(ids, ["alice", "bob"]);
    assert_eq!(members["members"][0]["active"], true);
    assert_eq!(members["members"][0]["online"], false);
    assert_eq!(good(tracker.get("/chat/peers").await)["count"], 2);
}

#[tokio::test]
async fn a_private_channel_is_for_its_members() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    let make = json!({ "peer_id": "alice", "channel": "secret", "private": true });
    good(alice.post("/chat/channels", make).await);
    alice.says("secret", "for us").await;

    let all = good(bob.get("/chat/channels?scope=all&peer_id=bob").await);
    assert_eq!(all["count"], 1, "bob doesn't see it: {all}");
    for path in ["/get-messages?channel=secret", "/get-messages?channel=secret&peer_id=bob"] {
        refused(bob.get(path).await, 403, "not_a_member");
    }
    refused(bob.get("/chat/members?channel=secret&peer_id=bob").await, 403, "not_a_member");
    let enter = json!({ "peer_id": "bob", "channel": "secret" });
    refused(bob.post("/chat/channels/join", enter.clone()).await, 403, "private_channel");
    refused(bob.post("/add-list", enter.clone()).await, 403, "private_channel");
    let say = json!({ "peer_id": "bob", "channel": "secret", "message": "let me in" });
    refused(bob.post("/broadcast-peer", say).await, 403, "not_a_member");
    let sneak = json!({ "peer_id": "bob", "channel": "secret", "member": "bob" });
    refused(bob.post("/chat/channels/join", sneak).await, 403, "private_channel");
    refused(bob.post("/chat/channels/leave", enter).await, 404, "channel_not_found");

    let add = json!({ "peer_id": "alice", "channel": "secret", "member": "bob" });
    let added = good(alice.post("/chat/channels/join", add).await);
    assert_eq!((&added["peer_id"], &added["members_count"]), (&json!("bob"), &json!(2)));
    let page = good(bob.get("/get-messages?channel=secret&peer_id=bob").await);
    assert_eq!(page["messages"][0]["message"], "for us");
}

#[tokio::test]
async fn only_a_member_adds_others() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    tracker.guest("bob").await;
    let add = json!({ "peer_id": "alice", "channel": "general", "member": "bob" });
    refused(alice.post("/chat/channels/join", add.clone()).await, 403, "not_a_member");
    alice.joins("general").await;
    good(alice.post("/chat/channels/join", add).await);
    let ghost = json!({ "peer_id": "alice", "channel": "general", "member": "ghost" });
    refused(alice.post("/chat/channels/join", ghost).await, 404, "peer_not_registered");
}

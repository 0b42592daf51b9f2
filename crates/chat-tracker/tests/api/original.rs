//! The seven calls of the original API, to the letter.

use serde_json::json;

use crate::support::{answer, good, masked, tracker};
use reqwest::Method;

#[tokio::test]
async fn the_seven_calls_answer_as_documented_with_and_without_a_slash() {
    for slash in ["", "/"] {
        let tracker = tracker().await;
        let path = |path: &str| format!("{path}{slash}");
        for (id, ip, port) in [("alice", "192.168.1.5", 5001), ("bob", "192.168.1.6", 5002)] {
            let body = json!({ "peer_id": id, "ip": ip, "port": port });
            assert_eq!(
                tracker.ok(&path("/submit-info"), body).await,
                json!({ "status": "success", "message": "Peer registered", "peer_id": id })
            );
        }
        assert_eq!(
            masked(good(tracker.get(&path("/get-list")).await)),
            json!({ "status": "success", "count": 2, "peers": [
                { "peer_id": "alice", "ip": "192.168.1.5", "port": 5001, "last_seen": "*" },
                { "peer_id": "bob", "ip": "192.168.1.6", "port": 5002, "last_seen": "*" },
            ]})
        );
        for (id, count) in [("alice", 1), ("bob", 2)] {
            let body = json!({ "peer_id": id, "channel": "general" });
            assert_eq!(
                tracker.ok(&path("/add-list"), body).await,
                json!({ "status": "success", "message": "Added to channel general",
                    "channel": "general", "members_count": count })
            );
        }
        let body = json!({ "from_peer": "alice", "to_peer": "bob" });
        assert_eq!(
            tracker.ok(&path("/connect-peer"), body).await,
            json!({ "status": "success", "message": "Peer info retrieved",
                "peer_info": { "peer_id": "bob", "ip": "192.168.1.6", "port": 5002 } })
        );
        let body = json!({ "peer_id": "alice", "channel": "general", "message": "Hello" });
        assert_eq!(
            masked(tracker.ok(&path("/broadcast-peer"), body).await),
            json!({ "status": "success", "message": "Message broadcasted", "recipients": ["bob"],
                "channel": "general", "id": "*", "seq": 1, "timestamp": "*" })
        );
        let body = json!({ "from_peer": "alice", "to_peer": "bob", "message": "psst" });
        assert_eq!(
            masked(tracker.ok(&path("/send-peer"), body).await),
            json!({ "status": "success", "message": "Message sent", "id": "*", "timestamp": "*",
                "delivery": "queued",
                "peer_info": { "peer_id": "bob", "ip": "192.168.1.6", "port": 5002 } })
        );
        let page = json!({ "status": "success", "channel": "general", "count": 1, "head_seq": 1,
        "messages": [
            { "from": "alice", "message": "Hello", "timestamp": "*", "seq": 1, "id": "*" },
        ]});
        let body = json!({ "channel": "general" });
        let by_body = tracker.request(Method::GET, &path("/get-messages")).json(&body);
        assert_eq!(masked(good(answer(by_body).await)), page);
        let by_query = tracker.get(&format!("{}?channel=general", path("/get-messages"))).await;
        assert_eq!(masked(good(by_query)), page);
        assert_eq!(masked(tracker.ok(&path("/get-messages"), body).await), page);
    }
}

#[tokio::test]
async fn hello_greets_by_every_method_and_by_name() {
    let tracker = tracker().await;
    for method in [Method::GET, Method::POST, Method::PUT] {
        let greeting = good(answer(tracker.request(method.clone(), "/hello/")).await);
        assert_eq!(greeting["method"], method.as_str());
        let named = tracker.request(method, "/hello").json(&json!({ "name": "Ann" }));
        assert_eq!(good(answer(named).await)["message"], "Hello, Ann!");
    }
}

#[tokio::test]
async fn registering_again_renews_the_address() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    tracker.guest("bob").await;
    tracker.ok("/submit-info", json!({ "peer_id": "bob", "ip": "fe80::1", "port": 0 })).await;
    let found =
        good(alice.post("/connect-peer", json!({ "from_peer": "alice", "to_peer": "bob" })).await);
    assert_eq!(found["peer_info"], json!({ "peer_id": "bob", "ip": "fe80::1", "port": 0 }));
}

#[tokio::test]
async fn spellings_of_an_id_are_one_peer() {
    let tracker = tracker().await;
    tracker.guest("Alice").await.joins("general").await;
    let shout = json!({ "peer_id": "ALICE", "channel": "general", "message": "me too" });
    tracker.ok("/broadcast-peer", shout).await;
    let page = tracker.ok("/get-messages", json!({ "channel": "general" })).await;
    assert_eq!(page["messages"][0]["from"], "Alice");
}

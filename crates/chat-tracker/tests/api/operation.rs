//! Restarts, readiness, presence, and the OpenAPI document.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{good, masked, refused, tracker, tracker_with};

#[tokio::test]
async fn a_restart_keeps_everything_but_presence() {
    let tracker = tracker().await;
    {
        let alice = tracker.guest("alice").await;
        let bob = tracker.guest("bob").await;
        alice.joins("general").await;
        bob.joins("general").await;
        alice.says("general", "kept").await;
        bob.reads("general", 1).await;
        alice.says("general", "kept too").await;
        alice.writes("bob", "psst", "d-1").await;
        let secret = json!({ "peer_id": "alice", "channel": "secret", "private": true });
        good(alice.post("/chat/channels", secret).await);
    }
    let page = tracker.ok("/get-messages", json!({ "channel": "general" })).await;
    let tracker = tracker.restarted().await;

    assert_eq!(good(tracker.get("/get-list").await)["count"], 0, "nobody was heard from yet");
    assert_eq!(tracker.ok("/get-messages", json!({ "channel": "general" })).await, page);
    refused(tracker.get("/get-messages?channel=secret&peer_id=bob").await, 403, "not_a_member");
    let connect = json!({ "from_peer": "bob", "to_peer": "alice" });
    assert_eq!(
        tracker.ok("/connect-peer", connect).await["peer_info"],
        json!({ "peer_id": "alice", "ip": "10.0.0.1", "port": 5000, "active": false })
    );
    let mine = good(tracker.get("/chat/channels?peer_id=bob").await);
    assert_eq!(mine["channels"][0]["unread"], 1);
    let mailbox = good(tracker.get("/chat/mailbox?peer_id=bob").await);
    assert_eq!(mailbox["messages"][0]["message"], "psst");
    let say = json!({ "peer_id": "alice", "channel": "general", "message": "next" });
    assert_eq!(tracker.ok("/broadcast-peer", say).await["seq"], 3);
}

#[tokio::test]
async fn a_peer_drops_out_of_the_list_after_its_time_and_comes_back_with_a_call() {
    let tracker = tracker_with(&["--active-after-call", "0"]).await;
    let alice = tracker.guest("alice").await;
    alice.joins("general").await;
    assert_eq!(good(tracker.get("/get-list").await)["count"], 0);
    let say = json!({ "from_peer": "alice", "to_peer": "alice", "message": "note", "id": "n" });
    let sent = tracker.ok("/send-peer", say).await;
    assert_eq!(
        masked(sent)["peer_info"],
        json!({ "peer_id": "alice", "ip": "10.0.0.1", "port": 5000, "active": false })
    );
}

#[tokio::test]
async fn alive_and_ready_are_told_apart() {
    let tracker = tracker_with(&["--auth", "required"]).await;
    good(tracker.get("/health").await);
    let message = refused(tracker.get("/ready").await, 503, "not_ready");
    assert!(message.contains("backend-auth"), "{message}");
}

#[tokio::test]
async fn the_openapi_document_names_each_route_and_each_of_its_methods() {
    let tracker = tracker().await;
    let response = tracker.request(Method::GET, "/chat/openapi.json").send().await.unwrap();
    let document: Value = response.json().await.unwrap();
    let documented = document["paths"].as_object().unwrap();
    let routed: BTreeSet<&str> = chat_tracker::router::paths().collect();
    assert_eq!(documented.keys().map(String::as_str).collect::<BTreeSet<_>>(), routed);
    for path in routed {
        let answer = tracker.request(Method::TRACE, path).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_lowercase();
        // Comes with every GET.
        let allowed: BTreeSet<_> = allowed.split(", ").filter(|&method| method != "head").collect();
        let named = documented[path].as_object().unwrap().keys().map(String::as_str);
        assert_eq!(allowed, named.collect(), "{path}");
    }
}

#[tokio::test]
async fn the_openapi_document_has_every_call() {
    let tracker = tracker().await;
    let response = tracker.request(Method::GET, "/chat/openapi.json").send().await.unwrap();
    let document: Value = response.json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for (path, method) in [
        ("/submit-info", "post"),
        ("/get-list", "get"),
        ("/add-list", "post"),
        ("/connect-peer", "post"),
        ("/broadcast-peer", "post"),
        ("/send-peer", "post"),
        ("/get-messages", "get"),
        ("/get-messages", "post"),
        ("/hello", "put"),
        ("/login", "post"),
        ("/chat/channels", "post"),
        ("/chat/mailbox/ack", "post"),
        ("/chat/direct/status", "post"),
        ("/chat/devices", "get"),
        ("/chat/devices", "post"),
        ("/chat/devices/remove", "post"),
        ("/chat/signal", "post"),
        ("/chat/ice", "get"),
    ] {
        let call = &document["paths"][path][method];
        assert!(call["responses"]["200"].is_object(), "{method} {path}: {call}");
    }
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["proxy"]["name"], "x-chat-identity");
    // Every schema that is pointed to is there.
    let text = document.to_string();
    for pointer in text.split("\"#/components/schemas/").skip(1) {
        let name = pointer.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is missing");
    }
}

//! What a wrong request is told: the status, the code, and which field is wrong and why.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{answer, refused, tracker, tracker_with};

#[tokio::test]
async fn a_wrong_field_is_named_with_the_reason() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let long = "a".repeat(65);
    let cases: [(&str, Value, &[&str]); 12] = [
        (
            "/submit-info",
            json!({ "peer_id": "a", "ip": "10.0.0.1", "port": "x" }),
            &["`port`", "string \"x\"", "u16"],
        ),
        (
            "/submit-info",
            json!({ "peer_id": "a", "ip": "10.0.0.1", "port": 65536 }),
            &["`port`", "65536"],
        ),
        (
            "/submit-info",
            json!({ "peer_id": "a", "ip": "10.0.0.1", "port": -1 }),
            &["`port`", "-1"],
        ),
        ("/submit-info", json!({ "peer_id": "a", "ip": "10.0.0.1" }), &["missing", "`port`"]),
        (
            "/submit-info",
            json!({ "peer_id": "a", "ip": "10.0.0.256", "port": 1 }),
            &["`ip`", "10.0.0.256"],
        ),
        (
            "/submit-info",
            json!({ "peer_id": long, "ip": "10.0.0.1", "port": 1 }),
            &["`peer_id`", "64", "65"],
        ),
        (
            "/submit-info",
            json!({ "peer_id": "", "ip": "10.0.0.1", "port": 1 }),
            &["`peer_id`", "empty"],
        ),
        ("/submit-info", json!(["a", "10.0.0.1", 1]), &["object"]),
        ("/add-list", json!({ "peer_id": "alice", "channel": "a b" }), &["`channel`", "' '"]),
        (
            "/broadcast-peer",
            json!({ "peer_id": "alice", "channel": "general", "message": "" }),
            &["`message`", "empty"],
        ),
        (
            "/broadcast-peer",
            json!({ "peer_id": "alice", "channel": "general", "message": 7 }),
            &["`message`", "integer"],
        ),
        ("/get-messages", json!({ "channel": "general", "limit": -3 }), &["`limit`", "-3"]),
    ];
    for (path, body, parts) in cases {
        let message = refused(tracker.post(path, body.clone()).await, 400, "invalid_body");
        for part in parts {
            assert!(message.contains(part), "{body}: {message:?} lacks {part:?}");
        }
    }
    let message = refused(
        tracker.get("/get-messages?channel=general&limit=many").await,
        400,
        "invalid_query",
    );
    assert!(message.contains("`limit`"), "{message}");
    for limit in [0, 201] {
        let wrong = json!({ "channel": "general", "limit": limit });
        let message = refused(tracker.post("/get-messages", wrong).await, 400, "invalid_limit");
        assert!(message.contains("1 to 200"), "{message}");
    }
}

#[tokio::test]
async fn malformed_json_says_where() {
    let tracker = tracker().await;
    for body in ["{", "", "[]", "{\"peer_id\": \"a\",}", "{}{}"] {
        let request = tracker
            .request(Method::POST, "/submit-info")
            .header("content-type", "application/json")
            .body(body);
        refused(answer(request).await, 400, "invalid_body");
    }
}

#[tokio::test]
async fn a_body_that_does_not_say_json_gets_a_hint_for_curl() {
    let tracker = tracker().await;
    let request = tracker
        .request(Method::POST, "/submit-info")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("{}");
    let message = refused(answer(request).await, 415, "unsupported_media_type");
    assert!(message.contains("-H 'Content-Type: application/json'"), "{message}");
}

#[tokio::test]
async fn sizes_are_bounded() {
    let tracker = tracker_with(&["--message-bytes", "100", "--body-bytes", "1000"]).await;
    tracker.guest("alice").await.joins("general").await;
    let say = |text: String| json!({ "peer_id": "alice", "channel": "general", "message": text });
    // 50 characters of two bytes fit, one more doesn't.
    tracker.ok("/broadcast-peer", say("é".repeat(50))).await;
    refused(tracker.post("/broadcast-peer", say("é".repeat(51))).await, 413, "message_too_large");
    refused(tracker.post("/broadcast-peer", say("a".repeat(2000))).await, 413, "body_too_large");
}

#[tokio::test]
async fn a_wrong_method_lists_the_right_ones() {
    let tracker = tracker().await;
    for (method, path, allowed) in [
        (Method::GET, "/submit-info", "POST"),
        (Method::DELETE, "/get-list/", "GET, HEAD"),
        (Method::PATCH, "/chat/channels", "GET, HEAD, POST"),
    ] {
        let response = tracker.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), 405);
        let mut allow: Vec<String> =
            response.headers()["allow"].to_str().unwrap().split(", ").map(str::to_owned).collect();
        allow.sort();
        assert_eq!(allow.join(", "), allowed);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["code"], "method_not_allowed");
    }
}

#[tokio::test]
async fn unknown_paths_peers_and_channels_are_told_apart() {
    let tracker = tracker().await;
    let alice = tracker.guest("alice").await;
    refused(tracker.get("/nothing/here").await, 404, "no_such_path");
    refused(tracker.get("/get-messages?channel=nowhere").await, 404, "channel_not_found");
    let stranger = json!({ "peer_id": "ghost", "channel": "general" });
    refused(tracker.post("/add-list", stranger).await, 404, "peer_not_registered");
    for (from, to) in [("ghost", "alice"), ("alice", "ghost")] {
        let connect = json!({ "from_peer": from, "to_peer": to });
        let message =
            refused(tracker.post("/connect-peer", connect).await, 404, "peer_not_registered");
        assert!(message.contains("ghost"), "{message}");
        let send = json!({ "from_peer": from, "to_peer": to, "message": "hi" });
        refused(tracker.post("/send-peer", send).await, 404, "peer_not_registered");
    }
    let outside = json!({ "peer_id": "alice", "channel": "general", "message": "hi" });
    refused(alice.post("/broadcast-peer", outside).await, 403, "not_a_member");
    let nowhere = json!({ "peer_id": "alice", "channel": "nowhere", "message": "hi" });
    refused(alice.post("/broadcast-peer", nowhere).await, 404, "channel_not_found");
}

#[tokio::test]
async fn a_peer_that_calls_too_often_waits_and_others_do_not() {
    let tracker = tracker_with(&["--rate", "1", "--rate-burst", "3"]).await;
    let alice = tracker.guest("alice").await;
    let bob = tracker.guest("bob").await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let request = json!({ "from_peer": "alice", "to_peer": "bob" });
        let response =
            tracker.request(Method::POST, "/connect-peer").json(&request).send().await.unwrap();
        if response.status() == 429 {
            assert_eq!(response.headers()["retry-after"], "1");
        }
        statuses.push(response.status().as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(alice.id, "alice");
    bob.joins("general").await;
}

#[tokio::test]
async fn a_guest_has_to_say_who_it_is() {
    let tracker = tracker().await;
    let message = refused(tracker.get("/chat/mailbox").await, 400, "peer_id_required");
    assert!(message.contains("`peer_id`"), "{message}");
}

#[tokio::test]
async fn peers_and_channels_are_bounded() {
    let tracker = tracker_with(&["--peers-max", "2", "--channels-max", "2"]).await;
    let alice = tracker.guest("alice").await;
    tracker.guest("bob").await;
    let carol = json!({ "peer_id": "carol", "ip": "10.0.0.1", "port": 1 });
    refused(tracker.post("/submit-info", carol).await, 429, "too_many_peers");
    tracker.guest("bob").await;
    alice.joins("general").await;
    alice.joins("side").await;
    let third = json!({ "peer_id": "alice", "channel": "third" });
    refused(alice.post("/add-list", third.clone()).await, 429, "too_many_channels");
    refused(alice.post("/chat/channels", third).await, 429, "too_many_channels");
}

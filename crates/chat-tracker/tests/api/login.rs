//! `POST /login`: signing in by way of the tracker.

use reqwest::Method;
use serde_json::json;

use crate::support::{auth, good, refused, tracker, tracker_with};

#[tokio::test]
async fn a_password_becomes_a_token_that_the_tracker_takes() {
    let auth = auth().await;
    let tracker = tracker_with(&["--auth-url", &auth.url()]).await;
    let signed_in =
        tracker.ok("/login/", json!({ "username": "alice", "password": "right" })).await;
    assert_eq!(signed_in["token_type"], "Bearer");
    assert_eq!(signed_in["username"], "alice");
    let token = signed_in["access_token"].as_str().unwrap().to_owned();
    assert_eq!(good(tracker.account("alice", token).get("/chat/me").await)["peer_id"], "alice");
}

#[tokio::test]
async fn what_backend_auth_refuses_is_told_as_it_is() {
    let auth = auth().await;
    let tracker = tracker_with(&["--auth-url", &auth.url()]).await;
    let wrong = json!({ "username": "alice", "password": "wrong" });
    let message = refused(tracker.post("/login", wrong).await, 401, "unauthenticated");
    assert_eq!(message, "wrong name or password");
    let again = json!({ "username": "alice", "password": "again" });
    let response = tracker.request(Method::POST, "/login").json(&again).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn without_backend_auth_nobody_signs_in() {
    let tracker = tracker().await;
    let body = json!({ "username": "alice", "password": "right" });
    refused(tracker.post("/login", body).await, 503, "auth_unavailable");
}

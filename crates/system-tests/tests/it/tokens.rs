//! Personal access tokens, from curl's side.

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{Answer, User, World, eventually};

async fn make(owner: &User, scopes: &[&str]) -> (String, Value) {
    let body = json!({"name": "a script", "scopes": scopes});
    let made = owner.post("/auth/tokens", body).await.ok();
    (made["token"].as_str().unwrap().to_owned(), made["id"].clone())
}

async fn ask(user: &User, method: Method, path: &str, token: &str, body: Value) -> Answer {
    Answer::to(user.request(method, path).bearer_auth(token).json(&body)).await
}

#[tokio::test]
async fn a_token_works_at_the_front_door_with_its_scopes_until_it_is_taken_back() {
    let world = World::plan().tracker_flags(&["--revocations-every", "50ms"]).start().await;
    let alice = world.account("alice").await;
    alice.says("general", "hello").await.ok();
    let program = world.stranger();
    let say = json!({"peer_id": "alice", "channel": "general", "message": "by a script"});
    let (reader, id) = make(&alice, &["chat:read"]).await;
    let seen = ask(&program, Method::GET, "/chat/me", &reader, json!({})).await.ok();
    assert_eq!(seen["peer_id"], "alice");
    let refused = ask(&program, Method::POST, "/broadcast-peer", &reader, say.clone()).await;
    refused.fails(403, "insufficient_scope");
    let (writer, _) = make(&alice, &["chat:read", "chat:write"]).await;
    ask(&program, Method::POST, "/broadcast-peer", &writer, say).await.ok();
    assert_eq!(alice.reads("general").await, ["hello", "by a script"]);
    alice.post("/auth/tokens/revoke", json!({"id": id})).await.ok();
    eventually("the token is refused", || async {
        let answer = ask(&program, Method::GET, "/chat/me", &reader, json!({})).await;
        (answer.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn at_the_tracker_itself_a_token_is_first_exchanged() {
    let world = World::start().await;
    let alice = world.account("alice").await;
    let (token, _) = make(&alice, &["chat:read"]).await;
    let direct = User::new("direct", &world.tracker.addr());
    let bare = ask(&direct, Method::GET, "/chat/me", &token, json!({})).await;
    assert_eq!(bare.status, 401);
    assert!(bare.header("www-authenticate").contains("invalid_token"), "{:?}", bare.headers);
    let exchanged = ask(&world.stranger(), Method::POST, "/token", &token, json!({})).await.ok();
    let identity = exchanged["access_token"].as_str().unwrap();
    ask(&direct, Method::GET, "/chat/me", identity, json!({})).await.ok();
    let say = json!({"peer_id": "alice", "channel": "general", "message": "x"});
    let refused = ask(&direct, Method::POST, "/broadcast-peer", identity, say).await;
    refused.fails(403, "insufficient_scope");
}

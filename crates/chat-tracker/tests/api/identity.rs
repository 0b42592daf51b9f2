//! Accounts and guests: who may act as whom, and where the keys come from.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Running, answer, auth, auth_on, claims, good, refused, token, tracker_with};

async fn with_auth(extra: &[&str]) -> (Running, crate::support::FakeAuth) {
    let auth = auth().await;
    let url = auth.url();
    let mut flags = vec!["--auth-url", url.as_str()];
    flags.extend(extra);
    (tracker_with(&flags).await, auth)
}

fn account(name: &str) -> String {
    token(1, &claims(name))
}

#[tokio::test]
async fn an_account_is_a_known_peer_in_general_at_first_sight() {
    let (tracker, _auth) = with_auth(&[]).await;
    let alice = tracker.account("alice", account("alice"));
    let me = good(alice.get("/chat/me").await);
    assert_eq!(
        me,
        json!({ "status": "success", "peer_id": "alice", "guest": false, "roles": ["member"] })
    );
    let mine = good(alice.get("/chat/channels").await);
    assert_eq!(mine["channels"][0]["channel"], "general");
    alice.says("general", "hello").await;
    // Leaving is respected: the next call doesn't bring it back.
    good(alice.post("/chat/channels/leave", json!({ "channel": "general" })).await);
    assert_eq!(good(alice.get("/chat/channels").await)["count"], 0);
}

#[tokio::test]
async fn the_name_of_an_account_is_its_own_in_any_spelling() {
    let (tracker, _auth) = with_auth(&[]).await;
    let guest = tracker.guest("ALICE").await;
    guest.joins("general").await;
    let alice = tracker.account("alice", account("alice"));
    good(alice.get("/chat/me").await);
    for id in ["alice", "Alice", "ALICE"] {
        let say = json!({ "peer_id": id, "channel": "general", "message": "hi" });
        refused(guest.post("/broadcast-peer", say.clone()).await, 403, "not_your_peer");
        good(alice.post("/broadcast-peer", say).await);
        let register = json!({ "peer_id": id, "ip": "10.0.0.9", "port": 1 });
        refused(guest.post("/submit-info", register).await, 403, "not_your_peer");
    }
    let members = good(tracker.get("/chat/members?channel=general").await);
    assert_eq!(
        (&members["count"], &members["members"][0]["peer_id"]),
        (&json!(1), &json!("alice"))
    );
}

#[tokio::test]
async fn an_account_owns_what_it_registers_and_nothing_else() {
    let (tracker, _auth) = with_auth(&[]).await;
    let alice = tracker.account("alice", account("alice"));
    let bob = tracker.account("bob", account("bob"));
    tracker.guest("visitor").await;
    let register = json!({ "peer_id": "alice-laptop", "ip": "10.0.0.2", "port": 5 });
    good(alice.post("/submit-info", register.clone()).await);
    refused(bob.post("/submit-info", register.clone()).await, 403, "not_your_peer");
    refused(tracker.post("/submit-info", register).await, 403, "not_your_peer");
    for peer in ["alice-laptop", "alice", "visitor"] {
        let join = json!({ "peer_id": peer, "channel": "general" });
        // Whoever is bob is neither alice nor a guest.
        good(alice.get("/chat/me").await);
        refused(bob.post("/add-list", join).await, 403, "not_your_peer");
    }
    let join = json!({ "peer_id": "alice-laptop", "channel": "general" });
    good(alice.post("/add-list", join).await);
}

#[tokio::test]
async fn an_account_comes_even_where_another_had_used_its_name() {
    let (tracker, _auth) = with_auth(&[]).await;
    let alice = tracker.account("alice", account("alice"));
    let register = json!({ "peer_id": "bob", "ip": "10.0.0.2", "port": 5 });
    good(alice.post("/submit-info", register).await);
    let bob = tracker.account("bob", account("bob"));
    bob.says("general", "this is me").await;
    let pretend = json!({ "peer_id": "bob", "channel": "general", "message": "no, me" });
    refused(alice.post("/broadcast-peer", pretend).await, 403, "not_your_peer");
}

#[tokio::test]
async fn required_mode_has_no_guests() {
    let (tracker, _auth) = with_auth(&["--auth", "required"]).await;
    let response = tracker.request(Method::GET, "/get-list").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    refused(tracker.get("/chat/me").await, 401, "unauthenticated");
    good(tracker.account("alice", account("alice")).get("/chat/me").await);
    good(tracker.get("/health").await);
    good(tracker.get("/hello").await);
}

#[tokio::test]
async fn a_wrong_token_is_no_guest() {
    let (tracker, _auth) = with_auth(&[]).await;
    let mut expired = claims("alice");
    expired["iat"] = json!(1);
    expired["nbf"] = json!(1);
    expired["exp"] = json!(60);
    for wrong in [token(1, &expired), token(9, &claims("alice")), "abc".to_owned(), String::new()] {
        let request = tracker.request(Method::GET, "/get-list").bearer_auth(wrong);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
    }
    let basic = tracker.request(Method::GET, "/get-list").basic_auth("alice", Some("secret"));
    refused(answer(basic).await, 401, "unauthenticated");
}

#[tokio::test]
async fn the_proxys_header_and_the_bearer_have_to_agree() {
    let (tracker, _auth) = with_auth(&[]).await;
    let ask = |bearer: &str, passed_on: &str| {
        let request = tracker.request(Method::GET, "/chat/me").bearer_auth(account(bearer));
        answer(request.header("X-Chat-Identity", account(passed_on)))
    };
    assert_eq!(good(ask("alice", "alice").await)["peer_id"], "alice");
    refused(ask("alice", "bob").await, 400, "identity_conflict");
    let passed_on =
        tracker.request(Method::GET, "/chat/me").header("X-Chat-Identity", account("carol"));
    assert_eq!(good(answer(passed_on).await)["peer_id"], "carol");
    let twice = tracker
        .request(Method::GET, "/chat/me")
        .header("X-Chat-Identity", account("carol"))
        .header("X-Chat-Identity", account("carol"));
    refused(answer(twice).await, 400, "duplicate_header");
}

#[tokio::test]
async fn a_new_key_is_found_and_unknown_ones_are_not_asked_for_again_and_again() {
    let (tracker, auth) = with_auth(&[]).await;
    good(tracker.account("alice", account("alice")).get("/chat/me").await);
    auth.tells(&[2, 1]);
    let before = auth.times_asked();
    good(tracker.account("bob", token(2, &claims("bob"))).get("/chat/me").await);
    assert_eq!(auth.times_asked(), before + 1);
    for round in 0..5 {
        let strangers = (10..210).map(|key| {
            let eve = format!("eve{round}");
            tracker.account("eve", token(key, &claims(&eve)))
        });
        let strangers: Vec<_> = strangers.collect();
        for answer in join_all(strangers.iter().map(|eve| eve.get("/chat/me"))).await {
            refused(answer, 401, "unauthenticated");
        }
    }
    assert_eq!(auth.times_asked(), before + 1, "once in 30 s");
    good(tracker.account("alice", account("alice")).get("/chat/me").await);
}

#[tokio::test]
async fn without_keys_accounts_wait_and_guests_go_on() {
    // An address that is sure to be nobody's until backend-auth takes it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{addr}");
    let tracker = tracker_with(&["--auth-url", &url]).await;
    tracker.guest("visitor").await.joins("general").await;
    let alice = tracker.account("alice", account("alice"));
    refused(alice.get("/chat/me").await, 503, "identity_unavailable");
    let _auth = auth_on(TcpListener::bind(addr).await.unwrap()).await;
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (status, body) = alice.get("/chat/me").await;
        if status == 200 {
            break;
        }
        assert_eq!(body["code"], "identity_unavailable");
        assert!(tokio::time::Instant::now() < patience, "the keys never came");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn known_keys_outlive_a_restart_without_backend_auth() {
    let (tracker, auth) = with_auth(&["--auth", "required"]).await;
    let alice = account("alice");
    good(tracker.account("alice", alice.clone()).get("/chat/me").await);
    auth.stop().await;
    let tracker = tracker.restarted().await;
    good(tracker.account("alice", alice).get("/chat/me").await);
    good(tracker.get("/ready").await);
}

fn with_scope(name: &str, scope: &str) -> String {
    let mut claims = claims(name);
    claims["scope"] = json!(scope);
    token(1, &claims)
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_no_more() {
    let (tracker, _auth) = with_auth(&[]).await;
    tracker.account("alice", account("alice")).says("general", "hello").await;
    let reader = tracker.account("alice", with_scope("alice", "chat:read audit:read"));
    for path in ["/chat/me", "/get-list", "/chat/messages?channel=general", "/chat/channels"] {
        good(reader.get(path).await);
    }
    good(reader.post("/get-messages/", json!({ "channel": "general" })).await);
    good(reader.post("/connect-peer", json!({ "from_peer": "alice", "to_peer": "alice" })).await);
    let say = json!({ "peer_id": "alice", "channel": "general", "message": "hi" });
    for path in [
        "/broadcast-peer",
        "/broadcast-peer/",
        "/chat/channels/leave",
        "/submit-info",
        "/chat/read",
    ] {
        refused(reader.post(path, say.clone()).await, 403, "insufficient_scope");
    }
    let request = tracker.request(Method::POST, "/broadcast-peer").json(&say);
    let response = request.bearer_auth(with_scope("alice", "chat:read")).send().await.unwrap();
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("chat:write"),
        "{challenge}"
    );
    let writer = tracker.account("alice", with_scope("alice", "chat:write"));
    good(writer.post("/broadcast-peer", say).await);
    refused(writer.get("/chat/messages?channel=general").await, 403, "insufficient_scope");
    let nothing = tracker.account("alice", with_scope("alice", "chat:reader"));
    refused(nothing.get("/chat/me").await, 403, "insufficient_scope");
}

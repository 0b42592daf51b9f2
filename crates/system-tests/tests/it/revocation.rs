//! What ends with a session, through all programs.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use system_tests::world::PASSWORD;
use system_tests::{EventStream, User, WebSocket, World, eventually, patience};

/// With the usual ten seconds between questions everything here takes as much longer.
const EVERY: [&str; 2] = ["--revocations-every", "50ms"];
/// What the rules ask for.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(15);

async fn world() -> World {
    World::plan().tracker_flags(&EVERY).start().await
}

/// An event stream and a WebSocket of the same account, both open.
struct Open {
    events: EventStream,
    socket: WebSocket,
}

impl Open {
    async fn by(user: &User) -> Self {
        user.get("/chat/me").await.ok();
        let mut events = user.events(None).await.unwrap();
        events.next_of("hello").await;
        Self { events, socket: user.web_socket("/chat/ws").await }
    }

    /// Waits until both have ended.
    async fn ends(mut self) {
        let begun = Instant::now();
        let both = async {
            while self.events.next().await.is_ok() {}
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        tokio::time::timeout(patience(), both).await.expect("a stream goes on");
        assert!(begun.elapsed() < STREAMS_END_WITHIN, "{:?}", begun.elapsed());
    }
}

async fn token(user: &User) -> String {
    user.post("/token", json!({})).await.ok()["access_token"].as_str().unwrap().to_owned()
}

async fn user_id(user: &User) -> Value {
    user.get("/me").await.ok()["user_id"].clone()
}

/// Waits until a token that was good is refused by the tracker.
async fn dies(world: &World, token: &str) {
    let direct = User::new("direct", &world.tracker.addr());
    eventually("the token is refused", || async {
        let request = direct.request(reqwest::Method::GET, "/chat/me").bearer_auth(token);
        (request.send().await.unwrap().status() == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn logging_out_ends_open_streams_and_tokens() {
    let world = world().await;
    let alice = world.account("alice").await;
    let (open, token) = (Open::by(&alice).await, token(&alice).await);
    alice.post("/logout", json!({})).await.ok();
    open.ends().await;
    dies(&world, &token).await;
}

#[tokio::test]
async fn rule_44_with_the_usual_flags_too_streams_end_within_fifteen_seconds() {
    let world = World::start().await;
    let alice = world.account("alice").await;
    let open = Open::by(&alice).await;
    alice.post("/logout", json!({})).await.ok();
    open.ends().await;
}

#[tokio::test]
async fn rule_19_streams_of_an_access_token_end_with_it() {
    let world = world().await;
    let alice = world.account("alice").await;
    let body = json!({"name": "script", "scopes": ["chat:read"]});
    let token = alice.post("/auth/tokens", body).await.ok();
    let script = world.stranger().acting_as("alice");
    let bearer = token["token"].as_str().unwrap();
    let request = script.request(reqwest::Method::GET, "/chat/events").bearer_auth(bearer);
    let mut events = EventStream::open(request).await.unwrap();
    events.next_of("hello").await;
    alice.post("/auth/tokens/revoke", json!({"id": token["id"]})).await.ok();
    let begun = Instant::now();
    let end = async { while events.next().await.is_ok() {} };
    tokio::time::timeout(patience(), end).await.expect("the stream goes on");
    assert!(begun.elapsed() < STREAMS_END_WITHIN, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn revoking_another_device_ends_its_open_streams() {
    let world = world().await;
    let alice = world.account("alice").await;
    let (phone, answer) = world.login("alice").await;
    answer.ok();
    let (open, mut own) = (Open::by(&phone).await, Open::by(&alice).await);
    let sessions = alice.get("/auth/sessions").await.ok();
    let other = sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == false);
    let id = &other.unwrap()["id"];
    alice.post("/auth/sessions/revoke", json!({"id": id})).await.ok();
    open.ends().await;
    alice.says("general", "this device stays").await.ok();
    assert_eq!(own.events.next_of("message").await.data["message"], "this device stays");
}

#[tokio::test]
async fn a_disabled_account_s_sessions_tokens_and_streams_end() {
    let world = world().await;
    let admin = world.account("ada").await;
    let bob = world.account("bob").await;
    let (open, token) = (Open::by(&bob).await, token(&bob).await);
    admin.post("/auth/admin/users/disable", json!({"user_id": user_id(&bob).await})).await.ok();
    open.ends().await;
    bob.get("/me").await.fails(401, "unauthenticated");
    dies(&world, &token).await;
    let body = json!({"username": "bob", "password": PASSWORD});
    bob.post("/login", body).await.fails(401, "wrong_credentials");
}

#[tokio::test]
async fn a_session_that_is_renewed_keeps_its_streams_by_coming_back() {
    let world = world().await;
    let alice = world.account("alice").await;
    let open = Open::by(&alice).await;
    alice.post("/auth/reauth", json!({"password": PASSWORD})).await.ok();
    open.ends().await;
    let mut again = Open::by(&alice).await;
    alice.says("general", "under the new token").await.ok();
    assert_eq!(again.events.next_of("message").await.data["message"], "under the new token");
}

#[tokio::test]
async fn the_list_of_revocations_is_nobody_s_business() {
    let world = world().await;
    let alice = world.account("alice").await;
    for path in ["/internal/revocations", "/internal/revocations?since=x", "/internal"] {
        assert_eq!(alice.get(path).await.status, 404, "{path}");
    }
    let tracker = User::new("tracker", &world.auth.addr());
    let answer = tracker.get("/internal/revocations").await.json();
    assert_eq!(answer["reset"], false, "{answer}");
    assert_eq!(tracker.get("/internal/revocations?since=x").await.json()["reset"], true);
}

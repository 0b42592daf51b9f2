//! Nobody becomes someone else.

use serde_json::json;
use system_tests::neighbour::Recorder;
use system_tests::raw::exchange;
use system_tests::{Answer, User, World};

/// Spellings that a backend might fold into `X-Chat-Identity`, and tricks to smuggle it past a filter.
const FORGERIES: [&[&str]; 10] = [
    &["X-Chat-Identity: forged"],
    &["x-chat-identity: forged"],
    &["X-CHAT-IDENTITY: forged"],
    &["X_Chat_Identity: forged"],
    &["X.Chat.Identity: forged"],
    &["X-Chat_Identity: forged"],
    &["X-Chat-Identity: forged", "X-Chat-Identity: forged"],
    &["X-Chat-Identity: forged", "Connection: close, X-Chat-Identity"],
    &["Connection: X-Chat-Identity", "Connection: x_chat_identity, close"],
    &["x-chat-IDENTITY:forged", "X_CHAT.IDENTITY:\tforged"],
];

#[tokio::test]
async fn a_forged_identity_never_reaches_the_tracker_and_the_real_one_does() {
    let recorder = Recorder::start().await;
    let world = World::plan().tracker_server(recorder.addr()).start().await;
    let alice = world.account("alice").await;
    let cookie = format!("Cookie: {}", alice.cookie());
    for forgery in FORGERIES {
        let host = format!("Host: {}", world.proxy.addr());
        let mut lines = vec!["GET /chat/me HTTP/1.1", &host, &cookie];
        lines.extend(forgery);
        if !forgery.iter().any(|line| line.starts_with("Connection")) {
            lines.push("Connection: close");
        }
        let answer = exchange(&world.proxy.addr(), &lines, b"").await.unwrap();
        assert_eq!(answer.status, 200, "{forgery:?}: {answer:?}");

        let heads = recorder.take();
        let [head] = heads.as_slice() else { panic!("{forgery:?}: arrived as {heads:?}") };
        assert!(!head.contains("forged"), "{forgery:?} came through:\n{head}");
        let identities: Vec<&str> = head.lines().filter(|line| is_identity(line)).collect();
        let [identity] = identities.as_slice() else { panic!("{forgery:?}: {identities:?}") };
        assert_eq!(identity.split('.').count(), 3, "not a signed identity: {identity}");
    }
}

#[tokio::test]
async fn a_forged_identity_never_reaches_a_public_backend_either() {
    let recorder = Recorder::start().await;
    let world = World::plan().auth_server(recorder.addr()).start().await;
    for forgery in FORGERIES {
        let host = format!("Host: {}", world.proxy.addr());
        let mut lines = vec!["GET /style.css HTTP/1.1", &host];
        lines.extend(forgery);
        let answer = exchange(&world.proxy.addr(), &lines, b"").await.unwrap();
        assert_eq!(answer.status, 200, "{forgery:?}: {answer:?}");
        let heads = recorder.take();
        let [head] = heads.as_slice() else { panic!("{forgery:?}: arrived as {heads:?}") };
        assert!(!head.lines().any(is_identity), "{forgery:?} came through:\n{head}");
    }
}

#[tokio::test]
async fn a_stolen_but_valid_identity_header_does_not_change_who_the_session_is() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let token = bob.post("/token", json!({})).await.ok();
    let token = token["access_token"].as_str().unwrap();
    for name in ["X-Chat-Identity", "X_Chat_Identity", "X.Chat.Identity"] {
        let request = alice.request(reqwest::Method::GET, "/chat/me").header(name, token);
        assert_eq!(Answer::to(request).await.ok()["peer_id"], "alice");
    }
}

#[tokio::test]
async fn an_account_owns_its_name_in_every_spelling_and_a_guest_any_other() {
    let world = World::start().await;
    // A guest was first to use the name.
    let guest = world.guest("alice").await;
    guest.joins("general").await.ok();
    guest.says("general", "by the guest").await.ok();

    let alice = world.account("alice").await;
    assert_eq!(alice.get("/chat/me").await.ok()["peer_id"], "alice");
    for spelling in ["alice", "Alice", "ALICE"] {
        let guest = User::new(spelling, &world.tracker.addr());
        for answer in [
            guest.registers().await,
            guest.joins("general").await,
            guest.says("general", "not by Alice").await,
            guest.writes("bob", "not by Alice").await,
            guest.get(&format!("/chat/mailbox?peer_id={spelling}")).await,
            guest.get(&format!("/chat/events?peer_id={spelling}")).await,
        ] {
            answer.fails(403, "not_your_peer");
        }
    }
    alice.says("general", "by Alice").await.ok();
    world.guest("dave").await.joins("general").await.ok();
    assert_eq!(alice.reads("general").await, ["by the guest", "by Alice"]);
}

#[tokio::test]
async fn an_account_may_not_act_as_another_one() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    bob.get("/chat/me").await.ok();
    let pretender = alice.acting_as("bob");
    pretender.says("general", "not by Bob").await.fails(403, "not_your_peer");
    pretender.writes("alice", "not by Bob").await.fails(403, "not_your_peer");
    pretender.get("/chat/mailbox?peer_id=bob").await.fails(403, "not_your_peer");
}

#[tokio::test]
async fn a_tracker_that_requires_identities_admits_no_guest() {
    let world = World::plan().tracker_flags(&["--auth", "required"]).start().await;
    let guest = User::new("dave", &world.tracker.addr());
    guest.registers().await.fails(401, "unauthenticated");
    guest.get("/get-list").await.fails(401, "unauthenticated");
    let alice = world.account("alice").await;
    alice.says("general", "hello").await.ok();
    assert_eq!(alice.reads("general").await, ["hello"]);
}

/// Whether a backend that folds punctuation would take this line for the identity.
fn is_identity(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    name.chars().filter(char::is_ascii_alphanumeric).eq("xchatidentity".chars())
}

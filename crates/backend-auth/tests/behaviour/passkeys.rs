//! Passkeys: made, kept, shown.

use serde_json::{Value, json};

use crate::authenticator::{Authenticator, ORIGIN};
use crate::host::{on_host, until};
use crate::resets::reset;
use crate::support::{Answer, PASSWORD, Visitor, World};

/// A server that has passkeys.
pub(crate) async fn world() -> World {
    World::with(|flags| flags.public_origin = Some(ORIGIN.to_owned())).await
}

/// What a server asks of an authenticator.
pub(crate) async fn options(visitor: &Visitor, call: &str) -> Value {
    let answer = visitor.post(call, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["options"].clone()
}

/// Adds a passkey to an account.
pub(crate) async fn add(visitor: &Visitor, authenticator: &mut Authenticator) -> Answer {
    let credential = authenticator.create(&options(visitor, "/auth/passkeys/begin").await);
    visitor.post("/auth/passkeys", json!({"name": "laptop", "credential": credential})).await
}

/// Someone with an account and a passkey.
pub(crate) async fn owner(world: &World, name: &str) -> (Visitor, Authenticator) {
    let (visitor, mut authenticator) = (world.member(name).await, Authenticator::new());
    let added = add(&visitor, &mut authenticator).await;
    assert_eq!(added.status, 200, "{}", added.text);
    assert_eq!(added.json()["recovery_codes"].as_array().unwrap().len(), 10);
    (visitor, authenticator)
}

/// Signs a new visitor in by a passkey alone.
pub(crate) async fn sign_in(world: &World, authenticator: &mut Authenticator) -> (Visitor, Answer) {
    let visitor = world.visitor();
    let credential = authenticator.get(&options(&visitor, "/login/passkey").await);
    let answer = visitor.post("/login/passkey/finish", json!({"credential": credential})).await;
    (visitor, answer)
}

/// Shows a passkey after the password.
pub(crate) async fn show_second(
    world: &World,
    authenticator: &mut Authenticator,
) -> (Visitor, Answer) {
    let visitor = world.visitor();
    let needed = visitor.login("alice", PASSWORD).await;
    assert_eq!(needed.code(), "second_factor_needed");
    assert_eq!(needed.json()["factors"], json!(["passkey", "recovery_code"]));
    let credential = authenticator.get(&options(&visitor, "/login/second/passkey").await);
    let call = "/login/second/passkey/finish";
    let answer = visitor.post(call, json!({"credential": credential})).await;
    (visitor, answer)
}

/// How the one session was opened that a password alone didn't open.
fn amr(world: &World) -> String {
    let db = rusqlite::Connection::open(world.database()).unwrap();
    db.query_row("SELECT amr FROM sessions WHERE amr <> 'pwd'", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_passkey_signs_in_without_name_and_password() {
    let world = world().await;
    assert_eq!(world.visitor().get("/auth/info").await.json()["passkeys"], true);
    let (_, mut authenticator) = owner(&world, "alice").await;
    let (visitor, answer) = sign_in(&world, &mut authenticator).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["username"]), (200, &json!("alice")));
    assert!(visitor.is_signed_in().await);
    assert_eq!(amr(&world), "hwk user");
    assert_eq!(visitor.cookie("passkey"), "", "the exchange is over");
    let log = visitor.get("/auth/admin/audit?event=login&result=success").await.json();
    assert_eq!(
        (&log["entries"][0]["who"], &log["entries"][0]["detail"]),
        (&json!("alice"), &json!("passkey"))
    );
    let listed = visitor.get("/auth/factors").await.json()["passkeys"][0].clone();
    assert!(listed["last_used"].is_string() && listed["name"] == "laptop", "{listed}");
}

#[tokio::test]
async fn what_is_asked_of_an_authenticator_is_a_verified_owner_and_a_key_that_needs_no_name() {
    let world = world().await;
    let (alice, _) = owner(&world, "alice").await;
    let asked = options(&alice, "/auth/passkeys/begin").await["publicKey"].clone();
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["excludeCredentials"].as_array().unwrap().len(), 1, "the one that is there");
    let asked = options(&world.visitor(), "/login/passkey").await;
    assert_eq!(asked["publicKey"]["userVerification"], "required");
    assert!(asked["mediation"].is_null(), "when to ask is the page's choice");
}

#[tokio::test]
async fn after_the_password_a_passkey_is_the_second_factor() {
    let world = world().await;
    let (_, mut authenticator) = owner(&world, "alice").await;
    let (visitor, answer) = show_second(&world, &mut authenticator).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(visitor.is_signed_in().await);
    assert_eq!(amr(&world), "pwd hwk");
    let (_, mut others) = owner(&world, "bob").await;
    let (visitor, answer) = show_second(&world, &mut others).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unknown_passkey"));
    assert!(!visitor.is_signed_in().await);
    let call = "/login/second/passkey";
    assert_eq!(world.visitor().post(call, json!({})).await.code(), "sign_in_again");
}

#[tokio::test]
async fn a_new_passkey_is_kept_once_and_the_first_ends_other_sessions() {
    let world = world().await;
    let alice = world.member("alice").await;
    let mut authenticator = Authenticator::new();
    let credential = authenticator.create(&options(&alice, "/auth/passkeys/begin").await);
    let asked = json!({"name": " ", "credential": credential});
    assert_eq!(alice.post("/auth/passkeys", asked).await.code(), "invalid_field", "a name, please");
    let phone = world.visitor();
    assert_eq!(phone.login("alice", PASSWORD).await.status, 200);
    let asked = json!({"name": "laptop", "credential": credential});
    assert_eq!(alice.post("/auth/passkeys", asked.clone()).await.status, 200);
    assert!(
        !phone.is_signed_in().await,
        "the first factor ends what the password alone had opened"
    );
    assert_eq!(alice.post("/auth/passkeys", asked).await.code(), "no_exchange");
    assert_eq!(add(&alice, &mut authenticator).await.code(), "passkey_exists");
    let bob = world.member("bob").await;
    assert_eq!(add(&bob, &mut authenticator).await.code(), "passkey_exists", "somebody's already");
    authenticator.create(&options(&alice, "/auth/passkeys/begin").await);
    let (phone, _) = sign_in(&world, &mut authenticator).await;
    let second = add(&alice, &mut Authenticator::new()).await;
    assert_eq!((second.status.as_u16(), &second.json()["recovery_codes"]), (200, &json!([])));
    assert!(phone.is_signed_in().await, "a further one ends nothing");
}

#[tokio::test]
async fn passkeys_are_renamed_and_removed_and_with_the_last_the_password_is_enough() {
    let world = world().await;
    let (alice, mut authenticator) = owner(&world, "alice").await;
    let bob = world.member("bob").await;
    let id = alice.get("/auth/factors").await.json()["passkeys"][0]["id"].clone();
    let rename = json!({"id": id, "name": "desk"});
    assert_eq!(bob.post("/auth/passkeys/rename", rename.clone()).await.code(), "unknown_passkey");
    assert_eq!(alice.post("/auth/passkeys/rename", rename).await.status, 200);
    assert_eq!(alice.get("/auth/factors").await.json()["passkeys"][0]["name"], "desk");
    assert_eq!(
        bob.post("/auth/passkeys/remove", json!({"id": id})).await.code(),
        "unknown_passkey"
    );
    let (phone, _) = sign_in(&world, &mut authenticator).await;
    assert_eq!(alice.post("/auth/passkeys/remove", json!({"id": id})).await.status, 200);
    assert!(alice.is_signed_in().await && !phone.is_signed_in().await);
    assert_eq!(sign_in(&world, &mut authenticator).await.1.code(), "unknown_passkey");
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
    assert_eq!(alice.get("/auth/factors").await.json()["recovery_codes"], 0);
}

#[tokio::test]
async fn rule_23_adding_and_removing_passkeys_asks_for_a_sign_in_of_the_last_minutes() {
    let mut world = world().await;
    let (alice, mut authenticator) = owner(&world, "alice").await;
    let id = alice.get("/auth/factors").await.json()["passkeys"][0]["id"].clone();
    let credential = authenticator.create(&options(&alice, "/auth/passkeys/begin").await);
    world.age_sign_ins(6 * 60).await;
    let alice = world.again(&alice);
    for (call, body) in [
        ("/auth/passkeys/begin", json!({})),
        ("/auth/passkeys", json!({"name": "x", "credential": credential})),
        ("/auth/passkeys/remove", json!({"id": id})),
    ] {
        let answer = alice.post(call, body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauth_required"));
    }
}

#[tokio::test]
async fn a_disabled_account_s_passkey_opens_nothing() {
    let world = world().await;
    let ada = world.member("ada").await;
    let (alice, mut authenticator) = owner(&world, "alice").await;
    let about = json!({"user_id": alice.get("/me").await.json()["user_id"]});
    assert_eq!(ada.post("/auth/admin/users/disable", about).await.status, 200);
    assert_eq!(sign_in(&world, &mut authenticator).await.1.code(), "unknown_passkey");
}

#[tokio::test]
async fn a_key_that_is_copied_between_devices_is_told_apart() {
    let world = world().await;
    let (alice, mut authenticator) = (world.member("alice").await, Authenticator::new());
    authenticator.copies = true;
    assert_eq!(add(&alice, &mut authenticator).await.status, 200);
    assert_eq!(sign_in(&world, &mut authenticator).await.1.status, 200);
    assert_eq!(amr(&world), "swk user");
}

#[tokio::test]
async fn without_a_host_name_there_are_no_passkeys_and_the_reason_is_said() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    for call in ["/auth/passkeys/begin", "/login/passkey"] {
        let answer = alice.post(call, json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "passkeys_unavailable"));
        assert!(answer.text.contains("--public-origin"), "{}", answer.text);
    }
    let factors = alice.get("/auth/factors").await.json();
    assert!(factors["passkeys_unavailable"].as_str().unwrap().contains("--public-origin"));
    assert_eq!(alice.get("/auth/info").await.json()["passkeys"], false);
}

/// A server that was told no public origin, and someone who made a passkey at localhost there.
async fn local_owner(world: &World) -> (Visitor, Authenticator) {
    let (alice, origin) = world.local_visitor();
    assert_eq!(alice.register("alice", PASSWORD).await.status, 200);
    let mut authenticator = Authenticator::new();
    authenticator.origin = origin;
    let added = add(&alice, &mut authenticator).await;
    assert_eq!(added.status, 200, "{}", added.text);
    (alice, authenticator)
}

#[tokio::test]
async fn without_a_public_origin_passkeys_work_at_localhost() {
    let world = World::new().await;
    let (alice, mut authenticator) = local_owner(&world).await;
    let listed = alice.get("/auth/factors").await.json();
    assert_eq!(listed["passkeys"][0]["host"], "localhost");
    assert!(listed["passkeys_unavailable"].is_null(), "{listed}");
    let visitor = world.local_visitor().0;
    assert_eq!(visitor.get("/auth/info").await.json()["passkeys"], true);
    let credential = authenticator.get(&options(&visitor, "/login/passkey").await);
    let answer = visitor.post("/login/passkey/finish", json!({"credential": credential})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(visitor.is_signed_in().await);
    let again = world.local_visitor().0;
    let needed = again.login("alice", PASSWORD).await.json();
    assert_eq!(needed["factors"], json!(["passkey", "recovery_code"]));
    let credential = authenticator.get(&options(&again, "/login/second/passkey").await);
    let call = "/login/second/passkey/finish";
    assert_eq!(again.post(call, json!({"credential": credential})).await.status, 200);
    // By its address there are none, and none are asked for.
    let needed = world.visitor().login("alice", PASSWORD).await.json();
    assert_eq!(needed["factors"], json!(["recovery_code"]));
}

#[tokio::test]
async fn a_forged_host_opens_nothing_with_an_answer_that_was_given_to_another_page() {
    let world = World::new().await;
    let (_, mut authenticator) = local_owner(&world).await;
    let port = world.server.addr().port();
    for (begun, finished, page) in [
        // The page of another program on the same machine, whose answer is handed on to the real address.
        (format!("localhost:{port}"), format!("localhost:{port}"), "http://localhost:1".to_owned()),
        // The real page's answer under another name.
        ("localhost:1".to_owned(), "localhost:1".to_owned(), format!("http://localhost:{port}")),
        ("localhost:1".to_owned(), format!("localhost:{port}"), "https://evil.example".to_owned()),
    ] {
        let visitor = world.visitor();
        let asked = visitor.post_with("/login/passkey", json!({}), &[("host", &begun)]).await;
        authenticator.origin.clone_from(&page);
        let credential = authenticator.get(&asked.json()["options"]);
        let body = json!({"credential": credential});
        let answer = visitor.post_with("/login/passkey/finish", body, &[("host", &finished)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "unknown_passkey"),
            "{page}"
        );
    }
    for host in ["evil.example", "localhost.evil.example", "192.168.1.5:8080"] {
        let answer =
            world.visitor().post_with("/login/passkey", json!({}), &[("host", host)]).await;
        assert_eq!(answer.code(), "passkeys_unavailable", "{host}");
    }
}

#[tokio::test]
async fn passkeys_of_another_host_are_not_offered() {
    let mut world = World::new().await;
    let (alice, _) = local_owner(&world).await;
    world.tell_origin("http://chat.localhost:8080").await;
    let visitor = world.visitor();
    let needed = visitor.login("alice", PASSWORD).await.json();
    assert_eq!(needed["factors"], json!(["recovery_code"]));
    assert_eq!(visitor.post("/login/second/passkey", json!({})).await.code(), "no_passkey");
    // There she makes one of that host. Her authenticator may hold both.
    let alice = world.again(&alice);
    let asked = options(&alice, "/auth/passkeys/begin").await;
    assert_eq!(asked["publicKey"]["rp"]["id"], "chat.localhost");
    assert!(asked["publicKey"]["excludeCredentials"].as_array().is_none_or(Vec::is_empty));
    let mut authenticator = Authenticator::new();
    authenticator.origin = "http://chat.localhost:8080".to_owned();
    assert_eq!(add(&alice, &mut authenticator).await.status, 200);
    let visitor = world.visitor();
    let needed = visitor.login("alice", PASSWORD).await.json();
    assert_eq!(needed["factors"], json!(["passkey", "recovery_code"]));
    let asked = options(&visitor, "/login/second/passkey").await;
    assert_eq!(asked["publicKey"]["allowCredentials"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_passkey_that_opens_something_here_stays_whatever_opens_something_elsewhere() {
    let mut world = World::new().await;
    let (alice, _) = local_owner(&world).await;
    let first = ids(&alice).await;
    world.tell_origin("http://chat.localhost:8080").await;
    world.change_database(without_password).await;
    let alice = world.again(&alice);
    let mut authenticator = Authenticator::new();
    authenticator.origin = "http://chat.localhost:8080".to_owned();
    assert_eq!(add(&alice, &mut authenticator).await.status, 200);
    let both = ids(&alice).await;
    let elsewhere = json!({"id": first[0]});
    let here = json!({"id": both.iter().find(|id| **id != first[0]).unwrap()});
    let answer = alice.post("/auth/passkeys/remove", here.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_way_in"));
    assert_eq!(alice.post("/auth/passkeys/remove", elsewhere).await.status, 200);
    assert_eq!(alice.post("/auth/passkeys/remove", here).await.code(), "last_way_in");
    assert_eq!(ids(&alice).await.len(), 1);
}

/// The ids of someone's passkeys, in no order: those of one second are alike.
async fn ids(owner: &Visitor) -> Vec<Value> {
    let factors = owner.get("/auth/factors").await.json();
    factors["passkeys"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

/// Nobody has a password any more.
fn without_password(db: &rusqlite::Connection) {
    db.execute("UPDATE accounts SET password = ''", []).unwrap();
}

#[tokio::test]
async fn whoever_is_on_the_host_takes_even_the_only_administrator_s_last_way_in_and_makes_another()
{
    let mut world = world().await;
    let (alice, mut authenticator) = owner(&world, "alice").await;
    world.change_database(without_password).await;
    let alice = world.again(&alice);
    // At the front door nobody may.
    let about = json!({"user_id": alice.get("/me").await.json()["user_id"]});
    let refused = alice.post("/auth/admin/users/remove-factors", about).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "last_admin"));
    let at = world.folder.path();
    let said = on_host(at, &["remove-factors", "ALICE"]).unwrap();
    assert!(said.contains("nothing left") && said.contains("reset-link alice"), "{said}");
    until(|| async { alice.get("/me").await.status == 401 }).await;
    assert_eq!(sign_in(&world, &mut authenticator).await.1.code(), "unknown_passkey");
    let link = on_host(at, &["reset-link", "alice"]).unwrap();
    let code = link.trim().rsplit_once("/reset#code=").unwrap().1;
    assert_eq!(reset(&world, code, PASSWORD).await.status, 200);
    let again = world.visitor();
    assert_eq!(again.login("alice", PASSWORD).await.status, 200);
    assert_eq!(again.get("/auth/admin/users").await.status, 200);
    let said = on_host(at, &["remove-factors", "alice"]).unwrap();
    assert!(said.contains("with the password alone"), "{said}");
}

#[tokio::test]
async fn on_a_known_device_a_passkey_opens_when_others_stopped_the_address() {
    let world = World::with(|flags| {
        flags.public_origin = Some(ORIGIN.to_owned());
        flags.login_burst = 3;
    })
    .await;
    let (alice, mut authenticator) = owner(&world, "alice").await;
    for number in 0..3 {
        assert_eq!(world.visitor().login(&format!("user{number}"), "x").await.status, 401);
    }
    let (_, stranger) = sign_in(&world, &mut authenticator).await;
    assert_eq!((stranger.status.as_u16(), stranger.code().as_str()), (429, "too_many_requests"));
    let again = world.visitor();
    again.set_cookie("device", &alice.cookie("device"));
    let credential = authenticator.get(&options(&again, "/login/passkey").await);
    let shown = json!({"credential": credential});
    assert_eq!(again.post("/login/passkey/finish", shown).await.status, 200);
}

#[tokio::test]
async fn one_address_begins_only_so_many_exchanges() {
    let world = world().await;
    let (crowd, from) = (world.visitor(), [("x-forwarded-for", "192.0.2.1")]);
    let mut stopped = None;
    for _ in 0..100 {
        let wave = (0..50).map(|_| crowd.post_with("/login/passkey", json!({}), &from));
        let answers = futures_util::future::join_all(wave).await;
        stopped = answers.into_iter().find(|answer| answer.status == 429);
        if stopped.is_some() {
            break;
        }
    }
    let stopped = stopped.expect("an address begins as many as it likes");
    assert_eq!(stopped.code(), "too_many_requests");
    assert_ne!(stopped.header("retry-after"), "");
    assert_eq!(world.visitor().post("/login/passkey", json!({})).await.status, 200);
}

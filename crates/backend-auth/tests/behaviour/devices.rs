//! Where one is signed in, and signing out elsewhere.

use serde_json::{Value, json};

use crate::support::{OTHER_PASSWORD, PASSWORD, Visitor, World};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn sessions(visitor: &Visitor) -> Vec<Value> {
    let answer = visitor.get("/auth/sessions").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["sessions"].as_array().unwrap().clone()
}

/// The id of the session with which a visitor asks.
async fn own(visitor: &Visitor) -> Value {
    let all = sessions(visitor).await;
    all.into_iter().find(|session| session["current"] == true).unwrap()["id"].clone()
}

async fn signed_in(world: &World) -> Visitor {
    let visitor = world.visitor();
    assert_eq!(visitor.login("alice", PASSWORD).await.status, 200);
    visitor
}

#[tokio::test]
async fn sessions_are_listed_with_device_address_and_times() {
    let world = World::new().await;
    world.member("bob").await;
    let alice = world.member("alice").await;
    let phone = world.visitor();
    let login = json!({"username": "alice", "password": PASSWORD, "remember": true});
    let headers = [("user-agent", FIREFOX), ("x-forwarded-for", "192.0.2.7")];
    assert_eq!(phone.post_with("/login", login, &headers).await.status, 200);
    let listed = sessions(&alice).await;
    assert_eq!(listed.len(), 2, "nobody else's");
    let other = listed.iter().find(|session| session["current"] == false).unwrap();
    assert_eq!((&other["device"], &other["ip"]), (&json!("Firefox on Linux"), &json!("192.0.2.7")));
    assert_eq!(other["remember"], true);
    for time in ["created_at", "last_seen", "ends_at"] {
        assert!(other[time].as_str().unwrap().ends_with('Z'), "{other}");
    }
    assert!(!alice.get("/auth/sessions").await.text.contains(&phone.cookie("session")));
    assert_eq!(world.visitor().get("/auth/sessions").await.status, 401);
}

#[tokio::test]
async fn one_session_is_ended_and_only_one_s_own() {
    let world = World::new().await;
    let bob = world.member("bob").await;
    let alice = world.member("alice").await;
    let phone = signed_in(&world).await;
    let (id, his) = (own(&phone).await, own(&bob).await);
    let foreign = alice.post("/auth/sessions/revoke", json!({"id": his})).await;
    assert_eq!((foreign.status.as_u16(), foreign.code().as_str()), (404, "unknown_session"));
    assert!(bob.is_signed_in().await);
    let answer = alice.post("/auth/sessions/revoke", json!({"id": id})).await;
    assert_eq!(answer.json()["ended"], 1, "{}", answer.text);
    assert!(!phone.is_signed_in().await && alice.is_signed_in().await);
    for wrong in [json!({}), json!({"id": "x", "which": "all"}), json!({"which": "mine"})] {
        assert_eq!(alice.post("/auth/sessions/revoke", wrong).await.code(), "invalid_field");
    }
}

#[tokio::test]
async fn all_others_are_ended_or_all() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let others = [signed_in(&world).await, signed_in(&world).await];
    let answer = alice.post("/auth/sessions/revoke", json!({"which": "others"})).await;
    assert_eq!(answer.json()["ended"], 2);
    for other in &others {
        assert!(!other.is_signed_in().await);
    }
    let other = signed_in(&world).await;
    let answer = alice.post("/auth/sessions/revoke", json!({"which": "all"})).await;
    assert_eq!(answer.json()["ended"], 2);
    assert_eq!(alice.cookie("session"), "", "the cookie goes too");
    assert!(!alice.is_signed_in().await && !other.is_signed_in().await);
}

#[tokio::test]
async fn revoking_another_device_asks_for_the_password_again_after_a_while() {
    let mut world = World::new().await;
    let alice = world.member("alice").await;
    let phone = signed_in(&world).await;
    let (id, current) = (own(&phone).await, own(&alice).await);
    world.age_sign_ins(6 * 60).await;
    let (alice, phone) = (world.again(&alice), world.again(&phone));
    for body in [json!({"id": id}), json!({"which": "others"}), json!({"which": "all"})] {
        let answer = alice.post("/auth/sessions/revoke", body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauth_required"));
    }
    assert!(phone.is_signed_in().await);
    assert_eq!(alice.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    assert_ne!(own(&alice).await, current, "showing the password renews the session");
    assert_eq!(alice.post("/auth/sessions/revoke", json!({"id": id})).await.status, 200);
    assert!(!phone.is_signed_in().await);
    // Signing oneself out never asks.
    world.age_sign_ins(6 * 60).await;
    let alice = world.again(&alice);
    let id = own(&alice).await;
    assert_eq!(alice.post("/auth/sessions/revoke", json!({"id": id})).await.status, 200);
}

#[tokio::test]
async fn showing_the_password_again_makes_no_session_longer() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let db = rusqlite::Connection::open(world.database()).unwrap();
    let ends = |db: &rusqlite::Connection| -> i64 {
        db.query_row("SELECT ends_at FROM sessions", [], |row| row.get(0)).unwrap()
    };
    let before = ends(&db);
    let stolen = alice.copy();
    assert_eq!(alice.post("/auth/reauth", json!({"password": OTHER_PASSWORD})).await.status, 403);
    assert!(stolen.is_signed_in().await);
    assert_eq!(alice.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    assert!(!stolen.is_signed_in().await && alice.is_signed_in().await);
    assert_eq!(ends(&db), before);
    assert_eq!(
        world.visitor().post("/auth/reauth", json!({"password": PASSWORD})).await.status,
        401
    );
}

#[tokio::test]
async fn a_wrong_password_is_slowed_down_there_too() {
    let world = World::with(|flags| flags.login_free_tries = 5).await;
    let alice = world.member("alice").await;
    for _ in 0..5 {
        assert_eq!(alice.post("/auth/reauth", json!({"password": "x"})).await.status, 403);
    }
    let answer = alice.post("/auth/reauth", json!({"password": "x"})).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
}

//! Registration by invite.

use backend_auth::config::RegistrationFlag;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Visitor, World};

async fn by_invite() -> (World, Visitor) {
    let world = World::with(|flags| flags.registration = RegistrationFlag::Invite).await;
    let admin = world.member("admin1").await;
    (world, admin)
}

async fn register(visitor: &Visitor, name: &str, invite: &str) -> Answer {
    visitor
        .post("/register", json!({"username": name, "password": PASSWORD, "invite": invite}))
        .await
}

async fn invite(admin: &Visitor, uses: u32) -> String {
    let answer = admin.post("/invites", json!({"uses": uses})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let invite = answer.json();
    let code = invite["code"].as_str().unwrap();
    assert_eq!(invite["path"], format!("/register#invite={code}"));
    assert_eq!(invite["uses"], uses);
    code.to_owned()
}

#[tokio::test]
async fn without_an_invite_nobody_registers_but_the_first() {
    let (world, _) = by_invite().await;
    let answer = world.visitor().register("bob", PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "invite_required"));
    assert_eq!(world.visitor().get("/auth/info").await.json()["registration"], "invite");
}

#[tokio::test]
async fn an_invite_lets_in_as_many_as_it_says_even_at_once() {
    let (world, admin) = by_invite().await;
    let code = invite(&admin, 2).await;
    let visitors: Vec<(String, Visitor)> =
        (0..10).map(|number| (format!("user{number}"), world.visitor())).collect();
    let answers =
        join_all(visitors.iter().map(|(name, visitor)| register(visitor, name, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2);
    assert!(answers.iter().filter(|a| a.status != 200).all(|a| a.code() == "invalid_invite"));
}

#[tokio::test]
async fn used_expired_and_unknown_invites_look_the_same() {
    let (world, admin) = by_invite().await;
    let used = invite(&admin, 1).await;
    assert_eq!(register(&world.visitor(), "bob", &used).await.status, 200);
    let expired = invite(&admin, 1).await;
    let db = rusqlite::Connection::open(world.database()).unwrap();
    db.execute("UPDATE invites SET expires_at = 1 WHERE uses_left > 0", []).unwrap();
    let mut texts = Vec::new();
    for code in [used.as_str(), &expired, &"A".repeat(22), "nonsense"] {
        let answer = register(&world.visitor(), "carol", code).await;
        assert_eq!(answer.status, 400);
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_failed_registration_uses_nothing_up() {
    let (world, admin) = by_invite().await;
    let code = invite(&admin, 1).await;
    assert_eq!(register(&world.visitor(), "ADMIN1", &code).await.code(), "username_taken");
    assert_eq!(register(&world.visitor(), "bob", &code).await.status, 200);
}

#[tokio::test]
async fn only_an_administrator_invites() {
    let (world, admin) = by_invite().await;
    let code = invite(&admin, 1).await;
    let bob = world.visitor();
    assert_eq!(register(&bob, "bob", &code).await.status, 200);
    assert_eq!(bob.post("/invites", json!({})).await.code(), "not_an_admin");
    assert_eq!(world.visitor().post("/invites", json!({})).await.status, 401);
    for wrong in
        [json!({"uses": 0}), json!({"uses": 1001}), json!({"expires_in": 59}), json!({"uses": "x"})]
    {
        assert_eq!(admin.post("/invites", wrong).await.code(), "invalid_field");
    }
    let bare = admin.send(reqwest::Method::POST, "/invites", &[], None).await;
    assert_eq!(bare.json()["uses"], 1);
}

#[tokio::test]
async fn administrators_list_invites_and_take_them_back() {
    let (world, admin) = by_invite().await;
    let code = invite(&admin, 2).await;
    let other = invite(&admin, 1).await;
    let bob = world.visitor();
    assert_eq!(register(&bob, "bob", &code).await.status, 200);
    let listed = admin.get("/auth/admin/invites").await;
    assert!(!listed.text.contains(&code) && !listed.text.contains(&other), "codes are told once");
    let invites = listed.json()["invites"].as_array().unwrap().clone();
    assert_eq!(invites.len(), 2);
    let used = invites.iter().find(|invite| invite["uses"] == 2).unwrap();
    assert_eq!((&used["uses_left"], &used["created_by"]), (&json!(1), &json!("admin1")));
    let id = json!({"id": used["id"]});
    assert_eq!(bob.get("/auth/admin/invites").await.code(), "not_an_admin");
    assert_eq!(bob.post("/auth/admin/invites/revoke", id.clone()).await.code(), "not_an_admin");
    assert_eq!(admin.post("/auth/admin/invites/revoke", id.clone()).await.status, 200);
    assert_eq!(admin.post("/auth/admin/invites/revoke", id).await.code(), "unknown_invite");
    assert_eq!(register(&world.visitor(), "carol", &code).await.code(), "invalid_invite");
    assert_eq!(register(&world.visitor(), "carol", &other).await.status, 200);
    let left = admin.get("/auth/admin/invites").await.json();
    assert_eq!(left["invites"], json!([]), "what lets nobody in is not listed");
}

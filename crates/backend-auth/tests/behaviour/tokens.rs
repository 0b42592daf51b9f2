//! Personal access tokens and bots.

use serde_json::{Value, json};
use wire::identity::Claims;

use crate::support::{Answer, PASSWORD, Visitor, World};

fn told(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

async fn make(owner: &Visitor, body: Value) -> (String, String) {
    let answer = owner.post("/auth/tokens", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

async fn verify(world: &World, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    world.visitor().get_with("/auth/verify", &[("authorization", &bearer)]).await
}

fn claims(identity: &str) -> Claims {
    use base64::Engine;
    let payload = identity.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_token_is_told_once_and_opens_what_its_scopes_say() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let (token, id) = make(&alice, json!({"name": "backup script", "scopes": ["chat:read"]})).await;
    assert!(token.starts_with("chat_pat_") && token.len() == 52, "{token}");
    let answer = verify(&world, &token).await;
    let identity = claims(answer.header("x-chat-identity"));
    assert_eq!((identity.name.as_str(), identity.scope.as_str()), ("alice", "chat:read"));
    assert_eq!(identity.amr, ["pat"]);
    let listed = alice.get("/auth/tokens").await;
    assert!(!listed.text.contains(&token));
    let listed = &listed.json()["tokens"][0];
    assert_eq!((&listed["id"], &listed["name"]), (&json!(id), &json!("backup script")));
    assert_eq!(listed["scopes"], json!(["chat:read"]));
    let mut database = std::fs::read(world.database()).unwrap();
    database.extend(std::fs::read(world.database().with_extension("db-wal")).unwrap_or_default());
    assert!(!database.windows(token.len()).any(|window| window == token.as_bytes()));
}

#[tokio::test]
async fn a_token_gets_an_identity_of_five_minutes_and_says_who_it_is() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let (token, _) = make(&alice, json!({"name": "curl"})).await;
    let bearer = format!("Bearer {token}");
    let program = world.visitor();
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(program.get_with("/me", &headers).await.json()["username"], "alice");
    let answer = program.post_with("/token", json!({}), &headers).await.json();
    let identity = answer["access_token"].as_str().unwrap();
    assert_eq!(claims(identity).scope, "chat:read chat:write");
    assert_eq!(verify(&world, identity).await.status, 200, "as long as the token behind it lives");
    // A token opens nothing that asks for a person.
    for path in ["/auth/sessions", "/auth/tokens", "/auth/addresses"] {
        assert_eq!(program.get_with(path, &headers).await.status, 401, "{path}");
    }
    program.set_cookie("session", &token);
    assert_eq!(program.get("/me").await.status, 401, "it is no cookie either");
}

#[tokio::test]
async fn a_token_that_is_taken_back_or_wrong_opens_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.member("alice").await, world.member("bob").await);
    let (token, id) = make(&alice, json!({"name": "curl"})).await;
    assert_eq!(
        told(&bob.post("/auth/tokens/revoke", json!({"id": id})).await),
        (404, "unknown_token".into())
    );
    assert_eq!(verify(&world, &token).await.status, 200);
    assert_eq!(alice.post("/auth/tokens/revoke", json!({"id": id})).await.status, 200);
    for dead in [token.as_str(), &format!("chat_pat_{}", "A".repeat(43)), "chat_pat_", "chat_pat_x"]
    {
        let answer = verify(&world, dead).await;
        assert_eq!(told(&answer), (401, "invalid_token".into()), "{dead}");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
        let bearer = format!("Bearer {dead}");
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(
            told(&alice.get_with("/me", &headers).await),
            (401, "invalid_token".into()),
            "no cookie helps"
        );
    }
}

#[tokio::test]
async fn tokens_have_a_name_known_scopes_an_end_and_a_number() {
    let world = World::with(|flags| flags.tokens_per_account = 2).await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    for wrong in [
        json!({"name": " "}),
        json!({"name": "x".repeat(65)}),
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["chat:rule"]}),
        json!({"name": "x", "expires_in": 59}),
        json!({"name": "x", "expires_in": 400 * 86_400}),
    ] {
        let answer = ada.post("/auth/tokens", wrong.clone()).await;
        assert_eq!(told(&answer), (400, "invalid_field".into()), "{wrong}");
    }
    let audit = json!({"name": "x", "scopes": ["audit:read"]});
    assert_eq!(told(&bob.post("/auth/tokens", audit.clone()).await), (403, "not_an_admin".into()));
    let (reader, _) = make(&ada, audit).await;
    let (writer, _) = make(&ada, json!({"name": "y"})).await;
    assert_eq!(
        told(&ada.post("/auth/tokens", json!({"name": "z"})).await),
        (409, "too_many_tokens".into())
    );
    for (token, status) in [(reader, 200), (writer, 403)] {
        let bearer = format!("Bearer {token}");
        let answer =
            world.visitor().get_with("/auth/admin/audit", &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_and_all_tokens_outlive_a_restart() {
    let mut world = World::new().await;
    let alice = world.member("alice").await;
    let (kept, _) = make(&alice, json!({"name": "kept"})).await;
    let (over, _) = make(&alice, json!({"name": "over"})).await;
    world
        .change_database(|db| {
            db.execute("UPDATE tokens SET expires_at = 1700000000 WHERE name = 'over'", [])
                .unwrap();
        })
        .await;
    assert_eq!(verify(&world, &kept).await.status, 200);
    assert_eq!(verify(&world, &over).await.status, 401);
}

#[tokio::test]
async fn making_a_token_asks_for_the_password_again_after_a_while() {
    let mut world = World::new().await;
    let alice = world.member("alice").await;
    world.age_sign_ins(6 * 60).await;
    let alice = world.again(&alice);
    let answer = alice.post("/auth/tokens", json!({"name": "x"})).await;
    assert_eq!(told(&answer), (403, "reauth_required".into()));
    assert_eq!(alice.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    make(&alice, json!({"name": "x"})).await;
}

#[tokio::test]
async fn a_disabled_account_s_tokens_stop_and_go_on_when_it_is_enabled() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let about = json!({"user_id": bob.get("/me").await.json()["user_id"]});
    let (token, _) = make(&bob, json!({"name": "x"})).await;
    let before = claims(verify(&world, &token).await.header("x-chat-identity")).sid;
    assert_eq!(ada.post("/auth/admin/users/disable", about.clone()).await.status, 200);
    assert_eq!(verify(&world, &token).await.status, 401);
    let revoked = world.visitor().get("/internal/revocations").await.json();
    assert!(revoked["sids"].as_array().unwrap().contains(&json!(before)), "its streams end");
    assert_eq!(ada.post("/auth/admin/users/enable", about.clone()).await.status, 200);
    let after = claims(verify(&world, &token).await.header("x-chat-identity")).sid;
    assert_ne!(after, before, "and what is told to be over stays over");
    assert_eq!(ada.post("/auth/admin/users/delete", about).await.status, 200);
    assert_eq!(verify(&world, &token).await.status, 401);
}

#[tokio::test]
async fn a_bot_gets_in_with_tokens_of_an_administrator_and_no_other_way() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    assert_eq!(
        told(&bob.post("/auth/admin/bots", json!({"username": "helper"})).await),
        (403, "not_an_admin".into())
    );
    let bot = ada.post("/auth/admin/bots", json!({"username": "helper"})).await.json();
    assert_eq!(bot["role"], "bot");
    assert_eq!(
        told(&ada.post("/auth/admin/bots", json!({"username": "HELPER"})).await),
        (409, "username_taken".into())
    );
    for password in ["", PASSWORD] {
        assert_eq!(world.visitor().login("helper", password).await.code(), "wrong_credentials");
    }
    let wanted = json!({"user_id": bot["user_id"], "name": "ci", "scopes": ["chat:write"]});
    let told_once = ada.post("/auth/admin/tokens", wanted).await.json();
    let token = told_once["token"].as_str().unwrap();
    let identity = claims(verify(&world, token).await.header("x-chat-identity"));
    assert_eq!(
        (identity.name.as_str(), identity.roles.as_slice()),
        ("helper", ["bot".to_owned()].as_slice())
    );
    let person = json!({"user_id": bob.get("/me").await.json()["user_id"], "name": "spy"});
    assert_eq!(
        told(&ada.post("/auth/admin/tokens", person).await),
        (409, "other_kind_of_account".into())
    );
    let link = json!({"user_id": bot["user_id"]});
    assert_eq!(
        told(&ada.post("/auth/admin/users/reset-link", link).await),
        (409, "other_kind_of_account".into())
    );
    let listed =
        ada.get(&format!("/auth/admin/tokens?user_id={}", bot["user_id"].as_str().unwrap())).await;
    let id = listed.json()["tokens"][0]["id"].clone();
    let revoke = json!({"user_id": bot["user_id"], "id": id});
    assert_eq!(ada.post("/auth/admin/tokens/revoke", revoke).await.status, 200);
    assert_eq!(verify(&world, token).await.status, 401);
}

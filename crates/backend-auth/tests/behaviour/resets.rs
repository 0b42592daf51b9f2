//! Someone forgot the password.

use serde_json::json;

use crate::host::on_host;
use crate::support::{Answer, OTHER_PASSWORD, PASSWORD, Visitor, World};

/// A link for someone, by an administrator.
pub(crate) async fn link(admin: &Visitor, about: &Visitor) -> String {
    let user_id = about.get("/me").await.json()["user_id"].clone();
    let answer = admin.post("/auth/admin/users/reset-link", json!({"user_id": user_id})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let link = answer.json();
    let code = link["code"].as_str().unwrap();
    assert_eq!(link["path"], format!("/reset#code={code}"), "no server's log has the code");
    code.to_owned()
}

pub(crate) async fn reset(world: &World, code: &str, password: &str) -> Answer {
    world.visitor().post("/reset", json!({"code": code, "new_password": password})).await
}

#[tokio::test]
async fn an_administrator_makes_a_link_once_and_never_chooses_the_password() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let code = link(&ada, &bob).await;
    assert!(bob.is_signed_in().await, "nothing changes before it is used");
    assert_eq!(reset(&world, &code, "short").await.code(), "password_too_short");
    assert_eq!(
        reset(&world, &code, OTHER_PASSWORD).await.status,
        200,
        "a bad password costs no link"
    );
    assert!(!bob.is_signed_in().await, "whoever had his password is out");
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 401);
    assert_eq!(world.visitor().login("bob", OTHER_PASSWORD).await.status, 200);
    assert_eq!(reset(&world, &code, PASSWORD).await.code(), "invalid_reset");
    let member = bob.copy();
    member.login("bob", OTHER_PASSWORD).await;
    let refused = member.post("/auth/admin/users/reset-link", json!({"user_id": "x"})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "not_an_admin"));
}

#[tokio::test]
async fn rule_26_a_password_that_is_smuggled_into_a_link_s_making_opens_nothing() {
    const SMUGGLED: &str = "four oboes against the wind";
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let user_id = bob.get("/me").await.json()["user_id"].as_str().unwrap().to_owned();
    for field in [
        "password",
        "new_password",
        "newPassword",
        "new-password",
        "Password",
        "PASSWORD",
        "current_password",
        "password[]",
        "passwd",
        "hash",
    ] {
        let json = json!({"user_id": user_id, field: SMUGGLED});
        let form = format!("user_id={user_id}&{field}=four+oboes+against+the+wind");
        let address = format!("/auth/admin/users/reset-link?{field}=four+oboes+against+the+wind");
        for answer in [
            ada.post("/auth/admin/users/reset-link", json).await,
            ada.post_form("/auth/admin/users/reset-link", &form).await,
            ada.post(&address, json!({"user_id": user_id})).await,
        ] {
            // What isn't a field of the call is nothing to it: a link is made, as without it.
            assert_eq!(answer.status, 200, "{field}: {}", answer.text);
            assert!(answer.json()["code"].is_string() && !answer.text.contains("oboes"), "{field}");
        }
        assert_eq!(world.visitor().login("bob", SMUGGLED).await.status, 401, "{field}");
    }
    assert!(bob.is_signed_in().await, "nothing changed");
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 200);
    assert!(!ada.get("/auth/admin/audit").await.text.contains("oboes"));
    // Nor does whoever has a link choose for somebody else.
    let ada_id = ada.get("/me").await.json()["user_id"].clone();
    let code = link(&ada, &bob).await;
    let body =
        json!({"code": code, "new_password": SMUGGLED, "user_id": ada_id, "username": "ada"});
    assert_eq!(world.visitor().post("/reset", body).await.status, 200);
    assert_eq!(world.visitor().login("ada", SMUGGLED).await.status, 401);
    assert_eq!(world.visitor().login("bob", SMUGGLED).await.status, 200);
}

#[tokio::test]
async fn used_expired_replaced_and_unknown_links_look_the_same() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let (bob, carol, dave) =
        (world.member("bob").await, world.member("carol").await, world.member("dave").await);
    let used = link(&ada, &bob).await;
    assert_eq!(reset(&world, &used, OTHER_PASSWORD).await.status, 200);
    let replaced = link(&ada, &carol).await;
    let disabled = link(&ada, &dave).await;
    let dave_id = json!({"user_id": dave.get("/me").await.json()["user_id"]});
    assert_eq!(ada.post("/auth/admin/users/disable", dave_id).await.status, 200);
    let expired = link(&ada, &carol).await;
    let db = rusqlite::Connection::open(world.database()).unwrap();
    let lifetime = "SELECT expires_at - unixepoch() FROM resets ORDER BY expires_at DESC LIMIT 1";
    let left: i64 = db.query_row(lifetime, [], |row| row.get(0)).unwrap();
    assert!((890..=900).contains(&left), "{left}");
    db.execute("UPDATE resets SET expires_at = 1 WHERE account <> ''", []).unwrap();
    let mut answers = Vec::new();
    for code in [&used, &replaced, &disabled, &expired, &"A".repeat(22), &"nonsense".to_owned()] {
        let answer = reset(&world, code, OTHER_PASSWORD).await;
        answers.push((answer.status.as_u16(), answer.text));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 400);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_succeeds() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let code = link(&ada, &bob).await;
    let answers = futures_util::future::join_all(
        (0..5).map(|_| async { reset(&world, &code, OTHER_PASSWORD).await.status.as_u16() }),
    )
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_like_guessing_passwords() {
    let world = World::with(|flags| flags.login_burst = 5).await;
    for number in 0..5 {
        assert_eq!(reset(&world, &format!("{number:022}"), PASSWORD).await.status, 400);
    }
    assert_eq!(reset(&world, &"x".repeat(22), PASSWORD).await.status, 429);
}

#[tokio::test]
async fn a_form_s_reset_leads_to_the_login_page() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let code = link(&ada, &ada).await;
    let form = format!("code={code}&new_password=nine+trombones+by+dawn");
    let answer = world.visitor().post_form("/reset", &form).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login"));
}

#[tokio::test]
async fn whoever_is_on_the_host_makes_a_link_next_to_the_running_server() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let at = world.folder.path();
    let out = on_host(at, &["reset-link", "ADA"]).unwrap();
    let path = out.trim().rsplit_once("/reset#code=").unwrap();
    assert_eq!(reset(&world, path.1, OTHER_PASSWORD).await.status, 200);
    assert!(!ada.is_signed_in().await);
    assert_eq!(ada.login("ada", OTHER_PASSWORD).await.status, 200);
    let log = ada.get("/auth/admin/audit?event=reset_link").await.json();
    assert_eq!(
        (&log["entries"][0]["ip"], &log["entries"][0]["about"]),
        (&json!("host"), &json!("ada"))
    );
    assert!(!ada.get("/auth/admin/audit").await.text.contains(path.1));
    let origin = ["reset-link", "ada", "--public-origin", "https://chat.example.org"];
    assert!(on_host(at, &origin).unwrap().starts_with("https://chat.example.org/reset#code="));
    for (args, says) in [
        (["reset-link", "nobody"].as_slice(), "nobody"),
        (&["reset-link", "ada", "--data-dir", "elsewhere"], "elsewhere"),
    ] {
        let text = on_host(at, args).unwrap_err();
        assert!(text.contains(says), "{text}");
    }
}

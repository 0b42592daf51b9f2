//! A second factor for those who come without a browser: the native peer, and the tracker's own `POST /login`.

use std::path::Path;

use serde_json::{Value, json};
use system_tests::binaries::binary;
use system_tests::world::PASSWORD;
use system_tests::{User, World};
use tokio::process::Command;
use totp_rs::{Builder, Secret};

/// Someone with an authenticator app; with the recovery codes.
async fn guarded(world: &World, name: &str) -> Vec<String> {
    let user = world.account(name).await;
    let enrolment = user.post("/auth/totp", json!({})).await.ok();
    let seed = Secret::try_from_base32(enrolment["secret"].as_str().unwrap()).unwrap();
    let app = Builder::new().with_secret(seed).build().unwrap();
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
    let code = json!({"code": app.generate(now).to_string()});
    let confirmed = user.post("/auth/totp/confirm", code).await.ok();
    let codes = confirmed["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_tracker_s_login_takes_a_code_along() {
    let world = World::start().await;
    let codes = guarded(&world, "alice").await;
    let direct = User::new("direct", &world.tracker.addr());
    let login = |code: Option<&str>| {
        let mut body = json!({"username": "alice", "password": PASSWORD});
        if let Some(code) = code {
            body["code"] = code.into();
        }
        direct.post("/login", body)
    };
    login(None).await.fails(403, "second_factor_needed");
    login(Some("none of mine")).await.fails(401, "unauthenticated");
    let token = login(Some(&codes[0])).await.ok()["access_token"].clone();
    let me = direct.request(reqwest::Method::GET, "/chat/me").bearer_auth(token.as_str().unwrap());
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!(me["peer_id"], "alice");
    login(Some(&codes[0])).await.fails(401, "unauthenticated");
    // Who has no second factor signs in as ever, whatever comes along.
    world.account("bob").await;
    let body = json!({"username": "bob", "password": PASSWORD, "code": "123456"});
    direct.post("/login", body).await.ok();
}

fn peer(world: &World, home: &Path) -> Command {
    let mut command = Command::new(binary("peer"));
    command.env_clear().env("HOME", home).kill_on_drop(true);
    command.args(["--server", &world.proxy.url(""), "--user", "alice"]);
    command
}

#[tokio::test]
async fn the_native_peer_signs_in_with_a_code_and_keeps_the_session() {
    let world = World::start().await;
    let codes = guarded(&world, "alice").await;
    let home = tempfile::tempdir().unwrap();
    let login = |code: &str| {
        let mut command = peer(&world, home.path());
        command.arg("login").env("CHAT_PASSWORD", PASSWORD).env("CHAT_CODE", code);
        command
    };
    let missing = login("").output().await.unwrap();
    assert_eq!(missing.status.code(), Some(4), "{missing:?}");
    let wrong = login("none of mine").output().await.unwrap();
    assert_eq!(wrong.status.code(), Some(4), "{wrong:?}");
    let good = login(&codes[0]).output().await.unwrap();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    // With the session nobody asks for anything.
    let list = peer(&world, home.path()).arg("list").output().await.unwrap();
    assert_eq!(list.status.code(), Some(0), "{list:?}");
}

//! What is on disk, and what happens when the disk doesn't work.

use std::fs;

use backend_auth::{AuthServer, Config};
use serde_json::json;

use crate::support::{OTHER_PASSWORD, PASSWORD, World, flags, folder};

#[tokio::test]
async fn no_secret_is_on_disk_in_the_clear() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let invite =
        alice.post("/invites", json!({})).await.json()["code"].as_str().unwrap().to_owned();
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    let old = alice.cookie("session");
    assert_eq!(alice.post("/password", change).await.status, 200);
    let secrets = [
        PASSWORD.to_owned(),
        OTHER_PASSWORD.to_owned(),
        invite,
        old,
        alice.cookie("session"),
        alice.cookie("device"),
    ];
    let mut files = 0;
    for entry in fs::read_dir(world.folder.path().join("data")).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for secret in &secrets {
            assert!(secret.len() > 20);
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
    assert!(files >= 3, "the database, its log and the key");
}

#[tokio::test]
async fn a_locked_database_is_503_and_nobody_gets_a_session() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let blocker = rusqlite::Connection::open(world.database()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    for answer in [
        world.visitor().login("alice", PASSWORD).await,
        world.visitor().register("bob", PASSWORD).await,
        alice.post("/logout", json!({})).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "storage_unavailable"));
        assert!(answer.cookie_lines().is_empty() && !answer.header("retry-after").is_empty());
    }
    assert!(alice.is_signed_in().await, "a logout that failed did not happen");
    blocker.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
    assert_eq!(alice.post("/logout", json!({})).await.status, 200);
    assert!(!alice.is_signed_in().await);
    assert_eq!(
        world.visitor().login("bob", PASSWORD).await.status,
        401,
        "nothing was done behind his back"
    );
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let world = World::new().await;
    let second = Config::try_from(flags(world.folder.path())).unwrap();
    let text = AuthServer::bind(second).await.err().unwrap().to_string();
    assert!(text.contains("in use by another backend-auth"), "{text}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("data/auth.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let text = AuthServer::bind(Config::try_from(flags(folder.path())).unwrap())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(text.contains("schema 99") && text.contains("newer program"), "{text}");
    let version = |db: rusqlite::Connection| {
        db.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(version(rusqlite::Connection::open(&path).unwrap()), 99);
    assert!(!before.is_empty());
}

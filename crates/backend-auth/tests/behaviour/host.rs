//! What is done on the host: keys, backups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{PASSWORD, Visitor, World, flags, folder, start};

/// What `backend-auth` says in a world's folder: its answer, or its complaint.
pub(crate) fn on_host(folder: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_backend-auth"))
        .env_clear()
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

async fn kids(visitor: &Visitor) -> Vec<String> {
    let set = visitor.get("/.well-known/jwks.json").await.json();
    let keys = set["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn until<F: Future<Output = bool>>(mut probe: impl FnMut() -> F) {
    let asking = async {
        while !probe().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_published_first_then_signs_and_the_old_one_goes_later() {
    let world = World::with(|flags| {
        flags.key_overlap = Duration::from_secs(2);
        flags.key_keep = Duration::from_secs(2);
    })
    .await;
    let alice = world.member("alice").await;
    let old = kids(&alice).await.remove(0);
    let token =
        alice.post("/token", json!({})).await.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let said =
        on_host(world.folder.path(), &["rotate-key", "--key-overlap", "2s", "--key-keep", "2s"])
            .unwrap();
    until(|| async { kids(&alice).await.len() == 2 }).await;
    let published = kids(&alice).await;
    assert_eq!(published[0], old, "the one that signs is the first");
    assert!(said.contains(&published[1]), "{said}");
    until(|| async { kids(&alice).await[0] == published[1] }).await;
    assert_eq!(world.visitor().get_with("/auth/verify", &headers).await.status, 200, "still good");
    until(|| async { kids(&alice).await.len() == 1 }).await;
    assert_eq!(
        world.visitor().get_with("/auth/verify", &headers).await.status,
        401,
        "gone with its key"
    );
    assert!(alice.is_signed_in().await, "sessions don't hang on keys");
    let log = alice.get("/auth/admin/audit?event=rotate_key").await.json();
    assert_eq!(log["entries"][0]["ip"], "host");
}

#[tokio::test]
async fn in_an_emergency_no_token_of_the_old_key_counts() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let old = kids(&alice).await;
    let before = alice.get("/auth/verify").await.header("x-chat-identity").to_owned();
    let bearer = format!("Bearer {before}");
    on_host(world.folder.path(), &["rotate-key", "--emergency"]).unwrap();
    until(|| async { kids(&alice).await != old }).await;
    assert_eq!(kids(&alice).await.len(), 1);
    let answer = world.visitor().get_with("/auth/verify", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 401);
    assert_ne!(alice.get("/auth/verify").await.header("x-chat-identity"), before, "signed anew");
}

#[tokio::test]
async fn keys_change_by_age_on_their_own() {
    let world = World::with(|flags| {
        flags.key_lifetime = Duration::from_secs(3);
        flags.key_overlap = Duration::from_secs(2);
        flags.key_keep = Duration::from_secs(1);
    })
    .await;
    let visitor = world.visitor();
    let first = kids(&visitor).await.remove(0);
    until(|| async { !kids(&visitor).await.contains(&first) }).await;
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_restored_with_everything_but_the_sessions() {
    let folder = folder();
    let at = folder.path();
    let server = start(flags(at)).await;
    let alice = Visitor::of(&server);
    assert_eq!(alice.register("alice", PASSWORD).await.status, 200);
    let token = alice.post("/auth/tokens", json!({"name": "x"})).await.json();
    on_host(at, &["backup", "copy.db"]).unwrap();
    let mode = fs::metadata(at.join("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(on_host(at, &["backup", "copy.db"]).unwrap_err().contains("already"));
    let bytes = fs::read(at.join("copy.db")).unwrap();
    assert!(!bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
    // What comes after the backup is gone after the restore, and kept beside it.
    assert_eq!(Visitor::of(&server).register("bob", PASSWORD).await.status, 200);
    assert!(on_host(at, &["restore", "copy.db"]).unwrap_err().contains("in use"));
    let cursor =
        alice.get("/internal/revocations").await.json()["cursor"].as_str().unwrap().to_owned();
    server.shutdown().await;
    let said = on_host(at, &["restore", "copy.db"]).unwrap();
    let kept = fs::read_dir(at.join("data")).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.contains("before-restore").then_some(name)
    });
    let kept: Vec<String> = kept.collect();
    assert!(kept.len() == 1 && said.contains(&kept[0]), "{said} {kept:?}");
    let bobs = rusqlite::Connection::open(at.join("data").join(&kept[0])).unwrap();
    let count = "SELECT count(*) FROM accounts WHERE name = 'bob'";
    assert_eq!(bobs.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 1);

    let server = start(flags(at)).await;
    let again = Visitor::of(&server);
    again.set_cookie("session", &alice.cookie("session"));
    assert!(!again.is_signed_in().await, "a session may have been ended since");
    assert_eq!(again.login("alice", PASSWORD).await.status, 200);
    assert_eq!(again.login("bob", PASSWORD).await.status, 401);
    assert_eq!(again.get("/auth/tokens").await.json()["tokens"][0]["id"], token["id"]);
    let asked = again.get(&format!("/internal/revocations?since={cursor}")).await.json();
    assert_eq!(asked["reset"], true, "trackers begin anew");
    let log = again.get("/auth/admin/audit?event=restore").await.json();
    assert_eq!(log["entries"][0]["ip"], "host");
}

#[tokio::test]
async fn a_foreign_newer_or_damaged_file_is_refused_and_changes_nothing() {
    let folder = folder();
    let at = folder.path();
    let server = start(flags(at)).await;
    assert_eq!(Visitor::of(&server).register("alice", PASSWORD).await.status, 200);
    for name in ["newer.db", "damaged.db"] {
        on_host(at, &["backup", name]).unwrap();
    }
    server.shutdown().await;
    let open = |name: &str| rusqlite::Connection::open(at.join(name)).unwrap();
    open("newer.db").pragma_update(None, "user_version", 99).unwrap();
    let mut bytes = fs::read(at.join("damaged.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xff);
    fs::write(at.join("damaged.db"), bytes).unwrap();
    open("foreign.db").execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    fs::write(at.join("text.db"), "no database at all").unwrap();
    let before = fs::read(at.join("data/auth.db")).unwrap();
    for (name, says) in [
        ("newer.db", "newer program"),
        ("damaged.db", "damaged"),
        ("foreign.db", "no copy of a database of backend-auth"),
        ("text.db", "no copy of a database of backend-auth"),
        ("missing.db", "no copy of a database of backend-auth"),
    ] {
        let text = on_host(at, &["restore", name]).unwrap_err();
        assert!(text.contains(says) && text.contains(name), "{name}: {text}");
    }
    assert_eq!(fs::read(at.join("data/auth.db")).unwrap(), before);
    let left: Vec<_> =
        fs::read_dir(at.join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().contains("restore")), "{left:?}");
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_its_accounts() {
    let folder = folder();
    let at = folder.path();
    let server = start(flags(at)).await;
    let alice = Visitor::of(&server);
    assert_eq!(alice.register("alice", PASSWORD).await.status, 200);
    server.shutdown().await;
    // What the first version wrote.
    let db = rusqlite::Connection::open(at.join("data/auth.db")).unwrap();
    db.execute_batch(
        "DROP TABLE audit; DROP TABLE audit_gate; DROP TABLE revocations; DROP TABLE revocations_epoch;
         DROP TABLE former_names; DROP TABLE tokens; DROP TABLE resets; DROP TABLE totp; DROP TABLE passkeys; DROP TABLE linked; DROP TABLE recovery_codes;
         DROP TABLE endings; DROP INDEX invites_by_id;
         ALTER TABLE invites DROP COLUMN id; ALTER TABLE invites DROP COLUMN uses;
         ALTER TABLE accounts DROP COLUMN disabled_at; ALTER TABLE sessions DROP COLUMN amr;
         PRAGMA user_version = 1; PRAGMA application_id = 0;",
    )
    .unwrap();
    drop(db);
    let server = start(flags(at)).await;
    let again = Visitor::of(&server);
    again.set_cookie("session", &alice.cookie("session"));
    assert!(again.is_signed_in().await);
    assert_eq!(again.get("/auth/admin/users").await.json()["users"][0]["username"], "alice");
}

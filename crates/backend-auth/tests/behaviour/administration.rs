//! What administrators see and change, and that nobody else does.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Visitor, World, flags, folder, start};

/// An administrator and a member, with the member's id.
async fn two() -> (World, Visitor, Visitor, String) {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let id = id(&bob).await;
    (world, ada, bob, id)
}

async fn id(visitor: &Visitor) -> String {
    visitor.get("/me").await.json()["user_id"].as_str().unwrap().to_owned()
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

async fn names(admin: &Visitor, query: &str) -> Vec<String> {
    let answer = admin.get(&format!("/auth/admin/users{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let users = answer.json()["users"].as_array().unwrap().clone();
    users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

/// What changes an account.
const CHANGES: [&str; 8] = [
    "/auth/admin/users/role",
    "/auth/admin/users/disable",
    "/auth/admin/users/enable",
    "/auth/admin/users/end-sessions",
    "/auth/admin/users/delete",
    "/auth/admin/users/reset-link",
    "/auth/admin/users/remove-factors",
    "/auth/admin/users/unlink",
];
/// What else administrators change.
const OTHER_CHANGES: [&str; 5] = [
    "/auth/admin/bots",
    "/auth/admin/tokens",
    "/auth/admin/tokens/revoke",
    "/invites",
    "/auth/admin/invites/revoke",
];

/// What the audit log has of calls that came to nothing, as soon as it is so much: refusals are written a moment later, in batches.
async fn failures(admin: &Visitor, expected: usize) -> Vec<(String, String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    loop {
        let page = admin.get("/auth/admin/audit?result=failure&limit=200").await.json();
        let entries = page["entries"].as_array().unwrap();
        if entries.len() >= expected {
            let told = entries
                .iter()
                .map(|entry| (text(entry, "event"), text(entry, "who"), text(entry, "result")));
            return told.collect();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_member_is_refused_and_a_stranger_is_asked_to_sign_in() {
    let (world, ada, bob, _) = two().await;
    let stranger = world.visitor();
    let about = json!({"user_id": id(&ada).await, "role": "member"});
    for path in CHANGES.into_iter().chain(OTHER_CHANGES) {
        assert_eq!(
            told(&bob.post(path, about.clone()).await),
            (403, "not_an_admin".into()),
            "{path}"
        );
        assert_eq!(stranger.post(path, about.clone()).await.status, 401, "{path}");
    }
    for path in ["/auth/admin/users", "/auth/admin/audit", "/auth/admin/audit/export"] {
        assert_eq!(told(&bob.get(path).await), (403, "not_an_admin".into()), "{path}");
        assert_eq!(stranger.get(path).await.status, 401, "{path}");
    }
    assert!(ada.is_signed_in().await);
}

#[tokio::test]
async fn accounts_are_listed_searched_and_paged() {
    let (world, ada, ..) = two().await;
    world.member("Bobby").await;
    assert_eq!(names(&ada, "").await, ["ada", "bob", "Bobby"]);
    assert_eq!(names(&ada, "?q=BOB").await, ["bob", "Bobby"]);
    assert_eq!(names(&ada, "?role=admin").await, ["ada"]);
    assert_eq!(names(&ada, "?disabled=true").await, [""; 0]);
    let page = ada.get("/auth/admin/users?limit=2").await.json();
    assert_eq!(page["next"], "bob");
    assert_eq!(names(&ada, "?limit=2&after=bob").await, ["Bobby"]);
    let user = &page["users"][0];
    assert_eq!(
        (&user["role"], &user["disabled"], &user["sessions"]),
        (&json!("admin"), &json!(false), &json!(1))
    );
    for wrong in ["?limit=0", "?limit=201", "?limit=x", "?disabled=maybe"] {
        let answer = ada.get(&format!("/auth/admin/users{wrong}")).await;
        assert_eq!(told(&answer), (400, "invalid_query".into()), "{wrong}");
    }
}

#[tokio::test]
async fn an_administrator_ends_a_user_s_sessions_and_a_member_does_not() {
    let (world, ada, bob, bob_id) = two().await;
    let phone = world.visitor();
    assert_eq!(phone.login("bob", PASSWORD).await.status, 200);
    let about = json!({"user_id": bob_id});
    assert_eq!(bob.post("/auth/admin/users/end-sessions", about.clone()).await.status, 403);
    assert!(bob.is_signed_in().await);
    let answer = ada.post("/auth/admin/users/end-sessions", about).await;
    assert_eq!(answer.json()["ended_sessions"], 2, "{}", answer.text);
    assert!(!bob.is_signed_in().await && !phone.is_signed_in().await);
    assert_eq!(bob.login("bob", PASSWORD).await.status, 200, "he may come back");
}

#[tokio::test]
async fn a_disabled_account_ends_and_looks_like_a_wrong_password_until_it_is_enabled() {
    let (world, ada, bob, bob_id) = two().await;
    let about = json!({"user_id": bob_id});
    let answer = ada.post("/auth/admin/users/disable", about.clone()).await;
    assert_eq!(
        (&answer.json()["disabled"], &answer.json()["ended_sessions"]),
        (&json!(true), &json!(1))
    );
    assert!(!bob.is_signed_in().await);
    assert_eq!(bob.post("/token", json!({})).await.status, 401);
    let disabled = world.visitor().login("bob", PASSWORD).await;
    let wrong = world.visitor().login("ada", "not her password").await;
    assert_eq!((disabled.status, &disabled.text), (wrong.status, &wrong.text));
    assert_eq!(names(&ada, "?disabled=true").await, ["bob"]);
    assert_eq!(ada.post("/auth/admin/users/enable", about).await.json()["disabled"], false);
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_new_role_ends_the_sessions_of_the_old_one() {
    let (world, ada, bob, bob_id) = two().await;
    let promote = json!({"user_id": bob_id, "role": "admin"});
    assert_eq!(ada.post("/auth/admin/users/role", promote.clone()).await.json()["role"], "admin");
    assert!(!bob.is_signed_in().await, "his session was a member's");
    bob.login("bob", PASSWORD).await;
    assert_eq!(names(&bob, "").await, ["ada", "bob"]);
    // The same role again changes nothing.
    assert_eq!(ada.post("/auth/admin/users/role", promote).await.json()["ended_sessions"], 0);
    let demote = json!({"user_id": id(&ada).await, "role": "member"});
    assert_eq!(bob.post("/auth/admin/users/role", demote).await.status, 200);
    assert!(!ada.is_signed_in().await);
    ada.login("ada", PASSWORD).await;
    assert_eq!(ada.get("/auth/admin/users").await.status, 403);
    drop(world);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let (_world, ada, _bob, bob_id) = two().await;
    let ada_id = id(&ada).await;
    for path in ["/auth/admin/users/role", "/auth/admin/users/disable", "/auth/admin/users/delete"]
    {
        let answer = ada.post(path, json!({"user_id": ada_id, "role": "member"})).await;
        assert_eq!(told(&answer), (409, "last_admin".into()), "{path}");
    }
    assert!(ada.is_signed_in().await);
    let bot = json!({"user_id": bob_id, "role": "bot"});
    assert_eq!(
        told(&ada.post("/auth/admin/users/role", bot).await),
        (409, "other_kind_of_account".into())
    );
    let odd = json!({"user_id": bob_id, "role": "emperor"});
    assert_eq!(told(&ada.post("/auth/admin/users/role", odd).await), (400, "invalid_field".into()));
    for path in CHANGES {
        let answer = ada.post(path, json!({"user_id": "nobody", "role": "admin"})).await;
        assert_eq!(told(&answer), (404, "unknown_user".into()), "{path}");
    }
}

#[tokio::test]
async fn a_removed_account_is_gone_and_nobody_gets_its_name() {
    let (world, ada, bob, bob_id) = two().await;
    assert_eq!(ada.post("/auth/admin/users/delete", json!({"user_id": bob_id})).await.status, 200);
    assert!(!bob.is_signed_in().await);
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 401);
    assert_eq!(names(&ada, "").await, ["ada"]);
    assert_eq!(world.visitor().register("Bob", PASSWORD).await.code(), "username_taken");
}

#[tokio::test]
async fn what_an_administrator_changes_asks_for_the_password_again_after_a_while() {
    let (mut world, ada, _bob, bob_id) = two().await;
    let about = json!({"user_id": bob_id});
    world.age_sign_ins(6 * 60).await;
    let old = world.again(&ada);
    for path in CHANGES.into_iter().chain(OTHER_CHANGES) {
        let body =
            json!({"user_id": bob_id, "role": "admin", "username": "bot", "name": "x", "id": "x"});
        let answer = old.post(path, body).await;
        assert_eq!(told(&answer), (403, "reauth_required".into()), "{path}");
    }
    assert_eq!(old.get("/auth/admin/users").await.status, 200, "looking is free");
    let before = old.copy();
    let wrong = old.post("/auth/reauth", json!({"password": "not it"})).await;
    assert_eq!(told(&wrong), (403, "wrong_password".into()));
    assert_eq!(old.post("/auth/admin/users/end-sessions", about.clone()).await.status, 403);
    assert_eq!(old.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    assert!(!before.is_signed_in().await, "the session has a new token");
    assert_eq!(old.post("/auth/admin/users/end-sessions", about).await.status, 200);
}

#[tokio::test]
async fn the_audit_log_is_searched_paged_and_exported() {
    let (world, ada, _bob, bob_id) = two().await;
    world.visitor().login("bob", "wrong").await;
    ada.post("/auth/admin/users/role", json!({"user_id": bob_id, "role": "admin"})).await;
    let member = world.member("carol").await;
    member.post("/auth/admin/users/disable", json!({"user_id": bob_id})).await;
    let search = |query: &'static str| {
        let ada = &ada;
        async move { ada.get(&format!("/auth/admin/audit{query}")).await.json() }
    };
    let events = |page: &Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
    };
    failures(&ada, 2).await;
    let failures = search("?result=failure").await;
    assert_eq!(events(&failures), ["disable", "login"]);
    assert_eq!(failures["entries"][0]["who"], "carol");
    assert_eq!(failures["entries"][1]["who"], "bob");
    let role = &search("?event=role").await["entries"][0];
    assert_eq!(
        (&role["who"], &role["about"], &role["about_id"]),
        (&json!("ada"), &json!("bob"), &json!(bob_id))
    );
    assert_eq!(
        (&role["result"], &role["detail"], &role["ip"]),
        (&json!("success"), &json!("admin"), &json!("127.0.0.1"))
    );
    assert_eq!(events(&search("?who=BOB&result=success").await), ["role", "register"]);
    let first = search("?limit=2").await;
    let next = first["next"].as_i64().unwrap();
    let second = ada.get(&format!("/auth/admin/audit?limit=2&before={next}")).await.json();
    assert_eq!((events(&first).len(), events(&second).len()), (2, 2));
    assert!(second["entries"][0]["n"].as_i64() < Some(next));
    assert_eq!(ada.get("/auth/admin/audit?from=yesterday").await.code(), "invalid_query");

    let lines = ada.get("/auth/admin/audit/export?event=register").await;
    assert_eq!(lines.header("content-type"), "application/jsonl");
    let who: Vec<String> = lines
        .text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["who"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(who, ["carol", "bob", "ada"]);
    let csv = ada.get("/auth/admin/audit/export?event=register&format=csv").await;
    assert_eq!(csv.text.lines().count(), 4);
    assert!(csv.header("content-disposition").contains("audit.csv"));
    assert_eq!(ada.get("/auth/admin/audit/export?format=xls").await.code(), "invalid_query");
}

#[tokio::test]
async fn rule_47_what_is_refused_before_it_is_read_is_in_the_audit_log() {
    let (mut world, ada, bob, bob_id) = two().await;
    let stranger = world.visitor();
    let about = json!({"user_id": bob_id, "role": "admin"});
    let mut expected = Vec::new();
    let mut expect = |event: &str, who: &str, result: &str| {
        expected.push((event.to_owned(), who.to_owned(), result.to_owned()));
    };
    for (path, event) in [
        ("/auth/admin/users/role", "role"),
        ("/auth/admin/users/disable", "disable"),
        ("/auth/admin/users/enable", "enable"),
        ("/auth/admin/users/end-sessions", "end_sessions"),
        ("/auth/admin/users/delete", "delete_user"),
        ("/auth/admin/users/reset-link", "reset_link"),
        ("/auth/admin/users/remove-factors", "remove_factors"),
        ("/auth/admin/users/unlink", "unlink"),
        ("/auth/admin/bots", "create_bot"),
        ("/auth/admin/tokens", "create_token"),
        ("/auth/admin/tokens/revoke", "revoke_token"),
        ("/invites", "invite"),
        ("/auth/admin/invites/revoke", "revoke_invite"),
    ] {
        // However often it is tried within a minute.
        for _ in 0..3 {
            assert_eq!(bob.post(path, about.clone()).await.status, 403);
        }
        assert_eq!(stranger.post(path, about.clone()).await.status, 401);
        expect(event, "bob", "not_an_admin");
        expect(event, "(nobody)", "unauthenticated");
    }
    assert_eq!(bob.get("/auth/admin/users").await.status, 403);
    expect("admin", "bob", "not_an_admin");
    assert_eq!(bob.post("/auth/tokens", json!({"name": ""})).await.status, 400);
    expect("create_token", "bob", "invalid_field");
    let audit = json!({"name": "x", "scopes": ["audit:read"]});
    assert_eq!(bob.post("/auth/tokens", audit).await.status, 403);
    assert_eq!(bob.post("/token", json!({"aud": "elsewhere"})).await.status, 400);
    expect("token", "bob", "invalid_target");
    let dead = [("authorization", "Bearer chat_pat_0000000000000000000000000000000000000000000")];
    assert_eq!(stranger.post_with("/token", json!({}), &dead).await.status, 401);
    expect("token", "(nobody)", "invalid_token");
    assert_eq!(ada.post("/invites", json!({"uses": 0})).await.status, 400);
    expect("invite", "ada", "invalid_field");
    let odd = json!({"user_id": bob_id, "role": "emperor"});
    assert_eq!(ada.post("/auth/admin/users/role", odd).await.status, 400);
    expect("role", "ada", "invalid_field");
    world.age_sign_ins(6 * 60).await;
    let ada = world.again(&ada);
    assert_eq!(ada.post("/invites", json!({})).await.status, 403);
    expect("invite", "ada", "reauth_required");
    let mut noted = failures(&ada, expected.len()).await;
    noted.sort();
    expected.sort();
    // A test that takes longer than a minute has some of them twice.
    noted.dedup();
    assert_eq!(noted, expected);
}

#[tokio::test]
async fn what_waits_for_the_audit_log_is_written_before_the_server_ends() {
    let folder = folder();
    let server = start(flags(folder.path())).await;
    for _ in 0..300 {
        assert_eq!(Visitor::of(&server).login("nobody", "x").await.status, 401);
    }
    server.shutdown().await;
    let db = rusqlite::Connection::open(folder.path().join("data/auth.db")).unwrap();
    let rows: i64 = db
        .query_row("SELECT count(*) FROM audit WHERE result = 'refused'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 300);
}

#[tokio::test]
async fn a_flood_of_refusals_for_too_many_tries_is_one_row_a_minute() {
    let folder = folder();
    let server = start({
        let mut flags = flags(folder.path());
        flags.login_burst = 1;
        flags
    })
    .await;
    for _ in 0..50 {
        Visitor::of(&server).login("nobody", "x").await;
    }
    let bare = Visitor::of(&server).send(Method::POST, "/login", &[], None).await;
    assert_eq!(bare.status, 415);
    server.shutdown().await;
    let db = rusqlite::Connection::open(folder.path().join("data/auth.db")).unwrap();
    let rows: i64 = db
        .query_row("SELECT count(*) FROM audit WHERE result = 'throttled'", [], |row| row.get(0))
        .unwrap();
    assert!((1..=2).contains(&rows), "{rows}");
}

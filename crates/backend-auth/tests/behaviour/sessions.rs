//! Cookies, and what ends a session.

use serde_json::json;

use crate::support::{OTHER_PASSWORD, PASSWORD, Visitor, World, flags, folder, start};

#[tokio::test]
async fn logging_in_replaces_a_cookie_that_was_there_before() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let before = alice.copy();
    let old = alice.cookie("session");
    assert_eq!(alice.login("alice", PASSWORD).await.status, 200);
    assert_ne!(alice.cookie("session"), old);
    assert!(alice.is_signed_in().await);
    assert!(!before.is_signed_in().await, "the old token is dead");
}

#[tokio::test]
async fn a_token_that_someone_planted_is_never_taken_over() {
    let world = World::new().await;
    world.member("alice").await;
    let planted = "A".repeat(43);
    let victim = world.visitor();
    victim.set_cookie("session", &planted);
    assert_eq!(victim.login("alice", PASSWORD).await.status, 200);
    assert_ne!(victim.cookie("session"), planted);
    let attacker = world.visitor();
    attacker.set_cookie("session", &planted);
    assert!(!attacker.is_signed_in().await);
}

#[tokio::test]
async fn after_logout_neither_cookie_nor_token_opens_anything() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let token =
        alice.post("/token", json!({})).await.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let by_token = world.visitor();
    assert_eq!(by_token.get_with("/auth/verify", &[("authorization", &bearer)]).await.status, 200);
    let replay = alice.copy();
    let answer = alice.post("/logout", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "success"})));
    assert_eq!(alice.cookie("session"), "", "the cookie is removed");
    assert!(!replay.is_signed_in().await);
    assert_eq!(replay.post("/token", json!({})).await.status, 401);
    assert_eq!(by_token.get_with("/auth/verify", &[("authorization", &bearer)]).await.status, 401);
    assert_eq!(replay.post("/logout", json!({})).await.status, 200, "again is fine");
}

#[tokio::test]
async fn a_form_s_logout_leads_to_the_login_page() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let answer = alice.post_form("/logout", "").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login"));
    assert!(!alice.is_signed_in().await);
}

#[tokio::test]
async fn nothing_changes_by_get() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    for path in
        ["/logout", "/password", "/token", "/invites", "/auth/reauth", "/auth/sessions/revoke"]
    {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), "POST", "{path}");
        assert_eq!(answer.code(), "method_not_allowed");
    }
    assert!(alice.is_signed_in().await);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_renews_this_one() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let phone = world.visitor();
    assert_eq!(phone.login("alice", PASSWORD).await.status, 200);
    let stolen = alice.copy();
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    assert_eq!(alice.post("/password", change).await.status, 200);
    assert_ne!(alice.cookie("session"), stolen.cookie("session"));
    assert!(alice.is_signed_in().await);
    assert!(!phone.is_signed_in().await);
    assert!(!stolen.is_signed_in().await);
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 401);
    assert_eq!(world.visitor().login("alice", OTHER_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_the_oldest_goes_first() {
    let world = World::with(|flags| flags.sessions_per_account = 3).await;
    let first = world.member("alice").await;
    let others: Vec<Visitor> = (0..3).map(|_| world.visitor()).collect();
    for visitor in &others {
        assert_eq!(visitor.login("alice", PASSWORD).await.status, 200);
    }
    let mut alive = usize::from(first.is_signed_in().await);
    for visitor in &others {
        alive += usize::from(visitor.is_signed_in().await);
    }
    assert_eq!(alive, 3);
    assert!(others[2].is_signed_in().await, "the newest stays");
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let folder = folder();
    let server = start(flags(folder.path())).await;
    let alice = Visitor::of(&server);
    assert_eq!(alice.register("alice", PASSWORD).await.status, 200);
    let ended = alice.copy();
    assert_eq!(ended.login("alice", PASSWORD).await.status, 200);
    let gone = ended.copy();
    assert_eq!(ended.post("/logout", json!({})).await.status, 200);
    // Logging in from a copy of the cookie replaced the session; sign in once more.
    assert_eq!(alice.login("alice", PASSWORD).await.status, 200);
    let keys = alice.get("/.well-known/jwks.json").await.text;
    server.shutdown().await;
    let server = start(flags(folder.path())).await;
    let later = Visitor::of(&server);
    later.set_cookie("session", &alice.cookie("session"));
    assert!(later.is_signed_in().await);
    later.set_cookie("session", &gone.cookie("session"));
    assert!(!later.is_signed_in().await, "a session that was ended stays ended");
    assert_eq!(later.get("/.well-known/jwks.json").await.text, keys);
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host_and_secure() {
    let world =
        World::with(|flags| flags.public_origin = Some("https://chat.example.org".into())).await;
    let answer = world.visitor().register("alice", PASSWORD).await;
    let line =
        answer.cookie_lines().into_iter().find(|line| line.starts_with("__Host-session=")).unwrap();
    let attributes: Vec<&str> = line.split("; ").skip(1).collect();
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(attributes.contains(&attribute), "{line}");
    }
    assert!(!line.contains("Domain"));
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    // The plain name isn't read in this mode.
    let visitor = world.visitor();
    let token = line["__Host-session=".len()..].split(';').next().unwrap();
    visitor.set_cookie("session", token);
    assert!(!visitor.is_signed_in().await);
    visitor.set_cookie("__Host-session", token);
    assert!(visitor.is_signed_in().await);
}

#[tokio::test]
async fn rule_27_over_https_every_cookie_is_bound_to_the_host_and_secure() {
    let world =
        World::with(|flags| flags.public_origin = Some("https://chat.example.org".into())).await;
    let alice = world.visitor();
    let mut lines = Vec::new();
    let mut keep = |answer: &crate::support::Answer| {
        lines.extend(answer.cookie_lines().into_iter().map(str::to_owned));
    };
    keep(&alice.register("alice", PASSWORD).await);
    keep(&world.visitor().post("/login/passkey", json!({})).await);
    crate::second_factors::enrol(&alice).await;
    keep(&world.visitor().login("alice", PASSWORD).await);
    keep(&alice.post("/logout", json!({})).await);
    let names: std::collections::BTreeSet<&str> =
        lines.iter().map(|line| line.split('=').next().unwrap()).collect();
    assert!(names.len() >= 4, "session, device, passkey and half-way: {names:?}");
    for line in &lines {
        assert!(line.starts_with("__Host-"), "{line}");
        let attributes: Vec<&str> = line.split("; ").skip(1).collect();
        for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(attributes.contains(&attribute), "{line}");
        }
        assert!(!line.contains("Domain"), "{line}");
    }
}

#[tokio::test]
async fn rules_17_and_18_a_session_ends_unused_after_a_day_and_in_any_case_after_a_week() {
    let (hour, day) = (3600, 24 * 3600);
    for (remember, idle, absolute) in [(false, day, 7 * day), (true, 30 * day, 90 * day)] {
        for (unused, left, is_in) in [
            (idle - hour, absolute, true),
            (idle + hour, absolute, false),
            (0, hour, true),
            (0, -hour, false),
        ] {
            let mut world = World::new().await;
            let alice = world.member("alice").await;
            let login = json!({"username": "alice", "password": PASSWORD, "remember": remember});
            assert_eq!(alice.post("/login", login).await.status, 200);
            world
                .change_database(|db| {
                    let lasts: i64 = db
                        .query_row("SELECT ends_at - created_at FROM sessions", [], |row| {
                            row.get(0)
                        })
                        .unwrap();
                    assert_eq!(lasts, absolute);
                    db.execute(
                        "UPDATE sessions SET last_seen = last_seen - ?1, ends_at = created_at + ?2",
                        [unused, left],
                    )
                    .unwrap();
                })
                .await;
            let alice = world.again(&alice);
            assert_eq!(alice.is_signed_in().await, is_in, "{remember} {unused} {left}");
        }
    }
}

#[tokio::test]
async fn over_plain_http_the_cookie_is_http_only_and_lax() {
    let world = World::new().await;
    let answer = world.visitor().register("alice", PASSWORD).await;
    let lines = answer.cookie_lines();
    let line = lines.iter().find(|line| line.starts_with("session=")).unwrap();
    assert!(line.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{line}");
    assert!(answer.headers.get("strict-transport-security").is_none());
}

#[tokio::test]
async fn staying_signed_in_sets_a_cookie_that_outlives_the_browser() {
    let world = World::new().await;
    world.member("alice").await;
    let login = json!({"username": "alice", "password": PASSWORD, "remember": true});
    let answer = world.visitor().post("/login", login).await;
    let lines = answer.cookie_lines();
    let line = lines.iter().find(|line| line.starts_with("session=")).unwrap();
    assert!(line.contains("Max-Age=7776000"), "{line}");
}

#[tokio::test]
async fn two_session_cookies_are_refused() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let twice = format!("session={}; session={}", alice.cookie("session"), "A".repeat(43));
    let visitor = world.visitor();
    for path in ["/me", "/"] {
        let answer = visitor.get_with(path, &[("cookie", &twice)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "duplicate_cookie"),
            "{path}"
        );
    }
    assert_eq!(visitor.get_with("/auth/verify", &[("cookie", &twice)]).await.status, 401);
}

#[tokio::test]
async fn a_program_that_signs_in_for_each_token_puts_nobody_out() {
    let world = World::with(|flags| flags.sessions_per_account = 3).await;
    let alice = world.member("alice").await;
    let brief = json!({"username": "alice", "password": PASSWORD, "remember": true, "brief": true});
    for _ in 0..10 {
        let program = world.visitor();
        assert_eq!(program.post("/login", brief.clone()).await.status, 200);
        let told = program.post("/token", json!({})).await.json();
        assert_eq!(told["expires_in"], 300, "its token lives as long as any");
    }
    assert!(alice.is_signed_in().await, "however long she wasn't seen");
    let db = rusqlite::Connection::open(world.database()).unwrap();
    let count = |sql: &str| -> i64 { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM sessions WHERE ends_at > unixepoch() + 360"), 1);
    assert_eq!(count("SELECT count(*) FROM sessions"), 3);
    assert_eq!(count("SELECT count(*) FROM devices"), 1, "nor are programs known devices");
}

//! Authenticator apps, recovery codes, and the second step of a sign-in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::host::{on_host, until};
use crate::support::{Answer, OTHER_PASSWORD, PASSWORD, Visitor, World};

/// Someone's authenticator app.
pub(crate) struct AuthenticatorApp(Totp);

impl AuthenticatorApp {
    fn of(enrolment: &Value) -> Self {
        let secret = Secret::try_from_base32(enrolment["secret"].as_str().unwrap()).unwrap();
        Self(Builder::new().with_secret(secret).build().unwrap())
    }

    /// The code of now, or of a step that is so many after it.
    pub(crate) fn code(&self, steps: i64) -> String {
        let now = jiff::Timestamp::now().as_second() + steps * 30;
        self.0.generate(u64::try_from(now).unwrap()).to_string()
    }

    /// Six digits that this app shows neither now nor soon.
    fn wrong_code(&self) -> String {
        let near: Vec<String> = (-2..=2).map(|steps| self.code(steps)).collect();
        (0..6).map(|n| format!("{n}{n}{n}{n}{n}{n}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// Gives a visitor an authenticator app; with the recovery codes.
pub(crate) async fn enrol(visitor: &Visitor) -> (AuthenticatorApp, Vec<String>) {
    let enrolment = visitor.post("/auth/totp", json!({})).await;
    assert_eq!(enrolment.status, 200, "{}", enrolment.text);
    let app = AuthenticatorApp::of(&enrolment.json());
    let confirmed = visitor.post("/auth/totp/confirm", json!({"code": app.code(0)})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
    (app, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

/// A visitor whose password was right.
async fn half_way(world: &World) -> Visitor {
    let visitor = world.visitor();
    let answer = visitor.login("alice", PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "second_factor_needed"));
    visitor
}

async fn enter(visitor: &Visitor, code: &str) -> Answer {
    visitor.post("/login/code", json!({"code": code})).await
}

/// Whether a code leads into a fresh sign-in.
async fn leads_in(world: &World, code: &str) -> bool {
    enter(&half_way(world).await, code).await.status == 200
}

/// Forgets which codes were used, so that a test needs no half minute between two.
fn forget_steps(world: &World) {
    let db = rusqlite::Connection::open(world.database()).unwrap();
    db.execute("UPDATE totp SET last_step = 0", []).unwrap();
}

async fn events(admin: &Visitor) -> Vec<(String, String, String)> {
    let entries =
        admin.get("/auth/admin/audit").await.json()["entries"].as_array().unwrap().clone();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| (text(entry, "event"), text(entry, "result"), text(entry, "detail")))
        .collect()
}

#[tokio::test]
async fn with_an_authenticator_app_the_password_opens_half_a_session_and_the_code_a_whole_one() {
    let world = World::new().await;
    let (app, _) = enrol(&world.member("alice").await).await;
    let visitor = world.visitor();
    let login = json!({"username": "alice", "password": PASSWORD});
    let answer = visitor.post("/login", login).await;
    let told = answer.json();
    assert_eq!((answer.status.as_u16(), &told["code"]), (403, &json!("second_factor_needed")));
    assert_eq!(told["factors"], json!(["totp", "recovery_code"]));
    assert_eq!((&told["status"], &told["expires_in"]), (&json!("error"), &json!(300)));
    assert!(!visitor.cookie("half").is_empty() && visitor.cookie("session").is_empty());
    assert!(!visitor.is_signed_in().await, "it opens nothing");
    let pretended = world.visitor();
    pretended.set_cookie("session", &visitor.cookie("half"));
    assert!(!pretended.is_signed_in().await, "not even as a session");
    let half = visitor.copy();
    let answer = enter(&visitor, &app.code(1)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["username"]), (200, &json!("alice")));
    assert!(visitor.is_signed_in().await);
    assert_ne!(
        visitor.cookie("session"),
        half.cookie("half"),
        "the whole session has a token of its own"
    );
    assert_eq!(visitor.cookie("half"), "", "the half one is gone");
    forget_steps(&world);
    assert_eq!(enter(&half, &app.code(1)).await.code(), "sign_in_again");
    let identity = visitor.get("/auth/verify").await;
    let claims = identity.header("x-chat-identity").split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["amr"], json!(["pwd", "otp"]));
}

#[tokio::test]
async fn rule_23_changing_second_factors_asks_for_a_sign_in_of_the_last_minutes() {
    let mut world = World::new().await;
    let alice = world.member("alice").await;
    let (app, _) = enrol(&alice).await;
    world.age_sign_ins(6 * 60).await;
    let alice = world.again(&alice);
    let code = json!({"code": app.code(1)});
    for call in ["/auth/totp", "/auth/totp/confirm", "/auth/totp/remove", "/auth/recovery-codes"] {
        let answer = alice.post(call, code.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauth_required"));
    }
    assert_eq!(alice.get("/auth/factors").await.json()["recovery_codes"], 10, "looking never asks");
    assert_eq!(alice.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    assert_eq!(alice.post("/auth/totp/remove", json!({})).await.status, 200);
    assert_eq!(world.visitor().post("/auth/totp", json!({})).await.status, 401);
}

#[tokio::test]
async fn rule_24_a_code_works_once() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let enrolment = alice.post("/auth/totp", json!({})).await.json();
    let app = AuthenticatorApp::of(&enrolment);
    let code = app.code(0);
    assert_eq!(alice.post("/auth/totp/confirm", json!({"code": code})).await.status, 200);
    let answer = enter(&half_way(&world).await, &code).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "wrong_code"));
    let wrong = enter(&half_way(&world).await, &app.wrong_code()).await;
    assert_eq!(
        (wrong.status, wrong.text),
        (answer.status, answer.text),
        "used or wrong: not told apart"
    );
    let next = app.code(1);
    let visitors = [half_way(&world).await, half_way(&world).await, half_way(&world).await];
    let answers =
        futures_util::future::join_all(visitors.iter().map(|one| enter(one, &next))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "also at once");
    assert!(!leads_in(&world, &next).await);
    assert!(!leads_in(&world, &app.code(-1)).await, "nor does an older one");
}

#[tokio::test]
async fn nothing_is_asked_before_the_app_showed_its_first_code() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let first = alice.post("/auth/totp", json!({})).await.json();
    assert!(
        first["uri"].as_str().unwrap().starts_with("otpauth://totp/Hybrid%20chat:alice?secret=")
    );
    let picture = first["qr_svg"].as_str().unwrap();
    assert!(picture.starts_with("<svg") && !picture.contains(first["secret"].as_str().unwrap()));
    let second = alice.post("/auth/totp", json!({})).await.json();
    assert_ne!(first["secret"], second["secret"], "asking again gives another one");
    let (first, second) = (AuthenticatorApp::of(&first), AuthenticatorApp::of(&second));
    for code in [second.wrong_code(), "abc".to_owned(), first.code(0)] {
        let answer = alice.post("/auth/totp/confirm", json!({"code": code})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "wrong_code"));
    }
    assert!(alice.get("/auth/factors").await.json()["totp"].is_null());
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
    let code = json!({"code": second.code(0)});
    assert_eq!(alice.post("/auth/totp/confirm", code.clone()).await.status, 200);
    assert!(alice.get("/auth/factors").await.json()["totp"]["since"].is_string());
    assert_eq!(alice.post("/auth/totp/confirm", code).await.code(), "no_enrolment");
    assert_eq!(alice.post("/auth/totp", json!({})).await.code(), "totp_exists");
}

#[tokio::test]
async fn adding_and_removing_an_app_ends_the_other_sessions_and_renews_this_one() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let phone = world.visitor();
    assert_eq!(phone.login("alice", PASSWORD).await.status, 200);
    let before = alice.copy();
    let (app, codes) = enrol(&alice).await;
    assert!(!phone.is_signed_in().await && !before.is_signed_in().await);
    assert!(alice.is_signed_in().await);
    assert!(enter(&half_way(&world).await, &app.code(1)).await.status == 200);
    let before = alice.copy();
    assert_eq!(alice.post("/auth/totp/remove", json!({})).await.status, 200);
    assert!(!before.is_signed_in().await && alice.is_signed_in().await);
    let factors = alice.get("/auth/factors").await.json();
    assert!(factors["totp"].is_null());
    assert_eq!(factors["recovery_codes"], 0, "they go with the last factor");
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
    assert_eq!(alice.post("/auth/totp/remove", json!({})).await.code(), "no_totp");
    assert_eq!(alice.post("/auth/recovery-codes", json!({})).await.code(), "no_second_factor");
    assert_eq!(codes.len(), 10);
}

#[tokio::test]
async fn five_wrong_codes_end_the_half_session() {
    let world = World::new().await;
    let (app, _) = enrol(&world.member("alice").await).await;
    let visitor = half_way(&world).await;
    for _ in 0..5 {
        assert_eq!(enter(&visitor, &app.wrong_code()).await.code(), "wrong_code");
    }
    let answer = enter(&visitor, &app.code(1)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "sign_in_again"));
    assert_eq!(enter(&world.visitor(), &app.code(1)).await.code(), "sign_in_again");
    assert!(leads_in(&world, &app.code(1)).await);
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_like_guessing_passwords() {
    let world = World::with(|flags| flags.login_free_tries = 3).await;
    let (app, _) = enrol(&world.member("alice").await).await;
    let visitor = half_way(&world).await;
    for _ in 0..3 {
        assert_eq!(enter(&visitor, &app.wrong_code()).await.status, 401);
    }
    let answer = enter(&visitor, &app.code(1)).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
    let elsewhere = half_way(&world).await;
    assert_eq!(
        enter(&elsewhere, &app.code(1)).await.status,
        429,
        "a new half session doesn't help"
    );
}

#[tokio::test]
async fn whoever_stole_a_password_gets_only_so_many_half_sessions_and_the_owner_s_device_any() {
    let world = World::with(|flags| flags.second_factor_open = 2).await;
    let alice = world.member("alice").await;
    let (app, _) = enrol(&alice).await;
    half_way(&world).await;
    half_way(&world).await;
    let answer = world.visitor().login("alice", PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "too_many_requests"));
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(alice.login("alice", PASSWORD).await.code(), "second_factor_needed");
    assert_eq!(enter(&alice, &app.code(1)).await.status, 200);
}

#[tokio::test]
async fn rule_25_a_recovery_code_works_once_and_a_used_one_looks_like_an_unknown_one() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let (_, codes) = enrol(&alice).await;
    assert!(leads_in(&world, &codes[0]).await);
    assert!(leads_in(&world, &codes[1].to_lowercase().replace('-', " ")).await);
    let mut answers = Vec::new();
    for code in [&codes[0], &codes[1], &"A".repeat(24), &"nonsense".to_owned()] {
        let answer = enter(&half_way(&world).await, code).await;
        answers.push((answer.status.as_u16(), answer.text));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 400);
    assert_eq!(alice.get("/auth/factors").await.json()["recovery_codes"], 8);
    let bob = world.member("bob").await;
    let (_, his) = enrol(&bob).await;
    assert!(!leads_in(&world, &his[0]).await, "a code is its account's alone");
}

#[tokio::test]
async fn new_recovery_codes_replace_the_old_ones() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let (_, old) = enrol(&alice).await;
    let new = alice.post("/auth/recovery-codes", json!({})).await.json()["recovery_codes"].clone();
    assert_eq!(new.as_array().unwrap().len(), 10);
    assert!(!leads_in(&world, &old[0]).await && leads_in(&world, new[0].as_str().unwrap()).await);
}

#[tokio::test]
async fn a_password_that_changes_meanwhile_ends_the_half_session() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let (app, _) = enrol(&alice).await;
    let thief = half_way(&world).await;
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    assert_eq!(alice.post("/password", change).await.status, 200);
    assert_eq!(enter(&thief, &app.code(1)).await.code(), "sign_in_again");
    assert!(!thief.is_signed_in().await);
}

#[tokio::test]
async fn an_administrator_takes_lost_factors_away_and_a_member_does_not() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let alice = world.member("alice").await;
    enrol(&alice).await;
    let about = json!({"user_id": alice.get("/me").await.json()["user_id"]});
    let call = "/auth/admin/users/remove-factors";
    assert_eq!(alice.post(call, about.clone()).await.code(), "not_an_admin");
    let half = half_way(&world).await;
    let with_factors = async || {
        let told = ada.get("/auth/admin/users").await.json();
        let users = told["users"].as_array().unwrap();
        users.iter().map(|user| user["factors"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(with_factors().await, [false, true], "ada, alice");
    let answer = ada.post(call, about).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["ended_sessions"]), (200, &json!(1)));
    assert_eq!(with_factors().await, [false, false]);
    assert!(!alice.is_signed_in().await);
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
    assert_eq!(enter(&half, "123456").await.status, 401, "nothing to show any more");
    assert_eq!(ada.post(call, json!({"user_id": "x"})).await.code(), "unknown_user");
    let log = ada.get("/auth/admin/audit?event=remove_factors&result=success").await.json();
    assert_eq!(
        (&log["entries"][0]["who"], &log["entries"][0]["about"]),
        (&json!("ada"), &json!("alice"))
    );
}

#[tokio::test]
async fn whoever_is_on_the_host_takes_lost_factors_away_next_to_the_running_server() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    enrol(&ada).await;
    let said = on_host(world.folder.path(), &["remove-factors", "ADA"]).unwrap();
    assert!(said.contains("ada"), "{said}");
    assert_eq!(world.visitor().login("ada", PASSWORD).await.status, 200);
    until(|| async { ada.get("/me").await.status == 401 }).await;
    let again = world.visitor();
    assert_eq!(again.login("ada", PASSWORD).await.status, 200);
    let log = again.get("/auth/admin/audit?event=remove_factors").await.json();
    assert_eq!(
        (&log["entries"][0]["ip"], &log["entries"][0]["about"]),
        (&json!("host"), &json!("ada"))
    );
    assert!(
        on_host(world.folder.path(), &["remove-factors", "nobody"]).unwrap_err().contains("nobody")
    );
}

#[tokio::test]
async fn each_step_is_in_the_audit_log_and_neither_it_nor_the_disk_has_a_secret() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let enrolment = alice.post("/auth/totp", json!({})).await.json();
    let app = AuthenticatorApp::of(&enrolment);
    let code = json!({"code": app.code(0)});
    let confirmed = alice.post("/auth/totp/confirm", code).await.json();
    let visitor = half_way(&world).await;
    enter(&visitor, &app.wrong_code()).await;
    enter(&visitor, "nonsense").await;
    assert_eq!(enter(&visitor, &app.code(1)).await.status, 200);
    let renewed = visitor.post("/auth/recovery-codes", json!({})).await.json();
    assert_eq!(visitor.post("/auth/totp/remove", json!({})).await.status, 200);
    let expected = [
        ("enrol_totp", "success", ""),
        ("add_factor", "success", "authenticator app"),
        ("login", "second_factor_needed", ""),
        ("login", "refused", "one-time code"),
        ("login", "refused", "recovery code"),
        ("login", "success", "one-time code"),
        ("recovery_codes", "success", ""),
        ("remove_factor", "success", "authenticator app"),
    ];
    let expected = expected
        .map(|(event, result, detail)| (event.to_owned(), result.to_owned(), detail.to_owned()));
    until(|| async {
        let noted = events(&visitor).await;
        expected.iter().all(|event| noted.contains(event))
    })
    .await;
    let log = visitor.get("/auth/admin/audit").await.text;
    let secret = Secret::try_from_base32(enrolment["secret"].as_str().unwrap()).unwrap();
    let told = [&confirmed, &renewed].map(|told| told["recovery_codes"][3].as_str().unwrap());
    let texts = [enrolment["secret"].as_str().unwrap(), told[0], told[1]];
    let plain = told.map(|code| code.replace('-', ""));
    let mut secrets: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    secrets.extend(plain.iter().map(|text| text.as_bytes()));
    secrets.push(secret.as_ref());
    for file in std::fs::read_dir(world.folder.path().join("data")).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        for secret in &secrets {
            assert!(!content.windows(secret.len()).any(|window| window == *secret));
        }
    }
    assert!(texts.iter().all(|text| !log.contains(text)));
}

#[tokio::test]
async fn a_form_goes_from_the_password_to_the_code_and_on() {
    let world = World::new().await;
    let (app, _) = enrol(&world.member("alice").await).await;
    let visitor = world.visitor();
    let form = "username=alice&password=seven+violins+at+dusk&next=%2F%3Fchannel%3Dx";
    let answer = visitor.post_form("/login", form).await;
    let asks = "/login/code?factors=totp%20recovery_code&next=/%3Fchannel%3Dx";
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, asks));
    let answer = visitor.post_form(asks, &format!("code={}", app.wrong_code())).await;
    let back = answer.header("location").to_owned();
    let same = "/login/code?factors=totp%20recovery_code&error=wrong_code&next=/%3Fchannel%3Dx";
    assert_eq!((answer.status.as_u16(), back.as_str()), (303, same));
    let page = visitor.get(&back).await;
    assert!(page.status == 200 && page.text.contains("used already"), "{}", page.text);
    let answer = visitor.post_form("/login/code", &format!("code={}", app.code(1))).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/?channel=x"));
    assert!(visitor.is_signed_in().await);
    let stranger = world.visitor().post_form("/login/code", "code=123456").await;
    assert_eq!(stranger.header("location"), "/login?error=sign_in_again");
    let late = world.visitor().post_form(asks, "code=123456").await;
    assert_eq!(late.header("location"), "/login?error=sign_in_again&next=/%3Fchannel%3Dx");
}

#[tokio::test]
async fn after_a_wrong_code_the_page_asks_for_what_the_account_can_show() {
    let world = World::new().await;
    let (app, codes) = enrol(&world.member("alice").await).await;
    for code in &codes {
        let visitor = world.visitor();
        assert_eq!(visitor.login("alice", PASSWORD).await.code(), "second_factor_needed");
        assert_eq!(visitor.post("/login/code", json!({ "code": code })).await.status, 200);
    }
    let visitor = world.visitor();
    let answer = visitor.post_form("/login", "username=alice&password=seven+violins+at+dusk").await;
    assert_eq!(answer.header("location"), "/login/code?factors=totp");
    // Wherever the form was when it was sent.
    for page in ["/login/code?factors=totp", "/login/code", "/login/code?factors=%3Cb%3E"] {
        let answer = visitor.post_form(page, &format!("code={}", app.wrong_code())).await;
        assert_eq!(answer.header("location"), "/login/code?factors=totp&error=wrong_code");
    }
    let page = visitor.get("/login/code?factors=totp&error=wrong_code").await.text;
    assert!(page.contains(">Code of your app</label>"), "{page}");
    assert!(page.contains(">The app shows six digits.</p>"), "{page}");
    assert!(page.contains("used already"), "{page}");
    let page = visitor.get("/login/code?factors=recovery_code").await.text;
    assert!(page.contains(">Recovery code</label>"), "{page}");
    let page = visitor.get("/login/code?factors=%3Cb%3E").await.text;
    assert!(page.contains(">Code</label>") && !page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn showing_the_password_again_forgets_no_factor_that_was_shown() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    enrol(&alice).await;
    for body in [
        ("/auth/reauth", json!({"password": PASSWORD})),
        ("/password", json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD})),
    ] {
        assert_eq!(alice.post(body.0, body.1).await.status, 200);
        let db = rusqlite::Connection::open(world.database()).unwrap();
        let amr: String = db.query_row("SELECT amr FROM sessions", [], |row| row.get(0)).unwrap();
        assert_eq!(amr, "pwd otp");
    }
}

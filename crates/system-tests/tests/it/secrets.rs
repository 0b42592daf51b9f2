//! No log of any program has a secret, however much is logged: not the programs' own lines, nor the access log.

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::world::PASSWORD;
use system_tests::{Answer, EventStream, User, World, eventually};
use totp_rs::{Builder, Secret};

const NEW_PASSWORD: &str = "nine-violet-anvils-hum";
/// What someone types into the wrong field.
const SLIP: &str = "slipped-into-the-name";

/// What must be in no log.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 6, "{what} is {secret:?}");
        self.0.push((what, secret.to_owned()));
    }

    /// A text field of an answer, or all texts of one that is a list.
    fn field(&mut self, what: &'static str, answer: &Value, name: &str) -> String {
        let found = &answer[name];
        if let Some(list) = found.as_array() {
            assert!(!list.is_empty(), "{what}");
            list.iter().for_each(|one| self.add(what, one.as_str().unwrap()));
            return list[0].as_str().unwrap().to_owned();
        }
        let text = found.as_str().unwrap_or_else(|| panic!("{what}: no {name} in {answer}"));
        self.add(what, text);
        text.to_owned()
    }

    /// The values of a caller's cookies.
    fn cookies(&mut self, user: &User) {
        for cookie in user.cookie().split("; ").filter(|cookie| !cookie.is_empty()) {
            self.add("a cookie", cookie.split_once('=').unwrap().1);
        }
    }
}

#[tokio::test]
async fn rule_47_no_log_has_a_secret_however_much_is_logged() {
    let world = World::plan().log_level("trace").start().await;
    let mut secrets = Secrets::default();
    for (what, secret) in [("a password", PASSWORD), ("a password", NEW_PASSWORD), ("a slip", SLIP)]
    {
        secrets.add(what, secret);
    }
    let ada = world.account("ada").await;
    secrets.cookies(&ada);
    signs_in(&world, &mut secrets).await;
    administers(&world, &ada, &mut secrets).await;
    uses_tokens(&world, &ada, &mut secrets).await;
    adds_a_second_factor(&world, &mut secrets).await;
    ada.post("/logout", json!({})).await.ok();

    for (name, member) in
        [("backend-auth", &world.auth), ("chat-tracker", &world.tracker), ("proxy", &world.proxy)]
    {
        let log = member.program.log();
        assert!(log.len() > 500, "{name} logs hardly anything: {log}");
        for (what, secret) in &secrets.0 {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{name} wrote {what} down: {line:?}");
        }
    }
}

/// By JSON and by a form without script, also in wrong ways.
async fn signs_in(world: &World, secrets: &mut Secrets) {
    let bob = world.account("bob").await;
    let form = |name: &str, password: &str| {
        world.stranger().request(Method::POST, "/login").form(&[
            ("username", name),
            ("password", password),
            ("next", "/"),
        ])
    };
    for request in [form("bob", PASSWORD), form("bob", NEW_PASSWORD), form(SLIP, "x")] {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 303);
        // A browser goes on to where it is sent.
        let page = answer.header("location");
        world.stranger().get(page).await;
    }
    let wrong = json!({"username": SLIP, "password": NEW_PASSWORD});
    world.stranger().post("/login", wrong).await.fails(401, "wrong_credentials");
    bob.post("/auth/reauth", json!({"password": PASSWORD})).await.ok();
    secrets.cookies(&bob);
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    bob.post("/password", change).await.ok();
    secrets.cookies(&bob);
    // The tracker's own login, without the proxy.
    let direct = User::new("bob", &world.tracker.addr());
    let login = json!({"username": "bob", "password": NEW_PASSWORD});
    let answer = direct.post("/login", login).await.ok();
    secrets.field("the tracker's token", &answer, "access_token");
}

/// An invite and a reset link, made and used.
async fn administers(world: &World, ada: &User, secrets: &mut Secrets) {
    let invite = ada.post("/invites", json!({})).await.ok();
    let code = secrets.field("an invite", &invite, "code");
    let carol = User::new("carol", &world.proxy.addr());
    let body = json!({"username": "carol", "password": PASSWORD, "invite": code});
    carol.post("/register", body).await.ok();
    secrets.cookies(&carol);
    let id = carol.get("/me").await.ok()["user_id"].clone();
    let link = ada.post("/auth/admin/users/reset-link", json!({"user_id": id})).await.ok();
    let path = secrets.field("a reset link", &link, "path");
    let code = path.rsplit(['=', '#']).next().unwrap();
    secrets.add("a reset code", code);
    let reset = json!({"code": code, "new_password": NEW_PASSWORD});
    world.stranger().post("/reset", reset).await.ok();
}

/// An access token by header on calls and streams, and the short one that it is exchanged for.
async fn uses_tokens(world: &World, ada: &User, secrets: &mut Secrets) {
    let made = ada
        .post("/auth/tokens", json!({"name": "script", "scopes": ["chat:read", "chat:write"]}))
        .await
        .ok();
    let token = secrets.field("an access token", &made, "token");
    let script = world.stranger().acting_as("ada");
    let with = |path: &str| script.request(Method::GET, path).bearer_auth(&token);
    Answer::to(with("/chat/me")).await.ok();
    EventStream::open(with("/chat/events")).await.unwrap().next_of("hello").await;
    let asked = script.request(Method::POST, "/token").bearer_auth(&token).json(&json!({}));
    let short = secrets.field("a token", &Answer::to(asked).await.ok(), "access_token");
    let direct = User::new("ada", &world.tracker.addr());
    Answer::to(direct.request(Method::GET, "/chat/me").bearer_auth(&short)).await.ok();
    ada.web_socket("/chat/ws").await;
    ada.post("/auth/tokens/revoke", json!({"id": made["id"]})).await.ok();
    eventually("the token is refused", || async {
        (Answer::to(with("/chat/me")).await.status == 401).then_some(())
    })
    .await;
}

/// An authenticator app, and a sign-in by a recovery code.
async fn adds_a_second_factor(world: &World, secrets: &mut Secrets) {
    let dan = world.account("dan").await;
    let enrolment = dan.post("/auth/totp", json!({})).await.ok();
    let seed = secrets.field("a seed", &enrolment, "secret");
    let app = Builder::new().with_secret(Secret::try_from_base32(&seed).unwrap()).build().unwrap();
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
    let code = json!({"code": app.generate(now).to_string()});
    let confirmed = dan.post("/auth/totp/confirm", code).await.ok();
    let recovery = secrets.field("a recovery code", &confirmed, "recovery_codes");
    secrets.cookies(&dan);
    let (again, answer) = world.login("dan").await;
    answer.fails(403, "second_factor_needed");
    secrets.cookies(&again);
    again.post("/login/code", json!({"code": recovery})).await.ok();
    secrets.cookies(&again);
}

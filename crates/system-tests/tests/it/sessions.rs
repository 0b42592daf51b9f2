//! Login, cookie, logout, through the proxy as a browser sees them.

use reqwest::Method;
use serde_json::json;
use system_tests::raw::exchange;
use system_tests::world::PASSWORD;
use system_tests::{Answer, User, World, eventually};

#[tokio::test]
async fn a_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use() {
    let world = World::start().await;
    world.account("alice").await;
    let (alice, answer) = world.login("ALICE").await;
    assert_eq!(answer.ok()["username"], "alice");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("session="), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(alice.get("/me").await.ok()["username"], "alice");
}

#[tokio::test]
async fn the_wrong_password_and_the_unknown_user_get_the_same_answer() {
    let world = World::start().await;
    world.account("alice").await;
    let stranger = world.stranger();
    let attempt = async |name: &str| {
        let body = json!({"username": name, "password": "not the password"});
        let answer = stranger.post("/login", body).await;
        (answer.status, answer.text)
    };
    let known = attempt("alice").await;
    assert_eq!(known.0, 401);
    assert_eq!(known, attempt("nobody").await);
}

#[tokio::test]
async fn logging_out_closes_everything_that_the_cookie_opened() {
    let world = World::start().await;
    let alice = world.account("alice").await;
    let cookie = alice.cookie();
    alice.get("/get-list").await.ok();
    alice.post("/logout", json!({})).await.ok();

    // The cookie is gone from the browser; a copy of it is worth nothing either.
    let thief = world.stranger();
    let replay =
        |path: &'static str| Answer::to(thief.request(Method::GET, path).header("Cookie", &cookie));
    replay("/me").await.fails(401, "unauthenticated");
    // The proxy may have kept the decision for a few seconds.
    eventually("the cached decision ends", || async {
        (replay("/get-list").await.status == 401).then_some(())
    })
    .await;
    alice.get("/get-list").await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_page_is_sent_to_the_login_and_a_program_is_told() {
    let world = World::start().await;
    let stranger = world.stranger();
    let page = stranger.request(Method::GET, "/chat/channels").header("Accept", "text/html");
    let answer = Answer::to(page).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with("/login"), "{:?}", answer.headers);
    let first = Answer::to(stranger.request(Method::GET, "/").header("Accept", "text/html")).await;
    assert_eq!(first.status, 303);

    let told = stranger.get("/chat/channels").await;
    told.fails(401, "unauthenticated");
    assert!(told.header("www-authenticate").contains("Bearer"));
}

#[tokio::test]
async fn another_sites_page_cannot_act_with_the_cookie() {
    let world = World::start().await;
    let alice = world.account("alice").await;
    let body = json!({"peer_id": "alice", "channel": "general", "message": "forced"});
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        let forced = alice.request(Method::POST, "/broadcast-peer").json(&body).header(name, value);
        let answer = Answer::to(forced).await;
        assert_eq!(answer.status, 403, "{name}: {value}: {}", answer.text);
        let forced = alice.request(Method::POST, "/logout").header(name, value);
        assert_eq!(Answer::to(forced).await.status, 403, "{name}: {value}");
    }
    let own = format!("http://{}", world.proxy.addr());
    let meant = alice.request(Method::POST, "/broadcast-peer").json(&body).header("Origin", own);
    Answer::to(meant).await.ok();
    assert_eq!(alice.reads("general").await, ["forced"]);
}

#[tokio::test]
async fn another_sites_page_cannot_open_a_websocket_with_the_cookie() {
    let world = World::start().await;
    let alice = world.account("alice").await;
    let own = format!("Origin: http://{}", world.proxy.addr());
    // Without one it isn't a browser, or somebody took the line away: a program has bearer tokens.
    for (origin, status) in [("Origin: http://evil.example", 403), ("X: y", 403), (&own, 101)] {
        let lines = [
            "GET /chat/ws HTTP/1.1".to_owned(),
            format!("Host: {}", world.proxy.addr()),
            origin.to_owned(),
            format!("Cookie: {}", alice.cookie()),
            "Connection: Upgrade".to_owned(),
            "Upgrade: websocket".to_owned(),
            "Sec-WebSocket-Version: 13".to_owned(),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = exchange(&world.proxy.addr(), &lines, b"").await.unwrap();
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
}

#[tokio::test]
async fn a_session_and_its_account_outlive_a_restart_of_backend_auth() {
    let mut world = World::start().await;
    let alice = world.account("alice").await;
    world.auth.kill().await;
    world.auth.restart().await;
    assert_eq!(alice.get("/me").await.ok()["username"], "alice");
    world.login("alice").await.1.ok();
}

#[tokio::test]
async fn the_first_account_administers_and_closed_registration_refuses_the_second() {
    let world = World::plan().auth_flags(&["--registration", "closed"]).start().await;
    let first = world.account("alice").await;
    let roles = first.get("/me").await.ok()["roles"].clone();
    assert!(roles.as_array().unwrap().iter().any(|role| role == "admin"), "{roles}");
    let second = User::new("bob", &world.proxy.addr());
    let body = json!({"username": "bob", "password": PASSWORD});
    assert_eq!(second.post("/register", body).await.status, 403);
}

#[tokio::test]
async fn behind_a_server_that_does_tls_the_cookie_is_secure_and_http_is_sent_to_https() {
    let world = World::plan()
        .auth_flags(&["--public-origin", "https://chat.example.org"])
        .replace_config("#trusted_proxies = []", "trusted_proxies = [\"127.0.0.1\"]")
        .start()
        .await;
    let browser = world.stranger();
    let through = |scheme: &str, method, path| {
        browser
            .request(method, path)
            .header("Host", "chat.example.org")
            .header("X-Forwarded-Proto", scheme)
            .header("X-Forwarded-For", "203.0.113.7")
            .header("Origin", "https://chat.example.org")
    };
    let page = Answer::to(through("http", Method::GET, "/login")).await;
    assert!((300..400).contains(&page.status), "{}", page.status);
    assert_eq!(page.header("location"), "https://chat.example.org/login");

    let account = json!({"username": "alice", "password": PASSWORD});
    let entered = Answer::to(through("https", Method::POST, "/register").json(&account)).await;
    entered.ok();
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("__Host-session=") && cookie.contains("Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let says = json!({"peer_id": "alice", "channel": "general", "message": "over https"});
    let said =
        through("https", Method::POST, "/broadcast-peer").header("Cookie", cookie).json(&says);
    Answer::to(said).await.ok();
}

//! Forward-auth: who may pass, what the server is told, and that nothing opens it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::support::{
    Client, Response, Running, Upstream, auth_service, eventually, get, ok, proxy,
};

const GOOD: &str = "cookie: theme=dark; session=good\r\n";

async fn guarded(service: &Upstream, up: &Upstream) -> Running {
    proxy()
        .auth(service, "")
        .upstream("main", &[up.addr], "")
        .route("/private/*", "main", "")
        .route("/optional/*", "main", "auth = \"optional\"")
        .route("/*", "main", "auth = \"none\"")
        .start()
}

/// Asks for a WebSocket on the protected route.
async fn upgrade(addr: SocketAddr, headers: &str) -> Response {
    let request = format!(
        "GET /private/ws HTTP/1.1\r\nhost: chat.test\r\n{headers}connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    Client::to(addr).await.ask(request).await
}

#[tokio::test]
async fn a_session_passes_with_its_identity_and_forged_ones_never_arrive() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    let forged = format!(
        "{GOOD}X-Chat-Identity: root\r\nx-chat-identity: root\r\nX_Chat_Identity: root\r\nX.Chat.Identity: root\r\n\
         x-chat-IDENTITY: root\r\nconnection: x-chat-identity, cookie\r\n"
    );
    let answer = get(running.addr, "/private/a", &forged).await;
    assert_eq!((answer.status, answer.text()), (200, "in"));
    let head = up.request();
    assert!(!head.contains("root"), "{head}");
    assert_eq!(head.matches("identity").count(), 2, "the name and the value of ours: {head}");
    assert!(head.to_ascii_lowercase().contains("x-chat-identity: e30.identity.c2ln\r\n"), "{head}");
    assert!(head.contains("theme=dark; session=good"), "cookies go on unchanged: {head}");
    // Public routes delete the forged ones too.
    get(running.addr, "/public", &forged).await;
    assert!(!up.requests()[1].contains("root"), "{:?}", up.requests());
}

#[tokio::test]
async fn the_auth_service_hears_only_what_it_needs() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    let headers = format!(
        "{GOOD}x-secret: 1\r\nx-forwarded-for: 6.6.6.6\r\nx-forwarded-uri: /public\r\norigin: http://chat.test\r\n"
    );
    get(running.addr, "/private/a?b=c", &headers).await;
    let call = service.request().to_ascii_lowercase();
    assert!(call.starts_with("get /auth/verify http/1.1\r\n"), "{call}");
    for line in [
        "cookie: session=good\r\n",
        "origin: http://chat.test\r\n",
        "x-forwarded-method: get\r\n",
        "x-forwarded-uri: /private/a?b=c\r\n",
        "x-forwarded-host: chat.test\r\n",
        "x-forwarded-proto: http\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert!(call.contains(line), "{line:?} is missing in {call}");
    }
    assert!(
        !call.contains("x-secret") && !call.contains("theme") && !call.contains("6.6.6.6"),
        "{call}"
    );
}

#[tokio::test]
async fn the_auth_service_is_told_what_trusted_proxies_tell() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "")
        .start();
    let told = "x-forwarded-for: 6.6.6.6, 9.9.9.9\r\nx-forwarded-proto: https\r\n";
    assert_eq!(get(running.addr, "/a", &format!("{GOOD}{told}")).await.status, 200);
    let call = service.request().to_ascii_lowercase();
    assert!(call.contains("x-forwarded-for: 9.9.9.9\r\n"), "{call}");
    assert!(call.contains("x-forwarded-proto: https\r\n"), "{call}");
    let head = up.request();
    let addresses: Vec<&str> =
        head.lines().filter_map(|line| line.strip_prefix("x-forwarded-for: ")).collect();
    assert_eq!(addresses, ["6.6.6.6, 9.9.9.9", "127.0.0.1"], "all that is known goes on");
}

#[tokio::test]
async fn without_a_session_navigation_goes_to_login_and_all_else_is_401() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for page in [
        "sec-fetch-mode: navigate\r\n",
        "accept: text/html,*/*\r\n",
        "accept: text/html\r\ncookie: session=old\r\n",
    ] {
        let answer = get(running.addr, "/private/a?b=c", page).await;
        assert_eq!(answer.status, 303, "{page}");
        assert_eq!(answer.header("location"), Some("/login?next=/private/a%3Fb%3Dc"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for call in [
        "",
        "accept: */*\r\n",
        "sec-fetch-mode: cors\r\naccept: text/html\r\n",
        "authorization: Bearer bad\r\naccept: text/html\r\n",
        "cookie: session=old\r\n",
    ] {
        let answer = get(running.addr, "/private/a", call).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{call}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let mut client = Client::to(running.addr).await;
    let post = client.ask("POST /private/a HTTP/1.1\r\nhost: a\r\naccept: text/html\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(post.status, 401);
    let again = client.ask("GET /public HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(again.status, 200, "the refused body was read, so the connection goes on");
    assert_eq!(upgrade(running.addr, "accept: text/html\r\n").await.status, 401);
    assert!(
        up.requests().iter().all(|head| head.starts_with("GET /public")),
        "{:?}",
        up.requests()
    );
}

#[tokio::test]
async fn without_a_credential_nobody_is_asked() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    assert_eq!(get(running.addr, "/private/", "cookie: theme=dark\r\n").await.status, 401);
    assert!(service.requests().is_empty());
}

#[tokio::test]
async fn a_known_account_that_may_not_is_403() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    let answer =
        get(running.addr, "/private/", "cookie: session=banned\r\naccept: text/html\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn an_optional_route_takes_everybody_and_names_who_has_a_session() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for headers in ["", "cookie: session=old\r\n", GOOD] {
        assert_eq!(get(running.addr, "/optional/", headers).await.status, 200);
    }
    let named: Vec<bool> = up.requests().iter().map(|head| head.contains("identity")).collect();
    assert_eq!(named, [false, false, true]);
}

#[tokio::test]
async fn a_bearer_is_exchanged_for_the_identity() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    assert_eq!(get(running.addr, "/private/", "authorization: Bearer good\r\n").await.status, 200);
    let head = up.request().to_ascii_lowercase();
    assert!(head.contains("x-chat-identity") && !head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn a_yes_without_an_identity_is_502_and_goes_no_further() {
    let service = Upstream::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let up = Upstream::replying(ok("in")).await;
    let running = guarded(&service, &up).await;
    for _ in 0..2 {
        let answer = get(running.addr, "/private/", GOOD).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "auth_without_identity"));
    }
    assert!(up.requests().is_empty());
    assert_eq!(service.requests().len(), 2, "a failure is not remembered");
}

#[tokio::test]
async fn an_auth_service_that_fails_closes_protected_routes_only() {
    for broken in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        "not HTTP at all\r\n\r\n",
    ] {
        let service = Upstream::replying(broken).await;
        let up = Upstream::replying(ok("in")).await;
        let running = guarded(&service, &up).await;
        let answer = get(running.addr, "/private/", GOOD).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "auth_unavailable"), "{broken}");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(
            get(running.addr, "/optional/", GOOD).await.status,
            503,
            "not even optional ones open"
        );
        assert_eq!(get(running.addr, "/public", GOOD).await.status, 200);
    }
}

#[tokio::test]
async fn an_auth_service_that_is_away_or_hangs_closes_protected_routes_in_time() {
    let up = Upstream::replying(ok("in")).await;
    let away = auth_service().await.addr;
    let hanging = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        std::future::pending::<()>().await;
    })
    .await;
    for service in [away, hanging.addr] {
        let running = proxy()
            .auth_at(service, "timeout = \"200ms\"")
            .upstream("main", &[up.addr], "")
            .route("/*", "main", "")
            .start();
        let started = std::time::Instant::now();
        let answer = get(running.addr, "/", GOOD).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "auth_unavailable"));
        assert!(started.elapsed() < std::time::Duration::from_secs(3));
    }
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn a_decision_is_reused_for_the_same_credential_only() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for _ in 0..5 {
        assert_eq!(get(running.addr, "/private/", GOOD).await.status, 200);
        assert_eq!(
            get(running.addr, "/private/x", "cookie: session=good; theme=light\r\n").await.status,
            200
        );
    }
    assert_eq!(service.requests().len(), 1);
    assert_eq!(get(running.addr, "/private/", "cookie: session=good2\r\n").await.status, 401);
    assert_eq!(get(running.addr, "/private/", "authorization: Bearer good\r\n").await.status, 200);
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test]
async fn a_cache_of_zero_asks_every_time() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "cache = \"0s\"")
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "")
        .start();
    for _ in 0..3 {
        assert_eq!(get(running.addr, "/", GOOD).await.status, 200);
    }
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test]
async fn requests_that_need_the_same_decision_wait_for_one_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (go, wait) = tokio::sync::watch::channel(false);
    let counter = calls.clone();
    let service = Upstream::scripted(move |mut conn| {
        let (counter, mut wait) = (counter.clone(), wait.clone());
        async move {
            while conn.request().await.is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
                wait.wait_for(|go| *go).await.unwrap();
                conn.send("HTTP/1.1 200 OK\r\nx-chat-identity: id\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        }
    })
    .await;
    let up = Upstream::replying(ok("in")).await;
    let running = guarded(&service, &up).await;
    let addr = running.addr;
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(async move { get(addr, "/private/", GOOD).await.status }))
        .collect();
    eventually("the call", || calls.load(Ordering::SeqCst) == 1).await;
    go.send(true).unwrap();
    for one in asking {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_identity_about_to_expire_is_not_handed_out_again() {
    let token = |left: i64| {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let exp = i64::try_from(now).unwrap() + left;
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")))
    };
    for (left, calls) in [(60, 1), (15, 3)] {
        let token = token(left);
        let service = Upstream::replying(format!(
            "HTTP/1.1 200 OK\r\nx-chat-identity: {token}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let up = Upstream::replying(ok("in")).await;
        let running = guarded(&service, &up).await;
        for _ in 0..3 {
            assert_eq!(get(running.addr, "/private/", GOOD).await.status, 200);
        }
        assert_eq!(service.requests().len(), calls, "{left} s left");
    }
}

#[tokio::test]
async fn a_renewed_session_reaches_the_client_and_nothing_else_of_the_decision_does() {
    let service = Upstream::replying(
        "HTTP/1.1 200 OK\r\nx-chat-identity: id\r\nset-cookie: session=new; HttpOnly\r\nx-internal: 1\r\ncontent-length: 2\r\n\r\nhi",
    )
    .await;
    let up = Upstream::replying(
        "HTTP/1.1 200 OK\r\nx-chat-identity: leak\r\ncontent-length: 2\r\n\r\nin",
    )
    .await;
    let running = guarded(&service, &up).await;
    let answer = get(running.addr, "/private/", GOOD).await;
    assert_eq!(answer.header("set-cookie"), Some("session=new; HttpOnly"));
    assert_eq!(answer.header("x-internal"), None);
    assert_eq!(answer.header("x-chat-identity"), None, "an identity never leaves towards a client");
    assert_eq!(answer.text(), "in");
}

#[tokio::test]
async fn two_session_cookies_are_refused() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for headers in
        ["cookie: session=bad; session=good\r\n", "cookie: session=good\r\ncookie: session=bad\r\n"]
    {
        let answer = get(running.addr, "/private/", headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "doubled_credential"));
    }
}

#[tokio::test]
async fn another_sites_page_may_not_use_the_session() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    let post = |headers: &str| {
        let request = format!(
            "POST /private/ HTTP/1.1\r\nhost: chat.test\r\n{GOOD}{headers}content-length: 0\r\n\r\n"
        );
        async move { Client::to(running.addr).await.ask(request).await.status }
    };
    assert_eq!(post("sec-fetch-site: cross-site\r\n").await, 403);
    assert_eq!(post("origin: https://evil.test\r\n").await, 403);
    assert_eq!(post("sec-fetch-site: same-origin\r\norigin: http://chat.test\r\n").await, 200);
    assert_eq!(post("origin: http://chat.test\r\n").await, 200);
    assert_eq!(post("").await, 200);
    for origin in ["origin: http://evil.test\r\n", ""] {
        let answer = upgrade(running.addr, &format!("{GOOD}{origin}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "cross_site"), "{origin}");
    }
}

#[tokio::test]
async fn a_web_socket_by_bearer_token_needs_no_origin() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for cookie in ["", GOOD] {
        // The upstream is no WebSocket's: its answer says that the request came through.
        let answer =
            upgrade(running.addr, &format!("authorization: Bearer good\r\n{cookie}")).await;
        assert_eq!(answer.status, 200, "{cookie}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_gets_around_the_session() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = guarded(&service, &up).await;
    for path in [
        "/pub/../private/a",
        "/pub/%2e%2e/private/a",
        "/pub/%252e%252e/private/a",
        "//private/a",
        "/private%2fa",
        "/%70rivate/a",
        "/private/../private/a",
        "/./private/a",
        "/private//a",
        "/public\\..\\private",
        "http://chat.test/private/a",
    ] {
        let answer = get(running.addr, path, "").await;
        let reached = up.requests().pop().unwrap_or_default();
        assert!(
            answer.status >= 400 || !reached.contains("private"),
            "{path}: {} {reached}",
            answer.status
        );
    }
}

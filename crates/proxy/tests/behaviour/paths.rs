//! The path that is routed on is the path that is forwarded, and no spelling gets around a protected route
//! (the advisories of other proxies, one by one).

use super::support::{Client, Running, Upstream, auth_service, ok, proxy};

/// `/private/*` needs a session, everything else doesn't; both go to the same server, as in the worst case.
async fn guarded() -> (Upstream, Upstream, Running) {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/private/*", "main", "")
        .route("/*", "main", "auth = \"none\"")
        .start();
    (service, up, running)
}

async fn ask(running: &Running, target: &str) -> (u16, String) {
    let answer = Client::to(running.addr)
        .await
        .ask(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .await;
    // What the parser refuses has no envelope.
    let code =
        if answer.status == 200 || answer.body.is_empty() { String::new() } else { answer.code() };
    (answer.status, code)
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_passes_without_a_session() {
    let (_service, up, running) = guarded().await;
    for target in [
        "/private",
        "/private/",
        "/private/a",
        "/%70rivate/a",
        "/privat%65/a",
        "/%50%72ivate/../private/a",
        "/public/../private/a",
        "/public/%2e%2e/private/a",
        "/public/%2E./private/a",
        "/public/.%2e/private/a",
        "/public/%252e%252e/private/a",
        "/public/%25252e%25252e/private/a",
        "/public/..%2fprivate/a",
        "/public/..%2Fprivate/a",
        "/public/..%252fprivate/a",
        "/public/..%5cprivate/a",
        "/public/..\\private/a",
        "/public/..;/private/a",
        "/public/..;x=y/private/a",
        "//private/a",
        "/.//private/a",
        "/./private/a",
        "/private%2fa",
        "/private%00",
        "/public%0d%0a/private/a",
        "http://a/private/a",
        "http://a/%70rivate/a",
        "/private?x",
        "/private#/../public",
    ] {
        let (status, code) = ask(&running, target).await;
        assert!(matches!(status, 400 | 401), "{target}: {status} {code}");
    }
    assert!(up.requests().is_empty(), "{:?}", up.requests());
}

#[tokio::test]
async fn the_server_gets_the_path_that_was_routed_on() {
    let (_service, up, running) = guarded().await;
    for (target, line) in [
        ("/a/b?c=/../d&e=%2f", "GET /a/b?c=/../d&e=%2f HTTP/1.1"),
        ("/%61%2Db/%7E?x=%61", "GET /a-b/~?x=%61 HTTP/1.1"),
        ("/caf%c3%a9/100%25", "GET /caf%C3%A9/100%25 HTTP/1.1"),
        ("http://a:80/x?y", "GET /x?y HTTP/1.1"),
        ("http://a", "GET / HTTP/1.1"),
        ("/private;x", "GET /private;x HTTP/1.1"),
        ("/PRIVATE/a", "GET /PRIVATE/a HTTP/1.1"),
    ] {
        assert_eq!(ask(&running, target).await.0, 200, "{target}");
        let heads = up.requests();
        assert_eq!(heads.last().unwrap().lines().next().unwrap(), line, "{target}");
    }
}

#[tokio::test]
async fn in_absolute_form_the_server_gets_its_authority_as_host() {
    let (_service, up, running) = guarded().await;
    let answer = Client::to(running.addr)
        .await
        .ask("GET http://Real.test:81/x HTTP/1.1\r\nhost: decoy.test\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    let head = up.request();
    assert!(head.contains("host: Real.test:81\r\n") && !head.contains("decoy"), "{head}");
    for target in ["http://user@a/x", "ftp://a/x", "a:80", "*"] {
        assert_eq!(ask(&running, target).await.0, 400, "{target}");
    }
}

#[tokio::test]
async fn exact_paths_take_a_trailing_slash_and_prefixes_stop_at_segments() {
    let (one, two) =
        (Upstream::replying(ok("exact")).await, Upstream::replying(ok("prefix")).await);
    let running = proxy()
        .upstream("one", &[one.addr], "")
        .upstream("two", &[two.addr], "")
        .route("/hello", "one", "")
        .route("/chat/*", "two", "")
        .start();
    for (path, outcome) in [
        ("/hello", "exact"),
        ("/hello/", "exact"),
        ("/hello?x", "exact"),
        ("/chat", "prefix"),
        ("/chat/", "prefix"),
        ("/chat/a/b", "prefix"),
        ("/hello/a", "no_route"),
        ("/helloa", "no_route"),
        ("/chatter", "no_route"),
        ("/Hello", "no_route"),
        ("/", "no_route"),
    ] {
        let answer = Client::to(running.addr)
            .await
            .ask(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        let got = if answer.status == 200 { answer.text().to_owned() } else { answer.code() };
        assert_eq!(got, outcome, "{path}");
    }
}

#[tokio::test]
async fn every_alias_of_the_identity_is_gone_on_public_routes_too() {
    let (_service, up, running) = guarded().await;
    let aliases = [
        "X-Chat-Identity",
        "x_chat_identity",
        "X.CHAT.IDENTITY",
        "XChatIdentity",
        "x-chat_identity",
        "x-chat-identity-",
        "x~chat~identity",
        "X-Forwarded-User_",
        "x-forwarded-prefix",
        "x.forwarded.for",
        "x-original-url",
        "x-real-ip",
        "remote-user",
        "proxy",
    ];
    let lines: String =
        aliases.iter().map(|name| format!("{name}: root\r\n{name}: root\r\n")).collect();
    let answer = Client::to(running.addr)
        .await
        .ask(format!("GET /x HTTP/1.1\r\nhost: a\r\nconnection: x-chat-identity\r\n{lines}\r\n"))
        .await;
    assert_eq!(answer.status, 200);
    assert!(!up.request().contains("root"), "{}", up.request());
}

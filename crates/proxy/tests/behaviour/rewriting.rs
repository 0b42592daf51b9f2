//! Another path on the way to the upstream: what was routed on is what is rewritten, and no spelling of a
//! request gets out of the place that the route names.

use super::support::{Client, Upstream, auth_service, get, ok, proxy};

async fn first_lines(up: &Upstream) -> Vec<String> {
    up.requests().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn prefixes_are_stripped_or_replaced_and_the_query_stays() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .upstream("main", &[up.addr], "")
        .route("/api/*", "main", "strip_prefix = \"/api\"")
        .route("/api/v1/*", "main", "strip_prefix = \"/api\"")
        .route("/old/*", "main", "rewrite = \"/new/v2/*\"")
        .route("/under/*", "main", "rewrite = \"/*\"")
        .route("/one", "main", "rewrite = \"/other/page\"")
        .route("/all/*", "main", "rewrite = \"/index\"")
        .start();
    let mut wants = Vec::new();
    for (path, want) in [
        ("/api", "/"),
        ("/api/", "/"),
        ("/api/a/b?c=d", "/a/b?c=d"),
        ("/%61pi/%7Ea/%2b", "/~a/%2B"),
        ("/api/v1/x", "/v1/x"),
        ("/old", "/new/v2"),
        ("/old/a?b=/../c", "/new/v2/a?b=/../c"),
        ("/under/a", "/a"),
        ("/one/", "/other/page"),
        ("/all/a/b?c", "/index?c"),
    ] {
        assert_eq!(get(running.addr, path, "").await.status, 200, "{path}");
        wants.push(format!("GET {want} HTTP/1.1"));
    }
    assert_eq!(first_lines(&up).await, wants);
}

#[tokio::test]
async fn the_server_is_told_what_was_stripped_and_nobody_else_can_tell_it() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .upstream("main", &[up.addr], "")
        .route("/api/*", "main", "strip_prefix = \"/api\"")
        .route("/old/*", "main", "rewrite = \"/new/*\"")
        .start();
    let forged = "x-forwarded-prefix: /evil\r\nX_Forwarded_Prefix: /evil\r\n";
    get(running.addr, "/api/a", forged).await;
    get(running.addr, "/old/a", forged).await;
    let heads = up.requests();
    assert_eq!(heads[0].matches("x-forwarded-prefix: /api\r\n").count(), 1, "{}", heads[0]);
    assert!(!heads[1].contains("prefix"), "nothing was stripped: {}", heads[1]);
    assert!(heads.iter().all(|head| !head.contains("evil")), "{heads:?}");
}

/// The worst case: what may be asked for is a neighbour of what may not, on the same server.
#[tokio::test]
async fn no_spelling_gets_out_of_the_place_that_the_route_names() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/api/*", "main", "rewrite = \"/public/*\"\nauth = \"none\"")
        .route("/v1/api/*", "main", "strip_prefix = \"/v1\"\nauth = \"none\"")
        .route("/admin/*", "main", "")
        .start();
    for base in ["/api", "/v1/api"] {
        for tail in [
            "/../admin",
            "/..",
            "/%2e%2e/admin",
            "/%2E%2e/admin",
            "/.%2e/admin",
            "/%252e%252e/admin",
            "/..%2fadmin",
            "/..%252fadmin",
            "/..%5cadmin",
            "/..\\admin",
            "/..;/admin",
            "/..;x=y/admin",
            "//admin",
            "/a/../../admin",
            "/a//../admin",
            "/./admin",
            "%2f..%2fadmin",
            "/%00/admin",
            "/%0d%0aadmin",
        ] {
            let target = format!("{base}{tail}");
            let mut client = Client::to(running.addr).await;
            let answer = client.ask(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_path"), "{target}");
        }
    }
    for near in ["/apiadmin", "/api%2e", "/v1/api..", "/v1"] {
        assert_eq!(get(running.addr, near, "").await.status, 404, "{near}");
    }
    assert!(up.requests().is_empty(), "{:?}", up.requests());
    for (fine, want) in [
        ("/api/admin", "GET /public/admin HTTP/1.1"),
        ("/v1/api/..admin", "GET /api/..admin HTTP/1.1"),
        ("/%76%31/api/x", "GET /api/x HTTP/1.1"),
    ] {
        assert_eq!(get(running.addr, fine, "").await.status, 200, "{fine}");
        assert_eq!(first_lines(&up).await.last().unwrap(), want);
    }
}

#[tokio::test]
async fn the_auth_service_and_the_login_page_see_what_was_asked_for() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/api/*", "main", "strip_prefix = \"/api\"")
        .start();
    let answer = get(running.addr, "/api/a?b=c", "cookie: session=good\r\n").await;
    assert_eq!(answer.status, 200);
    let call = service.request().to_ascii_lowercase();
    assert!(call.contains("x-forwarded-uri: /api/a?b=c\r\n"), "{call}");
    assert!(call.contains("x-forwarded-host: chat.test\r\n"), "{call}");
    assert!(up.request().starts_with("GET /a?b=c HTTP/1.1\r\n"), "{}", up.request());
    let answer = get(running.addr, "/api/a?b=c", "sec-fetch-mode: navigate\r\n").await;
    assert_eq!(answer.header("location"), Some("/login?next=/api/a%3Fb%3Dc"));
}

#[tokio::test]
async fn a_web_socket_goes_the_rewritten_way_too() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .await;
        let bytes = conn.bytes(4).await;
        conn.send(bytes).await;
    })
    .await;
    let running = proxy()
        .upstream("main", &[up.addr], "")
        .route("/api/*", "main", "strip_prefix = \"/api\"\nresponse_headers.set = { x-a = \"b\" }")
        .start();
    let mut client = Client::to(running.addr).await;
    client
        .send("GET /api/ws?a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("x-a")), (101, Some("b")));
    client.send("ping").await;
    assert_eq!(client.exactly(4).await, b"ping");
    assert!(up.request().starts_with("GET /ws?a HTTP/1.1\r\n"), "{}", up.request());
}

#[tokio::test]
async fn a_target_that_gets_too_long_is_414_and_goes_nowhere() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .server("max_head_bytes = \"1MiB\"")
        .upstream("main", &[up.addr], "")
        .route("/a/*", "main", &format!("rewrite = \"/{}/*\"", "b".repeat(1000)))
        .start();
    let answer = get(running.addr, &format!("/a?{}", "q".repeat(65_000)), "").await;
    assert_eq!((answer.status, answer.code().as_str()), (414, "target_too_long"));
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn a_method_that_a_route_does_not_serve_is_405_with_those_it_does() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/read/*", "main", "auth = \"none\"\nmethods = [\"GET\", \"OPTIONS\"]")
        .route("/private", "main", "methods = [\"POST\"]")
        .start();
    let mut client = Client::to(running.addr).await;
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("OPTIONS", 200),
        ("DELETE", 405),
        ("get", 405),
        ("POST", 405),
    ] {
        let answer = client
            .ask(format!("{method} /read/a HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"));
        let answer = answer.await;
        assert_eq!(answer.status, status, "{method}");
        if status == 405 {
            assert_eq!(answer.code(), "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{method}");
        }
    }
    assert_eq!(up.requests().len(), 3);
    let answer = get(running.addr, "/private", "cookie: session=good\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert!(service.requests().is_empty(), "nobody is asked about what is refused anyway");
}

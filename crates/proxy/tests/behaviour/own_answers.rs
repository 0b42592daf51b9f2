//! Routes that answer by themselves: redirects and fixed answers.

use super::support::{Client, Upstream, auth_service, get, ok, proxy};

#[tokio::test]
async fn a_redirect_leads_to_where_its_placeholders_say() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .to(&up)
        .own_route("/old/*", "redirect = { to = \"https://{host}/new{rest}{query}\" }")
        .own_route("/moved", "redirect = { to = \"/here?now=1\", status = 302 }")
        .own_route("/home/*", "redirect = { to = \"{rest}\", status = 301 }")
        .own_route("/docs/*", "redirect = { to = \"{scheme}://docs.test:81{path}\", status = 307 }")
        .start();
    let mut client = Client::to(running.addr).await;
    for (path, status, location) in [
        ("/old/a/b?c=d", 308, "https://chat.test/new/a/b?c=d"),
        ("/old", 308, "https://chat.test/new"),
        ("/old/%61%2b", 308, "https://chat.test/new/a%2B"),
        ("/moved/?x", 302, "/here?now=1"),
        ("/home", 301, "/"),
        ("/home/a", 301, "/a"),
        ("/docs/x", 307, "http://docs.test:81/docs/x"),
    ] {
        let answer =
            client.ask(format!("GET {path} HTTP/1.1\r\nhost: Chat.test:8080\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("location"), Some(location), "{path}");
        assert_eq!(answer.header("content-length"), Some("0"), "{path}");
        assert!(answer.header("x-request-id").is_some());
    }
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn how_the_client_came_is_told_by_trusted_proxies_alone() {
    for (trusted, told, scheme) in [
        ("[\"127.0.0.1\"]", "https", "https"),
        ("[\"127.0.0.1\"]", "javascript", "http"),
        ("[]", "https", "http"),
    ] {
        let running = proxy()
            .server(&format!("trusted_proxies = {trusted}"))
            .own_route("/*", "redirect = { to = \"{scheme}://{host}/new\" }")
            .start();
        let answer = get(running.addr, "/", &format!("x-forwarded-proto: {told}\r\n")).await;
        let want = format!("{scheme}://chat.test/new");
        assert_eq!(answer.header("location"), Some(&*want), "{told} {trusted}");
    }
}

#[tokio::test]
async fn r32_no_request_leads_astray_or_writes_headers() {
    let running = proxy()
        .own_route("/old/*", "redirect = { to = \"/new{rest}{query}\" }")
        .own_route("/home/*", "redirect = { to = \"{rest}{query}\" }")
        .own_route("/host/*", "redirect = { to = \"https://{host}{rest}\" }")
        .start();
    for path in [
        "/old/%0d%0aset-cookie:%20a=b",
        "/home//evil.test",
        "/home/%2fevil.test",
        "/home/%5cevil.test",
        "/home/\\evil.test",
        "/home/..//evil.test",
        "/home/%09/evil.test",
    ] {
        let answer = get(running.addr, path, "").await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{path}");
    }
    // What is encoded in a query stays so.
    let answer = get(running.addr, "/old?a=%0d%0aset-cookie:%20a=b", "").await;
    assert_eq!(answer.header("location"), Some("/new?a=%0d%0aset-cookie:%20a=b"));
    assert_eq!(answer.header("set-cookie"), None);
    for host in ["evil.test/", "a@evil.test", "evil.test\\", "evil.test#", "a b"] {
        let mut client = Client::to(running.addr).await;
        let answer = client.ask(format!("GET /host/a HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{host}");
    }
    let mut nameless = Client::to(running.addr).await;
    let answer = nameless.ask("GET /host/a HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_host"));
}

#[tokio::test]
async fn a_fixed_answer_is_the_same_for_everyone() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .own_route(
            "/robots.txt",
            "auth = \"none\"\nrespond = { status = 200, body = \"User-agent: *\\nDisallow: /\\n\" }",
        )
        .own_route(
            "/closed/*",
            "auth = \"none\"\nrespond = { status = 503, body = \"{}\", content_type = \"application/json\" }",
        )
        .own_route("/empty", "auth = \"none\"\nrespond = { status = 204 }")
        .own_route("/members", "respond = { status = 200, body = \"hello\" }")
        .start();
    let mut client = Client::to(running.addr).await;
    let robots = client.ask("GET /robots.txt HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((robots.status, robots.text()), (200, "User-agent: *\nDisallow: /\n"));
    assert_eq!(robots.header("content-type"), Some("text/plain; charset=utf-8"));
    let head = client.ask("HEAD /robots.txt HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("26")));
    let post = "POST /closed/a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let closed = client.ask(post).await;
    assert_eq!((closed.status, closed.text()), (503, "{}"));
    assert_eq!(closed.header("content-type"), Some("application/json"));
    let empty = client.ask("GET /empty HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((empty.status, empty.header("content-type")), (204, None));
    // The connection goes on after all of them; and who may pass is asked as everywhere.
    let members = "GET /members HTTP/1.1\r\nhost: a\r\n";
    assert_eq!(client.ask(format!("{members}\r\n")).await.status, 401);
    let answer = client.ask(format!("{members}cookie: session=good\r\n\r\n")).await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert!(up.requests().is_empty());
}

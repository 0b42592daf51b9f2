//! Headers that a route sets, adds or removes, on top of what every request and answer goes through.

use super::support::{Client, Upstream, auth_service, get, ok, proxy};

#[tokio::test]
async fn a_route_changes_headers_after_the_rules_of_the_gateway() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let lines = "request_headers.set = { x-team = \"chat\", host = \"inner.test:81\", authorization = \"Basic YTpi\" }\n\
         request_headers.add = { x-tag = \"two\" }\n\
         request_headers.remove = [\"cookie\", \"x-debug\"]";
    let running = proxy()
        .auth(&service, "")
        .upstream("main", &[up.addr], "")
        .route("/*", "main", lines)
        .start();
    let sent = "cookie: session=good\r\nx-team: red\r\nX-Team: blue\r\nx-tag: one\r\nx-debug: 1\r\nx-kept: 1\r\n\
                connection: x-team, x-tag\r\n";
    let answer = get(running.addr, "/a", sent).await;
    assert_eq!((answer.status, answer.text()), (200, "in"));
    let head = up.request();
    for line in [
        "host: inner.test:81\r\n",
        "x-team: chat\r\n",
        "x-tag: two\r\n",
        "x-kept: 1\r\n",
        "authorization: Basic YTpi\r\n",
        // What was asked for is still told.
        "x-forwarded-host: chat.test\r\n",
        "x-chat-identity: e30.identity.c2ln\r\n",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line:?} in {head}");
    }
    for gone in ["red", "blue", "cookie", "x-debug", "x-tag: one"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    let call = service.request().to_ascii_lowercase();
    assert!(call.contains("cookie: session=good\r\n") && !call.contains("x-team"), "{call}");
}

#[tokio::test]
async fn a_route_changes_the_headers_of_its_answers() {
    let up = Upstream::replying(
        "HTTP/1.1 200 OK\r\nserver: old\r\nx-powered-by: a\r\nset-cookie: a=1\r\nvary: accept\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let lines = "response_headers.set = { strict-transport-security = \"max-age=31536000\", server = \"ours\" }\n\
         response_headers.add = { vary = \"origin\", set-cookie = \"b=2\" }\n\
         response_headers.remove = [\"x-powered-by\"]";
    let running = proxy()
        .upstream("main", &[up.addr], "max_connections = 1")
        .route("/*", "main", lines)
        .own_route("/old", &format!("redirect = {{ to = \"/new\" }}\n{lines}"))
        .start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(answer.text(), "ok");
    for line in [
        "strict-transport-security: max-age=31536000\r\n",
        "server: ours\r\n",
        "vary: accept\r\n",
        "vary: origin\r\n",
        "set-cookie: a=1\r\n",
        "set-cookie: b=2\r\n",
    ] {
        assert_eq!(answer.head.matches(line).count(), 1, "{line:?} in {}", answer.head);
    }
    assert!(!answer.head.contains("powered") && !answer.head.contains("old"), "{}", answer.head);
    let redirect = client.ask("GET /old HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((redirect.status, redirect.header("server")), (308, Some("ours")));
}

//! R26: a client that waits for a 100 before it sends its body gets one when the body is wanted, and the final answer
//! at once when it isn't.

use super::support::{Client, Running, Upstream, auth_service, ok, proxy};

const WAITS: &str = "host: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";

async fn routes(up: &Upstream, service: &Upstream) -> Running {
    proxy()
        .auth(service, "")
        .upstream("main", &[up.addr], "")
        .route("/private/*", "main", "")
        .route("/free/*", "main", "auth = \"none\"")
        .route("/small/*", "main", "auth = \"none\"\nmax_body = 4")
        .route("/read/*", "main", "auth = \"none\"\nmethods = [\"GET\"]")
        .own_route("/moved/*", "auth = \"none\"\nredirect = { to = \"/there\" }")
        .start()
}

#[tokio::test]
async fn r26_a_refusal_comes_instead_of_the_100() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = routes(&up, &service).await;
    for (path, status) in [
        ("/private/a", 401),
        ("/nowhere", 404),
        ("/read/a", 405),
        ("/small/a", 413),
        ("/moved/a", 308),
        ("/free/%2f", 400),
    ] {
        let mut client = Client::to(running.addr).await;
        client.send(format!("POST {path} HTTP/1.1\r\n{WAITS}")).await;
        let first = client.response().await;
        assert_eq!(first.status, status, "{path}");
        // Whether the body comes all the same can't be told, so nothing behind it is read as a request.
        assert_eq!(first.header("connection"), Some("close"), "{path}");
        assert!(client.is_closed_in_peace().await, "{path}");
    }
    assert!(up.requests().is_empty(), "{:?}", up.requests());
}

#[tokio::test]
async fn r26_a_body_that_is_wanted_is_asked_for_once_and_here() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = routes(&up, &service).await;
    let mut client = Client::to(running.addr).await;
    for _ in 0..2 {
        client.send(format!("POST /free/a HTTP/1.1\r\n{WAITS}")).await;
        assert_eq!(client.head().await.status, 100);
        client.send("hello").await;
        assert_eq!(client.response().await.text(), "in");
    }
    assert!(up.requests().iter().all(|head| !head.contains("expect")), "{:?}", up.requests());
}

#[tokio::test]
async fn r25_r26_http_1_0_knows_no_100() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = routes(&up, &service).await;
    for (path, status) in [("/free/a", 200), ("/private/a", 401)] {
        let mut client = Client::to(running.addr).await;
        client.send(format!("POST {path} HTTP/1.0\r\n{WAITS}hello")).await;
        let all = String::from_utf8(client.rest().await).unwrap();
        assert!(all.starts_with(&format!("HTTP/1.0 {status} ")), "{path}: {all}");
        assert_eq!(all.matches("HTTP/1.").count(), 1, "{path}: {all}");
    }
}

//! Request bodies: how long they may be and how slowly they may come.

use std::time::Duration;

use super::support::{Client, Response, Running, Upstream, ok, proxy, soon};

/// Sends a body of a thousand bytes one by one, none of them late, until there is an answer.
async fn drip(running: &Running) -> Response {
    let mut client = Client::to(running.addr).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n").await;
    for _ in 0..1000 {
        client.send("x").await;
        // The pace is the point of it: a client that is always about to send more.
        let pause = Duration::from_millis(20);
        if tokio::time::timeout(pause, client.stream.readable()).await.is_ok() {
            break;
        }
    }
    soon("an answer", client.response()).await
}

#[tokio::test]
async fn a_client_that_drips_its_body_gets_408_though_it_never_pauses_for_long() {
    let up = Upstream::replying(ok("in")).await;
    for (server, route) in [
        ("min_rate = 10000", ""),
        ("min_rate = 0", "min_rate = 10000\nrequest_body_idle_timeout = \"1s\""),
        ("request_body_timeout = \"1s\"", "min_rate = 0"),
        ("min_rate = 0", "request_body_timeout = \"1s\""),
    ] {
        let running = proxy()
            .server("body_idle_timeout = \"1s\"")
            .server(server)
            .upstream("main", &[up.addr], "")
            .route("/*", "main", route)
            .start();
        let answer = drip(&running).await;
        let outcome = (answer.status, answer.code());
        assert_eq!(outcome, (408, "client_timeout".to_owned()), "{server} {route}");
    }
    assert!(up.requests().iter().all(|head| head.starts_with("POST / ")));
}

#[tokio::test]
async fn the_longest_body_is_the_servers_unless_the_route_has_its_own() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .server("max_body = 4")
        .to(&up)
        .route("/large", "main", "max_body = 8")
        .own_route("/own", "respond = { status = 200 }")
        .start();
    for (path, length, status) in
        [("/", 4, 200), ("/", 5, 413), ("/large", 8, 200), ("/large", 9, 413), ("/own", 5, 413)]
    {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{}",
            "x".repeat(length)
        );
        let answer = Client::to(running.addr).await.ask(request).await;
        assert_eq!(answer.status, status, "{path} {length}");
    }
    let chunked =
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    assert_eq!(Client::to(running.addr).await.ask(chunked).await.status, 413);
}

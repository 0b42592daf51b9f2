//! Two readers must never see two different requests (RFC 9112 §11.2).

use super::support::{Client, Upstream, ok, proxy};

#[tokio::test]
async fn ambiguous_framing_is_refused_and_ends_the_connection() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    for (request, statuses) in [
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            &[400][..],
        ),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n", &[400, 501]),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n", &[400, 501]),
        ("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \u{0}\r\n\r\n", &[400]),
    ] {
        let mut client = Client::to(running.addr).await;
        let answer = client.ask(request).await;
        assert!(statuses.contains(&answer.status), "{request:?}: {}", answer.status);
        assert!(client.is_closed().await, "{request:?}");
    }
    assert!(up.requests().is_empty(), "{:?}", up.requests());
}

#[tokio::test]
async fn a_missing_doubled_or_malformed_host_is_refused() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n",
    ] {
        let answer = Client::to(running.addr).await.ask(request).await;
        assert_eq!(answer.status, 400, "{request:?}");
    }
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn chunked_wins_over_a_length_and_only_one_framing_goes_on() {
    let up = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap().to_ascii_lowercase();
        assert!(
            head.contains("transfer-encoding: chunked") && !head.contains("content-length"),
            "{head}"
        );
        assert_eq!(conn.bytes(13).await, b"3\r\nabc\r\n0\r\n\r\n");
        conn.send(ok("one")).await;
        assert!(conn.is_closed().await || conn.number > 0);
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer = client
        .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert_eq!(answer.text(), "one");
    client.rest().await;
    assert!(up.requests().iter().all(|head| !head.contains("smuggled")), "{:?}", up.requests());
}

#[tokio::test]
async fn connect_and_trace_are_refused() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    for request in
        ["CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n"]
    {
        let answer = Client::to(running.addr).await.ask(request).await;
        assert_eq!(answer.status, 405, "{request}");
        assert!(answer.header("allow").is_some());
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().server("max_head_bytes = 8192").to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer =
        client.ask(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(20_000))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_refused_body_is_never_read_as_the_next_request() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().upstream("main", &[up.addr], "").route("/in/*", "main", "").start();
    let hidden = "GET /in/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut client = Client::to(running.addr).await;
    let refused = client
        .ask(format!(
            "POST /out HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{hidden}",
            hidden.len()
        ))
        .await;
    assert_eq!(refused.status, 404);
    assert_eq!(client.ask("GET /in/real HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    assert!(up.request().starts_with("GET /in/real"));
}

#[tokio::test]
async fn an_unknown_expectation_is_417_and_a_known_one_is_met() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\nexpect: coffee\r\n\r\n").await;
    assert_eq!(answer.status, 417);
    let mut client = Client::to(running.addr).await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status, 100);
    client.send("hi").await;
    assert_eq!(client.response().await.text(), "in");
    assert!(!up.request().contains("expect"));
}

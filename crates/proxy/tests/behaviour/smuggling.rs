//! Two readers must never see two different requests (RFC 9112 §11.2). What makes them is in `table`; here is
//! how the connection goes on.

use super::support::{Client, Upstream, ok, proxy};

#[tokio::test]
async fn what_is_refused_in_a_pipeline_comes_after_what_was_before_it() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let good = "GET /good HTTP/1.1\r\nhost: a\r\n\r\n";
    let bad = "GET /bad#x HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(format!("{good}{good}{bad}{good}")).await;
    for _ in 0..2 {
        assert_eq!(client.response().await.text(), "in");
    }
    let refused = client.response().await;
    assert_eq!((refused.status, refused.code()), (400, "fragment_in_target".to_owned()));
    assert!(client.is_closed().await);
    assert_eq!(up.requests().len(), 2, "{:?}", up.requests());
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
    assert_eq!((answer.status, answer.code()), (431, "head_too_large".to_owned()));
    let running = proxy().server("max_head_bytes = 262144").to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer =
        client.ask(format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "y".repeat(70_000))).await;
    assert_eq!((answer.status, answer.code()), (414, "target_too_long".to_owned()));
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_request_is_answered_like_any_other_refusal() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    for (request, code) in [
        ("nonsense\r\n\r\n", "malformed_request"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "malformed_request"),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", "bare_line_feed"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "ambiguous_framing",
        ),
    ] {
        let mut client = Client::to(running.addr).await;
        let answer = client.ask(request).await;
        // With the id in header and body.
        assert_eq!((answer.status, answer.code()), (400, code.to_owned()), "{request:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(
            answer.header("date").is_some_and(|date| date.ends_with(" GMT")),
            "{}",
            answer.head
        );
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_refusal_waits_for_the_answer_before_it_to_be_taken() {
    let large = "x".repeat(16 << 20);
    let up = Upstream::replying(ok(&large)).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.status, 200);
    // The rest of the answer is more than the way holds.
    client.send("nonsense\r\n\r\n").await;
    assert!(client.exactly(large.len()).await == large.as_bytes());
    let refused = client.response().await;
    assert_eq!((refused.status, refused.code()), (400, "malformed_request".to_owned()));
    assert!(client.is_closed().await);
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

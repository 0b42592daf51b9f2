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
    for status in [200, 200, 400] {
        assert_eq!(client.response().await.status, status);
    }
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

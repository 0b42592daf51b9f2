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
async fn two_framings_of_one_body_are_refused_in_any_order_and_in_pieces() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy().to(&up).start();
    for framing in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "Content-Length: 0\r\nx: y\r\nTRANSFER-ENCODING: chunked",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
        );
        for pieces in [request.len(), 1, 7] {
            let mut client = Client::to(running.addr).await;
            for piece in request.as_bytes().chunks(pieces) {
                // It may be refused before all is sent.
                if client.try_send(piece).await.is_err() {
                    break;
                }
            }
            let answer = client.response().await;
            assert_eq!(answer.status, 400, "{framing:?} in pieces of {pieces}");
            assert!(client.is_closed().await, "{framing:?}");
        }
    }
    assert!(up.requests().is_empty(), "{:?}", up.requests());
}

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

//! R30: what is sent to a server a second time, and what never is. `http2_upstream` has those that speak HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::{Client, Upstream, eventually, ok, proxy};

/// Answers the first request of its first connection, then closes it once the next request is there.
async fn closes_on_reuse() -> Upstream {
    Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.send(ok("first")).await;
        if conn.number == 0 {
            conn.request().await;
            return;
        }
        while conn.request().await.is_some() {
            conn.send(ok("second")).await;
        }
    })
    .await
}

#[tokio::test]
async fn r30_a_safe_request_survives_a_connection_that_died_in_the_pool() {
    let up = closes_on_reuse().await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    assert_eq!(client.ask("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "first");
    assert_eq!(client.ask("GET /2 HTTP/1.1\r\nhost: a\r\nx-kept: 1\r\n\r\n").await.text(), "first");
    let requests = up.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[1].starts_with("GET /2") && requests[2].starts_with("GET /2"), "{requests:?}");
    assert!(requests[2].contains("x-kept: 1"), "the second try is the whole request");
}

#[tokio::test]
async fn r30_without_a_budget_nothing_is_sent_twice() {
    let up = closes_on_reuse().await;
    let running = proxy().only(&up, "retry_budget = \"0%\"").start();
    let mut client = Client::to(running.addr).await;
    assert_eq!(client.ask("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "first");
    let answer = client.ask("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"));
    assert_eq!(up.requests().len(), 2);
}

#[tokio::test]
async fn r30_what_may_have_had_an_effect_or_has_a_body_is_never_sent_twice() {
    for request in [
        "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
        "POST /2 HTTP/1.1\r\nhost: a\r\n\r\n",
        "PATCH /2 HTTP/1.1\r\nhost: a\r\n\r\n",
        // These may be repeated, but their bodies are gone.
        "PUT /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
        "DELETE /2 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "GET /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let up = closes_on_reuse().await;
        let running = proxy().to(&up).start();
        let mut client = Client::to(running.addr).await;
        client.ask("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.ask(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"), "{request}");
        assert_eq!((up.requests().len(), up.connections()), (2, 1), "{request}");
    }
}

#[tokio::test]
async fn r30_what_changes_nothing_is_sent_again_if_it_has_no_body() {
    for request in ["HEAD /2", "OPTIONS /2", "PUT /2", "DELETE /2"] {
        let up = closes_on_reuse().await;
        let running = proxy().to(&up).start();
        let mut client = Client::to(running.addr).await;
        client.ask("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.ask(format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{request}");
        assert_eq!((up.requests().len(), up.connections()), (3, 2), "{request}");
    }
}

#[tokio::test]
async fn r30_once_a_byte_of_an_answer_came_nothing_is_sent_again() {
    for part in ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let up = Upstream::scripted(move |mut conn| async move {
            conn.request().await;
            conn.send(ok("first")).await;
            conn.request().await;
            conn.send(part).await;
        })
        .await;
        let running = proxy().to(&up).start();
        let mut client = Client::to(running.addr).await;
        client.ask("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.ask("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"), "{part:?}");
        assert_eq!((up.requests().len(), up.connections()), (2, 1), "{part:?}");
    }
}

#[tokio::test]
async fn r30_a_request_is_sent_again_once() {
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let up = Upstream::scripted(move |mut conn| {
        let both = both.clone();
        async move {
            conn.request().await;
            if conn.number < 2 {
                both.wait().await;
            }
            conn.send(ok("first")).await;
            conn.request().await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    // Two connections in the pool, and each breaks at its next request.
    let (mut one, mut two) = (Client::to(running.addr).await, Client::to(running.addr).await);
    for client in [&mut one, &mut two] {
        client.send("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    }
    for client in [&mut one, &mut two] {
        assert_eq!(client.response().await.text(), "first");
    }
    let answer = one.ask("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"));
    assert_eq!((up.requests().len(), up.connections()), (4, 2), "{:?}", up.requests());
}

#[tokio::test]
async fn r30_a_request_that_was_never_written_goes_to_a_new_connection_whatever_it_is() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counter = closed.clone();
    let up = Upstream::scripted(move |mut conn| {
        let counter = counter.clone();
        async move {
            conn.request().await;
            conn.send(ok("one each")).await;
            drop(conn);
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    for round in 1..=3 {
        let answer = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        assert_eq!((answer.status, answer.text()), (200, "one each"));
        eventually("the server to close", || closed.load(Ordering::SeqCst) == round).await;
    }
    assert_eq!((up.requests().len(), up.connections()), (3, 3));
}

#[tokio::test]
async fn r30_a_server_that_restarted_gets_the_next_request_whatever_it_is() {
    let up = Upstream::replying(ok("before")).await;
    let addr = up.addr;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(client.ask(post).await.text(), "before");
    drop(up);
    // Until its port is closed, its connections may not be either.
    eventually("the server to be gone", || std::net::TcpStream::connect(addr).is_err()).await;
    let up = Upstream::answering_on(addr, |_| ok("after")).await;
    assert_eq!(client.ask(post).await.text(), "after");
    assert_eq!(up.requests().len(), 1);
}

//! Requests of one route spread over several upstreams.

use std::collections::HashSet;

use super::support::{Client, Running, Upstream, get, ok, proxy};

/// `old` and `new` with these weights.
async fn split(weights: (u32, u32), lines: &str) -> (Upstream, Upstream, Running) {
    let (old, new) = (Upstream::replying(ok("old")).await, Upstream::replying(ok("new")).await);
    let (of_old, of_new) = weights;
    let running = proxy()
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .upstream("old", &[old.addr], "")
        .upstream("new", &[new.addr], "")
        .own_route(
            "/*",
            &format!(
                "upstream = [{{ name = \"old\", weight = {of_old} }}, {{ name = \"new\", weight = {of_new} }}]\n{lines}"
            ),
        )
        .start();
    (old, new, running)
}

#[tokio::test]
async fn requests_are_spread_by_weight() {
    let (old, new, running) = split((3, 1), "").await;
    let mut client = Client::to(running.addr).await;
    for _ in 0..400 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    }
    let (old, new) = (old.requests().len(), new.requests().len());
    assert_eq!(old + new, 400);
    // 100 are expected, with a standard deviation of less than 9.
    assert!((40..=160).contains(&new), "{new} of 400");
}

#[tokio::test]
async fn an_upstream_without_weight_gets_nothing() {
    let (old, new, running) = split((1, 0), "").await;
    for _ in 0..20 {
        assert_eq!(get(running.addr, "/", "").await.text(), "old");
    }
    assert_eq!((old.requests().len(), new.requests().len()), (20, 0));
}

#[tokio::test]
async fn a_cookie_keeps_its_upstream_and_without_it_the_client_does() {
    let (_old, _new, running) = split((1, 1), "split_by = \"cookie:sid\"").await;
    let mut seen = HashSet::new();
    for sid in 0..32 {
        let mut answers = HashSet::new();
        for client in ["9.9.9.1", "9.9.9.2", "9.9.9.3"] {
            let headers = format!("cookie: a=b; sid={sid}\r\nx-forwarded-for: {client}\r\n");
            answers.insert(get(running.addr, "/", &headers).await.text().to_owned());
        }
        assert_eq!(answers.len(), 1, "sid {sid}");
        seen.extend(answers);
    }
    assert_eq!(seen.len(), 2, "some are here, some are there");
    let mut answers = HashSet::new();
    for _ in 0..8 {
        answers
            .insert(get(running.addr, "/", "x-forwarded-for: 9.9.9.9\r\n").await.text().to_owned());
    }
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_client_keeps_its_upstream_whatever_it_says_of_itself() {
    let (_old, _new, running) = split((1, 1), "split_by = \"client\"").await;
    let mut seen = HashSet::new();
    for client in 1..33 {
        let mut answers = HashSet::new();
        for forged in ["", "6.6.6.6, ", "7.7.7.7, "] {
            let headers = format!("x-forwarded-for: {forged}9.9.9.{client}\r\n");
            answers.insert(get(running.addr, "/", &headers).await.text().to_owned());
        }
        assert_eq!(answers.len(), 1, "client {client}");
        seen.extend(answers);
    }
    assert_eq!(seen.len(), 2);
}

//! Servers to which requests fail are left out for a while, and come back little by little.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::support::{Client, Upstream, eventually, get, ok, proxy};

const RULE: &str = "eject = { failures = 3, for = \"1h\" }";

fn failing() -> String {
    "HTTP/1.1 503 Overloaded\r\ncontent-length: 0\r\n\r\n".into()
}

#[tokio::test]
async fn a_server_whose_answers_are_failures_gets_no_more_requests() {
    let (bad, good) = (Upstream::replying(failing()).await, Upstream::replying(ok("good")).await);
    let running =
        proxy().upstream("main", &[bad.addr, good.addr], RULE).route("/*", "main", "").start();
    for _ in 0..6 {
        get(running.addr, "/", "").await;
    }
    assert_eq!(bad.requests().len(), 3, "its turns");
    for _ in 0..6 {
        assert_eq!(get(running.addr, "/", "").await.text(), "good");
    }
    assert_eq!(bad.requests().len(), 3);
}

#[tokio::test]
async fn a_success_in_between_starts_the_count_anew() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let shaky = Upstream::answering(move |_| match turn.fetch_add(1, Ordering::SeqCst) % 3 {
        2 => ok(""),
        _ => failing(),
    })
    .await;
    let good = Upstream::replying(ok("good")).await;
    let running =
        proxy().upstream("main", &[shaky.addr, good.addr], RULE).route("/*", "main", "").start();
    for _ in 0..24 {
        get(running.addr, "/", "").await;
    }
    assert_eq!(shaky.requests().len(), 12);
}

#[tokio::test]
async fn a_server_that_breaks_off_or_hangs_is_ejected_too() {
    for hangs in [false, true] {
        let bad = Upstream::scripted(move |mut conn| async move {
            conn.request().await;
            if hangs {
                assert!(conn.is_closed().await);
            }
        })
        .await;
        let good = Upstream::replying(ok("good")).await;
        let lines = format!("{RULE}\nresponse_timeout = \"100ms\"");
        let running = proxy()
            .upstream("main", &[bad.addr, good.addr], &lines)
            .route("/*", "main", "")
            .start();
        for _ in 0..6 {
            get(running.addr, "/", "").await;
        }
        for _ in 0..6 {
            assert_eq!(get(running.addr, "/", "").await.text(), "good");
        }
        assert_eq!(bad.requests().len(), 3);
    }
}

#[tokio::test]
async fn the_statuses_that_count_are_a_choice() {
    let bad = Upstream::replying("HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n").await;
    for (lines, requests) in [(RULE, 12), ("eject = { failures = 3, statuses = [500] }", 3)] {
        let before = bad.requests().len();
        let good = Upstream::replying(ok("good")).await;
        let running =
            proxy().upstream("main", &[bad.addr, good.addr], lines).route("/*", "main", "").start();
        for _ in 0..24 {
            get(running.addr, "/", "").await;
        }
        assert_eq!(bad.requests().len() - before, requests, "{lines}");
    }
}

#[tokio::test]
async fn the_last_servers_are_never_ejected() {
    let bad = Upstream::replying(failing()).await;
    let running = proxy().only(&bad, RULE).start();
    let mut client = Client::to(running.addr).await;
    for _ in 0..9 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 503);
    }
    assert_eq!(bad.requests().len(), 9);
}

#[tokio::test]
async fn an_ejected_server_is_better_than_none() {
    let bad = Upstream::replying(failing()).await;
    let good = Upstream::replying(ok("good")).await;
    let gone = good.addr;
    let running = proxy().upstream("main", &[bad.addr, gone], RULE).route("/*", "main", "").start();
    for _ in 0..6 {
        get(running.addr, "/", "").await;
    }
    drop(good);
    eventually("its port to be closed", || std::net::TcpStream::connect(gone).is_err()).await;
    let before = bad.requests().len();
    assert_eq!(get(running.addr, "/", "").await.status, 503);
    assert_eq!(bad.requests().len(), before + 1);
}

/// A server that fails until it is well, and then answers `back`.
async fn shaky() -> (Upstream, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let server = Upstream::answering(move |_| match state.load(Ordering::SeqCst) {
        true => ok("back"),
        false => failing(),
    });
    (server.await, well)
}

#[tokio::test]
async fn a_server_comes_back_after_its_time() {
    let (shaky, well) = shaky().await;
    let good = Upstream::replying(ok("good")).await;
    let lines = "eject = { failures = 2, for = \"100ms\" }";
    let running =
        proxy().upstream("main", &[shaky.addr, good.addr], lines).route("/*", "main", "").start();
    while shaky.requests().len() < 2 {
        get(running.addr, "/", "").await;
    }
    well.store(true, Ordering::SeqCst);
    while get(running.addr, "/", "").await.text() != "back" {}
}

#[tokio::test]
async fn a_server_that_is_back_gets_its_share_little_by_little() {
    let (shaky, well) = shaky().await;
    let good = Upstream::replying(ok("good")).await;
    // An hour: during the test its share stays at the beginning.
    let lines = "eject = { failures = 2, for = \"50ms\" }\nslow_start = \"1h\"";
    let running =
        proxy().upstream("main", &[shaky.addr, good.addr], lines).route("/*", "main", "").start();
    while shaky.requests().len() < 2 {
        get(running.addr, "/", "").await;
    }
    well.store(true, Ordering::SeqCst);
    let mut client = Client::to(running.addr).await;
    let mut ask = async || client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while ask().await.text() != "back" {}
    let before = shaky.requests().len();
    for _ in 0..100 {
        assert_eq!(ask().await.status, 200);
    }
    let got = shaky.requests().len() - before;
    assert!(got <= 2, "{got} of 100, where half would be its share");
}

#[tokio::test]
async fn so_does_one_that_its_health_check_found_unwell() {
    let (shaky, well) = shaky().await;
    let good = Upstream::replying(ok("good")).await;
    let lines = "health = { path = \"/health\", interval = \"20ms\", timeout = \"5s\" }\nslow_start = \"1h\"";
    let running =
        proxy().upstream("main", &[shaky.addr, good.addr], lines).route("/*", "main", "").start();
    let mut client = Client::to(running.addr).await;
    let mut ask = async || client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut in_a_row = 0;
    while in_a_row < 10 {
        in_a_row = if ask().await.text() == "good" { in_a_row + 1 } else { 0 };
    }
    well.store(true, Ordering::SeqCst);
    while ask().await.text() != "back" {}
    let mut got = 0;
    for _ in 0..100 {
        got += usize::from(ask().await.text() == "back");
    }
    assert!(got <= 2, "{got} of 100, where half would be its share");
}

#[tokio::test]
async fn a_health_check_may_need_several_answers_to_change_its_mind() {
    let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = answers.clone();
    // Two bad answers, a good one, then bad ones for ever: only three in a row count.
    let sick = Upstream::answering(move |_| {
        let mut seen = seen.lock().unwrap();
        let well = seen.len() == 2;
        seen.push(well);
        if well { ok("") } else { failing() }
    })
    .await;
    let health =
        "health = { path = \"/h\", interval = \"20ms\", timeout = \"5s\", unhealthy_after = 3 }";
    let running = proxy().admin().only(&sick, health).start();
    let admin = running.proxy.admin().unwrap();
    while get(admin, "/ready", "").await.status == 200 {}
    assert!(answers.lock().unwrap().len() >= 6, "{answers:?}");
}

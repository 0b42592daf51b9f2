//! How often a route may be asked: what passes, what is 429, and who is counted together. The times are
//! so long that nothing is earned back while a test runs.

use super::support::{Client, Upstream, auth_service, get, ok, proxy};

/// The statuses of so many requests with these headers, each on a connection of its own.
async fn statuses(addr: std::net::SocketAddr, path: &str, headers: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(get(addr, path, headers).await.status);
    }
    statuses
}

#[tokio::test]
async fn beyond_the_burst_it_is_429_with_the_time_to_wait_and_other_routes_go_on() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .to(&up)
        .route("/login", "main", "rate_limit = { requests = 4, per = \"1d\", burst = 2 }")
        .start();
    let mut client = Client::to(running.addr).await;
    let post = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    for _ in 0..2 {
        assert_eq!(client.ask(post).await.status, 200);
    }
    let refused = client.ask(post).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    // A quarter of a day, less what has passed.
    assert!((21_500..=21_600).contains(&wait), "{wait}");
    assert_eq!(client.ask("GET /other HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    assert_eq!(up.requests().len(), 3);
}

#[tokio::test]
async fn all_workers_count_together() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .server("workers = 4")
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "rate_limit = { requests = 7, per = \"1d\" }")
        .start();
    // The kernel spreads the connections over the workers.
    let statuses = statuses(running.addr, "/", "", 40).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
    assert!(statuses[7..].iter().all(|status| *status == 429), "{statuses:?}");
}

#[tokio::test]
async fn clients_behind_trusted_proxies_are_told_apart_and_forged_addresses_count_for_nothing() {
    let up = Upstream::replying(ok("in")).await;
    let limited = |trusted: &str| {
        proxy()
            .server(trusted)
            .upstream("main", &[up.addr], "")
            .route("/*", "main", "rate_limit = { requests = 1, per = \"1d\" }")
            .start()
    };
    let running = limited("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]");
    for (told, status) in [
        ("9.9.9.9", 200),
        ("9.9.9.9", 429),
        ("1.1.1.1, 9.9.9.9", 429),
        ("1.1.1.1, 9.9.9.9, 10.1.1.1", 429),
        ("9.9.9.8", 200),
        ("2001:db8:1:2::1", 200),
        ("2001:db8:1:2:ffff::7", 429),
        ("2001:db8:1:3::1", 200),
    ] {
        let answer = get(running.addr, "/", &format!("x-forwarded-for: {told}\r\n")).await;
        assert_eq!(answer.status, status, "{told}");
    }
    let running = limited("trusted_proxies = []");
    for (told, status) in [("9.9.9.1", 200), ("9.9.9.2", 429), ("9.9.9.3", 429)] {
        let answer = get(running.addr, "/", &format!("x-forwarded-for: {told}\r\n")).await;
        assert_eq!(answer.status, status, "{told}");
    }
}

#[tokio::test]
async fn a_header_or_the_whole_route_may_be_what_is_counted() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .upstream("main", &[up.addr], "")
        .route("/key", "main", "rate_limit = { requests = 1, per = \"1d\", by = \"header:x-key\" }")
        .own_route(
            "/all",
            "respond = { status = 204 }\nrate_limit = { requests = 2, per = \"1d\", by = \"route\" }",
        )
        .start();
    let addr = running.addr;
    assert_eq!(statuses(addr, "/key", "x-key: a\r\n", 2).await, [200, 429]);
    assert_eq!(statuses(addr, "/key", "x-key: b\r\n", 2).await, [200, 429]);
    assert_eq!(statuses(addr, "/key", "", 2).await, [200, 429], "without it: by address");
    assert_eq!(statuses(addr, "/all", "", 3).await, [204, 204, 429]);
}

#[tokio::test]
async fn every_spelling_of_a_path_counts_as_one() {
    let up = Upstream::replying(ok("in")).await;
    let running = proxy()
        .to(&up)
        .route("/login", "main", "rate_limit = { requests = 2, per = \"1d\" }")
        .start();
    for (path, status) in [
        ("/login", 200),
        ("/%6Cogin", 200),
        ("/login/", 429),
        ("/lo%67in?x", 429),
        ("http://other.test/login", 429),
    ] {
        assert_eq!(get(running.addr, path, "").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn what_is_too_much_never_reaches_the_auth_service() {
    let (service, up) = (auth_service().await, Upstream::replying(ok("in")).await);
    let running = proxy()
        .auth(&service, "cache = \"0s\"")
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "rate_limit = { requests = 2, per = \"1d\" }")
        .start();
    let statuses = statuses(running.addr, "/a", "cookie: session=old\r\n", 5).await;
    assert_eq!(statuses, [401, 401, 429, 429, 429]);
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn a_reload_keeps_the_count_of_a_limit_that_stays_and_starts_a_new_one_afresh() {
    let up = Upstream::replying(ok("in")).await;
    let limited = |limit: &str, more: &str| {
        proxy()
            .upstream("main", &[up.addr], "")
            .own_route(more, "respond = { status = 204 }")
            .route("/a", "main", &format!("rate_limit = {{ {limit} }}"))
    };
    let same = "requests = 1, per = \"1d\"";
    let mut running = limited(same, "/x").start();
    assert_eq!(statuses(running.addr, "/a", "", 2).await, [200, 429]);
    running.reload(&limited(same, "/y")).await.unwrap();
    assert_eq!(get(running.addr, "/y", "").await.status, 204);
    assert_eq!(statuses(running.addr, "/a", "", 1).await, [429]);
    running.reload(&limited("requests = 2, per = \"1d\"", "/z")).await.unwrap();
    assert_eq!(statuses(running.addr, "/a", "", 3).await, [200, 200, 429]);
}

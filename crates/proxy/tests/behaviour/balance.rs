//! Several servers behind one name.

use super::support::{Client, Upstream, eventually, get, ok, proxy};

#[tokio::test]
async fn round_robin_takes_servers_in_turn() {
    let servers = [
        Upstream::replying(ok("a")).await,
        Upstream::replying(ok("b")).await,
        Upstream::replying(ok("c")).await,
    ];
    let addrs: Vec<_> = servers.iter().map(|up| up.addr).collect();
    let running = proxy().upstream("main", &addrs, "").route("/*", "main", "").start();
    for _ in 0..9 {
        get(running.addr, "/", "").await;
    }
    assert_eq!(servers.each_ref().map(|up| up.requests().len()), [3, 3, 3]);
}

#[tokio::test]
async fn least_connections_avoids_a_server_that_is_busy() {
    let busy = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        assert!(conn.is_closed().await);
    })
    .await;
    let free = Upstream::replying(ok("free")).await;
    let running = proxy()
        .upstream("main", &[busy.addr, free.addr], "policy = \"least_connections\"")
        .route("/*", "main", "")
        .start();
    // Hold one request at the busy server; the other one answers until then.
    let mut held = Vec::new();
    while busy.requests().is_empty() {
        let mut client = Client::to(running.addr).await;
        let before = free.requests().len();
        client.send("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
        eventually("a server to get it", || {
            !busy.requests().is_empty() || free.requests().len() > before
        })
        .await;
        held.push(client);
    }
    for _ in 0..6 {
        assert_eq!(get(running.addr, "/", "").await.text(), "free");
    }
    assert_eq!(busy.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_over_for_any_request() {
    let gone = Upstream::replying(ok("")).await.addr;
    let up = Upstream::replying(ok("there")).await;
    let running = proxy().upstream("main", &[gone, up.addr], "").route("/*", "main", "").start();
    for _ in 0..6 {
        let mut client = Client::to(running.addr).await;
        let answer = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        assert_eq!((answer.status, answer.text()), (200, "there"));
    }
}

#[tokio::test]
async fn a_sick_server_is_taken_out_and_put_back() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let sick = Upstream::answering(move |head| {
        if head.starts_with("GET /health") && !state.load(Ordering::SeqCst) {
            return "HTTP/1.1 500 Sick\r\ncontent-length: 0\r\n\r\n".into();
        }
        ok("recovered")
    })
    .await;
    let running = proxy()
        .admin()
        .upstream(
            "main",
            &[sick.addr],
            "health = { path = \"/health\", interval = \"100ms\", timeout = \"1s\" }",
        )
        .route("/*", "main", "")
        .start();
    let admin = running.proxy.admin().unwrap();
    while get(admin, "/ready", "").await.status == 200 {}
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_server"));
    well.store(true, Ordering::SeqCst);
    while get(admin, "/ready", "").await.status != 200 {}
    assert_eq!(get(running.addr, "/", "").await.text(), "recovered");
}

#[tokio::test]
async fn a_heavier_server_gets_more() {
    let (heavy, light) = (Upstream::replying(ok("")).await, Upstream::replying(ok("")).await);
    let servers = format!("{{ address = \"{}\", weight = 3 }}, \"{}\"", heavy.addr, light.addr);
    let running = proxy().servers("main", &servers, "").route("/*", "main", "").start();
    for _ in 0..12 {
        get(running.addr, "/", "").await;
    }
    assert_eq!((heavy.requests().len(), light.requests().len()), (9, 3));
}

#[tokio::test]
async fn a_backup_is_used_while_no_other_server_can_be_reached() {
    let main = Upstream::replying(ok("main")).await;
    let (addr, spare) = (main.addr, Upstream::replying(ok("spare")).await);
    let servers = format!("\"{addr}\", {{ address = \"{}\", backup = true }}", spare.addr);
    let running = proxy().servers("main", &servers, "").route("/*", "main", "").start();
    for _ in 0..4 {
        assert_eq!(get(running.addr, "/", "").await.text(), "main");
    }
    assert_eq!(spare.connections(), 0);
    drop(main);
    eventually("its port to be closed", || std::net::TcpStream::connect(addr).is_err()).await;
    for _ in 0..4 {
        assert_eq!(get(running.addr, "/", "").await.text(), "spare");
    }
    let main = Upstream::answering_on(addr, |_| ok("main")).await;
    while get(running.addr, "/", "").await.text() != "main" {}
    drop(main);
}

#[tokio::test]
async fn requests_with_the_same_key_go_to_the_same_server() {
    let servers = [
        Upstream::replying(ok("a")).await,
        Upstream::replying(ok("b")).await,
        Upstream::replying(ok("c")).await,
    ];
    let addrs: Vec<_> = servers.iter().map(|up| up.addr).collect();
    for (by, header) in [("header:x-room", "x-room: "), ("cookie:room", "cookie: a=b; room=")] {
        let policy = format!("policy = \"hash\"\nhash_by = \"{by}\"");
        // Two proxies, several workers: all agree.
        let start = || {
            proxy()
                .server("workers = 2")
                .upstream("main", &addrs, &policy)
                .route("/*", "main", "")
                .start()
        };
        let (one, other) = (start(), start());
        let mut used = std::collections::BTreeSet::new();
        for room in 0..24 {
            let header = format!("{header}{room}\r\n");
            let first = get(one.addr, "/", &header).await.text().to_owned();
            for addr in [one.addr, other.addr, one.addr] {
                assert_eq!(get(addr, "/", &header).await.text(), first, "{header}");
            }
            used.insert(first);
        }
        assert_eq!(used.len(), 3, "24 keys fall on every server");
    }
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_different_keys_whatever_they_say_of_themselves() {
    let servers = [Upstream::replying(ok("a")).await, Upstream::replying(ok("b")).await];
    let addrs = servers.each_ref().map(|up| up.addr);
    let running = proxy()
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .upstream("main", &addrs, "policy = \"hash\"")
        .route("/*", "main", "")
        .start();
    let mut used = std::collections::BTreeSet::new();
    for client in 1..25 {
        let ask = async |forged: &str| {
            let told = format!("x-forwarded-for: {forged}9.9.9.{client}\r\n");
            get(running.addr, "/", &told).await.text().to_owned()
        };
        let first = ask("").await;
        assert_eq!(ask("6.6.6.6, ").await, first);
        assert_eq!(ask("7.7.7.7, ").await, first);
        used.insert(first);
    }
    assert_eq!(used.len(), 2, "24 clients fall on both servers");
}

#[tokio::test]
async fn a_key_is_taken_before_the_route_changes_headers() {
    let servers = [Upstream::replying(ok("a")).await, Upstream::replying(ok("b")).await];
    let addrs = servers.each_ref().map(|up| up.addr);
    let running = proxy()
        .upstream("main", &addrs, "policy = \"hash\"\nhash_by = \"cookie:room\"")
        .route("/*", "main", "request_headers.remove = [\"cookie\"]")
        .start();
    let mut used = std::collections::BTreeSet::new();
    for room in 0..24 {
        let cookie = format!("cookie: room={room}\r\n");
        let first = get(running.addr, "/", &cookie).await.text().to_owned();
        assert_eq!(get(running.addr, "/", &cookie).await.text(), first);
        used.insert(first);
    }
    assert_eq!(used.len(), 2);
    assert!(servers.iter().all(|up| up.requests().iter().all(|head| !head.contains("room="))));
}

#[tokio::test]
async fn when_the_server_of_a_key_is_gone_the_key_goes_to_another_and_the_others_stay() {
    let servers = [Upstream::replying(ok("a")).await, Upstream::replying(ok("b")).await];
    let third = Upstream::replying(ok("c")).await;
    let addrs = [servers[0].addr, servers[1].addr, third.addr];
    let policy = "policy = \"hash\"\nhash_by = \"header:x-room\"";
    let running = proxy().upstream("main", &addrs, policy).route("/*", "main", "").start();
    let mut before = Vec::new();
    for room in 0..24 {
        let header = format!("x-room: {room}\r\n");
        before.push(get(running.addr, "/", &header).await.text().to_owned());
    }
    drop(third);
    eventually("its port to be closed", || std::net::TcpStream::connect(addrs[2]).is_err()).await;
    for (room, before) in before.iter().enumerate() {
        let answer = get(running.addr, "/", &format!("x-room: {room}\r\n")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text() == before || before == "c", "{room}: {} {before}", answer.text());
    }
}

#[tokio::test]
async fn of_two_servers_the_one_that_answers_slowly_is_left_alone() {
    let (go, gate) = tokio::sync::watch::channel(false);
    let slow = Upstream::scripted(move |mut conn| {
        let mut gate = gate.clone();
        async move {
            while conn.request().await.is_some() {
                let _ = gate.wait_for(|open| *open).await;
                conn.send(ok("slow")).await;
            }
        }
    })
    .await;
    let fast = Upstream::replying(ok("fast")).await;
    let running = proxy()
        .upstream("main", &[slow.addr, fast.addr], "policy = \"random_two\"")
        .route("/*", "main", "")
        .start();
    // Nothing is known yet, so the slow one is drawn soon enough.
    let mut waiting = Client::to(running.addr).await;
    loop {
        waiting.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answered = fast.requests().len();
        eventually("a server to get it", || {
            !slow.requests().is_empty() || fast.requests().len() > answered
        })
        .await;
        if !slow.requests().is_empty() {
            break;
        }
        assert_eq!(waiting.response().await.text(), "fast");
    }
    // It has a request at hand: the other one is the better choice, measured or not.
    for _ in 0..20 {
        assert_eq!(get(running.addr, "/", "").await.text(), "fast");
    }
    // It answered at last, long after the other one would have.
    go.send(true).unwrap();
    assert_eq!(waiting.response().await.text(), "slow");
    for _ in 0..20 {
        assert_eq!(get(running.addr, "/", "").await.text(), "fast");
    }
    assert_eq!(slow.requests().len(), 1);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_it_tells_of_is_the_key() {
    let servers = [Upstream::replying(ok("a")).await, Upstream::replying(ok("b")).await];
    let addrs = servers.each_ref().map(|up| up.addr);
    for (trusted, used) in [("127.0.0.0/8", 2), ("10.0.0.0/8", 1)] {
        let running = proxy()
            .server(&format!("trusted_proxies = [\"{trusted}\"]"))
            .upstream("main", &addrs, "policy = \"hash\"\nhash_by = \"client\"")
            .route("/*", "main", "")
            .start();
        let mut seen = std::collections::BTreeSet::new();
        for client in 0..16 {
            let told = format!("x-forwarded-for: 203.0.113.{client}\r\n");
            let first = get(running.addr, "/", &told).await.text().to_owned();
            assert_eq!(get(running.addr, "/", &told).await.text(), first);
            seen.insert(first);
        }
        assert_eq!(seen.len(), used, "{trusted}");
    }
}

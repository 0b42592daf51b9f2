//! What breaks, and what the client is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::{Client, Upstream, eventually, get, ok, proxy};

#[tokio::test]
async fn a_server_that_breaks_off_before_an_answer_is_a_bad_gateway() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
    })
    .await;
    let running = proxy().to(&up).start();
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_closed"));
    assert_eq!(up.requests().len(), 1, "a fresh connection is no reason to try again");
}

#[tokio::test]
async fn nonsense_from_a_server_is_a_bad_gateway() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    ] {
        let up = Upstream::replying(nonsense).await;
        let running = proxy().to(&up).start();
        let answer = get(running.addr, "/", "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "upstream_invalid"),
            "{nonsense:?}"
        );
    }
}

#[tokio::test]
async fn a_refusing_server_is_503_and_works_as_soon_as_it_is_there() {
    let addr = Upstream::replying(ok("")).await.addr;
    let running = proxy().upstream("main", &[addr], "").route("/*", "main", "").start();
    let away = get(running.addr, "/", "").await;
    assert_eq!((away.status, away.code().as_str()), (503, "upstream_refused"));
    assert!(away.header("retry-after").is_some());
    let up = Upstream::answering_on(addr, |_| ok("late")).await;
    assert_eq!(get(running.addr, "/", "").await.text(), "late");
    drop(up);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_503_not_a_failed_start() {
    let text = "[server]\nlisten = [\"127.0.0.1:0\"]\naccess_log = \"off\"\n[upstreams.main]\n\
                servers = [\"no-such-host.invalid:80\"]\n[[hosts]]\nnames = [\"*\"]\n\
                [[hosts.routes]]\npath = \"/*\"\nupstream = \"main\"\n";
    let config = proxy::Config::parse(text, "proxy.conf").unwrap().config;
    let running = proxy::Proxy::bind(config, proxy::Options::default()).unwrap();
    let answer = get(running.addr(), "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_server"));
}

#[tokio::test]
async fn a_name_is_resolved_to_all_its_addresses() {
    let up = Upstream::replying(ok("named")).await;
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\naccess_log = \"off\"\n[upstreams.main]\n\
         servers = [\"localhost:{}\"]\n[[hosts]]\nnames = [\"*\"]\n\
         [[hosts.routes]]\npath = \"/*\"\nupstream = \"main\"\n",
        up.addr.port()
    );
    let config = proxy::Config::parse(&text, "proxy.conf").unwrap().config;
    let running = proxy::Proxy::bind(config, proxy::Options::default()).unwrap();
    // localhost may be ::1 too, where nobody listens: the next address is tried.
    for _ in 0..4 {
        assert_eq!(get(running.addr(), "/", "").await.text(), "named");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_504() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        assert!(conn.is_closed().await, "the proxy hangs up");
    })
    .await;
    let running = proxy().only(&up, "response_timeout = \"100ms\"").start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
}

#[tokio::test]
async fn a_route_may_be_more_or_less_patient_than_its_upstream() {
    let up = Upstream::scripted(|mut conn| async move {
        let head = conn.request().await.unwrap();
        if head.starts_with("GET /half") {
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        }
        assert!(conn.is_closed().await, "the proxy hangs up");
    })
    .await;
    // Of two limits the other one is longer than a test waits.
    let short = "response_timeout = \"100ms\"\nbody_idle_timeout = \"100ms\"";
    let long = "response_timeout = \"1h\"\nbody_idle_timeout = \"1h\"";
    let running = proxy()
        .upstream("patient", &[up.addr], long)
        .upstream("hasty", &[up.addr], short)
        .route("/silent/hasty", "patient", short)
        .route("/half/hasty", "patient", short)
        .route("/silent/patient", "hasty", long)
        .route("/half/patient", "hasty", long)
        .start();
    let asked = async |path| {
        let mut client = Client::to(running.addr).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        client
    };
    let (mut silent, mut half) = (asked("/silent/patient").await, asked("/half/patient").await);
    assert_eq!(half.head().await.status, 200);
    assert_eq!(half.exactly(4).await, b"half");
    let answer = asked("/silent/hasty").await.response().await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    let mut cut = asked("/half/hasty").await;
    assert_eq!(cut.head().await.status, 200);
    assert_eq!(cut.rest().await, b"half");
    // Asked before these, and still waiting.
    for client in [&mut silent, &mut half] {
        let read = client.stream.try_read(&mut [0]);
        assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}

#[tokio::test]
async fn a_truncated_answer_never_looks_complete() {
    for truncated in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let up = Upstream::scripted(move |mut conn| async move {
            conn.request().await;
            conn.send(truncated).await;
            // Not all at once, so that the client has seen the beginning when the end comes.
            conn.bytes(1).await;
        })
        .await;
        let running = proxy().only(&up, "body_idle_timeout = \"100ms\"").start();
        let mut client = Client::to(running.addr).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        let rest = String::from_utf8(client.rest().await).unwrap();
        assert!(rest.contains("half") && !rest.ends_with("0\r\n\r\n"), "{rest:?}");
        // All at once: nothing or a part, but never the whole.
        let up = Upstream::scripted(move |mut conn| async move {
            conn.request().await;
            conn.send(truncated).await;
        })
        .await;
        let running = proxy().to(&up).start();
        let mut client = Client::to(running.addr).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let all = String::from_utf8(client.rest().await).unwrap();
        assert!(!all.ends_with("0\r\n\r\n"), "{all:?}");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_in_its_answer_is_given_up() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        assert!(conn.is_closed().await);
    })
    .await;
    let running = proxy().only(&up, "body_idle_timeout = \"100ms\"").start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.rest().await, b"half");
}

#[tokio::test]
async fn a_client_that_stops_in_its_body_gets_408() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.bytes(4).await;
        assert!(conn.is_closed().await, "half a body is not passed off as a whole one");
    })
    .await;
    let running = proxy().server("body_idle_timeout = \"100ms\"").to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "client_timeout"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_stops_in_its_head_is_hung_up_on() {
    let up = Upstream::replying(ok("")).await;
    let running = proxy().server("header_timeout = \"100ms\"").to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: ").await;
    assert!(client.is_closed().await);
    // The same on a connection that has served a request.
    let mut client = Client::to(running.addr).await;
    client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.send("GET / HT").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_idle_client_connection_is_closed_after_keep_alive() {
    let up = Upstream::replying(ok("")).await;
    let running = proxy().server("keep_alive = \"100ms\"").to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_not_passed_off_as_complete() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let up = Upstream::scripted(move |mut conn| {
        let counter = counter.clone();
        async move {
            conn.request().await;
            assert_eq!(conn.bytes(100).await, b"4\r\nhalf\r\n", "no last chunk");
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        .await;
    eventually("the request", || up.requests().len() == 1).await;
    drop(client);
    eventually("the end", || seen.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let up = Upstream::replying(ok("")).await;
    let running = proxy().server("max_connections = 1").to(&up).start();
    let mut first = Client::to(running.addr).await;
    assert_eq!(first.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    let mut second = Client::to(running.addr).await;
    let refused = second.response().await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("too_many_connections"));
}

#[tokio::test]
async fn connections_to_a_server_are_capped() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        assert!(conn.is_closed().await);
    })
    .await;
    let running = proxy().only(&up, "max_connections = 1\nqueue = 0").start();
    let mut first = Client::to(running.addr).await;
    first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let answer = get(running.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_busy"));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn surplus_bytes_behind_an_answer_end_its_connection() {
    let up = Upstream::scripted(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(format!(
                "{}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nevil!",
                ok(&conn.number.to_string())
            ))
            .await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    for expected in ["0", "1"] {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), expected);
    }
}

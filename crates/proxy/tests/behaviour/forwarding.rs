//! A request goes through and its answer comes back, changed only where it must be.

use super::support::{Client, Upstream, get, ok, proxy};

#[tokio::test]
async fn a_request_arrives_with_the_headers_of_a_gateway() {
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&up).start();
    let answer =
        get(running.addr, "/a?b=c", "x-mine: 1\r\nconnection: x-hop, keep-alive\r\nx-hop: 1\r\n")
            .await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let head = up.request().to_ascii_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\r\n"), "{head}");
    for line in [
        "host: chat.test\r\n",
        "x-mine: 1\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-proto: http\r\n",
        "x-forwarded-host: chat.test\r\n",
        "via: 1.1 hybrid-chat\r\n",
        "x-request-id: ",
    ] {
        assert!(head.contains(line), "{line:?} is missing in {head}");
    }
    assert!(!head.contains("x-hop") && !head.contains("connection:"), "{head}");
}

#[tokio::test]
async fn one_client_and_one_upstream_connection_serve_many_requests() {
    let up = Upstream::replying(ok("again")).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    for _ in 0..20 {
        let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.text(), "again");
    }
    assert_eq!((up.requests().len(), up.connections()), (20, 1));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let up = Upstream::answering(|head| ok(head.split(' ').nth(1).unwrap())).await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    for expected in ["/1", "/2", "/3"] {
        assert_eq!(client.response().await.text(), expected);
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_their_headers_and_the_connection() {
    let up = Upstream::answering(|head| {
        match head.split(' ').nth(1).unwrap() {
            "/304" => "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 1000\r\n\r\n",
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
        }
        .into()
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let head = client.ask("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000")));
    let unchanged = client.ask("GET /304 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some("\"x\"")));
    let none = client.ask("GET /204 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((none.status, none.header("content-length")), (204, None));
    assert!(!none.head.contains("transfer-encoding"));
    assert_eq!(up.connections(), 1, "each of them leaves the connection usable");
}

#[tokio::test]
async fn an_http_1_0_client_gets_a_body_it_can_frame() {
    let up = Upstream::replying(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    let answer = client.ask("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert!(!answer.head.to_ascii_lowercase().contains("chunked"), "{}", answer.head);
    assert_eq!(answer.text(), "abc");
    assert!(up.request().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_date_is_added_only_when_the_server_gave_none() {
    let up = Upstream::answering(|head| {
        let date = if head.starts_with("GET /own") {
            "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        } else {
            ""
        };
        format!("HTTP/1.1 200 OK\r\n{date}content-length: 0\r\n\r\n")
    })
    .await;
    let running = proxy().to(&up).start();
    assert_eq!(
        get(running.addr, "/own", "").await.header("date"),
        Some("Thu, 01 Jan 1970 00:00:00 GMT")
    );
    assert!(get(running.addr, "/none", "").await.header("date").is_some());
}

#[tokio::test]
async fn what_has_no_route_is_404_and_says_so() {
    let up = Upstream::replying(ok("")).await;
    let running = proxy().upstream("main", &[up.addr], "").route("/here/*", "main", "").start();
    let answer = get(running.addr, "/there", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "no_route"));
    assert!(up.requests().is_empty());
}

#[tokio::test]
async fn the_most_specific_route_wins() {
    let (chat, pages) =
        (Upstream::replying(ok("chat")).await, Upstream::replying(ok("pages")).await);
    let running = proxy()
        .upstream("pages", &[pages.addr], "")
        .upstream("chat", &[chat.addr], "")
        .route("/*", "pages", "")
        .route("/chat/*", "chat", "")
        .start();
    assert_eq!(get(running.addr, "/chat/events", "").await.text(), "chat");
    assert_eq!(get(running.addr, "/chat.html", "").await.text(), "pages");
}

#[tokio::test]
async fn a_body_longer_than_the_route_allows_is_413() {
    let up = Upstream::replying(ok("")).await;
    let running =
        proxy().upstream("main", &[up.addr], "").route("/*", "main", "max_body = 10").start();
    let mut client = Client::to(running.addr).await;
    let declared =
        client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n01234567890").await;
    assert_eq!((declared.status, declared.code().as_str()), (413, "body_too_large"));
    assert!(up.requests().is_empty(), "what is declared too long isn't even begun");
    let mut client = Client::to(running.addr).await;
    let undeclared = client
        .ask("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n")
        .await;
    assert_eq!((undeclared.status, undeclared.code().as_str()), (413, "body_too_large"));
    let mut client = Client::to(running.addr).await;
    let fits =
        client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n0123456789").await;
    assert_eq!(fits.status, 200);
}

#[tokio::test]
async fn the_admin_address_tells_health_readiness_and_metrics() {
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&up).admin().start();
    let admin = running.proxy.admin().unwrap();
    get(running.addr, "/", "").await;
    assert_eq!(get(admin, "/health", "").await.status, 200);
    assert_eq!(get(admin, "/ready", "").await.status, 200);
    let mut text = String::new();
    for _ in 0..100 {
        text = get(admin, "/metrics", "").await.text().to_owned();
        if text.contains("proxy_requests_total{status=\"2xx\"} 1") {
            break;
        }
    }
    assert!(text.contains("proxy_upstream_seconds_count{upstream=\"main\"} 1"), "{text}");
    assert!(text.contains("proxy_sent_bytes_total 5"), "{text}");
}

//! What the admin address tells of routes and upstreams.

use super::support::{Client, Upstream, eventually, get, ok, proxy, soon};

#[tokio::test]
async fn requests_are_counted_by_route_and_upstream_over_reloads() {
    let up = Upstream::answering(|head| match head.starts_with("GET /bad") {
        true => "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".into(),
        false => ok("hello"),
    })
    .await;
    let build = || {
        proxy()
            .server("workers = 2")
            .admin()
            .upstream("main", &[up.addr], "")
            .route("/*", "main", "")
            .route("/chat/*", "main", "max_body = 1")
    };
    let mut running = build().start();
    for path in ["/", "/bad", "/chat/a", "/chat/b"] {
        get(running.addr, path, "").await;
    }
    let mut client = Client::to(running.addr).await;
    client.ask("POST /chat HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab").await;
    running
        .reload(&build().upstream("another", &[up.addr], "").route("/new", "another", ""))
        .await
        .unwrap();
    get(running.addr, "/", "").await;
    for (name, want) in [
        ("proxy_route_requests_total{host=\"*\",route=\"/*\",status=\"2xx\"}", "2"),
        ("proxy_route_requests_total{host=\"*\",route=\"/*\",status=\"5xx\"}", "1"),
        ("proxy_route_requests_total{host=\"*\",route=\"/chat/*\",status=\"2xx\"}", "2"),
        ("proxy_route_requests_total{host=\"*\",route=\"/chat/*\",status=\"4xx\"}", "1"),
        ("proxy_route_seconds_count{host=\"*\",route=\"/chat/*\"}", "2"),
        ("proxy_upstream_requests_total{upstream=\"main\",status=\"2xx\"}", "4"),
        ("proxy_upstream_requests_total{upstream=\"main\",status=\"5xx\"}", "1"),
        ("proxy_upstream_servers{upstream=\"main\",state=\"healthy\"}", "1"),
    ] {
        // A request is counted when the proxy knows that it is over, a moment after its client does.
        soon(name, async {
            while running.metric(name).await.as_deref() != Some(want) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert_eq!(running.metric("proxy_route_seconds_count{host=\"*\",route=\"/new\"}").await, None);
}

#[tokio::test]
async fn connections_to_an_upstream_are_told_as_idle_or_in_use() {
    let up = Upstream::scripted(|mut conn| async move {
        let Some(head) = conn.request().await else { return };
        if head.starts_with("GET /hang") {
            std::future::pending::<()>().await;
        }
        conn.send(ok("hello")).await;
        conn.request().await;
    })
    .await;
    let running = proxy().admin().only(&up, "idle_timeout = \"1m\"").start();
    let mut hanging = Client::to(running.addr).await;
    hanging.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the request", || up.requests().len() == 1).await;
    get(running.addr, "/", "").await;
    for state in ["idle", "in_use"] {
        let name = format!("proxy_upstream_connections{{upstream=\"main\",state=\"{state}\"}}");
        // Noted twice a second.
        soon(&name, async {
            while running.metric(&name).await.as_deref() != Some("1") {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

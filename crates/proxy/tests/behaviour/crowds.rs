//! No client takes all connections for itself. The loopback is exempt, so a PROXY header tells other addresses.

use crate::support::{Client, Running, Upstream, ok, proxy};

async fn start(upstream: &Upstream) -> Running {
    proxy()
        .listen("{ address = \"127.0.0.1:0\", proxy_protocol = true }")
        .server("trusted_proxies = [\"127.0.0.0/8\", \"198.51.100.0/24\"]")
        .server("max_connections_per_client = 2")
        .to(upstream)
        .start()
}

/// A connection of the client at `address` that has been served a request.
async fn connection(running: &Running, address: &str) -> (Client, u16) {
    let mut client = Client::to(running.addr).await;
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    client.send(format!("PROXY {family} {address} {address} 4711 443\r\n")).await;
    client.send("GET / HTTP/1.1\r\nhost: chat.test\r\n\r\n").await;
    let response = client.response().await;
    if response.status == 503 {
        let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(body["code"], "too_many_connections_of_client");
        assert_eq!(response.header("retry-after"), Some("1"));
        assert!(client.is_closed().await);
    }
    (client, response.status)
}

#[tokio::test]
async fn one_client_has_only_so_many_connections() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = start(&upstream).await;
    let (first, status) = connection(&running, "192.0.2.1").await;
    assert_eq!(status, 200);
    let (_second, status) = connection(&running, "192.0.2.1").await;
    assert_eq!(status, 200);
    assert_eq!(connection(&running, "192.0.2.1").await.1, 503);
    assert_eq!(connection(&running, "192.0.2.2").await.1, 200, "another client");
    drop(first);
    // Until the proxy has seen that it is gone, there is no room.
    crate::support::soon("room again", async {
        while connection(&running, "192.0.2.1").await.1 != 200 {}
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_network_is_one_client() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = start(&upstream).await;
    let _first = connection(&running, "2001:db8::1").await;
    let _second = connection(&running, "2001:db8::2").await;
    assert_eq!(connection(&running, "2001:db8::3").await.1, 503);
    assert_eq!(connection(&running, "2001:db8:0:1::1").await.1, 200);
}

#[tokio::test]
async fn trusted_proxies_and_the_loopback_have_as_many_as_they_need() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = start(&upstream).await;
    for address in ["198.51.100.1", "127.0.0.1"] {
        let mut open = Vec::new();
        for _ in 0..5 {
            let (client, status) = connection(&running, address).await;
            assert_eq!(status, 200, "{address}");
            open.push(client);
        }
    }
}

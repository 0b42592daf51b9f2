//! A balancer in front tells the client's address with a PROXY header, and is the only one who may.

use crate::support::{Builder, Client, Running, Upstream, eventually, ok, proxy};

const DOOR: &str = "{ address = \"127.0.0.1:0\", proxy_protocol = true }";
const TRUSTED: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

fn balanced() -> Builder {
    proxy().listen(DOOR).server(TRUSTED)
}

/// A second version header for `192.0.2.7:4711`, with a field that is unknown here.
fn version_two() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x21, 0x11, 0, 17, 192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 0xbb]);
    header.extend([0xe0, 0, 2, b'o', b'k']);
    header
}

async fn ask_after(running: &Running, header: &[u8]) -> u16 {
    let mut client = Client::to(running.addr).await;
    client.send(header).await;
    client.ask("GET /a HTTP/1.1\r\nhost: chat.test\r\n\r\n").await.status
}

#[tokio::test]
async fn the_upstream_is_told_the_address_that_the_header_told() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().to(&upstream).start();
    for header in [b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".as_slice(), &version_two()] {
        assert_eq!(ask_after(&running, header).await, 200);
        let heads = upstream.requests();
        let head = heads.last().unwrap();
        assert!(head.contains("x-forwarded-for: 192.0.2.7\r\n"), "{head}");
        assert!(head.contains("forwarded: for=192.0.2.7;"), "{head}");
    }
    let six = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n";
    assert_eq!(ask_after(&running, six).await, 200);
    let heads = upstream.requests();
    assert!(heads.last().unwrap().contains("for=\"[2001:db8::7]\";"), "{heads:?}");
}

#[tokio::test]
async fn the_header_may_come_in_pieces_or_together_with_requests() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    for byte in b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n" {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.ask("GET /a HTTP/1.1\r\nhost: chat.test\r\n\r\n").await.status, 200);

    let mut client = Client::to(running.addr).await;
    let mut all = version_two();
    all.extend(b"GET /b HTTP/1.1\r\nhost: chat.test\r\n\r\n");
    all.extend(b"GET /c HTTP/1.1\r\nhost: chat.test\r\n\r\n");
    client.send(all).await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(client.response().await.status, 200);
    assert!(upstream.requests().last().unwrap().starts_with("GET /c "));
}

#[tokio::test]
async fn a_check_of_the_balancer_itself_comes_from_the_balancer() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().to(&upstream).start();
    assert_eq!(ask_after(&running, b"PROXY UNKNOWN\r\n").await, 200);
    assert!(upstream.request().contains("x-forwarded-for: 127.0.0.1\r\n"));
}

#[tokio::test]
async fn the_told_client_is_no_trusted_proxy() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").await;
    client.ask("GET / HTTP/1.1\r\nhost: chat.test\r\nx-forwarded-for: 1.2.3.4\r\n\r\n").await;
    let head = upstream.request();
    assert!(!head.contains("1.2.3.4"), "{head}");
}

#[tokio::test]
async fn without_a_header_or_with_a_broken_one_the_connection_is_closed() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().to(&upstream).start();
    for bytes in [
        "GET / HTTP/1.1\r\nhost: chat.test\r\n\r\n",
        "PROXY TCP4 nonsense\r\nGET / HTTP/1.1\r\nhost: chat.test\r\n\r\n",
    ] {
        let mut client = Client::to(running.addr).await;
        client.send(bytes).await;
        assert!(client.is_closed().await, "{bytes}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn who_is_not_trusted_may_not_connect_at_all() {
    let upstream = Upstream::replying(ok("hello")).await;
    let server = "trusted_proxies = [\"192.0.2.0/24\"]";
    let running = proxy().listen(DOOR).server(server).to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_header_that_never_ends_is_waited_for_only_so_long() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = balanced().server("proxy_protocol_timeout = \"100ms\"").to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    client.send("PROXY TCP4 192.0.2.7").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn plain_addresses_beside_it_take_no_header() {
    let upstream = Upstream::replying(ok("hello")).await;
    let both = format!("{DOOR}, \"127.0.0.2:0\"");
    let running = proxy().listen(&both).server(TRUSTED).to(&upstream).start();
    let plain = running.proxy.addrs()[1];
    let mut client = Client::to(plain).await;
    assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: chat.test\r\n\r\n").await.status, 200);
    let mut client = Client::to(plain).await;
    client.send("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nhost: chat.test\r\n\r\n").await;
    assert_eq!(client.response().await.status, 400);
    eventually("one request", || upstream.requests().len() == 1).await;
}

//! `tls = "local"`: a CA of the proxy's own, so that browsers on a LAN get a secure context.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Builder, Client, Trust, Upstream, get, ok, proxy};

/// One address with TLS, one without.
fn local(dir: &std::path::Path) -> Builder {
    proxy().listen("{ address = \"127.0.0.1:0\", tls = \"local\" }, \"127.0.0.2:0\"").tls(&format!(
        "dir = {:?}\nlocal_names = [\"chat.example.org\", \"192.0.2.7\"]",
        dir.join("tls")
    ))
}

#[tokio::test]
async fn who_trusts_the_ca_reaches_every_name_and_address() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = Upstream::replying(ok("hello")).await;
    let running = local(dir.path()).to(&upstream).start();
    let plain = running.proxy.addrs()[1];
    let response = get(plain, "/.well-known/hybrid-chat/ca.crt", "").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/x-x509-ca-cert"));
    let trust = Trust::in_pem(&response.body);
    for name in ["localhost", "127.0.0.1", "::1", "chat.example.org", "192.0.2.7"] {
        let mut client = trust.connect(running.addr, name).await;
        let response = client.ask("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!((response.status, response.text()), (200, "hello"), "{name}");
    }
    assert!(trust.try_connect(running.addr, "example.org").await.is_err());
    let mut client = trust.connect(running.addr, "localhost").await;
    let request = "GET /.well-known/hybrid-chat/ca.crt HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(client.ask(request).await.body, response.body, "by https as well");
}

#[tokio::test]
async fn the_ca_outlives_the_program_and_its_key_is_nobody_elses_business() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = Upstream::replying(ok("hello")).await;
    let first = local(dir.path()).to(&upstream).start();
    let trust = Trust::in_file(&dir.path().join("tls/ca.crt"));
    let before = trust.shown(first.addr, "localhost").await;
    first.proxy.shutdown().await;
    let mode = |file: &str| dir.path().join(file).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("tls"), mode("tls/ca.key")), (0o700, 0o600));
    let second = local(dir.path()).to(&upstream).start();
    assert_ne!(trust.shown(second.addr, "localhost").await, before, "trusted, and made anew");
}

#[tokio::test]
async fn a_broken_ca_is_not_replaced_behind_the_operators_back() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = Upstream::replying(ok("hello")).await;
    let running = local(dir.path()).to(&upstream).start();
    running.proxy.shutdown().await;
    std::fs::write(dir.path().join("tls/ca.key"), "rubbish").unwrap();
    let text = local(dir.path()).to(&upstream).text();
    let config = proxy::Config::parse(&text, "proxy.conf").unwrap().config;
    let error = proxy::Proxy::bind(config, proxy::Options::default()).unwrap_err().to_string();
    assert!(error.contains("ca.key: it is no private key"), "{error}");
    assert!(error.contains("for a new CA"), "{error}");
}

#[tokio::test]
async fn without_it_the_path_is_like_any_other() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let mut client = Client::to(running.addr).await;
    let request = "GET /.well-known/hybrid-chat/ca.crt HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(client.ask(request).await.text(), "hello");
}

#[tokio::test]
async fn plain_http_is_sent_on_to_the_first_entry_with_tls() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = Upstream::replying(ok("hello")).await;
    // An address that nothing else uses; its port is known beforehand.
    let secure = std::net::TcpListener::bind("127.0.0.9:0").unwrap().local_addr().unwrap();
    let running = proxy()
        .listen(&format!(
            "{{ address = \"127.0.0.1:0\", redirect_to_https = true }}, \
             {{ address = \"{secure}\", tls = \"local\" }}, \
             {{ address = \"127.0.0.3:0\", tls = \"local\" }}",
        ))
        .tls(&format!("dir = {:?}\nlocal_names = [\"127.0.0.9\"]", dir.path()))
        .to(&upstream)
        .start();
    let response = get(running.addr, "/a?b", "").await;
    assert_eq!(response.status, 308);
    let there = format!("https://chat.test:{}/a?b", secure.port());
    assert_eq!(response.header("location"), Some(&*there));
    let trust = Trust::in_file(&dir.path().join("ca.crt"));
    let mut client = trust.connect(secure, "localhost").await;
    assert_eq!(client.ask("GET /a?b HTTP/1.1\r\nhost: localhost\r\n\r\n").await.text(), "hello");
}

#[tokio::test]
async fn plain_http_is_sent_on_to_https() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy()
        .listen(
            "{ address = \"127.0.0.1:0\", redirect_to_https = 8443 }, \
             { address = \"127.0.0.2:0\", redirect_to_https = 443 }, \
             { address = \"127.0.0.3:0\", tls = \"local\" }",
        )
        .tls(&format!("dir = {:?}", dir.path()))
        .to(&upstream)
        .start();
    let addrs = running.proxy.addrs();
    let location = async |addr, request: &str| {
        let response = Client::to(addr).await.ask(request).await;
        assert_eq!(response.status, 308, "{request}");
        response.header("location").unwrap().to_owned()
    };
    assert_eq!(
        location(addrs[0], "GET /a%20b/?q=1 HTTP/1.1\r\nhost: Chat.test:8080\r\n\r\n").await,
        "https://chat.test:8443/a%20b/?q=1"
    );
    assert_eq!(
        location(addrs[1], "POST / HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 0\r\n\r\n").await,
        "https://[::1]/"
    );
    let proof = get(addrs[0], "/.well-known/acme-challenge/token", "").await;
    assert_eq!(proof.text(), "hello", "public CAs begin with plain http");
    assert_eq!(get(addrs[0], "/.well-known/hybrid-chat/ca.crt", "").await.status, 200);
    let nameless = Client::to(addrs[0]).await.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(nameless.status, 400);
    let dotted = get(addrs[0], "/.well-known/acme-challenge/../../a", "").await;
    assert_eq!(dotted.status, 400, "no way around");
}

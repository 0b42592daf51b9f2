//! Servers over https.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::program::{peer, ran};
use crate::support::{Town, town};

/// TLS in front of the tracker: its address, and its certificate as PEM.
async fn tls(town: &Town) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tracker = town.addr;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that doesn't trust the certificate hangs up.
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(tracker).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (format!("https://localhost:{port}"), made.cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_the_live_stream_go_over_tls_to_a_server_that_is_trusted() {
    let town = town().await;
    let (url, certificate) = tls(&town).await;
    let mut bob = town.listener("bob").await;
    let trust = town.home("trust.pem");
    std::fs::write(&trust, certificate).unwrap();
    let send = ["--server", &url, "--guest", "alice", "send", "bob", "over tls", "--wait", "30"];
    let mut alice = peer(&town.home("alice"));
    alice.args(send).args(["--peer-ip", "127.0.0.1"]).env("SSL_CERT_FILE", &trust);
    ran(&mut alice).await.exits(0);
    assert_eq!(bob.next_of("direct").await["message"], "over tls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_trusted_is_told_nothing() {
    let town = town().await;
    let (url, _) = tls(&town).await;
    let (_, other) = tls(&town).await;
    let trust = town.home("other.pem");
    std::fs::write(&trust, other).unwrap();
    let mut alice = peer(&town.home("alice"));
    alice.args(["--server", &url, "--guest", "alice", "list"]).env("SSL_CERT_FILE", &trust);
    let ran = ran(&mut alice).await.exits(5);
    assert!(ran.err.contains("certificate"), "{ran:?}");
}

//! Servers behind TLS and behind sockets in the file system.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::support::{Client, Running, Upstream, eventually, get, ok, proxy};

/// Something that passes connections on to a server; gone when dropped.
pub(super) struct Passage<T> {
    pub(super) at: T,
    passing: JoinHandle<()>,
    /// The names that clients asked for.
    names: Arc<Mutex<Vec<Option<String>>>>,
    folder: TempDir,
}

impl<T> Drop for Passage<T> {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl<T> Passage<T> {
    /// The file with the authority to trust.
    pub(super) fn ca(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }
}

/// TLS in front of a server that speaks HTTP/1.1.
async fn tls(up: &Upstream, name: &str) -> Passage<SocketAddr> {
    tls_to(up.addr, name, "http/1.1").await
}

/// TLS in front of a server, with a certificate for `name` by an authority of its own.
pub(super) async fn tls_to(target: SocketAddr, name: &str, speaks: &str) -> Passage<SocketAddr> {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca, ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &ca).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    config.alpn_protocols = vec![speaks.as_bytes().to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let names = Arc::new(Mutex::new(Vec::new()));
    let asked = names.clone();
    let passing = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, asked) = (acceptor.clone(), asked.clone());
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let name = outside.get_ref().1.server_name().map(str::to_owned);
                asked.lock().unwrap().push(name);
                let Ok(mut inside) = TcpStream::connect(target).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    Passage { at, passing, names, folder }
}

/// A socket in the file system in front of a server.
async fn socket(up: &Upstream) -> Passage<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let target = up.addr;
    let passing = tokio::spawn(async move {
        loop {
            let (mut outside, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut inside) = TcpStream::connect(target).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    Passage { at: format!("unix:{}", path.display()), passing, names: Arc::default(), folder }
}

fn to(server: &str, lines: &str) -> Running {
    proxy().servers("main", &format!("\"{server}\""), lines).route("/*", "main", "").start()
}

/// Answers with the body that it got, and makes `/tunnel` an echo.
async fn echoing() -> Upstream {
    Upstream::scripted(|mut conn| async move {
        while let Some(head) = conn.request().await {
            if head.starts_with("GET /tunnel") {
                conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi ").await;
                // What is short comes back byte by byte, the rest in larger pieces.
                for _ in 0.."early more".len() {
                    let byte = conn.bytes(1).await;
                    conn.send(byte).await;
                }
                loop {
                    let piece = conn.bytes(1000).await;
                    if piece.is_empty() {
                        return;
                    }
                    conn.send(piece).await;
                }
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            let body = conn.bytes(length).await;
            conn.send(ok(std::str::from_utf8(&body).unwrap())).await;
        }
    })
    .await
}

/// Requests on one connection, a large body both ways, and a tunnel.
async fn talks(running: &Running, up: &Upstream) {
    let mut client = Client::to(running.addr).await;
    for _ in 0..3 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: chat.test\r\n\r\n").await.status, 200);
    }
    assert_eq!(up.connections(), 1, "connections are kept");
    let large = "large ".repeat(200_000);
    let length = large.len();
    client
        .send(format!("POST / HTTP/1.1\r\nhost: chat.test\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    client.send(&large).await;
    assert!(client.response().await.text() == large);
    let mut tunnel = Client::to(running.addr).await;
    tunnel.send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly ").await;
    assert_eq!(tunnel.head().await.status, 101);
    assert_eq!(tunnel.exactly(9).await, b"hi early ");
    for piece in ["more", &large] {
        tunnel.send(piece).await;
        assert!(tunnel.exactly(piece.len()).await == piece.as_bytes());
    }
    // The server sees the end, and so does the client.
    tokio::io::AsyncWriteExt::shutdown(&mut tunnel.stream).await.unwrap();
    assert!(tunnel.is_closed().await);
    assert!(up.requests()[0].contains("host: chat.test\r\n"), "{}", up.requests()[0]);
}

#[tokio::test]
async fn everything_goes_through_tls() {
    let up = echoing().await;
    let door = tls(&up, "127.0.0.1").await;
    let running = to(&door.at.to_string(), &format!("tls = {{ ca = \"{}\" }}", door.ca()));
    talks(&running, &up).await;
}

#[tokio::test]
async fn everything_goes_through_a_socket_in_the_file_system() {
    let up = echoing().await;
    let door = socket(&up).await;
    let running = to(&door.at, "");
    talks(&running, &up).await;
}

#[tokio::test]
async fn the_name_of_the_server_is_asked_for_and_checked() {
    let up = Upstream::replying(ok("secured")).await;
    let door = tls(&up, "backend.internal").await;
    let (at, ca) = (door.at.to_string(), door.ca());
    let named = to(&at, &format!("tls = {{ ca = \"{ca}\", server_name = \"backend.internal\" }}"));
    assert_eq!(get(named.addr, "/", "").await.text(), "secured");
    assert_eq!(*door.names.lock().unwrap(), [Some("backend.internal".to_owned())]);
    // Its address is not what its certificate is for.
    let unnamed = to(&at, &format!("tls = {{ ca = \"{ca}\" }}"));
    let answer = get(unnamed.addr, "/", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_refused"));
    assert_eq!(up.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_request() {
    let up = Upstream::replying(ok("who am I?")).await;
    let (door, other) = (tls(&up, "127.0.0.1").await, tls(&up, "127.0.0.1").await);
    let at = door.at.to_string();
    for trust in [format!("{{ ca = \"{}\" }}", other.ca()), "true".to_owned()] {
        let running = to(&at, &format!("tls = {trust}"));
        let answer = get(running.addr, "/", "").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_refused"), "{trust}");
    }
    assert_eq!(up.connections(), 0);
    let anyone = to(&at, "tls = { insecure = true }");
    assert_eq!(get(anyone.addr, "/", "").await.text(), "who am I?");
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request_in_the_clear() {
    let up = Upstream::replying(ok("")).await;
    let running =
        to(&up.addr.to_string(), "tls = { insecure = true }\nconnect_timeout = \"200ms\"");
    let answer = get(running.addr, "/secret", "").await;
    assert!(answer.status >= 500, "{}", answer.status);
    assert_eq!(up.requests().len(), 0);
}

/// Whoever is on the way to the server puts an answer in front of what it says (CVE-2026-1642).
#[tokio::test]
async fn r5_r32_an_answer_in_the_clear_before_tls_is_none() {
    let up = Upstream::replying(ok("good")).await;
    let door = tls(&up, "127.0.0.1").await;
    let at = door.at;
    for injected in [ok("evil"), "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()] {
        let between = Upstream::scripted(move |mut conn| {
            let injected = injected.clone();
            async move {
                conn.send(injected).await;
                let mut inside = TcpStream::connect(at).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut conn.stream, &mut inside).await;
            }
        })
        .await;
        let secured = format!("tls = {{ ca = \"{}\" }}", door.ca());
        for lines in [secured.as_str(), "tls = { insecure = true }"] {
            let running = to(&between.addr.to_string(), lines);
            let answer = get(running.addr, "/secret", "").await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_refused"));
        }
        assert!(between.connections() >= 2);
    }
    assert_eq!(up.requests().len(), 0);
}

#[tokio::test]
async fn health_is_asked_the_same_way() {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let state = well.clone();
    let up = Upstream::answering(move |_| {
        if state.load(std::sync::atomic::Ordering::SeqCst) {
            return ok("");
        }
        "HTTP/1.1 500 Sick\r\ncontent-length: 0\r\n\r\n".into()
    })
    .await;
    let (door, file) = (tls(&up, "localhost").await, socket(&up).await);
    let health = "health = { path = \"/health\", interval = \"50ms\", timeout = \"5s\" }";
    let secured =
        format!("{health}\ntls = {{ ca = \"{}\", server_name = \"localhost\" }}", door.ca());
    for (at, lines) in [(door.at.to_string(), secured.as_str()), (file.at.clone(), health)] {
        well.store(true, std::sync::atomic::Ordering::SeqCst);
        let before = up.requests().len();
        let server = format!("\"{at}\"");
        let running =
            proxy().admin().servers("main", &server, lines).route("/*", "main", "").start();
        let admin = running.proxy.admin().unwrap();
        eventually("a question", || up.requests().len() > before).await;
        assert!(up.requests()[before].contains("host: localhost\r\n"));
        assert_eq!(get(running.addr, "/", "").await.status, 200);
        well.store(false, std::sync::atomic::Ordering::SeqCst);
        while get(admin, "/ready", "").await.status == 200 {}
        assert_eq!(get(running.addr, "/", "").await.status, 503);
    }
}

//! A relay before the tracker, which never brings the answers of some requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes everything on but requests with a path.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    given_up: Arc<AtomicBool>,
}

impl Relay {
    /// Requests with this path in them are swallowed.
    pub(crate) async fn swallowing(path: &'static str, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let given_up = Arc::new(AtomicBool::new(false));
        let relay = Self { addr, given_up: given_up.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, path, given_up.clone()));
            }
        });
        relay
    }

    /// Whether somebody no longer waits for an answer that was swallowed.
    pub(crate) fn given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: SocketAddr, path: &str, given_up: Arc<AtomicBool>) {
    let server = TcpStream::connect(server).await.unwrap();
    let (mut answers, mut requests) = server.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to_client).await });
    let mut buffer = vec![0; 16 * 1024];
    let mut swallowing = false;
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        // The head of a request comes in one piece.
        swallowing |= String::from_utf8_lossy(&buffer[..length]).contains(path);
        if !swallowing && requests.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    given_up.fetch_or(swallowing, Ordering::SeqCst);
}

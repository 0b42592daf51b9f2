//! Upstreams made for tests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Takes connections until dropped and hands each to a function.
#[derive(Debug)]
pub struct Neighbour {
    addr: String,
    accepting: JoinHandle<()>,
}

impl Neighbour {
    /// Listens on `addr` (port 0 for any).
    ///
    /// # Panics
    /// When it can't.
    pub async fn listen<F>(addr: &str, serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let accepting = tokio::spawn(async move {
            // Connections end with their listener, as those of a program do.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream));
            }
        });
        Self { addr, accepting }
    }

    /// Answers every request with `200` and `{"status":"success","from":NAME}`.
    pub async fn named(addr: &str, name: &'static str) -> Self {
        Self::listen(addr, move |stream| answer_each(stream, name, None)).await
    }

    /// `IP:PORT`
    pub fn addr(&self) -> &str {
        &self.addr
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Records the head of every request, byte for byte, and answers `200`. The proxy's own health checks are
/// answered, not recorded.
#[derive(Debug)]
pub struct Recorder {
    neighbour: Neighbour,
    heads: Heads,
}

type Heads = Arc<Mutex<Vec<String>>>;

impl Recorder {
    /// Listens on any port.
    pub async fn start() -> Self {
        let heads = Heads::default();
        let kept = heads.clone();
        let neighbour = Neighbour::listen("127.0.0.1:0", move |stream| {
            answer_each(stream, "recorder", Some(kept.clone()))
        })
        .await;
        Self { neighbour, heads }
    }

    /// `IP:PORT`
    pub fn addr(&self) -> &str {
        self.neighbour.addr()
    }

    /// The heads recorded so far; the record starts anew.
    ///
    /// # Panics
    /// When a recording task did.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().unwrap())
    }
}

async fn answer_each(
    mut stream: TcpStream,
    name: &'static str,
    heads: Option<Heads>,
) -> std::io::Result<()> {
    while let Some((head, rest)) = read_head(&mut stream).await? {
        let length = content_length(&head);
        let mut left = length.saturating_sub(rest as u64);
        let mut sink = vec![0; 64 * 1024];
        while left > 0 {
            let read = stream.read(&mut sink).await?;
            if read == 0 {
                return Ok(());
            }
            left = left.saturating_sub(read as u64);
        }
        if let Some(heads) = heads.as_ref().filter(|_| !head.starts_with("GET /health ")) {
            heads.lock().unwrap().push(head);
        }
        let body = format!("{{\"status\":\"success\",\"from\":\"{name}\"}}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// Answers a request `200` only after `release` has been notified; `arrived` is notified before.
pub async fn slow(arrived: Arc<Notify>, release: Arc<Notify>) -> Neighbour {
    Neighbour::listen("127.0.0.1:0", move |mut stream| {
        let (arrived, release) = (arrived.clone(), release.clone());
        async move {
            while read_head(&mut stream).await?.is_some() {
                arrived.notify_one();
                release.notified().await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").await?;
            }
            Ok(())
        }
    })
    .await
}

/// Sends `size` bytes to a `GET`, and reads to its end what any other method brings, answering with
/// the number of bytes.
pub async fn bulk(size: u64) -> Neighbour {
    Neighbour::listen("127.0.0.1:0", move |mut stream| async move {
        while let Some((head, rest)) = read_head(&mut stream).await? {
            if head.starts_with("GET") {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
                let block = vec![b'x'; 64 * 1024];
                let mut left = size;
                while left > 0 {
                    let now = usize::try_from(left.min(block.len() as u64)).unwrap_or(block.len());
                    stream.write_all(&block[..now]).await?;
                    left -= now as u64;
                }
            } else {
                let length = content_length(&head);
                let mut got = rest as u64;
                let mut sink = vec![0; 64 * 1024];
                while got < length {
                    match stream.read(&mut sink).await? {
                        0 => break,
                        read => got += read as u64,
                    }
                }
                let body = got.to_string();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await?;
            }
        }
        Ok(())
    })
    .await
}

/// A request's head, and how many bytes of its body came along (they are dropped).
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Option<(String, usize)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.len() - end - 4;
            bytes.truncate(end);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
    }
}

fn content_length(head: &str) -> u64 {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

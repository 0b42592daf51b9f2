//! Just enough HTTP/1.1: a keep-alive connection that makes JSON calls, and the heads that open streams.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Kind};

/// A connection for calls.
pub(crate) struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// A `POST` that must be answered with 200.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<(), Error> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection ended".into());
            }
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.ok_or("no content-length")?.parse()?;
            if self.buffer.len() < end + 4 + length {
                continue;
            }
            if !head.starts_with("http/1.1 200") {
                return Err(String::from_utf8_lossy(&self.buffer).into());
            }
            return Ok(());
        }
    }

    pub(crate) async fn register(&mut self, peer: &str) -> Result<(), Error> {
        self.post("/submit-info", &json!({ "peer_id": peer, "ip": "127.0.0.1", "port": 0 })).await
    }

    pub(crate) async fn join(&mut self, peer: &str, channel: &str) -> Result<(), Error> {
        self.post("/add-list", &json!({ "peer_id": peer, "channel": channel })).await
    }

    pub(crate) async fn say(&mut self, peer: &str, channel: &str, text: &str) -> Result<(), Error> {
        let body = json!({ "peer_id": peer, "channel": channel, "message": text });
        self.post("/broadcast-peer", &body).await
    }
}

/// Opens a live stream and waits for its `hello`.
pub(crate) async fn open(
    address: SocketAddr,
    kind: Kind,
    peer: Option<&str>,
    cookie: Option<&str>,
) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let query = peer.map(|peer| format!("?peer_id={peer}")).unwrap_or_default();
    let cookie = cookie.map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
    let request = match kind {
        Kind::Sse => format!("GET /chat/events{query} HTTP/1.1\r\nhost: bench\r\n{cookie}\r\n"),
        Kind::Ws => format!(
            "GET /chat/ws{query} HTTP/1.1\r\nhost: bench\r\norigin: http://bench\r\n{cookie}connection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
    };
    stream.write_all(request.as_bytes()).await?;
    let mut seen = Vec::with_capacity(512);
    while find(&seen, b"\"hello\"").is_none() {
        if stream.read_buf(&mut seen).await? == 0 || find(&seen, b"\"status\":\"error\"").is_some()
        {
            return Err(format!("no stream: {}", String::from_utf8_lossy(&seen)).into());
        }
    }
    Ok(stream)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

//! A client that says what it is told to, byte for byte.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;

/// A connection to the proxy.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `code` of an error envelope.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("a JSON body");
        assert_eq!(body["status"], "error", "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{body}");
        body["code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        let stream = soon("connect", TcpStream::connect(addr)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// A client on a connection that is there already.
    pub(crate) fn on(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("send", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends bytes to a proxy that may not want them any more.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        soon("send", self.stream.write_all(bytes.as_ref())).await
    }

    /// Sends a request head and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<str>) -> Response {
        self.send(request.as_ref()).await;
        let head_only = request.as_ref().starts_with("HEAD ");
        self.response_to(head_only).await
    }

    pub(crate) async fn response(&mut self) -> Response {
        self.response_to(false).await
    }

    /// The head of an answer; its body is still to be read.
    pub(crate) async fn head(&mut self) -> Response {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill().await > 0, "closed before a head: {:?}", self.unread());
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Response { status, head, headers, body: Vec::new() }
    }

    /// The whole answer; only its head with `head_only`, as to a HEAD.
    pub(crate) async fn response_to(&mut self, head_only: bool) -> Response {
        let mut response = self.head().await;
        if head_only || matches!(response.status, 100 | 101 | 204 | 304) {
            return response;
        }
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let chunk = self.chunk().await;
                if chunk.is_empty() {
                    return response;
                }
                response.body.extend(chunk);
            }
        }
        match response.header("content-length") {
            Some(length) => {
                let length = length.parse().unwrap();
                response.body = self.exactly(length).await;
            }
            None => response.body = self.rest().await,
        }
        response
    }

    /// One chunk of a chunked body; empty at its end.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let line = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break self.buffer.drain(..at + 2).collect::<Vec<u8>>();
            }
            assert!(self.fill().await > 0, "closed inside a chunked body");
        };
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = self.exactly(size + 2).await;
        chunk.truncate(size);
        chunk
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await > 0, "closed after {} of {length} bytes", self.buffer.len());
        }
        self.buffer.drain(..length).collect()
    }

    /// All that comes until the connection is closed; a reset counts as the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Whether the proxy has closed the connection and sent nothing more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().await == 0
    }

    /// Whether the proxy has closed its side, with nothing more sent and no reset.
    pub(crate) async fn is_closed_in_peace(&mut self) -> bool {
        let read = soon("the end", self.stream.read_buf(&mut self.buffer)).await;
        self.buffer.is_empty() && matches!(read, Ok(0))
    }

    async fn fill(&mut self) -> usize {
        soon("bytes from the proxy", self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0)
    }

    fn unread(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// One request on a connection of its own.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &str) -> Response {
    let mut client = Client::to(addr).await;
    client.ask(format!("GET {path} HTTP/1.1\r\nhost: chat.test\r\n{headers}\r\n")).await
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

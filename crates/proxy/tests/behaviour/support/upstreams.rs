//! Servers behind the proxy: scripted, raw, and remembering what they were sent.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server; dropped, it closes its port and all connections.
pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

/// A connection from the proxy.
pub(crate) struct Conn {
    pub(crate) stream: TcpStream,
    /// The how-manieth of its server, from 0.
    pub(crate) number: usize,
    buffer: Vec<u8>,
    seen: Arc<Seen>,
}

/// A complete request.
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The header lines as they came.
    pub(crate) fields: Vec<String>,
    /// The body without its framing, if it was framed at all.
    pub(crate) body: Option<String>,
}

/// A plain good answer.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Upstream {
    /// Runs `script` for each connection.
    pub(crate) async fn scripted<F, R>(script: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::scripted_on("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn scripted_on<F, R>(addr: SocketAddr, script: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let remembered = seen.clone();
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let number = remembered.connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(script(Conn {
                    stream,
                    number,
                    buffer: Vec::new(),
                    seen: remembered.clone(),
                }));
            }
        });
        Self { addr, seen, accepting }
    }

    /// Answers each request with what `answer` makes of its head; bodies with a length are read.
    pub(crate) async fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::answering_on("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn answering_on(
        addr: SocketAddr,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::scripted_on(addr, move |mut conn| {
            let answer = answer.clone();
            async move {
                while let Some(head) = conn.request().await {
                    let length =
                        header(&head, "content-length").map_or(0, |it| it.parse().unwrap());
                    let _ = conn.bytes(length).await;
                    conn.send(answer(&head)).await;
                }
            }
        })
        .await
    }

    /// Answers everything with the same bytes.
    pub(crate) async fn replying(bytes: impl Into<String>) -> Self {
        let bytes = bytes.into();
        Self::answering(move |_| bytes.clone()).await
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn request(&self) -> String {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests[0].clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Conn {
    /// The next request head, or `None` when the proxy closed the connection.
    pub(crate) async fn request(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                let head = String::from_utf8(head).unwrap();
                self.seen.requests.lock().unwrap().push(head.clone());
                return Some(head);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Has something counted among the requests.
    pub(crate) fn note(&self, what: &str) {
        self.seen.requests.lock().unwrap().push(what.to_owned());
    }

    /// The next request with its body, or `None` when the proxy closed the connection before it was complete.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        let head = self.request().await?;
        let (first, fields) = head.trim_end().split_once("\r\n").unwrap();
        let (method, target) = first.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
        let body = if let Some(length) = header(&head, "content-length") {
            assert_eq!(header(&head, "transfer-encoding"), None, "{head}");
            let length = length.parse().unwrap();
            let body = self.bytes(length).await;
            Some(if body.len() < length { return None } else { body })
        } else if header(&head, "transfer-encoding").is_some() {
            Some(self.chunks().await?)
        } else {
            None
        };
        Some(Message {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: fields.lines().map(ToOwned::to_owned).collect(),
            body: body.map(|body| String::from_utf8(body).unwrap()),
        })
    }

    /// A chunked body, read as strictly as can be.
    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(*self.bytes(1).await.first()?);
            }
            let size = std::str::from_utf8(&line).unwrap().trim_end();
            let size = usize::from_str_radix(size, 16).expect("a plain chunk size");
            let chunk = self.bytes(size + 2).await;
            if chunk.len() < size + 2 {
                return None;
            }
            all.extend_from_slice(chunk.strip_suffix(b"\r\n").expect("a chunk's end"));
            if size == 0 {
                return Some(all);
            }
        }
    }

    /// Exactly so many bytes of a body, or what came before the end.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.buffer.drain(..length.min(self.buffer.len())).collect()
    }

    /// Whether the proxy closes the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty()
            && matches!(self.stream.read_buf(&mut self.buffer).await, Ok(0) | Err(_))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The proxy may be gone already; the test looks at the other side.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }
}

/// A value of a request head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// An auth service that knows one session, `session=good` or `Bearer good`.
pub(crate) async fn auth_service() -> Upstream {
    Upstream::answering(|head| {
        let cookie = header(head, "cookie").unwrap_or_default();
        let bearer = header(head, "authorization").unwrap_or_default();
        if cookie == "session=good" || bearer == "Bearer good" {
            "HTTP/1.1 200 OK\r\nx-chat-identity: e30.identity.c2ln\r\ncontent-length: 0\r\n\r\n"
                .into()
        } else if cookie == "session=banned" {
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".into()
        } else {
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n"
                .into()
        }
    })
    .await
}

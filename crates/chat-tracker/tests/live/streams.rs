//! Clients of both kinds of stream.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::Running;

/// Longer than anything takes, shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// A reader of Server-Sent Events.
pub(crate) struct Sse {
    response: Response,
    buffer: Vec<u8>,
    /// The newest cursor.
    pub(crate) cursor: String,
    /// Comment lines so far.
    pub(crate) comments: usize,
}

impl Sse {
    /// Opens a stream and reads its `hello`.
    pub(crate) async fn open(tracker: &Running, peer: &str, cursor: Option<&str>) -> Self {
        let mut sse = Self::opened(tracker, peer, cursor).await.unwrap();
        assert_eq!(sse.next().await.unwrap()["type"], "hello");
        sse
    }

    pub(crate) async fn opened(
        tracker: &Running,
        peer: &str,
        cursor: Option<&str>,
    ) -> Result<Self, (StatusCode, Value)> {
        let mut request = tracker.request(Method::GET, &format!("/chat/events?peer_id={peer}"));
        if let Some(cursor) = cursor {
            request = request.header("last-event-id", cursor);
        }
        let response = in_time(request.send()).await.unwrap();
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err((status, response.json().await.unwrap()));
        }
        Ok(Self::of(response))
    }

    pub(crate) fn of(response: Response) -> Self {
        Self { response, buffer: Vec::new(), cursor: String::new(), comments: 0 }
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = self.block(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            match in_time(self.response.chunk()).await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn block(&mut self, block: &str) -> Option<Value> {
        let mut data = None;
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.cursor = id.to_owned(),
                Some(("data", json)) => data = Some(serde_json::from_str(json).unwrap()),
                Some(("", _)) => self.comments += 1,
                Some(("retry", _)) | None => {}
                Some(_) => panic!("unexpected line {line:?}"),
            }
        }
        data
    }

    /// The next event of a type; those before it are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The next messages' `seq`, so many of them.
    pub(crate) async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::with_capacity(count);
        while seqs.len() < count {
            seqs.push(self.next_of("message").await["seq"].as_u64().unwrap());
        }
        seqs
    }
}

/// A WebSocket.
pub(crate) struct Ws(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Ws {
    /// Opens one and reads its `hello`.
    pub(crate) async fn open(tracker: &Running, query: &str) -> Self {
        let mut ws = Self::opened(tracker, query, &[]).await.unwrap();
        assert_eq!(ws.next().await["type"], "hello");
        ws
    }

    pub(crate) async fn opened(
        tracker: &Running,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("ws://{}/chat/ws?{query}", tracker.addr);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match in_time(connect_async(request)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The next text; the close code when there is none.
    pub(crate) async fn try_next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.try_next().await.expect("the WebSocket stays open")
    }

    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    pub(crate) async fn send(&mut self, command: Value) {
        self.raw(Message::text(command.to_string())).await;
    }

    pub(crate) async fn raw(&mut self, message: Message) {
        in_time(self.0.send(message)).await.unwrap();
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask(&mut self, command: Value) -> Value {
        let reference = command["ref"].clone();
        self.send(command).await;
        let reply = self.next_of("reply").await;
        assert_eq!(reply["ref"], reference, "{reply}");
        reply
    }
}

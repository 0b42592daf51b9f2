//! A live stream of events over SSE, read as the HTML standard's section 9.2.6 tells.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::patience;

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its cursor.
    pub cursor: String,
    /// Its JSON.
    pub data: Value,
}

impl Event {
    /// The event's `type`.
    pub fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap_or_default()
    }
}

/// An open stream.
pub struct EventStream {
    body: BoxStream<'static, Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
}

impl EventStream {
    /// Asks for a stream.
    ///
    /// # Errors
    /// When the answer isn't one.
    pub async fn open(request: RequestBuilder) -> Result<Self, String> {
        let sent = tokio::time::timeout(patience(), request.send()).await;
        let response =
            sent.map_err(|_| "no answer".to_owned())?.map_err(|error| format!("{error:?}"))?;
        let kind = response.headers().get("content-type").cloned();
        if response.status() != 200 || kind.is_none_or(|kind| kind != "text/event-stream") {
            return Err(format!("{}: {:?}", response.status(), response.text().await));
        }
        let body = response
            .bytes_stream()
            .map_ok(|bytes| bytes.to_vec())
            .map_err(|error| format!("{error:?}"))
            .boxed();
        Ok(Self { body, buffer: Vec::new() })
    }

    /// The next event; comments are passed over.
    ///
    /// # Errors
    /// When the stream ends or breaks.
    pub async fn next(&mut self) -> Result<Event, String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Ok(event);
                }
                continue;
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.buffer.extend(bytes),
                Some(Err(error)) => return Err(error),
                None => return Err("the stream ended".to_owned()),
            }
        }
    }

    /// The next event of a type; others are passed over.
    ///
    /// # Panics
    /// When it doesn't come.
    pub async fn next_of(&mut self, kind: &str) -> Event {
        let seeking = async {
            loop {
                let event = self.next().await.unwrap();
                if event.kind() == kind {
                    return event;
                }
            }
        };
        match tokio::time::timeout(patience(), seeking).await {
            Ok(event) => event,
            Err(_) => panic!("no {kind} event came"),
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let (mut cursor, mut data) = (String::new(), String::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "id" => cursor = value.trim_start().to_owned(),
            "data" => data.push_str(value.strip_prefix(' ').unwrap_or(value)),
            _ => {}
        }
    }
    serde_json::from_str(&data).ok().map(|data| Event { cursor, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_comment_is_no_event() {
        assert!(parse(": heartbeat\n\n").is_none());
        let event = parse("id: e:7\ndata: {\"type\":\"reset\"}\n\n").unwrap();
        assert_eq!((event.kind(), event.cursor.as_str()), ("reset", "e:7"));
    }
}

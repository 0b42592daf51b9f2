//! An event as bytes: made once, pointed at by every reader.

use std::fmt;
use std::str::FromStr;

use axum::extract::ws::Utf8Bytes;
use bytes::{BufMut, Bytes, BytesMut};
use wire::event::Event;

/// A place in the log: of this start of the tracker, this far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Random for each start.
    pub epoch: u64,
    /// The event's number; 0 is before the first.
    pub offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}:{}", self.epoch, self.offset)
    }
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (epoch, offset) = text.split_once(':').ok_or(NotACursor)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits(epoch) || !digits(offset) {
            return Err(NotACursor);
        }
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| NotACursor)?,
            offset: offset.parse().map_err(|_| NotACursor)?,
        })
    }
}

/// One event, ready for both transports.
#[derive(Debug)]
pub struct Frame {
    sse: Bytes,
    text: Utf8Bytes,
}

impl Frame {
    /// Adds the cursor to an event's JSON, for both transports.
    pub(super) fn encode(json: &str, cursor: Option<Cursor>) -> Self {
        let cursor = cursor.map(|cursor| cursor.to_string());
        let cursor = cursor.as_deref();
        Self { sse: sse(json, cursor), text: text(json, cursor) }
    }

    /// The event of an SSE stream: an `id:` and a `data:` line, and the empty one (JSON has no line ends).
    pub fn sse(&self) -> &Bytes {
        &self.sse
    }

    /// The text of a WebSocket message: the event with its `cursor`.
    pub fn text(&self) -> &Utf8Bytes {
        &self.text
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        self.sse.len() + self.text.as_str().len()
    }
}

/// An event as JSON.
pub(super) fn json(event: &Event) -> String {
    // Events are plain structs with string keys: they always serialise.
    serde_json::to_string(event).unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be encoded");
        r#"{"type":"reset","reason":"too_old"}"#.to_owned()
    })
}

fn sse(json: &str, cursor: Option<&str>) -> Bytes {
    let mut sse = BytesMut::with_capacity(json.len() + cursor.map_or(0, str::len) + 16);
    if let Some(cursor) = cursor {
        sse.put_slice(b"id: ");
        sse.put_slice(cursor.as_bytes());
        sse.put_slice(b"\n");
    }
    sse.put_slice(b"data: ");
    sse.put_slice(json.as_bytes());
    sse.put_slice(b"\n\n");
    sse.freeze()
}

fn text(json: &str, cursor: Option<&str>) -> Utf8Bytes {
    let Some(cursor) = cursor else { return json.to_owned().into() };
    let open = json.strip_suffix('}').unwrap_or(json);
    let mut text = String::with_capacity(json.len() + cursor.len() + 14);
    text.push_str(open);
    text.push_str(",\"cursor\":\"");
    text.push_str(cursor);
    text.push_str("\"}");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::event::ResetReason;

    #[test]
    fn a_cursor_round_trips_and_anything_else_is_refused() {
        let cursor = Cursor { epoch: 0x00ab, offset: 17 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in
            ["", ":", "1", "1:", ":1", "g:1", "1:-1", "1:+1", "1:1:1", "12345678901234567:1"]
        {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }

    #[test]
    fn both_transports_carry_the_event_and_its_cursor() {
        let event = Event::Reset { reason: ResetReason::TooOld };
        let frame = Frame::encode(&json(&event), Some(Cursor { epoch: 1, offset: 2 }));
        let data = r#"{"type":"reset","reason":"too_old"}"#;
        assert_eq!(frame.sse(), &format!("id: 0000000000000001:2\ndata: {data}\n\n"));
        let value: serde_json::Value = serde_json::from_str(frame.text()).unwrap();
        assert_eq!(value["cursor"], "0000000000000001:2");
        assert_eq!(value["reason"], "too_old");
    }
}

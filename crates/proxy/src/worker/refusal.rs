//! The answer to what is no request. hyper's own has neither a body nor an id, so it never leaves (see
//! [`Wire`](super::wire::Wire)); this one is like every other refusal of the proxy.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::AsyncWriteExt as _;

use super::Worker;
use super::linger::linger;
use crate::error::Failure;
use crate::forward::Visit;
use crate::front::stream::Stream;
use crate::guard::Reason;
use crate::log::Record;
use crate::target::Refused;

/// Longest wait for a client to take it.
const PATIENCE: Duration = Duration::from_secs(1);

impl Worker {
    /// Says what is wrong, and ends the connection.
    pub(super) async fn refuse(self: &Rc<Self>, mut stream: Stream, visit: &Visit, fault: Refused) {
        let id = self.ids.next();
        let mut record =
            Record::malformed(&self.books, &visit.watch, visit.client.address(), id, &fault);
        let response = Failure::Rejected(fault).response(record.id());
        record.sent(response.body().len());
        let text = written(response);
        let sent = tokio::time::timeout(PATIENCE, async {
            stream.write_all(&text).await?;
            stream.flush().await
        });
        if matches!(sent.await, Ok(Ok(()))) {
            record.complete();
        }
        drop(record);
        linger(stream, &visit.watch).await;
    }
}

/// Why a parser made no request of the bytes: the guard's word if it has one, else the parser's.
pub(super) fn fault(refused: Option<Reason>, error: &hyper::Error) -> Refused {
    if let Some(reason) = refused {
        return Refused::new(StatusCode::BAD_REQUEST, reason.class(), reason.message());
    }
    if !error.is_parse_too_large() {
        let message = "this is no HTTP request: its first line or a header is malformed";
        return Refused::new(StatusCode::BAD_REQUEST, "malformed_request", message);
    }
    // hyper tells the two apart in its text only.
    if error.to_string().contains("URI") {
        let message = "the target of the request is too long";
        return Refused::new(StatusCode::URI_TOO_LONG, "target_too_long", message);
    }
    let message = "the head of the request is too large";
    Refused::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)
}

/// The last answer of a connection, as it goes over it.
fn written(mut response: Response<Bytes>) -> Vec<u8> {
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now())
        && let Ok(date) = HeaderValue::try_from(date)
    {
        headers.insert(DATE, date);
    }
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in response.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(response.body());
    text
}

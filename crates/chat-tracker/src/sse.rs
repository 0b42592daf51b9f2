//! `GET /chat/events`: a peer's events as Server-Sent Events (the HTML standard, section 9.2).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::body::Frame;
use service::Problem;

use crate::api::openapi::{Errors, ErrorsOfPeers};
use crate::caller::Caller;
use crate::extract::Query;
use crate::hub::{Signal, Subscription};
use crate::live::{Listen, Stream};
use crate::tracker::Tracker;

/// Asks nginx and its kin not to hold events back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment line: it reaches the client's socket, and no script.
const HEARTBEAT: &[u8] = b": heartbeat\n\n";
/// Events that wait are sent together up to so many bytes.
const TOGETHER: usize = 32 * 1024;

/// One entry of the stream (WHATWG HTML, section 9.2), as its reader sees it.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is read by the derive only")]
pub(crate) struct Entry {
    /// An `Event` as JSON.
    data: String,
    /// The event's cursor.
    id: Option<String>,
}

/// The peer's events as they happen, as Server-Sent Events: `data:` is an event, `id:` its cursor. With
/// `Last-Event-ID` or `cursor` what was missed comes first; when it can't, a `reset` event does.
#[utoipa::path(get, path = "/chat/events", tag = "live", params(Listen),
    responses((status = 200, body = Entry, content_type = "text/event-stream", headers(
            ("cache-control" = String, description = "`no-cache`"),
            ("x-accel-buffering" = String, description = "`no`"))),
        Errors, ErrorsOfPeers))]
pub(crate) async fn events(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(listen): Query<Listen>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stream = Stream::open(&tracker, &caller, &listen, &headers)?;
    let mut response = Response::new(Body::new(Events { stream, retry: Some(retry()) }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// How long a browser waits before it comes back: spread, so that a restart doesn't bring all at once.
fn retry() -> Bytes {
    let spread = uuid::Uuid::new_v4().as_bytes()[0];
    Bytes::from(format!("retry: {}\n\n", 500 + u32::from(spread) * 4))
}

/// The body: it points at the hub's bytes and owns no buffer.
struct Events {
    stream: Stream,
    retry: Option<Bytes>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(retry) = this.retry.take() {
            return Poll::Ready(Some(Ok(Frame::data(retry))));
        }
        let data = match std::task::ready!(this.stream.events.poll_next(cx)) {
            Signal::Events => together(&mut this.stream.events),
            Signal::Heartbeat if this.stream.is_over(Instant::now()) => None,
            Signal::Heartbeat => Some(Bytes::from_static(HEARTBEAT)),
            Signal::SlowReader | Signal::Revoked | Signal::SignedOut | Signal::Closing => None,
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }
}

/// The next event as it is, or several that wait as one piece: one write for all of them.
fn together(events: &mut Subscription) -> Option<Bytes> {
    let first = events.next_frame()?.sse().clone();
    let fits = |size: usize, next: &Bytes| size + next.len() <= TOGETHER;
    if !events.peek_frame().is_some_and(|next| fits(first.len(), next.sse())) {
        return Some(first);
    }
    let mut piece = BytesMut::with_capacity(4 * first.len());
    piece.extend_from_slice(&first);
    while events.peek_frame().is_some_and(|next| fits(piece.len(), next.sse())) {
        if let Some(next) = events.next_frame() {
            piece.extend_from_slice(next.sse());
        }
    }
    Some(piece.freeze())
}

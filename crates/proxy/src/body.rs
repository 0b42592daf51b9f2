//! Bodies on their way through, piece by piece: the next piece is asked for when the last one was taken,
//! so neither side can make the proxy hold more than a buffer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::late;
use crate::log::Record;
use crate::pool::Lease;
use crate::route::Patience;
use crate::watch::{Drain, Watch, now_ms};

/// Ends a connection in the middle of a body. The reason is in the record of the request.
#[derive(Debug, thiserror::Error)]
#[error("the body ends early: {0}")]
pub(crate) struct CutShort(pub(crate) &'static str);

/// A request's body on its way to the upstream.
#[derive(Default)]
pub(crate) enum RequestBody {
    /// There is none.
    #[default]
    Empty,
    /// What the client sends.
    Client {
        /// The client's side.
        incoming: Incoming,
        /// Shared with the request that waits for the answer.
        upload: Rc<Upload>,
        /// It comes over HTTP/2.
        streamed: bool,
    },
}

/// How far the body of a request is.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Bytes passed on.
    pub(crate) bytes: Cell<u64>,
    /// Whose turn it is.
    pub(crate) state: Cell<UploadState>,
    /// The answer has begun: its body sets the deadlines now.
    pub(crate) answered: Cell<bool>,
    /// Longest body.
    pub(crate) limit: Option<u64>,
    /// How long the client may take.
    pub(crate) patience: Patience,
    /// For how long the client was waited for, up to its last turn.
    pub(crate) waited_ms: Cell<u64>,
    /// Since when it is the client's turn.
    pub(crate) since_ms: Cell<u64>,
    /// Longest silence of the upstream.
    pub(crate) upstream_ms: u64,
    /// The deadline of the connection.
    pub(crate) watch: Rc<Watch>,
}

/// Whose turn it is in an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadState {
    /// The upstream has to take what is there.
    Upstream,
    /// The client has to send more.
    Client,
    /// All was passed on.
    Done,
    /// It was longer than allowed.
    TooLarge,
    /// The client broke it off.
    Broken,
}

impl Upload {
    fn turn(&self, state: UploadState) {
        if self.state.replace(state) == UploadState::Client {
            let waited = now_ms().saturating_sub(self.since_ms.get());
            self.waited_ms.set(self.waited_ms.get().saturating_add(waited));
        }
        let limit = if state == UploadState::Client {
            self.since_ms.set(now_ms());
            self.patience.left(self.bytes.get(), self.waited_ms.get())
        } else {
            self.upstream_ms
        };
        if !self.answered.get() {
            self.watch.due_in(limit);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let Self::Client { incoming, upload, streamed } = &mut *self else {
            return Poll::Ready(None);
        };
        loop {
            return match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers end here: they may not add what the head was checked for.
                    let Ok(data) = frame.into_data() else { continue };
                    let bytes = upload.bytes.get() + data.len() as u64;
                    upload.bytes.set(bytes);
                    if upload.limit.is_some_and(|limit| bytes > limit) {
                        upload.state.set(UploadState::TooLarge);
                        return Poll::Ready(Some(Err(CutShort("too large"))));
                    }
                    upload.turn(if incoming.is_end_stream() {
                        UploadState::Done
                    } else {
                        UploadState::Upstream
                    });
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Poll::Ready(Some(Err(_))) => {
                    upload.state.set(UploadState::Broken);
                    Poll::Ready(Some(Err(CutShort("the client broke it off"))))
                }
                // For hyper a stream that the client cancelled ends like any other.
                Poll::Ready(None) if *streamed && !incoming.is_end_stream() => {
                    upload.state.set(UploadState::Broken);
                    Poll::Ready(Some(Err(CutShort("the client broke it off"))))
                }
                Poll::Ready(None) => {
                    if upload.state.get() != UploadState::Done {
                        upload.turn(UploadState::Done);
                    }
                    Poll::Ready(None)
                }
                Poll::Pending => {
                    if upload.state.get() == UploadState::Upstream {
                        upload.turn(UploadState::Client);
                    }
                    Poll::Pending
                }
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// A response's body on its way to the client. Dropping it ends the request and writes its log line.
pub(crate) struct ProxyBody {
    content: Content,
    record: Option<Box<Record>>,
}

enum Content {
    /// Nothing, or nothing more.
    Empty,
    /// The proxy's own words.
    Full(Bytes),
    /// What the upstream sends.
    Relay(Relay),
    /// Somebody else passes it on.
    Elsewhere,
}

/// An upstream's body.
pub(crate) struct Relay {
    /// The connection that it comes from; goes back to the pool at the end.
    pub(crate) lease: Lease,
    /// Longest silence; `None` for a live stream.
    pub(crate) idle_ms: Option<u64>,
    /// A live stream: it never ends by itself, so a drain ends it.
    pub(crate) live: bool,
}

impl ProxyBody {
    /// No body.
    pub(crate) fn empty(record: Option<Box<Record>>) -> Self {
        Self { content: Content::Empty, record }
    }

    /// The proxy's own answer.
    pub(crate) fn full(bytes: Bytes, record: Option<Box<Record>>) -> Self {
        let content = if bytes.is_empty() { Content::Empty } else { Content::Full(bytes) };
        Self { content, record }
    }

    /// The upstream's answer.
    pub(crate) fn relay(relay: Relay, record: Box<Record>) -> Self {
        let mut body = Self { content: Content::Relay(relay), record: Some(record) };
        if let Content::Relay(relay) = &body.content
            && relay.lease.is_over()
        {
            body.finish();
        }
        body
    }

    /// Stands in for a body that the connection itself passes on, once the head is written.
    pub(crate) fn elsewhere() -> Self {
        Self { content: Content::Elsewhere, record: None }
    }

    /// The body is complete.
    fn finish(&mut self) {
        // An upload that isn't over leaves its connection unfit for the pool; the lease sees to that.
        self.content = Content::Empty;
        if let Some(record) = &mut self.record {
            record.complete();
        }
    }

    fn cut(&mut self, class: &'static str) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        if let Some(record) = &mut self.record {
            record.fail(class);
        }
        self.content = Content::Empty;
        Poll::Ready(Some(Err(CutShort(class))))
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let body = &mut *self;
        let relay = match &mut body.content {
            Content::Empty => return Poll::Ready(None),
            Content::Elsewhere => return Poll::Pending,
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                if let Some(record) = &mut body.record {
                    record.sent(bytes.len());
                }
                body.finish();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Content::Relay(relay) => relay,
        };
        let Relay { lease, idle_ms, live } = relay;
        if lease.endpoint().is_cut_off() {
            return body.cut(late::UPSTREAM_REMOVED);
        }
        match lease.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                let ended = lease.is_over();
                if let Some(record) = &mut body.record {
                    record.sent(data.len());
                    if let Some(idle_ms) = *idle_ms {
                        record.watch().due_in(idle_ms);
                    }
                }
                if ended {
                    body.finish();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(error = %crate::error::causes(&error), "response body broke off");
                body.cut(late::UPSTREAM_TRUNCATED)
            }
            Poll::Ready(None) => {
                body.finish();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(record) = &body.record else { return Poll::Pending };
                if *live && record.watch().drain() == Drain::Live {
                    body.cut(late::DRAINED)
                } else if record.watch().expired() {
                    body.cut(late::UPSTREAM_STALLED)
                } else {
                    Poll::Pending
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Relay(relay) => relay.lease.size_hint(),
            Content::Elsewhere => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::{Watches, set_now_ms};

    #[test]
    fn only_the_waits_for_the_client_count_against_it() {
        set_now_ms(0);
        let watch = Watches::new().open(1);
        let second = Duration::from_secs(1);
        let upload = Upload {
            bytes: Cell::new(0),
            state: Cell::new(UploadState::Upstream),
            answered: Cell::new(false),
            limit: None,
            patience: Patience { idle: second, total: Some(2 * second), min_rate: 0 },
            waited_ms: Cell::new(0),
            since_ms: Cell::new(0),
            upstream_ms: 60_000,
            watch: watch.clone(),
        };
        // The client takes 0.9 s each time, the upstream 50 s.
        for (now, turn) in [
            (0, UploadState::Client),
            (900, UploadState::Upstream),
            (50_900, UploadState::Client),
            (51_800, UploadState::Upstream),
        ] {
            set_now_ms(now);
            assert!(!watch.expired(), "at {now}");
            upload.turn(turn);
        }
        set_now_ms(100_000);
        assert!(!watch.expired());
        upload.turn(UploadState::Client);
        // 0.2 s are left of the two; a deadline may be a tick late.
        set_now_ms(100_200);
        assert!(!watch.expired());
        set_now_ms(100_250);
        assert!(watch.expired());
    }
}

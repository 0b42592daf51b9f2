//! The socket of an upstream connection, as hyper's driver reads and writes it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HeaderName, HeaderValue};
use hyper::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;

use super::Signal;
use crate::body::RequestBody;
use crate::link::Stream;

/// The socket, with four additions.
///
/// hyper asks for input more often than any can have come; each question costs a lock in tokio. A socket
/// that was empty stays empty until it wakes its [`Signal`], so it is not asked before. It counts what was read: a request may be repeated only if nothing was answered. It can remember what
/// was written, for that repetition; copying a few hundred bytes is cheaper than copying a map of headers
/// for each request that is never repeated. And a server that closes while it is still being sent a body
/// has often said why: a write that fails is held back until the answer, or the end, has been read
/// (RFC 9112 §9.5).
pub(super) struct Socket {
    pub(super) stream: Stream,
    line: Rc<Line>,
    signal: Arc<Signal>,
    /// The count of wakes at which it was empty.
    quiet: Option<u32>,
}

/// What a socket tells its link.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Bytes read in this exchange.
    pub(super) received: Cell<u64>,
    /// The server no longer takes what is written.
    pub(super) deaf: Cell<bool>,
    /// Keep what is written.
    pub(super) remember: Cell<bool>,
    /// What was written meanwhile.
    pub(super) written: RefCell<Vec<u8>>,
}

impl Socket {
    pub(super) fn new(stream: Stream, line: Rc<Line>, signal: Arc<Signal>) -> Self {
        Self { stream, line, signal, quiet: None }
    }

    fn written<'a>(
        &self,
        polled: Poll<io::Result<usize>>,
        bytes: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Poll<io::Result<usize>> {
        if self.line.remember.get()
            && let Poll::Ready(Ok(mut count)) = polled
        {
            let mut written = self.line.written.borrow_mut();
            for piece in bytes {
                let piece = &piece[..count.min(piece.len())];
                written.extend_from_slice(piece);
                count -= piece.len();
            }
            return polled;
        }
        match polled {
            Poll::Ready(Err(error)) if is_hangup(&error) => {
                self.line.deaf.set(true);
                Poll::Ready(Ok(bytes.map(<[u8]>::len).sum()))
            }
            polled => polled,
        }
    }
}

/// A request without a body, from the bytes that hyper made of it.
pub(super) fn parse(written: &[u8]) -> Option<Request<RequestBody>> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut lines);
    if head.parse(written).ok()? != httparse::Status::Complete(written.len()) {
        return None;
    }
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = head.method?.parse().ok()?;
    *request.uri_mut() = head.path?.parse().ok()?;
    for line in &*head.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line.value).ok()?);
    }
    Some(request)
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wakes = self.signal.wakes();
        if self.quiet == Some(wakes) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        // Out of budget, tokio says the same of a socket that isn't empty.
        let empty = polled.is_pending() && has_budget_remaining();
        self.quiet = empty.then_some(wakes);
        let read = (buf.filled().len() - before) as u64;
        self.line.received.set(self.line.received.get() + read);
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(polled, std::iter::once(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(polled, bufs.iter().map(|buf| &**buf))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_recalled_from_what_was_written() {
        let written =
            b"GET /a?b=c HTTP/1.1\r\nhost: chat.test\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n";
        let request = parse(written).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("GET", "/a?b=c")
        );
        assert_eq!(request.headers()["host"], "chat.test");
        assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
        assert!(parse(&written[..written.len() - 1]).is_none(), "half a head");
        assert!(
            parse(b"POST / HTTP/1.1\r\nhost: a\r\n\r\nbody").is_none(),
            "a body can't be recalled"
        );
    }
}

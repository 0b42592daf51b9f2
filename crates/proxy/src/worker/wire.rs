//! A client's connection, as hyper reads and writes it and as the worker watches it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;
use tokio_rustls::server::TlsStream;

use crate::front::frames::PREFACE;
use crate::front::stream::Stream;
use crate::guard::{Inlet, Reason};
use crate::scratch;
use crate::watch::{Phase, Watch};

/// A client's connection, for hyper to read and write, and for the worker to watch.
pub(super) struct Wire {
    pub(super) stream: RefCell<Stream>,
    /// Read ahead of hyper, to see whether the client is still there.
    peeked: RefCell<Vec<u8>>,
    /// What hyper gets to see.
    pub(super) inlet: RefCell<Inlet>,
    /// The next request is already there: nothing can be seen behind it.
    ahead: Cell<bool>,
    /// The client doesn't take what hyper wants to write.
    stuck: Cell<bool>,
    /// hyper has bytes of a head of which no request has come yet. It has written all there was to say to the
    /// requests before; what it writes now is what it says by itself to a head that is none, and goes nowhere.
    in_head: Cell<bool>,
    /// How the connection begins, as long as it may turn out to be HTTP/2; then that beginning.
    opening: RefCell<Opening>,
}

/// What is known of the protocol.
#[derive(Debug)]
enum Opening {
    /// It may be either; this much of HTTP/2's preface is there.
    Unclear(Vec<u8>),
    Http1,
    /// With all that was read.
    Http2(Vec<u8>),
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Rc<Self> {
        Rc::new(Self {
            stream: RefCell::new(stream),
            peeked: RefCell::default(),
            inlet: RefCell::default(),
            ahead: Cell::new(false),
            stuck: Cell::new(false),
            in_head: Cell::new(false),
            opening: RefCell::new(Opening::Unclear(Vec::new())),
        })
    }

    /// Whether hyper's next request is one that the guard has seen.
    pub(super) fn claim(&self) -> bool {
        self.in_head.set(false);
        self.inlet.borrow_mut().claim()
    }

    /// Why the guard let nothing more in.
    pub(super) fn refused(&self) -> Option<Reason> {
        self.inlet.borrow().refused()
    }

    /// Whether nothing is held back on either way, so that nothing is lost with the parser.
    pub(super) fn is_quiet(&self) -> bool {
        !self.stuck.get()
            && !self.stream.borrow().holds_back()
            && !self.inlet.borrow().has_more()
            && self.peeked.borrow().is_empty()
    }

    /// Whether the client has taken all that hyper had to write.
    pub(super) fn has_written(&self) -> bool {
        !self.stuck.get() && !self.stream.borrow().holds_back()
    }

    /// Whether there is nothing between it and the socket.
    pub(super) fn is_plain(&self) -> bool {
        matches!(*self.stream.borrow(), Stream::Plain(_))
    }

    /// Whether something has come, if only the end.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.borrow().socket().poll_read_ready(cx).map(drop)
    }

    /// Whether the client has closed its side while it is owed an answer.
    pub(super) fn hung_up(&self, cx: &mut Context<'_>) -> bool {
        if self.ahead.get() || self.inlet.borrow().holds() {
            return false;
        }
        let polled = match &mut *self.stream.borrow_mut() {
            Stream::Plain(stream) => stream.poll_peek(cx, &mut ReadBuf::new(&mut [0])),
            Stream::Tls(stream) => self.read_ahead(stream, cx),
        };
        match polled {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => true,
            Poll::Ready(Ok(_)) => {
                self.ahead.set(true);
                false
            }
        }
    }

    /// What TLS has to say can't be peeked at: it is read, and kept for hyper.
    fn read_ahead(
        &self,
        stream: &mut TlsStream<TcpStream>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut piece = [0; 1024];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(stream).poll_read(cx, &mut piece))?;
        let piece = piece.filled();
        if !piece.is_empty() {
            self.peeked.borrow_mut().extend_from_slice(piece);
            // If hyper waits for these, its turn is now.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(piece.len()))
    }

    /// Whether the connection began as HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        matches!(*self.opening.borrow(), Opening::Http2(_))
    }

    /// Looks at the first bytes of a connection, those behind `before`. Gives whether they are for hyper,
    /// or `None` if more are needed to say so; then, or if they are HTTP/2, they are kept.
    fn sniff(&self, buf: &mut ReadBuf<'_>, before: usize) -> Option<bool> {
        let mut opening = self.opening.borrow_mut();
        let Opening::Unclear(had) = &mut *opening else { return Some(true) };
        let new = &buf.filled()[before..];
        if new.is_empty() {
            return Some(true);
        }
        if had.is_empty() && new.first() != PREFACE.first() {
            *opening = Opening::Http1;
            return Some(true);
        }
        had.extend_from_slice(new);
        buf.set_filled(before);
        if had.starts_with(PREFACE) {
            *opening = Opening::Http2(std::mem::take(had));
            return Some(false);
        }
        if PREFACE.starts_with(had) {
            return None;
        }
        // It only looked like it.
        self.peeked.borrow_mut().append(had);
        self.ahead.set(true);
        *opening = Opening::Http1;
        None
    }

    /// Whoever waits for the client to take its answer before reading on may do so now.
    fn wrote(&self, polled: &Poll<io::Result<usize>>, cx: &Context<'_>) {
        if self.stuck.replace(polled.is_pending()) && polled.is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn has_peeked(&self) -> bool {
        // Only what is ahead can have been peeked at.
        self.ahead.get() && !self.peeked.borrow().is_empty()
    }

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.has_peeked() {
            let mut peeked = self.peeked.borrow_mut();
            let count = peeked.len().min(buf.remaining());
            buf.put_slice(&peeked[..count]);
            peeked.drain(..count);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf)
    }

    /// The connection, and what was read of it that hyper has not seen.
    pub(super) fn into_parts(self) -> (Stream, Bytes) {
        let held = self.inlet.into_inner().into_held();
        let unseen = match self.opening.into_inner() {
            Opening::Http2(bytes) => bytes,
            Opening::Http1 | Opening::Unclear(_) => self.peeked.into_inner(),
        };
        (self.stream.into_inner(), join(held, Bytes::from(unseen)))
    }
}

/// A client's socket, which notices the first byte of a request: from then on the head has its own
/// deadline.
pub(super) struct Socket {
    wire: Rc<Wire>,
    watch: Rc<Watch>,
    header_ms: u64,
    /// The turn in which it was found empty. Events are taken in between turns only, so it is not asked
    /// again in the same one; hyper would, several times.
    quiet: Option<u32>,
}

impl Socket {
    pub(super) fn new(wire: Rc<Wire>, watch: Rc<Watch>, header_ms: u64) -> Self {
        Self { wire, watch, header_ms, quiet: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { wire, watch, header_ms, quiet } = &mut *self;
        let before = buf.filled().len();
        let mut inlet = wire.inlet.borrow_mut();
        let in_head = inlet.is_in_head();
        if in_head && wire.stuck.get() {
            // The answer to the request before goes first; then hyper is woken.
            return Poll::Pending;
        }
        let polled = if inlet.has_more() {
            inlet.refill(buf);
            Poll::Ready(Ok(()))
        } else {
            let turn = watch.turn();
            if *quiet == Some(turn) && !wire.has_peeked() {
                return Poll::Pending;
            }
            let polled = loop {
                let polled = wire.poll_read(cx, buf);
                match wire.sniff(buf, before) {
                    Some(true) => break polled,
                    // hyper's part is over.
                    Some(false) => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
                    None => {}
                }
            };
            *quiet = (polled.is_pending() && has_budget_remaining()).then_some(turn);
            if buf.filled().len() > before {
                // Unless it could not take all of what was peeked at.
                wire.ahead.set(!wire.peeked.borrow().is_empty());
                inlet.admit(buf, before);
            }
            polled
        };
        if buf.filled().len() > before {
            if in_head {
                wire.in_head.set(true);
            }
            if watch.phase() == Phase::Idle {
                watch.enter(Phase::Head, *header_ms);
            }
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.wire.in_head.get() {
            return Poll::Ready(Ok(buf.len()));
        }
        let polled = Pin::new(&mut *self.wire.stream.borrow_mut()).poll_write(cx, buf);
        self.wire.wrote(&polled, cx);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.wire.in_head.get() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let mut stream = self.wire.stream.borrow_mut();
        let mut stream = Pin::new(&mut *stream);
        let polled = scratch::lend_joined(bufs, |bytes| stream.as_mut().poll_write(cx, bytes))
            .unwrap_or_else(|| stream.poll_write_vectored(cx, bufs));
        self.wire.wrote(&polled, cx);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire.stream.borrow_mut()).poll_shutdown(cx)
    }
}

/// What hyper has read and what it was not given yet.
pub(super) fn join(first: Bytes, then: Bytes) -> Bytes {
    match (first.is_empty(), then.is_empty()) {
        (true, _) => then,
        (_, true) => first,
        _ => [first, then].concat().into(),
    }
}

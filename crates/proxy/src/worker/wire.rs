//! A client's connection, as hyper reads and writes it and as the worker watches it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;

use crate::watch::{Phase, Watch};

/// A client's connection, for hyper to read and write, and for the worker to watch.
pub(super) struct Wire {
    pub(super) stream: RefCell<TcpStream>,
    /// The next request is already there: nothing can be seen behind it.
    ahead: Cell<bool>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Rc<Self> {
        Rc::new(Self { stream: RefCell::new(stream), ahead: Cell::new(false) })
    }

    /// Whether the client has closed its side while it is owed an answer.
    pub(super) fn hung_up(&self, cx: &mut Context<'_>) -> bool {
        if self.ahead.get() {
            return false;
        }
        let mut byte = [0];
        match self.stream.borrow().poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => true,
            Poll::Ready(Ok(_)) => {
                self.ahead.set(true);
                false
            }
        }
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
        let turn = self.watch.turn();
        if self.quiet == Some(turn) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut *self.wire.stream.borrow_mut()).poll_read(cx, buf);
        self.quiet = (polled.is_pending() && has_budget_remaining()).then_some(turn);
        if buf.filled().len() > before {
            self.wire.ahead.set(false);
            if self.watch.phase() == Phase::Idle {
                self.watch.enter(Phase::Head, self.header_ms);
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
        Pin::new(&mut *self.wire.stream.borrow_mut()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.wire.stream.borrow_mut()).poll_write_vectored(cx, bufs)
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

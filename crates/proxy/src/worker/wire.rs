//! A client's connection, as hyper reads and writes it and as the worker watches it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;

use crate::guard::{Inlet, Reason};
use crate::watch::{Phase, Watch};

/// A client's connection, for hyper to read and write, and for the worker to watch.
pub(super) struct Wire {
    pub(super) stream: RefCell<TcpStream>,
    /// What hyper gets to see.
    pub(super) inlet: RefCell<Inlet>,
    /// The next request is already there: nothing can be seen behind it.
    ahead: Cell<bool>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Rc<Self> {
        Rc::new(Self {
            stream: RefCell::new(stream),
            inlet: RefCell::default(),
            ahead: Cell::new(false),
        })
    }

    /// Whether hyper's next request is one that the guard has seen.
    pub(super) fn claim(&self) -> bool {
        self.inlet.borrow_mut().claim()
    }

    /// Why the guard let nothing more in.
    pub(super) fn refused(&self) -> Option<Reason> {
        self.inlet.borrow().refused()
    }

    /// Whether the client has closed its side while it is owed an answer.
    pub(super) fn hung_up(&self, cx: &mut Context<'_>) -> bool {
        if self.ahead.get() || self.inlet.borrow().holds() {
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
        let Self { wire, watch, header_ms, quiet } = &mut *self;
        let before = buf.filled().len();
        let mut inlet = wire.inlet.borrow_mut();
        let polled = if inlet.has_more() {
            inlet.refill(buf);
            Poll::Ready(Ok(()))
        } else {
            let turn = watch.turn();
            if *quiet == Some(turn) {
                return Poll::Pending;
            }
            let polled = Pin::new(&mut *wire.stream.borrow_mut()).poll_read(cx, buf);
            *quiet = (polled.is_pending() && has_budget_remaining()).then_some(turn);
            if buf.filled().len() > before {
                wire.ahead.set(false);
                inlet.admit(buf, before);
            }
            polled
        };
        if buf.filled().len() > before && watch.phase() == Phase::Idle {
            watch.enter(Phase::Head, *header_ms);
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

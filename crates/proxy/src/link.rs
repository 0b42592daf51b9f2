//! One connection to an upstream server.
//!
//! hyper splits a client connection into a handle ([`SendRequest`]) and a driver ([`Connection`]) that is
//! usually spawned as a task of its own. Two tasks per request mean two trips through the scheduler, so
//! a [`Link`] keeps both halves: whoever uses the link polls the driver in place. Nobody polls it while
//! it lies in the pool; if the server closed it meanwhile, the next poll sees that before anything is
//! written, and hyper gives the request back unharmed.
//!
//! The halves wake each other through channels. Both live in the same task here, so such a wake is not
//! worth a trip through the scheduler either: [`Signal`] catches it, and [`Link::poll_with`] polls again.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::body::RequestBody;

/// Response heads and read-ahead of a connection, at most.
const BUFFER: usize = 64 * 1024;
/// Rounds of driver and reader that wake each other before other tasks get their turn.
const ROUNDS: usize = 4;

/// An open connection to an upstream server, with one exchange on it or none.
pub(crate) struct Link {
    sender: SendRequest<RequestBody>,
    /// Gone once it ended without having taken a request.
    driver: Option<Driver>,
    /// The driver returned: the connection is closed or no longer speaks HTTP.
    ended: bool,
    signal: Arc<Signal>,
    waker: Waker,
    received: Rc<Cell<u64>>,
    /// The server no longer takes what is written.
    deaf: Rc<Cell<bool>>,
    exchanges: u32,
}

type Driver = Connection<TokioIo<Socket>, RequestBody>;

/// Why an exchange gave no response head.
pub(crate) enum SendError<S> {
    /// Nothing was written: the request is back and may go to another connection (RFC 9110 §9.2.2
    /// isn't even touched).
    Unsent(Request<RequestBody>),
    /// The connection broke after the request was, or may have been, written.
    Broken {
        /// What hyper says.
        error: hyper::Error,
        /// Whether any byte of a response was read.
        answered: bool,
    },
    /// The caller stopped it.
    Stopped(S),
}

impl Link {
    /// Opens a connection.
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        // A request is written whole and its answer awaited: never hold it back for a fuller packet.
        stream.set_nodelay(true)?;
        let (received, deaf) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let socket = Socket { stream, received: received.clone(), deaf: deaf.clone() };
        let (sender, driver) = Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(signal.clone());
        Ok(Self { sender, driver: Some(driver), ended: false, signal, waker, received, deaf, exchanges: 0 })
    }

    /// Whether the next exchange may start: the last one is over in both directions.
    pub(crate) fn is_idle(&self) -> bool {
        !self.ended && !self.deaf.get() && (self.exchanges == 0 || self.sender.is_ready())
    }

    /// Whether an exchange took place on it before.
    pub(crate) fn is_reused(&self) -> bool {
        self.exchanges > 0
    }

    /// Sends a request and waits for the response head, or until `stop` has a reason to stop, asked at
    /// every wake-up.
    pub(crate) async fn send<S>(
        &mut self,
        request: Request<RequestBody>,
        mut stop: impl FnMut(&mut Context<'_>) -> Poll<S>,
    ) -> Result<Response<Incoming>, SendError<S>> {
        self.exchanges = self.exchanges.saturating_add(1);
        self.received.set(0);
        let mut answer = pin!(self.sender.try_send_request(request));
        let outcome = std::future::poll_fn(|cx| {
            match self.signal.poll_both(
                cx,
                &self.waker,
                &mut self.driver,
                &mut self.ended,
                false,
                |cx| answer.as_mut().poll(cx),
            ) {
                Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
                Poll::Pending if self.ended => {
                    // The server closed before the driver took the request, and now it never will.
                    // Dropped, it hands the request back.
                    self.driver = None;
                    match answer.as_mut().poll(cx) {
                        Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
                        Poll::Pending => stop(cx).map(Err),
                    }
                }
                Poll::Pending => stop(cx).map(Err),
            }
        })
        .await;
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut failed)) => Err(match failed.take_message() {
                Some(request) => SendError::Unsent(request),
                None => SendError::Broken {
                    error: failed.into_error(),
                    answered: self.received.get() > 0,
                },
            }),
            Err(stopped) => Err(SendError::Stopped(stopped)),
        }
    }

    /// Polls a reader of the response body, moving bytes on the connection as long as it has nothing.
    pub(crate) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.signal.poll_both(cx, &self.waker, &mut self.driver, &mut self.ended, true, read)
    }

    /// Lets an idle connection notice that the server closed it. Reads no more than that.
    pub(crate) fn check(&mut self) -> bool {
        let mut quiet = Context::from_waker(Waker::noop());
        if !self.ended && poll_driver(&mut self.driver, &mut quiet).is_ready() {
            self.ended = true;
        }
        self.is_idle()
    }

    /// The bare connection after a 101, with the bytes that were read behind the response head.
    pub(crate) fn into_tunnel(self) -> Option<(TcpStream, Bytes)> {
        if !self.ended {
            return None;
        }
        let parts = self.driver?.into_parts();
        Some((parts.io.into_inner().stream, parts.read_buf))
    }
}

/// Ready when the driver is done, or gone.
fn poll_driver(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> Poll<()> {
    match driver {
        Some(driver) => Pin::new(driver).poll(cx).map(drop),
        None => Poll::Ready(()),
    }
}

/// Wakes the task that uses a link, unless that task is just polling it.
#[derive(Debug, Default)]
struct Signal {
    task: AtomicWaker,
    state: AtomicU8,
}

/// Nobody polls the link: a wake goes on to the task.
const ASLEEP: u8 = 0;
/// The link is being polled: a wake only has to be remembered.
const POLLING: u8 = 1;
/// A wake came while it was polled.
const AGAIN: u8 = 2;

impl Signal {
    fn poll_both<T>(
        &self,
        cx: &mut Context<'_>,
        waker: &Waker,
        driver: &mut Option<Driver>,
        ended: &mut bool,
        read_first: bool,
        mut read: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut inner = Context::from_waker(waker);
        self.state.store(POLLING, Ordering::Relaxed);
        if read_first && let Poll::Ready(value) = read(&mut inner) {
            self.state.store(ASLEEP, Ordering::Relaxed);
            return Poll::Ready(value);
        }
        self.task.register(cx.waker());
        for _ in 0..ROUNDS {
            self.state.store(POLLING, Ordering::Relaxed);
            // How the connection ended reaches the reader: an error, or the end of the body.
            if !*ended && poll_driver(driver, &mut inner).is_ready() {
                *ended = true;
            }
            let value = read(&mut inner);
            let woken = self.state.swap(ASLEEP, Ordering::Relaxed) == AGAIN;
            // A wake that is dropped here isn't lost: whoever got a value comes back for the next one.
            if value.is_ready() || !woken {
                return value;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // All on one thread: the atomics are only there because a waker must be shareable.
        if self.state.load(Ordering::Relaxed) == ASLEEP {
            self.task.wake();
        } else {
            self.state.store(AGAIN, Ordering::Relaxed);
        }
    }
}

/// The socket, with two additions.
///
/// It counts what was read: a request may be repeated only if nothing was answered. And a server that
/// closes while it is still being sent a body has often said why: a write that fails is held back until
/// the answer, or the end, has been read (RFC 9112 §9.5).
struct Socket {
    stream: TcpStream,
    received: Rc<Cell<u64>>,
    deaf: Rc<Cell<bool>>,
}

impl Socket {
    fn written(&self, polled: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Err(error)) if is_hangup(&error) => {
                self.deaf.set(true);
                Poll::Ready(Ok(all))
            }
            polled => polled,
        }
    }
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
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.received.set(self.received.get() + (buf.filled().len() - before) as u64);
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
        self.written(polled, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(polled, bufs.iter().map(|buf| buf.len()).sum())
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

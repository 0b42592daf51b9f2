//! A connection that speaks HTTP/1.1.
//!
//! hyper splits a client connection into a handle ([`SendRequest`]) and a driver ([`Connection`]) that is
//! usually spawned as a task of its own. Two tasks per request mean two trips through the scheduler, so
//! a [`Link`] keeps both halves: whoever uses the link polls the driver in place. Nobody polls it while
//! it lies in the pool; if the server closed it meanwhile, the next poll sees that before anything is
//! written, and hyper gives the request back unharmed.
//!
//! The halves wake each other through channels. Both live in the same task here, so such a wake is not
//! worth a trip through the scheduler either: [`Signal`] catches it, and [`Link::poll_with`] polls again.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::{SendError, Stream};
use crate::body::RequestBody;

mod socket;

use socket::{Line, Socket, parse};

/// Response heads and read-ahead of a connection, at most.
const BUFFER: usize = 64 * 1024;
/// Rounds of driver and reader that wake each other before other tasks get their turn.
const ROUNDS: usize = 4;

/// A connection with one exchange on it or none.
pub(crate) struct Link {
    sender: SendRequest<RequestBody>,
    /// Gone once it ended without having taken a request.
    driver: Option<Driver>,
    /// The driver returned: the connection is closed or no longer speaks HTTP.
    ended: bool,
    signal: Arc<Signal>,
    waker: Waker,
    line: Rc<Line>,
    exchanges: u32,
}

type Driver = Connection<TokioIo<Socket>, RequestBody>;

impl Link {
    /// Begins to speak on a connection.
    pub(super) async fn over(stream: Stream) -> io::Result<Self> {
        let line = Rc::new(Line::default());
        let signal = Arc::new(Signal::default());
        let socket = Socket::new(stream, line.clone(), signal.clone());
        let (sender, driver) = Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        let waker = Waker::from(signal.clone());
        Ok(Self { sender, driver: Some(driver), ended: false, signal, waker, line, exchanges: 0 })
    }

    /// Whether the next exchange may start: the last one is over in both directions.
    pub(super) fn is_idle(&self) -> bool {
        !self.ended && !self.line.deaf.get() && (self.exchanges == 0 || self.sender.is_ready())
    }

    /// Whether an exchange took place on it before.
    pub(super) fn is_reused(&self) -> bool {
        self.exchanges > 0
    }

    /// Remembers the next request as it is written, in case it has to be written again.
    pub(super) fn remember(&mut self) {
        self.line.remember.set(true);
    }

    /// What [`remember`](Self::remember) remembered: the request, if it had no body.
    pub(super) fn recall(&self) -> Option<Request<RequestBody>> {
        parse(&self.line.written.borrow())
    }

    /// Sends the request in the slot and waits for the response head, or until `stop` has a reason to
    /// stop, asked at every wake-up.
    pub(super) async fn send<S>(
        &mut self,
        request: &mut Option<Request<RequestBody>>,
        mut stop: impl FnMut(&mut Context<'_>) -> Poll<S>,
    ) -> Result<Response<Incoming>, SendError<S>> {
        let Some(message) = request.take() else { return Err(SendError::Unsent) };
        self.exchanges = self.exchanges.saturating_add(1);
        self.line.received.set(0);
        self.line.written.borrow_mut().clear();
        // Handing the request over wakes whoever polled the driver last, maybe for another client.
        self.signal.state.store(POLLING, Ordering::Relaxed);
        let mut answer = pin!(self.sender.try_send_request(message));
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
        self.line.remember.set(false);
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut failed)) => Err(match failed.take_message() {
                Some(message) => {
                    *request = Some(message);
                    SendError::Unsent
                }
                None => SendError::Broken {
                    error: failed.into_error(),
                    answered: self.line.received.get() > 0,
                },
            }),
            Err(stopped) => Err(SendError::Stopped(stopped)),
        }
    }

    /// Polls a reader of the response body, moving bytes on the connection as long as it has nothing.
    pub(super) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.signal.poll_both(
            cx,
            &self.waker,
            &mut self.driver,
            &mut self.ended,
            true,
            &mut read,
        );
        if polled.is_pending() && self.ended && self.driver.take().is_some() {
            // Nothing more will come; dropped, the driver says so to the reader.
            return read(cx);
        }
        polled
    }

    /// Lets an idle connection notice that the server closed it. Reads no more than that.
    pub(super) fn check(&mut self) -> bool {
        // Whoever used it last isn't concerned any more.
        drop(self.signal.task.take());
        let mut cx = Context::from_waker(&self.waker);
        if !self.ended && poll_driver(&mut self.driver, &mut cx).is_ready() {
            self.ended = true;
        }
        self.is_idle()
    }

    /// The bare connection after a 101, with the bytes that were read behind the response head.
    pub(super) fn into_tunnel(self) -> Option<(Stream, Bytes)> {
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
    /// Wakes from outside: only after one can there be something new on the socket.
    wakes: AtomicU32,
}

/// Nobody polls the link: a wake goes on to the task.
const ASLEEP: u8 = 0;
/// The link is being polled: a wake only has to be remembered.
const POLLING: u8 = 1;
/// A wake came while it was polled.
const AGAIN: u8 = 2;

impl Signal {
    /// How often it was woken from outside.
    fn wakes(&self) -> u32 {
        self.wakes.load(Ordering::Relaxed)
    }

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
            self.wakes.store(self.wakes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            self.task.wake();
        } else {
            self.state.store(AGAIN, Ordering::Relaxed);
        }
    }
}

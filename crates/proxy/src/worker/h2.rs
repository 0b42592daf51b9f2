//! Connections that speak HTTP/2 (RFC 9113): many requests at once, each with a deadline of its own.
//!
//! hyper has a future for each stream, which is run here as a task. The watch of the stream tells when it
//! is too late: the request's own code gives up first, and answers; what it doesn't notice, a client that
//! reads nothing of its answer say, ends with the task, which resets the stream. The watch of the
//! connection counts only while there is no stream; in between, pings tell whether the client is still there.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::Worker;
use crate::body::ProxyBody;
use crate::forward::{self, Visit};
use crate::front::stream::Stream;
use crate::guard::OutOfStep;
use crate::watch::{Drain, Phase, Watch};

mod web_socket;
mod wire;

use wire::Wire;

/// What is kept for a client that doesn't read.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that were reset and that the connection still has to deal with; the library ends the
/// connection at more.
const RESET_STREAMS: usize = 20;
const FAULTY_STREAMS: usize = 100;
/// How long a client may take to say goodbye.
const GOODBYE_MS: u64 = 2000;

impl Worker {
    /// Serves a connection whose first bytes, if any were read, are in `early`.
    pub(super) async fn serve_http2(
        self: Rc<Self>,
        stream: Stream,
        early: Bytes,
        visit: &Rc<Visit>,
    ) {
        let watch = &visit.watch;
        let limits = self.limits.get();
        let streams = Rc::new(Streams {
            worker: self.clone(),
            connection: watch.clone(),
            open: Cell::new(0),
            next: RefCell::default(),
        });
        let wire = Wire::new(stream, early, limits.http2_control_frames);
        let mut builder = http2::Builder::new(Spawner(streams.clone()));
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.http2_ping_interval)
            .keep_alive_timeout(limits.http2_ping_timeout)
            .initial_stream_window_size(limits.http2_stream_window)
            .initial_connection_window_size(limits.http2_connection_window)
            .max_send_buf_size(SEND_BUFFER)
            .max_concurrent_streams(limits.http2_streams)
            .max_header_list_size(limits.http2_head_bytes)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(FAULTY_STREAMS)
            .enable_connect_protocol()
            .auto_date_header(true);
        let service = service_fn(|request| {
            let (visit, stream) = streams.visit(visit);
            Box::pin(answer(visit, stream, request))
        });
        let mut connection = builder.serve_connection(TokioIo::new(wire.clone()), service);
        let mut leaving = false;
        let ended = std::future::poll_fn(|cx| {
            watch.set_task(cx.waker());
            if watch.drain() != Drain::No && !leaving {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            let mut polled = Pin::new(&mut connection).poll(cx);
            if polled.is_pending() && watch.expired() && !leaving {
                if watch.phase() == Phase::Head {
                    self.books.stats.late.add(1);
                }
                // Idle for too long: a request that is on its way may still come.
                leaving = true;
                watch.due_in(GOODBYE_MS);
                Pin::new(&mut connection).graceful_shutdown();
                polled = Pin::new(&mut connection).poll(cx);
            }
            // What all streams had to say in this turn goes out at once.
            let written = wire.poll_send(cx);
            match polled {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if matches!(written, Poll::Ready(Err(_))) => Poll::Ready(None),
                Poll::Pending if watch.expired() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if let Some(Err(error)) = ended {
            tracing::debug!(peer = %visit.peer, error = %crate::error::causes(&error), "connection ended");
        }
    }
}

/// Answers the request of a stream.
async fn answer(
    visit: Rc<Visit>,
    stream: Rc<OpenStream>,
    mut request: Request<Incoming>,
) -> Result<Response<ProxyBody>, OutOfStep> {
    if web_socket::is_asked_for(&request) {
        return web_socket::open(visit, stream, request).await;
    }
    let has_body = !request.body().is_end_stream();
    plain(&mut request, has_body);
    let mut response = forward::handle(visit, request).await?;
    // What is about a connection means nothing here.
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}

/// Makes a request say by the means of HTTP/1.1 what it says by those of HTTP/2.
fn plain(request: &mut Request<Incoming>, has_body: bool) {
    let is_connect = *request.method() == Method::CONNECT;
    let headers = request.headers_mut();
    join_crumbs(headers);
    if has_body && !is_connect && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// A cookie header may come in pieces (RFC 9113 §8.2.3); further down it has to be one.
fn join_crumbs(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(_), Some(_)) = (crumbs.next(), crumbs.next()) else { return };
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Made of header values, it is one.
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookie);
    }
}

/// The streams of a connection.
struct Streams {
    worker: Rc<Worker>,
    connection: Rc<Watch>,
    open: Cell<usize>,
    /// The stream that hyper is about to hand to the [`Spawner`].
    next: RefCell<Option<Rc<OpenStream>>>,
}

impl Streams {
    /// A new stream's own view of its connection.
    fn visit(self: &Rc<Self>, connection: &Visit) -> (Rc<Visit>, Rc<OpenStream>) {
        let watch = self.worker.watches.open(u64::MAX);
        if self.open.replace(self.open.get() + 1) == 0 {
            self.connection.enter(Phase::Busy, u64::MAX);
        }
        let stream = Rc::new(OpenStream { streams: self.clone(), watch: watch.clone() });
        *self.next.borrow_mut() = Some(stream.clone());
        let visit = Rc::new(Visit {
            worker: self.worker.clone(),
            watch,
            client: connection.client.clone(),
            peer: connection.peer,
            door: connection.door.clone(),
            secure: connection.secure.clone(),
            tunnel: RefCell::new(None),
            live: None,
        });
        (visit, stream)
    }
}

/// A stream, until its last owner drops it.
struct OpenStream {
    streams: Rc<Streams>,
    watch: Rc<Watch>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Streams { worker, connection, open, .. } = &*self.streams;
        worker.watches.close(&self.watch);
        open.set(open.get() - 1);
        if open.get() == 0 {
            connection.enter(Phase::Idle, worker.books.keep_alive_ms.get());
        }
    }
}

/// Runs what hyper wants to have run.
#[derive(Clone)]
struct Spawner(Rc<Streams>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        // hyper calls the service for a stream, and hands over the stream's future next.
        let stream = self.0.next.take();
        tokio::task::spawn_local(async move {
            let mut future = std::pin::pin!(future);
            std::future::poll_fn(|cx| {
                let Some(stream) = &stream else { return future.as_mut().poll(cx) };
                stream.watch.set_task(cx.waker());
                match future.as_mut().poll(cx) {
                    Poll::Pending if stream.watch.expired() => Poll::Ready(()),
                    polled => polled,
                }
            })
            .await;
        });
    }
}

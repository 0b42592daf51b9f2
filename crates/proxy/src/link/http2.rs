//! Connections that speak HTTP/2 (RFC 9113): many requests beside each other, a stream each.
//!
//! The connection is driven by a task of its own, since no request has it for itself. It is closed when
//! the pool has forgotten it and its last stream is over.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::HOST;
use http_body::{Body as _, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::{Broken, Manner, SendError, Stream as Transport};
use crate::body::{RequestBody, Upload, UploadState};
use crate::resolve::Known;
use crate::watch::now_ms;

/// What a server may send ahead on each stream. The connection has as much for each of its streams, so
/// that a client who doesn't read its answer holds up nobody else's.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Response head at most, as with HTTP/1.1.
const HEAD: u32 = 64 * 1024;
/// A connection with requests on it on which nothing comes for so long is asked for a sign of life ...
const SILENCE: Duration = Duration::from_secs(10);
/// ... and given up after this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection with several exchanges on it.
pub(crate) struct Shared {
    sender: RefCell<SendRequest<RequestBody>>,
    streams: Cell<usize>,
    /// What the server allows.
    allowed: Rc<Cell<usize>>,
    /// What the configuration allows.
    most: usize,
    scheme: &'static str,
    /// When the last stream ended.
    since: Cell<u64>,
    used: Cell<bool>,
}

/// One exchange.
pub(crate) struct Stream {
    shared: Rc<Shared>,
    reused: bool,
    remembers: bool,
    kept: Option<Request<RequestBody>>,
    /// The request's body.
    upload: Option<Rc<Upload>>,
    /// The response's body.
    incoming: Option<Incoming>,
}

/// Spawns on the worker's thread.
#[derive(Clone)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

impl Shared {
    /// Opens a connection.
    pub(crate) async fn open(known: &Known, manner: &Manner) -> io::Result<Rc<Self>> {
        let transport = Transport::open(known, manner.secure.as_ref(), true).await?;
        let streams = u32::try_from(manner.streams).unwrap_or(1000);
        let (sender, mut connection) = Builder::new(Local)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams.max(1)))
            .max_header_list_size(HEAD)
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(PATIENCE)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(io::Error::other)?;
        let allowed = Rc::new(Cell::new(manner.streams));
        let told = allowed.clone();
        let addr = known.addr.clone();
        tokio::task::spawn_local(async move {
            let driven = poll_fn(|cx| {
                let polled = Pin::new(&mut connection).poll(cx);
                told.set(connection.current_max_send_streams());
                polled
            });
            if let Err(error) = driven.await {
                let error = crate::error::causes(&error);
                tracing::debug!(%addr, error, "connection ended");
            }
        });
        Ok(Rc::new(Self {
            sender: RefCell::new(sender),
            streams: Cell::new(0),
            allowed,
            most: manner.streams,
            scheme: if manner.secure.is_some() { "https" } else { "http" },
            since: Cell::new(now_ms()),
            used: Cell::new(false),
        }))
    }

    /// Whether the server has closed it, or said that it will.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.borrow().is_closed()
    }

    /// Whether another stream fits on it.
    pub(crate) fn has_room(&self) -> bool {
        // A server that allows none for the moment is given one to wait with.
        self.streams.get() < self.most.min(self.allowed.get()).max(1) && !self.is_closed()
    }

    /// Since when it has been idle, if it is.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        (self.streams.get() == 0).then(|| self.since.get())
    }

    /// Another stream.
    pub(crate) fn stream(self: &Rc<Self>) -> Stream {
        self.streams.set(self.streams.get() + 1);
        let reused = self.used.replace(true);
        Stream {
            shared: self.clone(),
            reused,
            remembers: false,
            kept: None,
            upload: None,
            incoming: None,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.streams.set(self.shared.streams.get() - 1);
        self.shared.since.set(now_ms());
    }
}

impl Stream {
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    pub(super) fn remember(&mut self) {
        self.remembers = true;
    }

    pub(super) fn recall(&mut self) -> Option<Request<RequestBody>> {
        self.kept.take()
    }

    pub(super) async fn send<S>(
        &mut self,
        request: &mut Option<Request<RequestBody>>,
        mut stop: impl FnMut(&mut Context<'_>) -> Poll<S>,
    ) -> Result<Response<()>, SendError<S>> {
        let Some(message) = request.take() else { return Err(SendError::Unsent) };
        self.upload = message.body().upload();
        self.kept = std::mem::take(&mut self.remembers).then(|| copy(&message));
        let message = with_authority(message, self.shared.scheme);
        let mut sender = self.shared.sender.borrow().clone();
        let mut answer = pin!(sender.try_send_request(message));
        let outcome = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => stop(cx).map(Err),
        })
        .await;
        match outcome {
            Ok(Ok(response)) => {
                let (head, incoming) = response.into_parts();
                self.incoming = Some(incoming);
                Ok(Response::from_parts(head, ()))
            }
            Ok(Err(mut failed)) => Err(match failed.take_message() {
                Some(message) => {
                    *request = Some(with_host(message));
                    SendError::Unsent
                }
                None => SendError::Broken { error: failed.into_error().into(), answered: false },
            }),
            Err(stopped) => Err(SendError::Stopped(stopped)),
        }
    }

    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                // Trailers are not passed on.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    Err(_) => continue,
                },
                Some(Err(error)) => Some(Err(error.into())),
                None if is_whole(incoming) || self.is_sending() => None,
                None => Some(Err(Broken::Closed)),
            });
        }
    }

    /// Whether the request is still being sent. A server that has answered may then ask for no more of it, by
    /// a reset of the stream (RFC 9113 §8.1), behind which the end of its answer can't be told.
    fn is_sending(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| upload.state.get() != UploadState::Done)
    }

    pub(super) fn is_over(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

/// Whether a body that has ended is all there. For hyper a stream that was cancelled ends like any other.
fn is_whole(incoming: &Incoming) -> bool {
    incoming.is_end_stream() || incoming.size_hint().exact() == Some(0)
}

/// The same request again; it has no body.
fn copy(message: &Request<RequestBody>) -> Request<RequestBody> {
    let mut again = Request::new(RequestBody::Empty);
    again.method_mut().clone_from(message.method());
    again.uri_mut().clone_from(message.uri());
    again.headers_mut().clone_from(message.headers());
    again
}

/// `Host` becomes the authority of the target (RFC 9113 §8.3.1).
fn with_authority(mut message: Request<RequestBody>, scheme: &str) -> Request<RequestBody> {
    let path = message.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri = message.headers().get(HOST).and_then(|host| {
        Uri::builder().scheme(scheme).authority(host.as_bytes()).path_and_query(path).build().ok()
    });
    // What isn't an authority stays where it is: that is allowed too.
    if let Some(uri) = uri {
        *message.uri_mut() = uri;
        message.headers_mut().remove(HOST);
    }
    message
}

/// The other way round, for a request that has to go elsewhere.
fn with_host(mut message: Request<RequestBody>) -> Request<RequestBody> {
    let host = message.uri().authority().and_then(|host| host.as_str().parse().ok());
    if let Some(host) = host {
        message.headers_mut().insert(HOST, host);
        let path = message.uri().path_and_query().cloned();
        *message.uri_mut() = path.map(Uri::from).unwrap_or_default();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_becomes_the_authority_and_back() {
        for (target, absolute) in [
            ("/a?b=c", "https://chat.test:80/a?b=c"),
            ("/", "https://chat.test:80/"),
            ("*", "https://chat.test:80/*"),
        ] {
            let mut request = Request::new(RequestBody::Empty);
            *request.uri_mut() = target.parse().unwrap();
            request.headers_mut().insert(HOST, "chat.test:80".parse().unwrap());
            let sent = with_authority(request, "https");
            assert!(!sent.headers().contains_key(HOST));
            if target != "*" {
                assert_eq!(sent.uri().to_string(), absolute);
            }
            let back = with_host(sent);
            assert_eq!(
                (back.uri().to_string().as_str(), &back.headers()[HOST]),
                (target, &"chat.test:80".parse().unwrap())
            );
        }
    }
}

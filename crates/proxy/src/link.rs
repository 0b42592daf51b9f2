//! A connection to an upstream server, as an exchange uses it: all of one that speaks HTTP/1.1, or a stream
//! of one that speaks HTTP/2.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::SizeHint;
use hyper::{Request, Response};

use crate::body::{CutShort, RequestBody};
use crate::config::{Protocol, Secure};
use crate::resolve::Known;

mod http1;
mod http2;
mod stream;

pub use http1::answer;
pub(crate) use http2::Shared;
pub(crate) use stream::Stream;

/// How servers are spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// TLS, if any.
    pub(crate) secure: Option<Secure>,
    /// What is spoken.
    pub(crate) protocol: Protocol,
    /// HTTP/2 streams on a connection at most.
    pub(crate) streams: usize,
}

/// What an exchange takes place on.
pub(crate) enum Link {
    /// A connection of its own.
    Http1(Box<http1::Link>),
    /// A stream beside others.
    Http2(Box<http2::Stream>),
}

/// Why an exchange gave no response head.
pub(crate) enum SendError<S> {
    /// Nothing was written: the request is back in its slot and may go to another connection, whatever
    /// it is.
    Unsent,
    /// The connection broke after the request was, or may have been, written.
    Broken {
        /// How.
        error: Broken,
        /// Whether any byte of a response was read.
        answered: bool,
    },
    /// The caller stopped it.
    Stopped(S),
}

/// How an exchange ends before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The system's word.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// It was closed in the middle of a response, or before one.
    #[error("the server closed the connection")]
    Closed,
    /// It sent what is no response.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// The request could not be sent to its end.
    #[error("the request broke off")]
    Request(#[source] CutShort),
    /// A stream of HTTP/2 failed.
    #[error("the stream broke")]
    Http2(#[from] hyper::Error),
}

impl Broken {
    /// Whether the server answered something that is not HTTP.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}

impl Manner {
    /// How the servers of an upstream are spoken to.
    pub(crate) fn of(upstream: &crate::config::Upstream) -> Self {
        Self {
            secure: upstream.tls.clone(),
            protocol: upstream.protocol,
            streams: upstream.max_streams,
        }
    }

    /// Whether requests share connections.
    pub(crate) fn shares(&self) -> bool {
        self.protocol != Protocol::Http1
    }
}

impl Link {
    /// Opens a connection for exchanges one after the other. Also for an upstream that speaks HTTP/2: a
    /// tunnel needs a connection of its own.
    pub(crate) async fn open(known: &Known, manner: &Manner) -> io::Result<Self> {
        let stream = Stream::open(known, manner.secure.as_ref(), false).await?;
        Ok(Self::Http1(Box::new(http1::Link::over(stream))))
    }

    /// Opens a connection for one exchange, in the way the upstream speaks.
    pub(crate) async fn open_once(known: &Known, manner: &Manner) -> io::Result<Self> {
        if manner.shares() {
            let shared = Shared::open(known, manner).await?;
            return Ok(Self::shared(&shared));
        }
        Self::open(known, manner).await
    }

    /// A stream of a connection that others use too.
    pub(crate) fn shared(connection: &Rc<Shared>) -> Self {
        Self::Http2(Box::new(connection.stream()))
    }

    /// Whether the next exchange may start: the last one is over in both directions. A stream has but one.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Http1(link) => link.is_idle(),
            Self::Http2(_) => false,
        }
    }

    /// Whether it is a stream of a connection that others use too.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Whether an exchange took place on the connection before.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Http1(link) => link.is_reused(),
            Self::Http2(stream) => stream.is_reused(),
        }
    }

    /// Remembers the next request as it is written, in case it has to be written again.
    pub(crate) fn remember(&mut self) {
        match self {
            // It does so anyway.
            Self::Http1(_) => {}
            Self::Http2(stream) => stream.remember(),
        }
    }

    /// What [`remember`](Self::remember) remembered: the request, if it had no body.
    pub(crate) fn recall(&mut self) -> Option<Request<RequestBody>> {
        match self {
            Self::Http1(link) => link.recall(),
            Self::Http2(stream) => stream.recall(),
        }
    }

    /// Sends the request in the slot and waits for the response head, or until `stop` has a reason to
    /// stop, asked at every wake-up.
    pub(crate) async fn send<S>(
        &mut self,
        request: &mut Option<Request<RequestBody>>,
        stop: impl FnMut(&mut Context<'_>) -> Poll<S>,
    ) -> Result<Response<()>, SendError<S>> {
        match self {
            Self::Http1(link) => link.send(request, stop).await,
            // Boxed, so that requests over HTTP/1.1 needn't carry the space around.
            Self::Http2(stream) => Box::pin(stream.send(request, stop)).await,
        }
    }

    /// The next piece of the response's body; `None` at its end.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Http1(link) => link.poll_data(cx),
            Self::Http2(stream) => stream.poll_data(cx),
        }
    }

    /// Whether nothing more comes of the response's body.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Http1(link) => link.is_over(),
            Self::Http2(stream) => stream.is_over(),
        }
    }

    /// How much of the response's body is still to come, as far as that is known.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(link) => link.size_hint(),
            Self::Http2(stream) => stream.size_hint(),
        }
    }

    /// Lets an idle connection notice that the server closed it. Reads no more than that.
    pub(crate) fn check(&mut self) -> bool {
        match self {
            Self::Http1(link) => link.check(),
            Self::Http2(_) => false,
        }
    }

    /// The bare connection after a 101, with the bytes that were read behind the response head.
    pub(crate) fn into_tunnel(self) -> Option<(Stream, Bytes)> {
        match self {
            Self::Http1(link) => link.into_tunnel(),
            Self::Http2(_) => None,
        }
    }
}

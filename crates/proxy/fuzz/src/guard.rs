//! What clients send on a connection, as guard and parser see it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proxy::guard::Inlet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Serves a stream of requests: the parser must make of it what the guard took it for, and the same however it is cut
/// to pieces.
pub fn run(bytes: &[u8]) {
    let whole = requests(bytes, usize::MAX);
    for piece in [1, 2, 3, 7, 61] {
        assert_eq!(requests(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// Target and length of the body of each request, and whether its end was seen.
fn requests(bytes: &[u8], piece: usize) -> Vec<(String, usize, bool)> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return Vec::new();
    };
    let seen = Rc::new(RefCell::new(Vec::new()));
    let wire = Wire { left: bytes, piece, inlet: Rc::default() };
    let inlet = wire.inlet.clone();
    let in_step = Cell::new(true);
    let service = service_fn(|request: Request<Incoming>| {
        if !inlet.borrow_mut().claim() {
            in_step.set(false);
        }
        let seen = seen.clone();
        async move {
            let (parts, mut body) = request.into_parts();
            let mut length = 0;
            let complete = loop {
                match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    None => break true,
                    Some(Err(_)) => break false,
                    Some(Ok(frame)) => length += frame.data_ref().map_or(0, |data| data.len()),
                }
            };
            seen.borrow_mut().push((parts.uri.to_string(), length, complete));
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let serving = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(wire), service);
    let ended = runtime.block_on(serving);
    assert!(in_step.get(), "the parser made a request that the guard did not see");
    if ended.is_ok() {
        assert!(
            !inlet.borrow_mut().claim(),
            "the guard saw a request that the parser did not make"
        );
    }
    // How much of a body is seen before it turns out to be bad is a matter of pieces.
    let mut seen = seen.take();
    for (_, length, complete) in &mut seen {
        if !*complete {
            *length = 0;
        }
    }
    seen
}

/// A client that sends these bytes and reads nothing.
struct Wire<'a> {
    left: &'a [u8],
    piece: usize,
    inlet: Rc<RefCell<Inlet>>,
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inlet = self.inlet.clone();
        let mut inlet = inlet.borrow_mut();
        if inlet.has_more() {
            inlet.refill(buf);
            return Poll::Ready(Ok(()));
        }
        let (before, count) = (buf.filled().len(), self.piece.min(self.left.len()));
        let (now, later) = self.left.split_at(count.min(buf.remaining()));
        self.left = later;
        buf.put_slice(now);
        if !now.is_empty() {
            inlet.admit(buf, before);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

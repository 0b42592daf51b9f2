//! A client's connection that speaks HTTP/1.
//!
//! hyper's parser, its buffers and what it knows of a connection are a good ten KiB. A connection that is
//! idle has none of it: after a quarter of a second of silence it is [parked](Turn::Park), and the next byte makes all of
//! it anew. What remains is the socket and its deadline ([`super::lot`]), and with TLS what that remembers.
//! Nor has a connection whose answer is a [live stream](super::live).

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{Either, ready};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::linger::linger;
use super::wire::{Socket, Wire, join};
use super::{Worker, live, refusal};
use crate::forward::{self, Visit};
use crate::front::stream::Stream;
use crate::guard::OutOfStep;
use crate::target::Refused;
use crate::watch::{Drain, Phase, Watch};

/// How far a connection is.
enum Turn {
    /// It is idle: no parser is needed until something comes.
    Park,
    /// The head of a live stream's answer is written; the stream needs no parser.
    Live,
    /// The parser has ended, or handed over to a tunnel.
    Ended(Bytes),
    /// What came is no request.
    Malformed(Refused),
    /// It broke, or the client was too late, or has left.
    Gone,
}

impl Worker {
    /// Serves the requests of a connection, and the tunnel that one may become, to its end; or until it can
    /// be parked, then that is what comes back.
    pub(super) async fn serve(
        self: &Rc<Self>,
        stream: Stream,
        visit: &Rc<Visit>,
    ) -> Option<TcpStream> {
        let watch = &visit.watch;
        let wire = Wire::new(stream);
        let turn = loop {
            // Boxed, and gone while the connection is parked.
            let turn = Box::pin(self.requests(&wire, visit)).await;
            if !matches!(turn, Turn::Park) || (self.lot.is_some() && wire.is_plain()) {
                break turn;
            }
            self.books.stats.parked.add(1);
            let drain = parked(&wire, watch).await;
            self.books.stats.parked.sub(1);
            match drain {
                Drain::No | Drain::Patient if watch.expired() => break Turn::Gone,
                // With another process in its place one more request may be on its way here.
                Drain::No | Drain::Patient => {}
                Drain::Requests | Drain::Live => break Turn::Ended(Bytes::new()),
            }
        };
        let turn = match turn {
            Turn::Live if Box::pin(live::pass_on(&wire, visit)).await => Turn::Ended(Bytes::new()),
            Turn::Live => Turn::Gone,
            other => other,
        };
        let wire = Rc::into_inner(wire)?;
        if wire.speaks_http2() {
            let (stream, early) = wire.into_parts();
            Box::pin(self.clone().serve_http2(stream, early, visit)).await;
            return None;
        }
        match turn {
            Turn::Gone | Turn::Live => {}
            Turn::Park => {
                if let (Stream::Plain(stream), _) = wire.into_parts() {
                    return Some(stream);
                }
            }
            Turn::Ended(early) => {
                let (stream, held) = wire.into_parts();
                let early = join(early, held);
                let tunnel = visit.tunnel.borrow_mut().take();
                // Boxed, so that the thousands of connections that do neither needn't have the space.
                match tunnel {
                    Some(tunnel) => Box::pin(tunnel.run(stream, early, watch)).await,
                    None => Box::pin(linger(stream, watch)).await,
                }
            }
            Turn::Malformed(fault) => {
                Box::pin(self.refuse(wire.stream.into_inner(), visit, fault)).await;
            }
        }
        None
    }

    async fn requests(&self, wire: &Rc<Wire>, visit: &Rc<Visit>) -> Turn {
        let watch = &visit.watch;
        let limits = self.limits.get();
        let socket = Socket::new(wire.clone(), watch.clone(), limits.header_ms);
        let handle = service_fn(|request| {
            if wire.claim() {
                Either::Left(Box::pin(forward::handle(visit.clone(), request)))
            } else {
                Either::Right(ready(Err(OutOfStep)))
            }
        });
        // Deadlines are the watch's business, so hyper needs no timer. And it need not look for a client
        // that leaves while its request is under way, which it does by reading ahead, at the price of a
        // new buffer for each request: `Wire::hung_up` sees that without reading.
        let mut connection = http1::Builder::new()
            .max_buf_size(limits.head_bytes)
            .header_read_timeout(None)
            .half_close(true)
            .serve_connection(TokioIo::new(socket), handle);
        let mut told = false;
        let ended = std::future::poll_fn(|cx| {
            watch.set_task(cx.waker());
            watch.next_turn();
            let last = match watch.drain() {
                Drain::No => false,
                // A request may be on its way: it is served, and told that it was the last one.
                Drain::Patient => watch.phase() == Phase::Busy,
                Drain::Requests | Drain::Live => true,
            };
            if !told && last {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(None)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                // Whoever had this deadline did nothing about it: the client is the one who is late.
                Poll::Pending if watch.expired() => {
                    if watch.phase() == Phase::Head {
                        self.books.stats.late.add(1);
                    }
                    Poll::Ready(Ok(Some(Turn::Gone)))
                }
                Poll::Pending if watch.phase() == Phase::Busy && wire.hung_up(cx) => {
                    Poll::Ready(Ok(Some(Turn::Gone)))
                }
                Poll::Pending if has_live(visit) && wire.has_written() => {
                    Poll::Ready(Ok(Some(Turn::Live)))
                }
                Poll::Pending if watch.is_quiet() && wire.is_quiet() => {
                    Poll::Ready(Ok(Some(Turn::Park)))
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        match ended {
            Ok(Some(turn)) => turn,
            Ok(None) => Turn::Ended(connection.into_parts().read_buf),
            Err(error) => {
                tracing::debug!(peer = %visit.peer, error = %crate::error::causes(&error), "connection ended");
                match error.is_parse() {
                    true => Turn::Malformed(refusal::fault(wire.refused(), &error)),
                    false => Turn::Gone,
                }
            }
        }
    }
}

/// Whether there is a live stream to be passed on.
fn has_live(visit: &Visit) -> bool {
    visit.live.as_ref().is_some_and(|place| place.borrow().is_some())
}

/// Waits until something comes, the deadline is over, or the worker ends.
async fn parked(wire: &Wire, watch: &Watch) -> Drain {
    std::future::poll_fn(|cx: &mut Context<'_>| {
        watch.set_task(cx.waker());
        let drain = watch.drain();
        if drain >= Drain::Requests || watch.expired() || wire.poll_ready(cx).is_ready() {
            return Poll::Ready(drain);
        }
        Poll::Pending
    })
    .await
}

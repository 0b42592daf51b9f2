//! WebSocket: after a 101 the two connections become one tunnel (RFC 9110 §7.8, RFC 6455).
//!
//! Nothing the client sends behind its handshake goes to the server before the server agreed with exactly
//! 101 and the protocol that was asked for. From then on bytes flow both ways, what was already read with
//! the heads first; the server's connection never returns to the pool. Each direction closes by itself. A
//! tunnel holds no buffer while it is silent: bytes pass through one that the worker's tunnels share.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::UPGRADE;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, split};

use crate::error::late;
use crate::front::stream::Stream;
use crate::link;
use crate::log::Record;
use crate::pool::Lease;
use crate::scratch;
use crate::watch::{Drain, Watch, millis};

/// The server's side of a tunnel to be.
pub(crate) struct Tunnel {
    stream: link::Stream,
    early: Bytes,
    idle: Duration,
    record: Option<Box<Record>>,
    /// Counts as a use of the server until dropped.
    counted: Lease,
}

/// Whether the server switched to what was asked for.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(UPGRADE).iter();
    lines.next().is_some_and(|line| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
        && lines.next().is_none()
}

impl Tunnel {
    /// Takes a connection that answered 101 out of its pool.
    pub(crate) fn new(lease: Lease, idle: Duration) -> Option<Self> {
        let (link, counted) = lease.detach()?;
        let (stream, early) = link.into_tunnel()?;
        Some(Self { stream, early, idle, record: None, counted })
    }

    /// The request that it began as; its log line is written when the tunnel ends.
    pub(crate) fn with_record(mut self, record: Box<Record>) -> Self {
        self.record = Some(record);
        self
    }

    /// Moves bytes until both sides have closed, neither has spoken for too long, or the proxy goes down.
    /// `early` is what was read of the client already.
    pub(crate) async fn run(self, client: Stream, early: Bytes, watch: &Watch) {
        let Self { stream, early: late, idle, record, counted } = self;
        let (early, story) = ((early, late), (idle, record, &counted));
        match (client, stream) {
            // Sockets can be split without a lock.
            (Stream::Plain(mut client), link::Stream::Tcp(mut server)) => {
                pass(client.split(), server.split(), early, story, watch).await;
            }
            (client, server) => pass(split(client), split(server), early, story, watch).await,
        }
    }

    /// The same for a client of whom nothing was read ahead.
    pub(crate) async fn run_over(self, client: impl AsyncRead + AsyncWrite, watch: &Watch) {
        let Self { stream, early, idle, record, counted } = self;
        let early = (Bytes::new(), early);
        pass(split(client), split(stream), early, (idle, record, &counted), watch).await;
    }
}

/// Moves bytes both ways, and writes down what came of it. `of_client` and `of_server` are what was read of
/// each already.
async fn pass(
    (from_client, to_client): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    (from_server, to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    (of_client, of_server): (Bytes, Bytes),
    (idle, record, lease): (Duration, Option<Box<Record>>, &Lease),
    watch: &Watch,
) {
    let idle_ms = millis(idle);
    let alive = || watch.due_in(idle_ms);
    alive();
    let (up, down) = (Cell::new(0), Cell::new(0));
    let both = async {
        tokio::try_join!(
            relay(from_client, to_server, of_client, &up, alive),
            relay(from_server, to_client, of_server, &down, alive),
        )
    };
    let cut = until_cut(both, watch, lease).await;
    if let Some(mut record) = record {
        record.tunnelled(up.get(), down.get());
        // Any end is a good one for a tunnel, unless it was cut here.
        record.complete();
        if let Some(class) = cut {
            record.fail(class);
        }
    }
}

/// Lets both directions run to their ends; gives the reason if it has to stop them.
async fn until_cut<T>(
    both: impl Future<Output = T>,
    watch: &Watch,
    lease: &Lease,
) -> Option<&'static str> {
    let mut both = std::pin::pin!(both);
    std::future::poll_fn(|cx| {
        // A side that broke off takes the other one with it.
        if both.as_mut().poll(cx).is_ready() {
            Poll::Ready(None)
        } else if watch.drain() == Drain::Live {
            Poll::Ready(Some(late::DRAINED))
        } else if lease.endpoint().is_cut_off() {
            Poll::Ready(Some(late::UPSTREAM_REMOVED))
        } else if watch.expired() {
            Poll::Ready(Some(late::UPSTREAM_STALLED))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Moves bytes one way, then passes on that there are no more.
///
/// They are read into the shared buffer and written at once; what the other side can't take yet waits in a
/// buffer of its own, and nothing more is read meanwhile.
async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    early: Bytes,
    moved: &Cell<u64>,
    alive: impl Fn(),
) -> io::Result<()> {
    if !early.is_empty() {
        to.write_all(&early).await?;
        to.flush().await?;
        moved.set(early.len() as u64);
    }
    drop(early);
    loop {
        let step = std::future::poll_fn(|cx| {
            scratch::lend(|buffer| {
                let mut piece = ReadBuf::new(buffer);
                ready!(Pin::new(&mut from).poll_read(cx, &mut piece))?;
                let piece = piece.filled();
                if piece.is_empty() {
                    return Poll::Ready(io::Result::Ok((0, Vec::new())));
                }
                let written = match Pin::new(&mut to).poll_write(cx, piece) {
                    Poll::Ready(written) => written?,
                    Poll::Pending => 0,
                };
                Poll::Ready(Ok((piece.len(), piece[written..].to_vec())))
            })
        });
        let (read, rest) = step.await?;
        if read == 0 {
            return to.shutdown().await;
        }
        moved.set(moved.get() + read as u64);
        alive();
        if !rest.is_empty() {
            to.write_all(&rest).await?;
            alive();
        }
        to.flush().await?;
    }
}

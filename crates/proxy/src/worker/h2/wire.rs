//! A client's connection as the HTTP/2 library reads and writes it.
//!
//! Frames are counted on their way in, and gathered on their way out: the library flushes after almost every frame that
//! carries data, which would be a system call, and with TLS a record, for each answer of a hundred. What it writes in one
//! turn is kept and [sent](Wire::poll_send) when the turn is over.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::front::frames::Meter;
use crate::watch::now_ms;

/// So many bytes are gathered; as many as a TLS record holds.
const GATHER: usize = 16 * 1024;

/// The connection. Its clones are the same one: the library has one, who sends has the other.
pub(super) struct Wire<S>(Rc<RefCell<Inner<S>>>);

struct Inner<S> {
    stream: S,
    /// Read before it came here.
    early: Bytes,
    meter: Meter,
    /// Written, and not sent yet. Empty, it holds no memory.
    gathered: Vec<u8>,
    /// How much of that has been sent.
    sent: usize,
}

impl<S> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// `early` is what was read of the connection already; of control frames `most` may come in ten seconds.
    pub(super) fn new(stream: S, early: Bytes, most: usize) -> Self {
        let meter = Meter::new(most);
        Self(Rc::new(RefCell::new(Inner { stream, early, meter, gathered: Vec::new(), sent: 0 })))
    }

    /// Sends what was gathered. While the client doesn't take it, the task is woken when it does.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.stream).poll_flush(cx)
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, meter, gathered, sent, .. } = self;
        while *sent < gathered.len() {
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, &gathered[*sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            meter.sent(count);
            *sent += count;
        }
        (*gathered, *sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Takes pieces of so many bytes in all: kept if there is room, otherwise by way of `write`.
    fn poll_take<'a>(
        &mut self,
        cx: &mut Context<'_>,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let length = pieces.clone().map(<[u8]>::len).sum();
        if self.gathered.len() + length > GATHER {
            ready!(self.poll_drain(cx))?;
        }
        if length > GATHER {
            let polled = write(Pin::new(&mut self.stream), cx);
            if let Poll::Ready(Ok(count)) = polled {
                self.meter.sent(count);
            }
            return polled;
        }
        if self.gathered.capacity() == 0 {
            self.gathered.reserve_exact(GATHER);
        }
        pieces.for_each(|piece| self.gathered.extend_from_slice(piece));
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        let Inner { stream, early, meter, .. } = &mut *inner;
        let before = buf.filled().len();
        let polled = if early.is_empty() {
            Pin::new(stream).poll_read(cx, buf)
        } else {
            let count = early.len().min(buf.remaining());
            buf.put_slice(&early[..count]);
            early.advance(count);
            Poll::Ready(Ok(()))
        };
        match meter.received(&buf.filled()[before..], now_ms()) {
            Ok(()) => polled,
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pieces = std::iter::once(buf);
        self.0.borrow_mut().poll_take(cx, pieces, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pieces = bufs.iter().map(|piece| &**piece);
        self.0.borrow_mut().poll_take(cx, pieces, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().stream.is_write_vectored()
    }

    /// Later: see [`Wire::poll_send`].
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;

    /// A socket that takes so many bytes and then no more, and notes each write.
    #[derive(Default)]
    struct Socket {
        room: usize,
        writes: Vec<Vec<u8>>,
        closed: bool,
    }

    impl AsyncRead for Socket {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = buf.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.writes.push(buf[..count].to_vec());
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.closed = true;
            Poll::Ready(Ok(()))
        }
    }

    fn wire(room: usize) -> Wire<Socket> {
        Wire::new(Socket { room, ..Socket::default() }, Bytes::new(), 100)
    }

    impl Wire<Socket> {
        /// Writes as the library does: a piece, then a flush.
        fn write(&self, piece: &[u8]) -> Poll<usize> {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut half = self.clone();
            let polled = Pin::new(&mut half).poll_write(&mut cx, piece).map(Result::unwrap);
            assert!(Pin::new(&mut half).poll_flush(&mut cx).is_ready());
            polled
        }

        fn send(&self) -> Poll<()> {
            self.poll_send(&mut Context::from_waker(std::task::Waker::noop())).map(Result::unwrap)
        }

        fn writes(&self) -> Vec<Vec<u8>> {
            std::mem::take(&mut self.0.borrow_mut().stream.writes)
        }
    }

    #[test]
    fn what_is_written_in_one_turn_is_sent_at_once_and_leaves_no_buffer() {
        let wire = wire(100);
        assert_eq!((wire.write(b"one"), wire.write(b"two")), (Poll::Ready(3), Poll::Ready(3)));
        assert!(wire.writes().is_empty());
        assert_eq!(wire.send(), Poll::Ready(()));
        assert_eq!(wire.writes(), [b"onetwo"]);
        assert_eq!(wire.0.borrow().gathered.capacity(), 0);
        assert_eq!(wire.send(), Poll::Ready(()));
        assert!(wire.writes().is_empty());
    }

    #[test]
    fn more_than_is_gathered_goes_out_in_order_and_a_large_piece_by_itself() {
        let wire = wire(usize::MAX);
        assert!(wire.write(&[1; GATHER - 1]).is_ready());
        assert!(wire.write(&[2; 2]).is_ready());
        let large = [3; GATHER + 1];
        let mut half = wire.clone();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let both = [IoSlice::new(&[]), IoSlice::new(&large)];
        assert!(Pin::new(&mut half).poll_write_vectored(&mut cx, &both).is_ready());
        assert_eq!(wire.send(), Poll::Ready(()));
        assert_eq!(wire.writes(), [vec![1; GATHER - 1], vec![2; 2], large.to_vec()]);
    }

    #[test]
    fn a_client_that_takes_nothing_is_owed_no_more_than_is_gathered() {
        let wire = wire(5);
        assert_eq!(wire.write(&[1; GATHER]), Poll::Ready(GATHER));
        assert_eq!(wire.send(), Poll::Pending);
        assert_eq!(wire.write(&[2]), Poll::Pending);
        wire.0.borrow_mut().stream.room = usize::MAX;
        assert_eq!(wire.write(&[2]), Poll::Ready(1));
        assert_eq!(wire.send(), Poll::Ready(()));
        let writes = wire.writes();
        assert_eq!(writes.concat(), [vec![1; GATHER], vec![2]].concat());
        assert_eq!(writes[0].len(), 5);
    }

    #[test]
    fn the_last_words_go_out_before_the_end() {
        let wire = wire(100);
        assert!(wire.write(b"goodbye").is_ready());
        let mut half = wire.clone();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut half).poll_shutdown(&mut cx).is_ready());
        assert_eq!(wire.writes(), [b"goodbye"]);
        assert!(wire.0.borrow().stream.closed);
    }
}

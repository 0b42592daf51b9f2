//! Live streams (`text/event-stream`) on a connection that speaks HTTP/1.1.
//!
//! hyper writes the answer's head. What follows are pieces, now and then, for hours: they are passed on here, as the
//! chunks that the head has announced (RFC 9112 §7.1), so that a stream holds none of hyper's buffers, sixteen KiB of
//! them. The connection ends with the stream.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Body as _;
use tokio::io::AsyncWrite as _;

use super::wire::Wire;
use crate::body::ProxyBody;
use crate::forward::Visit;

/// Passes the stream of a visit on, to its end. Whether it came to a good one; otherwise it broke off, and so has
/// the connection to.
pub(super) async fn pass_on(wire: &Wire, visit: &Visit) -> bool {
    let Some(body) = visit.live.as_ref().and_then(RefCell::take) else { return false };
    let mut stream = Stream { body, unsent: Vec::new(), sent: 0, ended: false };
    std::future::poll_fn(|cx| {
        visit.watch.set_task(cx.waker());
        match stream.poll(wire, cx) {
            Poll::Ready(ended) => Poll::Ready(ended.is_ok()),
            Poll::Pending if visit.watch.expired() || wire.hung_up(cx) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

struct Stream {
    body: ProxyBody,
    /// Chunks that the client hasn't taken, and how much of them it has. Empty, they hold no memory.
    unsent: Vec<u8>,
    sent: usize,
    /// The last chunk is among them.
    ended: bool,
}

impl Stream {
    /// Ready at the end.
    fn poll(&mut self, wire: &Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(wire, cx))?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        chunk(&mut self.unsent, &data)?;
                    }
                }
                // Without the last chunk nobody takes it for complete.
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    self.ended = true;
                    self.unsent.extend_from_slice(b"0\r\n\r\n");
                }
            }
        }
    }

    fn poll_send(&mut self, wire: &Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = wire.stream.borrow_mut();
        while self.sent < self.unsent.len() {
            let left = &self.unsent[self.sent..];
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, left))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        Pin::new(&mut *stream).poll_flush(cx)
    }
}

/// Appends a chunk; nothing for no data, which would be the last one.
fn chunk(to: &mut Vec<u8>, data: &[u8]) -> io::Result<()> {
    if data.is_empty() {
        return Ok(());
    }
    // The length in hexadecimal digits, and two line ends.
    to.reserve_exact(16 + 4 + data.len());
    write!(to, "{:x}\r\n", data.len())?;
    to.extend_from_slice(data);
    to.extend_from_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_how_long_it_is_and_an_empty_one_is_none() {
        let mut to = Vec::new();
        chunk(&mut to, b"").unwrap();
        assert!(to.is_empty());
        chunk(&mut to, b"data: hello\n\n").unwrap();
        chunk(&mut to, &[b'x'; 4096]).unwrap();
        assert!(to.starts_with(b"d\r\ndata: hello\n\n\r\n1000\r\nxxx"));
        assert!(to.ends_with(b"xxx\r\n"));
    }
}

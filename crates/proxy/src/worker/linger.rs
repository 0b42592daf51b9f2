//! The end of a connection whose client may still be sending, an upload that was refused for instance. Closing both
//! sides at once would have the system answer what still comes with a reset, and that takes the last answer away
//! from a client that has not read it yet (RFC 9112 §9.6). So our side is closed first, and what the client sends is
//! read and forgotten until it closes its own: however much that is, but not for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::scratch;
use crate::watch::{Drain, Watch, now_ms};

/// A client that is silent for so long has read its answer.
const SILENCE_MS: u64 = 5_000;
/// Longest wait for a client that goes on sending.
const LONGEST_MS: u64 = 30_000;
/// The same when the worker ends.
const HASTE_MS: u64 = 1_000;

/// Closes our side, and reads what the client is still sending.
pub(super) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin, watch: &Watch) {
    let mut end = now_ms() + LONGEST_MS;
    let mut hastens = false;
    let mut is_shut = false;
    watch.due_in(SILENCE_MS);
    std::future::poll_fn(|cx| {
        watch.set_task(cx.waker());
        if watch.drain() >= Drain::Requests && !hastens {
            hastens = true;
            end = end.min(now_ms() + HASTE_MS);
            watch.due_in(HASTE_MS);
        }
        if watch.expired() {
            return Poll::Ready(());
        }
        if !is_shut {
            if ready!(Pin::new(&mut stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            is_shut = true;
        }
        while ready!(poll_scrap(&mut stream, cx)) {
            watch.due_in(SILENCE_MS.min(end.saturating_sub(now_ms())));
        }
        Poll::Ready(())
    })
    .await;
}

/// Reads once; gives whether there was anything.
fn poll_scrap(stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<bool> {
    scratch::lend(|buffer| {
        let mut scrap = ReadBuf::new(buffer);
        let read = ready!(Pin::new(stream).poll_read(cx, &mut scrap));
        Poll::Ready(read.is_ok() && !scrap.filled().is_empty())
    })
}

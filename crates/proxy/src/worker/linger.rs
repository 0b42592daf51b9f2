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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::watch::{Watches, set_now_ms};

    /// When the lingering ends of a client that sends this at the beginning of each second; in milliseconds.
    async fn lasts(said: impl Fn(u64) -> bool, drains: Option<u64>) -> u64 {
        set_now_ms(0);
        let watches = Watches::new();
        let watch = watches.open(u64::MAX);
        let (near, mut far) = tokio::io::duplex(64);
        let mut lingering = std::pin::pin!(linger(near, &watch));
        for now in (0..100_000).step_by(50) {
            set_now_ms(now);
            if drains == Some(now) {
                watches.set_drain(Drain::Requests);
            }
            if now % 1000 == 0 && said(now / 1000) {
                far.write_all(b"more").await.unwrap();
            }
            if (&mut lingering).now_or_never().is_some() {
                return now;
            }
        }
        panic!("it never ends");
    }

    #[tokio::test]
    async fn whoever_is_silent_has_read_and_whoever_is_not_gets_half_a_minute() {
        let late = |limit: u64| limit..=limit + 100;
        assert!(late(5_000).contains(&lasts(|_| false, None).await), "silence");
        assert!(late(14_000).contains(&lasts(|second| second < 10, None).await), "then silence");
        assert!(late(30_000).contains(&lasts(|_| true, None).await), "without end");
        assert!(late(10_000).contains(&lasts(|_| true, Some(9_000)).await), "the worker ends");
        assert!(late(1_000).contains(&lasts(|_| false, Some(0)).await), "it ended before");
    }

    #[tokio::test]
    async fn our_side_is_closed_first_and_theirs_ends_it() {
        set_now_ms(0);
        let watches = Watches::new();
        let watch = watches.open(u64::MAX);
        let (near, mut far) = tokio::io::duplex(64);
        let client = async {
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
            far.write_all(&[b'x'; 1 << 20]).await.unwrap();
            drop(far);
        };
        tokio::join!(linger(near, &watch), client);
    }
}

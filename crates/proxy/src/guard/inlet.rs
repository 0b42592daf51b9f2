//! A guard at a socket: what was read is passed on as far as it may, the rest is held for the next time.

use bytes::{Buf as _, Bytes};
use tokio::io::ReadBuf;

use super::{Guard, Reason};

/// Lets bytes in, one message at a time.
#[derive(Debug, Default)]
pub struct Inlet {
    guard: Guard,
    /// What was read behind the end of a message: never more than one read of the socket.
    held: Bytes,
}

impl Inlet {
    /// Whether there is something to [`refill`](Self::refill) from, so that the socket is not to be read.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.held.is_empty() || self.guard.refused().is_some()
    }

    /// Whether bytes of the next message are here.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// See [`Guard::is_in_head`].
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        self.guard.is_in_head()
    }

    /// Looks at what was just read into `buf` behind its first `before` bytes, and takes back what has to
    /// wait.
    pub fn admit(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let read = &buf.filled()[before..];
        let passed = self.guard.pass(read);
        if passed < read.len() {
            if self.guard.refused().is_none() {
                self.held = Bytes::copy_from_slice(&read[passed..]);
            }
            buf.set_filled(before + passed);
        }
        self.spoil(buf);
    }

    /// Gives what was held back, up to the end of the next message. Without a byte it is the end.
    pub fn refill(&mut self, buf: &mut ReadBuf<'_>) {
        let most = self.held.len().min(buf.remaining());
        let passed = self.guard.pass(&self.held[..most]);
        buf.put_slice(&self.held[..passed]);
        self.held.advance(passed);
        self.spoil(buf);
    }

    fn spoil(&mut self, buf: &mut ReadBuf<'_>) {
        if self.guard.refused().is_some() {
            self.held = Bytes::new();
            buf.put_slice(self.guard.spoiler(buf.remaining()));
        }
    }

    /// See [`Guard::claim`].
    pub fn claim(&mut self) -> bool {
        self.guard.claim()
    }

    /// See [`Guard::refused`].
    #[must_use]
    pub fn refused(&self) -> Option<Reason> {
        self.guard.refused()
    }

    /// What was held back, for a tunnel: nobody has looked at it.
    pub(crate) fn into_held(self) -> Bytes {
        self.held
    }
}

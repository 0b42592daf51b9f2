//! One file on its way out: what may be sent when, and what the receiver may say. Knows neither disk nor network.

use std::collections::VecDeque;

use wire::p2p::{Digest, FileControl, PIECE_BYTES, PIECES_AHEAD, pieces};

use super::digests::{Digests, Violation, bytes_of};

/// One file on its way out, over one channel.
#[derive(Debug)]
pub struct Outgoing {
    size: u64,
    /// Pieces that are sent, those from before this channel included.
    sent: u64,
    /// Pieces that the receiver has.
    have: u64,
    ended: bool,
    known: Known,
}

/// What is known of a file's digests, small whatever the file's size: the digest over the pieces that the receiver
/// has, and the digests of those that are under way. So a transfer that goes on needn't read all of the file again.
#[derive(Debug, Clone, Default)]
pub struct Known {
    base: Digests,
    /// At most [`PIECES_AHEAD`].
    under_way: VecDeque<Digest>,
}

impl Known {
    /// What is known of the first `pieces` pieces: their digest, or that of fewer, and the rest must be read.
    pub fn until(&self, pieces: u64) -> Digests {
        if self.base.pieces() > pieces {
            return Digests::default();
        }
        let mut digests = self.base.clone();
        let more = usize::try_from(pieces - digests.pieces()).unwrap_or(usize::MAX);
        self.under_way.iter().take(more).for_each(|digest| digests.add(digest));
        digests
    }
}

/// The piece at which a receiver wants to begin.
///
/// # Errors
/// [`Violation::From`].
pub fn first_piece(size: u64, from: u64) -> Result<u64, Violation> {
    if from == size || (from < size && from.is_multiple_of(PIECE_BYTES)) {
        Ok(pieces(from))
    } else {
        Err(Violation::From)
    }
}

impl Outgoing {
    /// A file of `size` bytes, of which the receiver has the pieces that are in `digests`.
    pub fn new(size: u64, digests: Digests) -> Self {
        let have = digests.pieces();
        let known = Known { base: digests, under_way: VecDeque::new() };
        Self { size, sent: have, have, ended: false, known }
    }

    /// The piece to send next; `None` while the receiver must catch up first, and when all are sent.
    pub fn next(&self) -> Option<u64> {
        (self.sent < pieces(self.size) && self.sent < self.have + PIECES_AHEAD).then_some(self.sent)
    }

    /// The bytes of the next piece are sent: what to say then.
    pub fn complete(&mut self, digest: Digest) -> FileControl {
        let n = self.sent;
        self.sent += 1;
        self.known.under_way.push_back(digest);
        FileControl::Piece { n, sha256: digest }
    }

    /// What to say when all pieces are sent, once.
    pub fn end(&mut self) -> Option<FileControl> {
        if self.ended || self.sent < pieces(self.size) {
            return None;
        }
        self.ended = true;
        Some(FileControl::End { pieces: self.sent, sha256: self.known.until(self.sent).total() })
    }

    /// Takes what the receiver says.
    ///
    /// # Errors
    /// [`Violation`]: the transfer is to be stopped.
    pub fn take(&mut self, control: &FileControl) -> Result<(), Violation> {
        match *control {
            FileControl::Have { pieces } if (self.have..=self.sent).contains(&pieces) => {
                for digest in self.known.under_way.drain(..(pieces - self.have) as usize) {
                    self.known.base.add(&digest);
                }
                self.have = pieces;
                Ok(())
            }
            FileControl::Have { .. } => Err(Violation::Have),
            FileControl::Piece { .. } | FileControl::End { .. } => Err(Violation::Role),
            FileControl::Unknown => Ok(()),
        }
    }

    /// Bytes that the receiver has, checked and on its disk.
    pub fn done(&self) -> u64 {
        bytes_of(self.size, self.have)
    }

    /// Whether the end was said and the receiver has every piece: only its last word is missing.
    pub fn delivered(&self) -> bool {
        self.ended && self.have == pieces(self.size)
    }

    /// What is worth knowing when the transfer goes on later.
    pub fn into_known(self) -> Known {
        self.known
    }
}

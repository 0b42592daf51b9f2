//! One file on its way in: which bytes and words of the sender fit, and what to tell it. Knows neither disk nor network.

use wire::p2p::{CHUNK_BYTES_TAKEN, Digest, FileControl, PIECES_AHEAD, pieces};

use super::digests::{Digests, Violation, bytes_of, piece_bytes};

/// One file on its way in, over one channel.
#[derive(Debug)]
pub struct Incoming {
    size: u64,
    /// The piece that is being filled.
    piece: u64,
    /// Its bytes so far.
    filled: u64,
    /// Pieces that are checked and on disk.
    have: u64,
    /// Of the pieces that were said to be complete; each is checked against what was said before it counts.
    digests: Digests,
    /// The digest of all, when all was here before.
    total: Option<Digest>,
    ended: bool,
}

/// What the sender said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The bytes since the last piece are this piece, and should have this digest.
    Piece(u64, Digest),
    /// That was all, and fits: the digest over all pieces.
    End(Digest),
    /// Nothing that this version knows.
    Nothing,
}

impl Incoming {
    /// A file of `size` bytes, of which the pieces in `digests` are here.
    pub fn new(size: u64, digests: Digests) -> Self {
        let have = digests.pieces();
        Self { size, piece: have, filled: 0, have, digests, total: None, ended: false }
    }

    /// A file that is here already, with the digest of all its pieces: only the end is to come.
    pub fn complete(size: u64, total: Digest) -> Self {
        let have = pieces(size);
        let digests = Digests::default();
        Self { size, piece: have, filled: 0, have, digests, total: Some(total), ended: false }
    }

    /// Takes a message with so many of the file's bytes: they may be written behind those before.
    ///
    /// # Errors
    /// [`Violation`]: the transfer is to be stopped.
    pub fn bytes(&mut self, bytes: usize) -> Result<(), Violation> {
        let room = piece_bytes(self.size, self.piece) - self.filled;
        let fits = bytes > 0 && bytes <= CHUNK_BYTES_TAKEN && bytes as u64 <= room;
        match (self.ended, fits) {
            (true, _) => Err(Violation::End),
            (_, false) => Err(Violation::Bytes),
            _ if self.piece >= self.have + PIECES_AHEAD => Err(Violation::Ahead),
            _ => {
                self.filled += bytes as u64;
                Ok(())
            }
        }
    }

    /// Takes what the sender says.
    ///
    /// # Errors
    /// [`Violation`]: the transfer is to be stopped.
    pub fn take(&mut self, control: &FileControl) -> Result<Said, Violation> {
        match *control {
            FileControl::Unknown => Ok(Said::Nothing),
            FileControl::Have { .. } => Err(Violation::Role),
            _ if self.ended => Err(Violation::End),
            FileControl::Piece { n, sha256 } => {
                let whole = piece_bytes(self.size, self.piece);
                if n != self.piece || whole == 0 || self.filled != whole {
                    return Err(Violation::Piece);
                }
                self.piece += 1;
                self.filled = 0;
                self.digests.add(&sha256);
                Ok(Said::Piece(n, sha256))
            }
            FileControl::End { pieces: all, sha256 } => {
                if all != self.piece || all != pieces(self.size) {
                    return Err(Violation::End);
                }
                if self.total.unwrap_or_else(|| self.digests.total()) != sha256 {
                    return Err(Violation::Digest);
                }
                self.ended = true;
                Ok(Said::End(sha256))
            }
        }
    }

    /// So many pieces from the start are checked and on disk now: what to tell the sender.
    pub fn stored(&mut self, pieces: u64) -> FileControl {
        debug_assert!((self.have..=self.piece).contains(&pieces));
        self.have = pieces;
        FileControl::Have { pieces }
    }

    /// Bytes that are checked and on disk.
    pub fn done(&self) -> u64 {
        bytes_of(self.size, self.have)
    }

    /// Bytes that have come and are not on disk yet: never more than [`PIECES_AHEAD`] pieces.
    pub fn held(&self) -> u64 {
        bytes_of(self.size, self.piece) + self.filled - self.done()
    }

    /// Whether all of it is checked and on disk, and the sender has said that it was all.
    pub fn finished(&self) -> bool {
        self.ended && self.have == pieces(self.size)
    }
}

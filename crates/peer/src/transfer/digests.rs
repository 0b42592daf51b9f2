//! The digest over a file's pieces' digests, which `end` carries.

use sha2::{Digest as _, Sha256};
use wire::PeerId;
use wire::p2p::{Digest, FileId, PIECE_BYTES, file_statement};

/// SHA-256 over the digests of a file's pieces, all from the first on, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct Digests {
    pieces: u64,
    state: Sha256,
}

impl Digests {
    /// Takes the next piece's digest.
    pub fn add(&mut self, digest: &Digest) {
        self.state.update(digest.bytes());
        self.pieces += 1;
    }

    /// How many pieces are in it.
    pub fn pieces(&self) -> u64 {
        self.pieces
    }

    /// The digest over what is in it.
    pub fn total(&self) -> Digest {
        Digest::new(self.state.clone().finalize().into())
    }
}

/// SHA-256 of a piece.
pub fn of_piece(bytes: &[u8]) -> Digest {
    Digest::new(Sha256::digest(bytes).into())
}

/// A file's id, from what it is made of; `modified` in milliseconds since 1970.
pub fn file_id(to: &PeerId, name: &str, size: u64, modified: i64) -> FileId {
    FileId::from_digest(&Sha256::digest(file_statement(to, name, size, modified)).into())
}

/// The bytes of one piece of a file: the last one may be shorter.
pub fn piece_bytes(size: u64, n: u64) -> u64 {
    size.saturating_sub(n.saturating_mul(PIECE_BYTES)).min(PIECE_BYTES)
}

/// The bytes of a file's first pieces.
pub fn bytes_of(size: u64, pieces: u64) -> u64 {
    pieces.saturating_mul(PIECE_BYTES).min(size)
}

/// Why the other side's transfer ends: it broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// `from` is neither a multiple of a piece nor the file's size.
    #[error("a place to go on from that is none")]
    From,
    /// `have` goes back, or beyond what was sent.
    #[error("an acknowledgement of what was never sent")]
    Have,
    /// More bytes than the piece has, none, or more than a message may have.
    #[error("bytes that don't fit")]
    Bytes,
    /// More pieces ahead of `have` than allowed.
    #[error("too far ahead")]
    Ahead,
    /// A `piece` that isn't the one that was just completed.
    #[error("a piece out of turn")]
    Piece,
    /// An `end` that isn't where the file ends, or something after it.
    #[error("an end out of turn")]
    End,
    /// The digest over all pieces doesn't fit.
    #[error("a digest that doesn't fit")]
    Digest,
    /// What only the other role says.
    #[error("what only the other side may say")]
    Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_sha_256_of_nothing() {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digests::default().total().to_string(), nothing);
    }

    #[test]
    fn a_file_s_id_is_the_same_however_the_receiver_is_spelled() {
        let id =
            |to: &str, name: &str| file_id(&PeerId::parse(to).unwrap(), name, 3, 1_700_000_000_000);
        assert_eq!(id("Bob", "a.txt"), id("bob", "a.txt"));
        assert_ne!(id("bob", "a.txt"), id("bob", "b.txt"));
        // The first half of SHA-256 over "hybrid-chat file 1\nbob\na.txt\n3\n1700000000000".
        assert_eq!(id("bob", "a.txt").to_string(), "d750ff2e3a66ce461ecc53f85238002f");
    }

    #[test]
    fn only_the_last_piece_is_shorter() {
        let size = 2 * PIECE_BYTES + 5;
        assert_eq!([0, 1, 2, 3].map(|n| piece_bytes(size, n)), [PIECE_BYTES, PIECE_BYTES, 5, 0]);
        assert_eq!([0, 1, 3, 9].map(|n| bytes_of(size, n)), [0, PIECE_BYTES, size, size]);
    }
}

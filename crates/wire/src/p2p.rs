//! What two linked devices say to each other: frames on the data channel `msg`, and what goes over a file's own
//! channel. `docs/p2p.md` tells the rules.

use serde::{Deserialize, Serialize};

use crate::hex::{hex_id, hex_type};
use crate::{ChannelName, MessageId, PeerId};

/// The version in `hello`.
pub const VERSION: u32 = 1;
/// The data channels' protocol name.
pub const PROTOCOL: &str = "hybrid-chat.1";
/// The label of the channel for frames.
pub const MESSAGES: &str = "msg";
/// What a file channel's label begins with; the file's id follows.
pub const FILE_PREFIX: &str = "file:";
/// Bytes of one data-channel message at most, as sent.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes of one data-channel message with a file's bytes at most, as taken.
pub const CHUNK_BYTES_TAKEN: usize = 256 * 1024;
/// Bytes of a frame at most.
pub const FRAME_BYTES: usize = 128 * 1024;
/// Ids in one `ack` at most.
pub const ACK_IDS: usize = 256;
/// Bytes of a piece of a file: what is checked and acknowledged at once.
pub const PIECE_BYTES: u64 = 1 << 20;
/// Pieces that a sender may be ahead of the receiver.
pub const PIECES_AHEAD: u64 = 8;
/// Bytes of a file's name at most.
pub const FILE_NAME_BYTES: usize = 255;
/// Bytes of a file at most: what a JSON number holds exactly everywhere.
pub const FILE_BYTES: u64 = (1 << 53) - 1;
/// Candidates that wait for the description that they belong to.
pub const CANDIDATES_WAITING: usize = 64;

hex_id! {
    /// A file's id: the first 16 bytes of SHA-256 over [`file_statement`], as 32 lower-case hex digits.
    FileId
}

hex_type! {
    /// A SHA-256 digest, as 64 lower-case hex digits.
    Digest, 32, "^[0-9a-f]{64}$"
}

/// One frame on the channel `msg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Frame {
    /// First on each side.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The program, such as `hybrid-chat-peer/0.1.0`.
        agent: String,
    },
    /// A direct message of the link's other side.
    Text {
        /// Its id.
        id: MessageId,
        /// The receiver; or, between devices of one account, whom it was written to.
        to: PeerId,
        /// The text.
        message: String,
        /// The sender's clock (RFC 3339, UTC).
        timestamp: String,
    },
    /// These texts are stored.
    Ack {
        /// 1 to [`ACK_IDS`] of them.
        ids: Vec<MessageId>,
    },
    /// This text can't be taken.
    Refuse {
        /// Which.
        id: MessageId,
        /// Why.
        code: RefuseCode,
    },
    /// A channel message, ahead of the tracker's log.
    Post {
        /// Its id.
        id: MessageId,
        /// Which channel.
        channel: ChannelName,
        /// The text.
        message: String,
        /// The sender's clock (RFC 3339, UTC).
        timestamp: String,
    },
    /// Asks for a [`Frame::Pong`].
    Ping {
        /// Comes back.
        n: u64,
    },
    /// Answers a [`Frame::Ping`].
    Pong {
        /// From the ping.
        n: u64,
    },
    /// May I send this file?
    FileOffer(FileOffer),
    /// Yes, from this byte on.
    FileAccept {
        /// Which.
        file: FileId,
        /// A multiple of [`PIECE_BYTES`], or the file's size.
        from: u64,
    },
    /// No.
    FileDecline {
        /// Which.
        file: FileId,
        /// Why.
        reason: DeclineReason,
    },
    /// Either side stops.
    FileCancel {
        /// Which.
        file: FileId,
        /// Why.
        reason: CancelReason,
    },
    /// The receiver has all of it, checked and in place.
    FileDone {
        /// Which.
        file: FileId,
    },
    /// The link is closed on purpose.
    Bye,
    /// Something that a newer version says.
    #[serde(other)]
    Unknown,
}

/// A file that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOffer {
    /// Its id.
    pub file: FileId,
    /// The receiver.
    pub to: PeerId,
    /// Its name, without a path: 1 to [`FILE_NAME_BYTES`] bytes.
    pub name: String,
    /// Its bytes, at most [`FILE_BYTES`].
    pub size: u64,
    /// Its media type; empty when unknown.
    pub mime: String,
    /// The sender's clock (RFC 3339, UTC).
    pub timestamp: String,
}

/// Why a text can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefuseCode {
    /// More bytes than fit, or none.
    TooLarge,
    /// `to` is neither the receiver nor the partner of a device of the same account.
    NotForMe,
    /// The receiver can't store it now: no disk, no database.
    Unstorable,
    /// Something that a newer version says.
    #[serde(other)]
    Unknown,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The person said no.
    Declined,
    /// Another device of the person takes it.
    Taken,
    /// The disk has no room.
    NoSpace,
    /// More bytes than this device takes.
    TooLarge,
    /// Too many transfers or offers at once.
    Busy,
    /// Something that a newer version says.
    #[serde(other)]
    Unknown,
}

/// Why a transfer stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// A person stopped it, or another device took it.
    Cancelled,
    /// A disk or a program failed.
    Failed,
    /// The source file changed meanwhile.
    Changed,
    /// A digest didn't fit.
    Corrupt,
    /// Something that a newer version says.
    #[serde(other)]
    Unknown,
}

/// A text message on a file's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum FileControl {
    /// From the sender: this piece is complete.
    Piece {
        /// Its number, from 0.
        n: u64,
        /// Its digest.
        sha256: Digest,
    },
    /// From the sender: that was all.
    End {
        /// How many pieces there are.
        pieces: u64,
        /// SHA-256 over the digests of all pieces.
        sha256: Digest,
    },
    /// From the receiver: so many pieces from the start are checked and on disk.
    Have {
        /// How many.
        pieces: u64,
    },
    /// Something that a newer version says.
    #[serde(other)]
    Unknown,
}

/// What a file's id is made from, before hashing. `modified` is the time of the last change in milliseconds since
/// 1970.
pub fn file_statement(to: &PeerId, name: &str, size: u64, modified: i64) -> String {
    format!("hybrid-chat file 1\n{}\n{name}\n{size}\n{modified}", to.folded())
}

/// Pieces of a file of so many bytes.
pub fn pieces(size: u64) -> u64 {
    size.div_ceil(PIECE_BYTES)
}

/// Why what came over a link is no frame. The link ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// An empty message, or one that begins with neither 0 nor 1.
    #[error("a message that is no piece of a frame")]
    NoPiece,
    /// More than [`CHUNK_BYTES`] in a message, or more than [`FRAME_BYTES`] in a frame.
    #[error("more bytes than a frame may have")]
    TooLong,
}

/// Puts frames together out of data-channel messages.
#[derive(Debug, Default)]
pub struct Assembler {
    held: Vec<u8>,
}

impl Assembler {
    /// Takes a message; gives a frame's bytes when it was the last piece of one.
    ///
    /// # Errors
    /// [`FrameError`]; what was held is gone.
    pub fn take(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let held = self.held.len();
        let outcome = match message.split_first() {
            _ if message.len() > CHUNK_BYTES => Err(FrameError::TooLong),
            Some((_, piece)) if held + piece.len() > FRAME_BYTES => Err(FrameError::TooLong),
            Some((0, piece)) => {
                let mut frame = std::mem::take(&mut self.held);
                frame.extend_from_slice(piece);
                return Ok(Some(frame));
            }
            // A piece without bytes would make a frame that never ends.
            Some((1, piece)) if !piece.is_empty() => {
                self.held.extend_from_slice(piece);
                return Ok(None);
            }
            _ => Err(FrameError::NoPiece),
        };
        self.held = Vec::new();
        outcome
    }
}

/// Cuts a frame's bytes into data-channel messages.
pub fn cut(frame: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let pieces = frame.len().div_ceil(CHUNK_BYTES - 1).max(1);
    (0..pieces).map(move |piece| {
        let start = piece * (CHUNK_BYTES - 1);
        let end = frame.len().min(start + CHUNK_BYTES - 1);
        let mut message = Vec::with_capacity(1 + end - start);
        message.push(u8::from(piece + 1 < pieces));
        message.extend_from_slice(&frame[start..end]);
        message
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_read_as_documented() {
        let text = r#"{"t":"text","id":"1","to":"bob","message":"hi","timestamp":"2026-01-01T00:00:00.000Z"}"#;
        let frame: Frame = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&frame).unwrap(), text);
        let offer = format!(
            r#"{{"t":"file_offer","file":"{}","to":"bob","name":"a","size":1,"mime":"","timestamp":"x"}}"#,
            "0f".repeat(16)
        );
        let frame: Frame = serde_json::from_str(&offer).unwrap();
        assert_eq!(serde_json::to_string(&frame).unwrap(), offer);
        assert_eq!(serde_json::to_string(&Frame::Bye).unwrap(), r#"{"t":"bye"}"#);
    }

    #[test]
    fn what_a_newer_version_says_is_unknown_and_no_error() {
        let frame: Frame = serde_json::from_str(r#"{"t":"dance","tempo":3}"#).unwrap();
        assert_eq!(frame, Frame::Unknown);
        let control: FileControl = serde_json::from_str(r#"{"t":"dance"}"#).unwrap();
        assert_eq!(control, FileControl::Unknown);
        let reason: CancelReason = serde_json::from_str(r#""tired""#).unwrap();
        assert_eq!(reason, CancelReason::Unknown);
    }

    #[test]
    fn a_frame_without_end_is_cut_off_at_the_limit() {
        let mut assembler = Assembler::default();
        let piece = [&[1_u8][..], &[b'x'; CHUNK_BYTES - 1]].concat();
        let taken = (0..100).take_while(|_| assembler.take(&piece).is_ok()).count();
        assert_eq!(taken, FRAME_BYTES / (CHUNK_BYTES - 1));
        assert!(assembler.held.is_empty());
    }

    #[test]
    fn empty_and_foreign_messages_are_no_pieces() {
        for wrong in [&[][..], &[1], &[2, 3]] {
            assert_eq!(Assembler::default().take(wrong), Err(FrameError::NoPiece));
        }
    }

    #[test]
    fn a_file_has_as_many_pieces_as_it_needs() {
        assert_eq!([0, 1, PIECE_BYTES, PIECE_BYTES + 1].map(pieces), [0, 1, 1, 2]);
    }

    proptest! {
        #[test]
        fn a_frame_that_was_cut_comes_together_again(frame in proptest::collection::vec(any::<u8>(), 0..FRAME_BYTES)) {
            let mut assembler = Assembler::default();
            let mut whole = None;
            for message in cut(&frame) {
                prop_assert!(whole.is_none() && message.len() <= CHUNK_BYTES);
                whole = assembler.take(&message).unwrap();
            }
            prop_assert_eq!(whole, Some(frame));
        }

        #[test]
        fn no_message_makes_the_assembler_panic_or_grow(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..50)) {
            let mut assembler = Assembler::default();
            for message in messages {
                let _ = assembler.take(&message);
                prop_assert!(assembler.held.len() <= FRAME_BYTES);
            }
        }
    }
}

//! Stands between a client's socket and the HTTP parser, and refuses what the parser would let through.
//!
//! hyper takes a request that has both `Transfer-Encoding` and `Content-Length`, drops the length and says
//! nothing; whoever stands in front of this proxy may have gone by the length, and then the two don't agree
//! where the request ends (RFC 9112 §11.2). It takes a bare LF for the end of a line, which another reader
//! takes for a part of a value. It cuts a fragment off a target, which another one forwards. Once a
//! request is parsed none of this can be seen any more, so it is looked for in the bytes.
//!
//! # How
//! - A [`Guard`] reads along. It finds the lines of a head, looks at those that frame the body, and skips
//!   the body. It copies nothing but a line that comes in pieces.
//! - The parser gets one message at a time: [`Guard::pass`] stops at the end of each. So whatever comes
//!   behind an upgrade is left alone, and a request is refused after those before it were answered.
//! - What is refused ends in a byte that no head may have, so that the parser gives up on it, or in
//!   the end of the input in the middle of a body. After that nothing passes any more.
//! - Guard and parser must agree where each message ends. Each request that is served is
//!   [claimed](Guard::claim): if the parser ever saw one that the guard didn't, the connection ends.

mod head;
mod inlet;

use head::{Framing, Head};
pub use inlet::Inlet;

use crate::chunks::{Chunks, Part};

/// Why a message goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoFramings,
    /// A `Content-Length` that is no number, or two that differ.
    BadLength,
    /// A `Transfer-Encoding` that doesn't end in `chunked`.
    BadCoding,
    /// A framing header longer than any that makes sense.
    LongFraming,
    /// A line that ends in LF without CR.
    BareLf,
    /// A header line that continues the one before it.
    Folded,
    /// A `#` in the request line.
    Fragment,
    /// Chunks that aren't.
    BadChunk,
    /// The parser made no request of a head.
    OutOfStep,
}

impl Reason {
    /// What the caller is told.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::TwoFramings => "a request has Content-Length or Transfer-Encoding, never both",
            Self::BadLength => "Content-Length is one number",
            Self::BadCoding => "the last transfer coding of a request is chunked",
            Self::LongFraming => "Content-Length or Transfer-Encoding is too long",
            Self::BareLf => "lines end in CR and LF",
            Self::Folded => "a header line can't go on in the next line",
            Self::Fragment => "a request target has no #",
            Self::BadChunk => "the chunks of the body are malformed",
            Self::OutOfStep => "it is unclear where a request begins",
        }
    }

    /// The class in the log line and on the counters.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::TwoFramings => "ambiguous_framing",
            Self::BareLf => "bare_line_feed",
            Self::Fragment => "fragment_in_target",
            Self::BadLength
            | Self::BadCoding
            | Self::LongFraming
            | Self::Folded
            | Self::BadChunk
            | Self::OutOfStep => "malformed_request",
        }
    }
}

/// What a refused head ends in: a byte that may be nowhere in a head, and the end of the head, which the
/// parser waits for before it looks.
const SPOILER: &[u8] = b"\0\r\n\r\n";

/// Follows the messages of one connection.
#[derive(Debug, Default)]
pub struct Guard {
    state: State,
    /// A head has passed whose request isn't served yet.
    unclaimed: bool,
}

#[derive(Debug)]
enum State {
    Head(Head),
    /// So many bytes of a body are still to come.
    Sized(u64),
    Chunked(Chunks),
    Refused {
        reason: Reason,
        /// What the parser is still to be given.
        spoiler: &'static [u8],
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Guard {
    /// How many of these bytes the parser may have: up to the end of a message, or up to what is refused.
    pub fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let step = match &mut self.state {
                State::Head(head) => head.read(rest),
                State::Sized(left) => {
                    let take =
                        usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= take as u64;
                    if *left == 0 { Step::End(take) } else { Step::More }
                }
                State::Chunked(chunks) => match chunks.next(rest) {
                    Part::Between(count) | Part::Data(count) => {
                        at += count;
                        continue;
                    }
                    Part::End(count) => Step::End(count),
                    Part::Bad(count) => Step::Refuse(count, Reason::BadChunk),
                },
                State::Refused { .. } => return at,
            };
            match step {
                Step::More => return bytes.len(),
                Step::Body(count, framing) => {
                    at += count;
                    if std::mem::replace(&mut self.unclaimed, true) {
                        self.refuse(Reason::OutOfStep, b"");
                        return at;
                    }
                    self.state = match framing {
                        Framing::None => State::default(),
                        Framing::Sized(length) => State::Sized(length),
                        Framing::Chunked => State::Chunked(Chunks::default()),
                    };
                    if framing == Framing::None {
                        return at;
                    }
                }
                Step::End(count) => {
                    self.state = State::default();
                    return at + count;
                }
                Step::Refuse(count, reason) => {
                    let spoiler = match self.state {
                        State::Head(_) => SPOILER,
                        _ => b"",
                    };
                    self.refuse(reason, spoiler);
                    return at + count;
                }
            }
        }
        at
    }

    /// Whether a head comes next, or the rest of one.
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Whether the request that the parser made is the one whose head passed here.
    pub fn claim(&mut self) -> bool {
        std::mem::take(&mut self.unclaimed)
    }

    /// Why nothing passes any more.
    #[must_use]
    pub fn refused(&self) -> Option<Reason> {
        match self.state {
            State::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// After a refusal: the next bytes for the parser, at most so many. None are the end of the input.
    pub fn spoiler(&mut self, most: usize) -> &'static [u8] {
        match &mut self.state {
            State::Refused { spoiler, .. } => {
                let (now, later) = spoiler.split_at(spoiler.len().min(most));
                *spoiler = later;
                now
            }
            _ => b"",
        }
    }

    fn refuse(&mut self, reason: Reason, spoiler: &'static [u8]) {
        self.state = State::Refused { reason, spoiler };
    }
}

/// The parser made a request of bytes that the guard took for something else.
#[derive(Debug, thiserror::Error)]
#[error("the parser and the guard disagree where a request begins")]
pub(crate) struct OutOfStep;

/// What came of reading some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// All are fine, and more must come.
    More,
    /// The head ends behind so many.
    Body(usize, Framing),
    /// The message ends behind so many.
    End(usize),
    /// Behind so many comes something that is refused.
    Refuse(usize, Reason),
}

#[cfg(test)]
mod tests;

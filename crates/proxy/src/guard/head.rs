//! A request's head, line by line.

use super::{Reason, Step};

/// The longest framing line that is read in pieces; longer ones mean nothing.
const LONGEST: usize = 256;

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Sized(u64),
    Chunked,
}

/// A head as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The request line is over.
    fields: bool,
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`.
    chunked: Option<bool>,
    /// The beginning of a line whose end is still to come.
    part: Part,
}

#[derive(Debug, Default)]
struct Part {
    /// At most [`LONGEST`].
    text: Vec<u8>,
    /// There was more.
    cut: bool,
    last: u8,
}

impl Part {
    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn push(&mut self, piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        self.last = last;
        let room = LONGEST - self.text.len();
        self.cut |= piece.len() > room;
        self.text.extend_from_slice(&piece[..room.min(piece.len())]);
    }
}

impl Head {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Step {
        let mut start = 0;
        while let Some(found) = memchr::memchr(b'\n', &bytes[start..]) {
            let end = start + found;
            match self.line_or_rest(&bytes[start..end]) {
                Ok(None) => start = end + 1,
                Ok(Some(framing)) => return Step::Body(end + 1, framing),
                Err(reason) => return Step::Refuse(start, reason),
            }
        }
        let piece = &bytes[start..];
        if !self.fields && memchr::memchr(b'#', piece).is_some() {
            return Step::Refuse(start, Reason::Fragment);
        }
        self.part.push(piece);
        Step::More
    }

    /// A line, or what was missing of it, up to its LF. Gives the framing at the end of the head.
    fn line_or_rest(&mut self, piece: &[u8]) -> Result<Option<Framing>, Reason> {
        if self.part.is_empty() {
            let Some((b'\r', line)) = piece.split_last() else { return Err(Reason::BareLf) };
            return self.line(line, false);
        }
        let mut part = std::mem::take(&mut self.part);
        part.push(piece);
        if part.last != b'\r' {
            return Err(Reason::BareLf);
        }
        if !self.fields && memchr::memchr(b'#', piece).is_some() {
            return Err(Reason::Fragment);
        }
        if !part.cut {
            part.text.pop();
        }
        self.line(&part.text, part.cut)
    }

    /// A line without its end. Of a line that was `cut`, only the beginning is known.
    fn line(&mut self, line: &[u8], cut: bool) -> Result<Option<Framing>, Reason> {
        if !self.fields {
            // Empty lines may come before a request (RFC 9112 §2.2).
            if !line.is_empty() {
                if memchr::memchr(b'#', line).is_some() {
                    return Err(Reason::Fragment);
                }
                self.fields = true;
            }
            return Ok(None);
        }
        match line.first() {
            None => return self.framing().map(Some),
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    let length = if cut { None } else { number(value) };
                    let length = length.ok_or(Reason::BadLength)?;
                    if self.length.is_some_and(|known| known != length) {
                        return Err(Reason::BadLength);
                    }
                    self.length = Some(length);
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    if cut {
                        return Err(Reason::LongFraming);
                    }
                    let last = value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
                    self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
            }
            Some(b' ' | b'\t') => return Err(Reason::Folded),
            Some(_) => return Ok(None),
        }
        if self.length.is_some() && self.chunked.is_some() {
            return Err(Reason::TwoFramings);
        }
        Ok(None)
    }

    fn framing(&self) -> Result<Framing, Reason> {
        match (self.chunked, self.length) {
            (Some(true), _) => Ok(Framing::Chunked),
            (Some(false), _) => Err(Reason::BadCoding),
            (None, None | Some(0)) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Sized(length)),
        }
    }
}

/// The value of a line, if it has this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

//! A chunked body (RFC 9112 §7.1): sizes are read, data is skipped.

use super::{Reason, Step};

/// Digits of a chunk's size at most, leading zeros included.
const DIGITS: u8 = 16;

/// A chunked body as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// The size that is being read, then what is left of the chunk.
    left: u64,
    digits: u8,
}

#[derive(Debug, Default, Clone, Copy)]
enum Place {
    #[default]
    Size,
    /// Blanks between the size and an extension.
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
}

impl Chunks {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while at < bytes.len() {
            if let Place::Data = self.place {
                let rest = bytes.len() - at;
                let take = usize::try_from(self.left).map_or(rest, |left| left.min(rest));
                at += take;
                self.left -= take as u64;
                if self.left == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            let byte = bytes[at];
            if let (Place::EndLf, b'\n') = (self.place, byte) {
                return Step::End(at + 1);
            }
            match self.next(byte) {
                Some(place) => self.place = place,
                None => return Step::Refuse(at, Reason::BadChunk),
            }
            at += 1;
        }
        Step::More
    }

    /// Where a byte leads; `None` if it may not be there.
    fn next(&mut self, byte: u8) -> Option<Place> {
        Some(match (self.place, byte) {
            (Place::Size, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                self.digits += 1;
                if self.digits > DIGITS {
                    return None;
                }
                self.left = self.left * 16 + u64::from(digit);
                Place::Size
            }
            (Place::Size, _) if self.digits == 0 => return None,
            (Place::Size | Place::Blank, b' ' | b'\t') => Place::Blank,
            (Place::Size | Place::Blank, b';') => Place::Extension,
            (Place::Size | Place::Blank | Place::Extension, b'\r') => Place::SizeLf,
            // A bare LF here is the end of the line to some and a part of the extension to others.
            (Place::Extension, b'\n') => return None,
            (Place::Extension, _) => Place::Extension,
            (Place::SizeLf, b'\n') => {
                self.digits = 0;
                if self.left == 0 { Place::TrailerStart } else { Place::Data }
            }
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size,
            (Place::TrailerStart, b'\r') => Place::EndLf,
            (Place::Trailer, b'\r') => Place::TrailerLf,
            (Place::TrailerStart | Place::Trailer, b'\n') => return None,
            (Place::TrailerStart | Place::Trailer, _) => Place::Trailer,
            (Place::TrailerLf, b'\n') => Place::TrailerStart,
            _ => return None,
        })
    }
}

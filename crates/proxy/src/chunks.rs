//! A chunked body (RFC 9112 §7.1): what is data in it, and where it ends.

/// Digits of a chunk's size at most, leading zeros included.
const DIGITS: u8 = 16;
/// Bytes between two pieces of data at most: extensions, trailers.
const BETWEEN: u32 = 16 * 1024;

/// A chunked body as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    place: Place,
    /// The size that is being read, then what is left of the chunk.
    left: u64,
    digits: u8,
    /// Bytes since the last piece of data.
    between: u32,
}

/// What the next bytes of a chunked body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// So many are between pieces of data.
    Between(usize),
    /// So many are data.
    Data(usize),
    /// The body ends behind so many.
    End(usize),
    /// Behind so many comes one that may not be there.
    Bad(usize),
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
    /// What the first of these bytes are; there must be some. Those that it tells of are done with.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Part {
        if let Place::Data = self.place {
            let take = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= take as u64;
            if self.left == 0 {
                self.place = Place::DataCr;
                self.between = 0;
            }
            return Part::Data(take);
        }
        for (at, &byte) in bytes.iter().enumerate() {
            if let (Place::EndLf, b'\n') = (self.place, byte) {
                return Part::End(at + 1);
            }
            self.between += 1;
            match self.step(byte) {
                Some(Place::Data) => {
                    self.place = Place::Data;
                    return Part::Between(at + 1);
                }
                Some(place) if self.between <= BETWEEN => self.place = place,
                _ => return Part::Bad(at),
            }
        }
        Part::Between(bytes.len())
    }

    /// Whether data comes next.
    pub(crate) fn is_at_data(&self) -> bool {
        matches!(self.place, Place::Data)
    }

    /// Where a byte leads; `None` if it may not be there.
    fn step(&mut self, byte: u8) -> Option<Place> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a body that comes in pieces of so many bytes, and what ended it.
    fn read(body: &[u8], pieces: usize) -> (Vec<u8>, Option<Part>) {
        let (mut chunks, mut data) = (Chunks::default(), Vec::new());
        for mut piece in body.chunks(pieces) {
            while !piece.is_empty() {
                let count = match chunks.next(piece) {
                    Part::Between(count) => count,
                    Part::Data(count) => {
                        data.extend_from_slice(&piece[..count]);
                        count
                    }
                    end => return (data, Some(end)),
                };
                piece = &piece[count..];
            }
        }
        (data, None)
    }

    #[test]
    fn data_is_told_from_what_is_between_however_it_comes() {
        let body = b"5;a=b\r\nhello\r\n6 \r\n world\r\n0\r\nx: y\r\n\r\n";
        for pieces in 1..=body.len() {
            let (data, end) = read(body, pieces);
            assert_eq!(data, b"hello world", "in pieces of {pieces}");
            assert!(matches!(end, Some(Part::End(_))), "in pieces of {pieces}");
        }
        assert_eq!(read(b"5\r\nhel", 3), (b"hel".to_vec(), None));
        assert!(matches!(read(b"5\r\nhelloX", 20).1, Some(Part::Bad(_))));
    }

    #[test]
    fn what_is_between_data_is_limited() {
        let most = BETWEEN as usize;
        for (before, behind) in [("1;", "\r\nx\r\n0\r\n\r\n"), ("0\r\nx: ", "\r\n\r\n")] {
            let short = [before, &"y".repeat(most / 2), behind].concat();
            assert!(matches!(read(short.as_bytes(), 100).1, Some(Part::End(_))));
            let long = [before, &"y".repeat(most), behind].concat();
            assert!(matches!(read(long.as_bytes(), 100).1, Some(Part::Bad(_))));
        }
    }
}

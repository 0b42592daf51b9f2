//! The frames of an HTTP/2 connection, counted.

use proxy::frames::{Meter, PREFACE};

/// Frames that may carry nothing.
const MOST: usize = 20;
const HEAD: usize = 9;

/// Reads a connection whose preface these bytes follow. The first one says in which pieces they come.
pub fn run(bytes: &[u8]) {
    let Some((&first, frames)) = bytes.split_first() else { return };
    let bytes = [PREFACE, frames].concat();
    let mut whole = Meter::new(MOST);
    let is_good = whole.received(&bytes, 0).is_ok();
    assert_eq!(is_good, weight(frames) <= MOST, "{} of {MOST}", weight(frames));
    let mut pieces = Meter::new(MOST);
    let mut last = Ok(());
    for piece in bytes.chunks(usize::from(first) + 1) {
        let next = pieces.received(piece, 0);
        assert!(last.is_ok() || next.is_err(), "too many are no fewer later");
        last = next;
    }
    assert_eq!(last.is_ok(), is_good, "in pieces of {}", usize::from(first) + 1);
    // Each KiB to the client lets one more pass, and after its time all is forgotten.
    whole.sent(frames.len() * 8 * 1024);
    assert!(whole.received(&[], 9_999).is_ok());
    assert!(pieces.received(&[], 10_000).is_ok());
}

/// What these frames weigh (types and flags of RFC 9113 §6).
fn weight(mut bytes: &[u8]) -> usize {
    let mut sum = 0;
    while let Some(([high, middle, low, kind, flags, ..], payload)) =
        bytes.split_first_chunk::<HEAD>()
    {
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        sum += match kind {
            0 => usize::from(length == 0 && flags & 1 == 0),
            1 => 0,
            3 => 5,
            _ => 1,
        };
        bytes = payload.get(length..).unwrap_or_default();
    }
    sum
}

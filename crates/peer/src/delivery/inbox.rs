//! What may be taken of what arrives over a link.

use wire::PeerId;
use wire::limits::MESSAGE_BYTES;
use wire::p2p::RefuseCode;

use super::partners::same;

/// What a text is to this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Written to this peer by another.
    Received,
    /// Written by this peer on another of its devices.
    Copy,
}

/// Whether a text of a device of `from`, written to `to`, is for a device of `me`.
///
/// # Errors
/// What the other side is told.
pub fn judge(me: &PeerId, from: &PeerId, to: &PeerId, message: &str) -> Result<Kind, RefuseCode> {
    if message.is_empty() || message.len() > MESSAGE_BYTES {
        return Err(RefuseCode::TooLarge);
    }
    match (same(me, from), same(me, to)) {
        (true, _) => Ok(Kind::Copy),
        (false, true) => Ok(Kind::Received),
        (false, false) => Err(RefuseCode::NotForMe),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_for_others_and_texts_without_end_are_refused() {
        let id = |text: &str| PeerId::parse(text).unwrap();
        let (me, bob, eve) = (id("Alice"), id("bob"), id("eve"));
        assert_eq!(judge(&me, &bob, &id("alice"), "hi"), Ok(Kind::Received));
        assert_eq!(judge(&me, &id("alice"), &bob, "hi"), Ok(Kind::Copy));
        assert_eq!(judge(&me, &me, &me, "hi"), Ok(Kind::Copy));
        assert_eq!(judge(&me, &bob, &eve, "hi"), Err(RefuseCode::NotForMe));
        assert_eq!(judge(&me, &bob, &bob, "hi"), Err(RefuseCode::NotForMe));
        assert_eq!(judge(&me, &bob, &me, ""), Err(RefuseCode::TooLarge));
        assert_eq!(judge(&me, &bob, &me, &"x".repeat(MESSAGE_BYTES)), Ok(Kind::Received));
        assert_eq!(
            judge(&me, &bob, &me, &"x".repeat(MESSAGE_BYTES + 1)),
            Err(RefuseCode::TooLarge)
        );
    }
}

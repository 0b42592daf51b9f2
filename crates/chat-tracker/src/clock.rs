//! Time on the wire: RFC 3339 in UTC with milliseconds.

use jiff::Timestamp;

/// `2025-11-05T10:30:00.123Z`
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A stored time (milliseconds since 1970) as it goes on the wire.
pub(crate) fn rfc3339_millis(at: i64) -> String {
    rfc3339(Timestamp::from_millisecond(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_z() {
        assert_eq!(rfc3339_millis(1_762_338_600_123), "2025-11-05T10:30:00.123Z");
        assert_eq!(rfc3339_millis(1_762_338_600_000), "2025-11-05T10:30:00.000Z");
    }
}

//! The wall clock, read at the edge; everything inside takes `now`.

/// Seconds since 1970, UTC.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// RFC 3339, UTC.
pub fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

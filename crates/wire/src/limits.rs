//! Sizes and counts that both sides of the wire know. The services can be configured to be stricter
//! or, for the message and the page, more generous.

/// Characters of an id or a channel name.
pub const NAME_CHARS: usize = 64;
/// Bytes of a message's text (UTF-8), by default.
pub const MESSAGE_BYTES: usize = 16 * 1024;
/// Bytes of a request's body, by default.
pub const BODY_BYTES: usize = 64 * 1024;
/// Messages in one page of history at most, by default.
pub const PAGE_MESSAGES: u32 = 200;
/// Messages in one page of history when the caller names no number.
pub const PAGE_DEFAULT: u32 = 50;
/// Ids in one call that takes a list of them.
pub const IDS_PER_CALL: usize = 500;
/// Bytes of an identity token; a longer one is refused before it is parsed.
pub const TOKEN_BYTES: usize = 4096;

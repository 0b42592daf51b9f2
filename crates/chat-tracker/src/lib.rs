//! The tracker: peers, channels, durable messages, live events.
//!
//! # Layout
//! - [`peers`]: who is known, where they listen and who owns them.
//! - [`channels`]: which channels there are and who is in them.

pub mod channels;
pub mod peers;

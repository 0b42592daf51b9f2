//! The tracker: peers, channels, durable messages, live events.
//!
//! # Layout
//! - [`peers`]: who is known, where they listen and who owns them.
//! - [`channels`]: which channels there are and who is in them.
//! - `store`: what must not be lost, in SQLite; one writer with group commit.
//! - [`hub`]: live events: a log of them, and a bounded queue for each reader.
//! - [`presence`]: who is there.
//! - [`metrics`]: the numbers on the admin address.

pub mod channels;
pub mod clock;
pub mod hub;
pub mod metrics;
pub mod peers;
pub mod presence;
mod store;

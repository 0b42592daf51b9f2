//! Live streams over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

mod crowd;
mod devices;
#[path = "../api/keyed.rs"]
mod keyed;
mod presence;
mod resume;
mod revocations;
mod signals;
mod sse;
mod streams;
#[path = "../api/support.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests of the calls, which use the rest"
)]
mod support;
mod ws;

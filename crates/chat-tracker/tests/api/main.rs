//! The tracker's calls over real sockets.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod channels;
mod devices;
mod errors;
mod forged;
mod ice;
mod identity;
#[allow(dead_code, reason = "shared with the tests of live streams, which use the rest")]
mod keyed;
mod login;
mod mailbox;
mod operation;
mod original;
mod sending;
mod support;

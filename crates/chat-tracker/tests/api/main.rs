//! The tracker's calls over real sockets.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod channels;
mod errors;
mod identity;
mod login;
mod mailbox;
mod operation;
mod original;
mod sending;
mod support;

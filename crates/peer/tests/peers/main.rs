//! Peers over real sockets, with a real tracker.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

mod channels;
mod direct;
mod mailbox;
mod people;
mod sign_in;
#[path = "../support/mod.rs"]
mod support;
mod trust;

//! The program `peer` as a person or a script runs it.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

#[path = "../support/door.rs"]
mod door;
mod https;
mod listen;
mod program;
mod relay;
mod send;
mod sign_in;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "shared with the tests of the library, which use the rest")]
mod support;

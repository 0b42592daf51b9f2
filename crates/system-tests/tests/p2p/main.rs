//! Peers that talk directly, tested from outside: each module is a promise that the project makes.
//!
//! - [`lab`]: what the tests' own network and packet capture can do, so that the others can rely on them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in its helpers too")]

mod lab;

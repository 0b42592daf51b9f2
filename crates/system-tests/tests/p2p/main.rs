//! Peers that talk directly, tested from outside: each module is a promise that the project makes.
//!
//! - [`lab`]: what the tests' own network and packet capture can do, so that the others can rely on them.
//! - [`messages`]: two linked peers: in order, once, past the server.
//! - [`ways`]: direct, relayed, or by the mailbox, and the labels.
//! - [`moves`]: leaving, new addresses, closed lids, two devices.
//! - [`files`]: bit for bit, flat memory, resumed.
//! - [`trust`]: a tracker that lies about the devices' signals.
//! - [`chaos`]: everything breaks at random, and each message arrives once.
//! - [`support`]: what the tests say in one line.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in its helpers too")]

mod chaos;
mod files;
mod lab;
mod messages;
mod moves;
mod support;
mod trust;
mod ways;

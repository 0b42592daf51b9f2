//! Files between devices with real engines, sockets, disks and stores.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

mod breaking;
mod ending;
mod many;
mod moving;
mod support;

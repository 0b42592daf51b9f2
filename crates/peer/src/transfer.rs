//! Files: offered, accepted, sent piece by piece, and gone on with after every interruption. `docs/p2p.md`,
//! "Files", tells the protocol.
//!
//! # Layout
//! - [`handle`]: [`Transfers`], the front: commands of the person, and what the links tell.
//! - [`outgoing`], [`incoming`]: one file over one channel, without disk and network.
//! - [`digests`]: ids, pieces and their digests.
//! - [`names`]: what may become of a name that came from elsewhere.

pub mod digests;
pub mod handle;
pub mod incoming;
pub mod names;
pub mod outgoing;

#[cfg(test)]
mod pair;

pub use handle::{TransferError, Transfers};

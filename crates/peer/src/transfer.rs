//! Files: offered, accepted, sent piece by piece, and gone on with after every interruption. `docs/p2p.md`,
//! "Files", tells the protocol.
//!
//! # Layout
//! - [`handle`]: [`Transfers`], the front: commands of the person, and what the links tell.

pub mod handle;

pub use handle::{TransferError, Transfers};

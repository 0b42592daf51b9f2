//! Files: offered, accepted, sent piece by piece, and gone on with after every interruption. `docs/p2p.md`,
//! "Files", tells the protocol.
//!
//! # Layout
//! - [`handle`]: [`Transfers`], the front: commands of the person, and what the links tell.
//! - [`manager`]: the task that has done what the [`desk`] decides.
//!   `runs`, `post` and `clerk` are what it has others do: channels and disks, frames, the store.
//! - [`desk`]: what becomes of all files: who is offered what, who has its turn; without disk, network and clock.
//! - [`send`], [`receive`]: one file between its disk and its channel.
//! - [`outgoing`], [`incoming`]: one file over one channel, without disk and network.
//! - [`source`], [`target`]: the file's disks; [`writer`]: the thread that writes.
//! - [`folder`]: places in the downloads folder.
//! - [`digests`]: ids, pieces and their digests.
//! - [`names`]: what may become of a name that came from elsewhere.
//! - [`meter`]: how fast a file moves.
//! - [`carrier`]: what is needed of the links.

pub mod carrier;
mod clerk;
pub mod desk;
pub mod digests;
pub mod folder;
pub mod handle;
pub mod incoming;
pub mod manager;
pub mod meter;
pub mod names;
pub mod outgoing;
mod post;
pub mod receive;
mod restore;
mod runs;
pub mod send;
pub mod source;
pub mod target;
pub mod writer;

#[cfg(test)]
mod lan;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod stories;

pub use desk::Limits;
pub use handle::{Settings, TransferError, Transfers};

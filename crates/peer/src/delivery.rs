//! Which way a direct message goes, and when that changes: logic without sockets and clocks. `docs/p2p.md` tells the rules.
//!
//! # Layout
//! - [`outbox`]: [`Outbox`]: own messages on their way: what happened goes in, [`Action`]s come out.
//! - [`entry`]: one message on its way.
//! - [`lane`]: what is under way on one link.
//! - [`partners`]: which devices of a peer are live, as far as is known.
//! - [`post`]: what waits for the mailbox, and its pace.
//! - [`inbox`]: what may be taken of what arrives.
//! - [`stamp`]: times of messages.

pub mod entry;
pub mod inbox;
pub mod lane;
#[cfg(test)]
mod model;
pub mod outbox;
pub mod partners;
pub mod post;
pub mod stamp;

pub use entry::Text;
pub use outbox::{Action, Outbox};

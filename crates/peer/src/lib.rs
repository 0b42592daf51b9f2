//! The native peer of hybrid chat: signs in, talks to channels through the tracker, and straight to other
//! peers over WebRTC data channels. `docs/p2p.md` tells the protocol.
//!
//! # Layout
//! - [`peer`]: [`Peer`], the library's front: start, send, send files, history.
//! - [`event`]: what a peer tells its owner.
//! - [`config`]: how a peer is set up.
//! - [`identity`]: the device's key, and what it signs and verifies.
//! - [`links`]: direct links to other devices, over str0m and UDP.
//! - [`tracker`]: the calls to the tracker, and the live stream that comes back by itself.
//! - [`store`]: what a device keeps: messages, the outbox, known devices, transfers.
//! - [`delivery`]: which way a direct message goes, and when it changes: pure logic.
//! - [`transfer`]: files: pieces, digests, resuming.
//! - [`cli`]: the program's commands.
//! - [`terminal`]: `peer chat`, the interactive client.

pub mod cli;
pub mod config;
pub mod delivery;
pub mod event;
pub mod identity;
pub mod links;
pub mod peer;
pub mod store;
pub mod terminal;
pub mod tracker;
pub mod transfer;

pub use config::Config;
pub use event::Event;
pub use peer::Peer;

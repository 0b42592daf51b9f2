//! Direct links to other devices.
//!
//! One thread, the engine, owns the UDP sockets and all connections (str0m is sans-IO). A [`Links`] handle tells
//! it what is wanted; [`LinkEvent`]s tell what happened. `docs/p2p.md` tells the protocol.
//!
//! # Layout
//! - `handle`: [`Links`], the front.
//! - `engine`: moves bytes between sockets, connections and handles.
//! - `pairing`: signals and connection of one other device.
//! - `session`: the signals: numbers, offers, repetitions.
//! - `proof`, `sdp`, `candidate`: what the signals say, and who signed it.
//! - `connection`: one link over str0m; `dtls`: what is kept from it; `frames`, `files` and `file`: its channels; `window`: how much of
//!   them is under way.
//! - `sockets`, `interfaces`: UDP.
//! - `stun`, `turn`: how this device looks from outside, and ways through a relay.

mod candidate;
mod connection;
mod dtls;
mod engine;
mod file;
mod files;
mod frames;
mod handle;
mod interfaces;
mod pairing;
mod proof;
mod sdp;
mod session;
mod shared;
mod sockets;
mod stun;
mod turn;
mod window;

pub use file::{FileChannel, FileMessage};
pub use handle::Links;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wire::p2p::{FileId, Frame};
use wire::signal::SendSignal;
use wire::{DeviceId, PeerId};

use crate::identity::DeviceKey;

/// The device at the other end of a link. Spellings of a peer id that differ in case are the same peer.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Whose device.
    pub peer: PeerId,
    /// Which device.
    pub device: DeviceId,
}

impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        self.device == other.device && self.peer.as_str().eq_ignore_ascii_case(other.peer.as_str())
    }
}

impl Eq for Remote {}

impl Hash for Remote {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The device's id alone tells almost all apart.
        self.device.hash(state);
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.peer, self.device)
    }
}

/// Which way a link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From device to device.
    Direct,
    /// Through a TURN server, which sees nothing of the content.
    Relayed,
}

/// How links are set up.
#[derive(Clone)]
pub struct Settings {
    /// As whom.
    pub me: PeerId,
    /// With which key.
    pub key: Arc<DeviceKey>,
    /// The one address to listen on; all of the machine's when `None`.
    pub ip: Option<IpAddr>,
    /// The UDP port; 0 for any free one.
    pub port: u16,
    /// A link that carried nothing for so long is closed.
    pub idle: Duration,
    /// Links at most.
    pub links_max: usize,
    /// Only ways through a TURN server are offered and taken: the other side never learns this machine's addresses.
    pub relay_only: bool,
    /// What `hello` says of this program.
    pub agent: String,
}

/// The servers that help to find a way, with their names resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServers {
    /// STUN servers.
    pub stun: Vec<SocketAddr>,
    /// TURN servers, with credentials.
    pub turn: Vec<TurnServer>,
}

/// A TURN server (RFC 8656, over UDP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Where it is.
    pub addr: SocketAddr,
    /// The long-term credential's user name.
    pub username: String,
    /// Its password.
    pub credential: String,
}

/// What the links tell.
#[derive(Debug)]
pub enum LinkEvent {
    /// To be handed to the tracker.
    Signal(SendSignal),
    /// A link is up: both sides have proved who they are, and frames pass.
    Up {
        /// To which device.
        remote: Remote,
        /// Which way.
        way: Way,
    },
    /// A link goes another way now.
    Way {
        /// To which device.
        remote: Remote,
        /// Which way.
        way: Way,
    },
    /// A link is gone. A wanted one is tried again by itself, unless the other side closed it on purpose.
    Down {
        /// To which device.
        remote: Remote,
    },
    /// A link was tried, and did not come up. A wanted one is tried again by itself.
    InVain {
        /// To which device.
        remote: Remote,
    },
    /// A frame arrived (never `hello`, `ping`, `pong`, `bye`: the links see to those).
    Frame {
        /// From which device.
        remote: Remote,
        /// The frame.
        frame: Frame,
    },
    /// The other side opened a file's channel.
    File {
        /// From which device.
        remote: Remote,
        /// For which file.
        file: FileId,
        /// The channel.
        channel: FileChannel,
    },
    /// A device could not prove who it is: nothing of it is taken.
    Refused {
        /// Who it claims to be.
        remote: Remote,
        /// Why, in words.
        reason: String,
    },
}

/// There is no link to this device now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no direct link now")]
pub struct NotLinked;

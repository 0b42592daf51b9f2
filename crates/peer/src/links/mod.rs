//! Direct links to other devices.
//!
//! One task, the engine, owns the UDP sockets and all connections (str0m is sans-IO). A [`Links`] handle tells
//! it what is wanted; [`LinkEvent`]s tell what happened.

#[allow(dead_code, unused_imports, reason = "the engine plugs it in next")]
mod stun;
#[allow(dead_code, unused_imports, reason = "the engine plugs it in next")]
mod turn;

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use wire::p2p::{FileControl, FileId, Frame};
use wire::signal::{SendSignal, Signalling};
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
    /// A link is gone. A wanted one is tried again by itself.
    Down {
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

/// What goes over a file's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMessage {
    /// The file's bytes.
    Data(Bytes),
    /// What is said about them.
    Control(FileControl),
}

/// A file's data channel. Dropping it closes it.
#[derive(Debug)]
pub struct FileChannel {}

impl FileChannel {
    /// Sends a message; waits while too much is buffered.
    ///
    /// # Errors
    /// [`NotLinked`] when the channel is closed.
    pub async fn send(&mut self, _message: FileMessage) -> Result<(), NotLinked> {
        todo!()
    }

    /// The next message; `None` when the channel is closed.
    pub async fn recv(&mut self) -> Option<FileMessage> {
        todo!()
    }
}

/// All links of this device. Cheap to clone; the engine ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Links {}

impl Links {
    /// Binds the sockets and starts the engine.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start(_settings: Settings) -> std::io::Result<(Self, mpsc::Receiver<LinkEvent>)> {
        todo!()
    }

    /// Where the sockets are bound now, the most useful for others first. The first one goes into `/submit-info`.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        todo!()
    }

    /// Which servers help from now on.
    pub fn set_ice(&self, _servers: IceServers) {
        todo!()
    }

    /// A link to this device is wanted, and tried again until [`Self::forget`]. One that is closed for being idle
    /// is wanted no more.
    pub fn connect(&self, _remote: &Remote) {
        todo!()
    }

    /// A link to this device is no longer wanted: it isn't live, or is gone. An existing link is closed.
    pub fn forget(&self, _remote: &Remote) {
        todo!()
    }

    /// Takes a signal from the tracker.
    pub fn signal(&self, _signal: Signalling) {
        todo!()
    }

    /// Sends a frame; waits while too much is buffered.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link.
    pub async fn send(&self, _remote: &Remote, _frame: &Frame) -> Result<(), NotLinked> {
        todo!()
    }

    /// Opens a channel for a file.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link.
    pub async fn open_file(
        &self,
        _remote: &Remote,
        _file: FileId,
    ) -> Result<FileChannel, NotLinked> {
        todo!()
    }

    /// The links that are up.
    pub fn up(&self) -> Vec<(Remote, Way)> {
        todo!()
    }

    /// Measures the round trip to a device over its link (`ping`, `pong`).
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link, or it ends meanwhile.
    pub async fn ping(&self, _remote: &Remote) -> Result<Duration, NotLinked> {
        todo!()
    }

    /// Says `bye` on all links and ends the engine.
    pub async fn close(self) {
        todo!()
    }
}

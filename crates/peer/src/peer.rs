//! The library's front.

use std::path::Path;

use tokio::sync::mpsc;
use wire::chat::{Channel, Presence};
use wire::device::Device;
use wire::p2p::FileId;
use wire::tracker::Messages;
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use crate::config::Config;
use crate::event::{Direct, Event, FileStatus};
use crate::links::{Links, Way};

/// Why a peer could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Name or password are wrong, or the session is over.
    #[error("{0}")]
    SignIn(String),
    /// The server doesn't answer, or not as one of ours.
    #[error("{0}")]
    Server(String),
    /// The data folder, the database, the key, or the UDP port.
    #[error("{0}")]
    Local(String),
}

/// Why something could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PeerError {
    /// The tracker refused: its code and its words.
    #[error("{message}")]
    Refused {
        /// Stable, for programs.
        code: String,
        /// For people.
        message: String,
    },
    /// The tracker can't be reached now.
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    /// The store, a file, or what was asked for is wrong.
    #[error("{0}")]
    Local(String),
}

/// A peer: signed in, reachable, with a store of its own. Cheap to clone.
#[derive(Clone)]
pub struct Peer {}

impl Peer {
    /// Signs in, opens the store, binds the UDP port, registers, and keeps itself alive from then on. An absent
    /// tracker is no error once the peer has signed in before: it starts offline and comes back.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(_config: Config) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        todo!()
    }

    /// Its id.
    pub fn id(&self) -> &PeerId {
        todo!()
    }

    /// Its device.
    pub fn device(&self) -> DeviceId {
        todo!()
    }

    /// Its direct links.
    pub fn links(&self) -> &Links {
        todo!()
    }

    /// Whether the live stream is there.
    pub fn online(&self) -> bool {
        todo!()
    }

    /// Writes a direct message: it is on disk when this returns, and [`Event::Delivery`] tells how far it comes.
    ///
    /// # Errors
    /// [`PeerError::Local`] for a text that is empty or too long, or when it can't be stored.
    pub async fn send(&self, _to: &PeerId, _text: &str) -> Result<MessageId, PeerError> {
        todo!()
    }

    /// Writes to a channel: it has its place in the log when this returns.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn broadcast(
        &self,
        _channel: &ChannelName,
        _text: &str,
    ) -> Result<MessageId, PeerError> {
        todo!()
    }

    /// Starts to link with a peer's live devices, so that the first message finds a link.
    pub fn connect(&self, _to: &PeerId) {
        todo!()
    }

    /// Direct messages with a peer, oldest first: the newest `limit`, or those before a message.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn talk(
        &self,
        _with: &PeerId,
        _before: Option<&Direct>,
        _limit: u32,
    ) -> Result<Vec<Direct>, PeerError> {
        todo!()
    }

    /// Peers with whom there are direct messages, the most recent first.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn talks(&self) -> Result<Vec<PeerId>, PeerError> {
        todo!()
    }

    /// The channels: the own ones, or all visible ones.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn channels(&self, _all: bool) -> Result<Vec<Channel>, PeerError> {
        todo!()
    }

    /// Joins a channel, which comes into being with its first member.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn join(&self, _channel: &ChannelName) -> Result<(), PeerError> {
        todo!()
    }

    /// Leaves a channel.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn leave(&self, _channel: &ChannelName) -> Result<(), PeerError> {
        todo!()
    }

    /// A page of a channel's history: the newest, or before a `seq`.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn history(
        &self,
        _channel: &ChannelName,
        _before_seq: Option<u64>,
        _limit: u32,
    ) -> Result<Messages, PeerError> {
        todo!()
    }

    /// Moves the read marker.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn mark_read(&self, _channel: &ChannelName, _seq: u64) -> Result<(), PeerError> {
        todo!()
    }

    /// A channel's members.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn members(&self, _channel: &ChannelName) -> Result<Vec<Presence>, PeerError> {
        todo!()
    }

    /// All known peers.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn peers(&self) -> Result<Vec<Presence>, PeerError> {
        todo!()
    }

    /// A peer's devices as the tracker tells them, each with the way of its link (if there is one), the safety
    /// number, and whether it was compared.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn devices(&self, _of: &PeerId) -> Result<Vec<PartnerDevice>, PeerError> {
        todo!()
    }

    /// Two people have compared the safety number of this device.
    ///
    /// # Errors
    /// [`PeerError::Local`] when it can't be stored.
    pub async fn mark_compared(&self, _peer: &PeerId, _device: DeviceId) -> Result<(), PeerError> {
        todo!()
    }

    /// Offers a file; [`Event::File`] tells the rest. A file that was interrupted goes on.
    ///
    /// # Errors
    /// [`PeerError::Local`] when it can't be read.
    pub async fn send_file(&self, _to: &PeerId, _path: &Path) -> Result<FileId, PeerError> {
        todo!()
    }

    /// Accepts an offered file.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is no such offer, or no room.
    pub async fn accept_file(&self, _from: &PeerId, _file: FileId) -> Result<(), PeerError> {
        todo!()
    }

    /// Declines an offered file.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is no such offer.
    pub async fn decline_file(&self, _from: &PeerId, _file: FileId) -> Result<(), PeerError> {
        todo!()
    }

    /// Stops a transfer, in whichever direction.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is none.
    pub async fn cancel_file(&self, _with: &PeerId, _file: FileId) -> Result<(), PeerError> {
        todo!()
    }

    /// The transfers of this run, and those that wait to go on.
    pub fn files(&self) -> Vec<FileStatus> {
        todo!()
    }

    /// Says goodbye on all links and ends. What is not delivered stays in the outbox.
    pub async fn close(self) {
        todo!()
    }
}

/// A device of a partner.
#[derive(Debug, Clone)]
pub struct PartnerDevice {
    /// As the tracker tells it.
    pub device: Device,
    /// The way of its link; `None` when there is no link.
    pub way: Option<Way>,
    /// 60 digits, the same on both sides.
    pub safety_number: String,
    /// Whether the two people have compared it.
    pub compared: bool,
}

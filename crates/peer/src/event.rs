//! What a peer tells its owner.

use std::path::PathBuf;

use wire::chat::Presence;
use wire::p2p::{CancelReason, DeclineReason, FileId, FileOffer};
use wire::tracker::StoredMessage;
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use crate::links::{Remote, Way};

/// How a direct message travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// From device to device.
    Direct,
    /// From device to device, through a TURN server.
    Relayed,
    /// By way of the tracker's mailbox.
    Mailbox,
}

/// How far an own direct message has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Kept here, on its way.
    Sending,
    /// In the mailbox: the receiver wasn't to be reached.
    Queued,
    /// A device of the receiver has stored it.
    Delivered(Route),
    /// It can't be delivered, and is not tried again.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// A direct message as this device keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// Its id, unique for its sender.
    pub id: MessageId,
    /// Who wrote it.
    pub from: PeerId,
    /// To whom.
    pub to: PeerId,
    /// The text.
    pub message: String,
    /// When it was written (RFC 3339, UTC).
    pub timestamp: String,
    /// How it came here, for those of others and of own other devices; `None` for own ones of this device.
    pub route: Option<Route>,
    /// How far it has come, for own ones of this device; `None` for those of others, and for own ones that another
    /// device sends.
    pub delivery: Option<Delivery>,
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To another peer.
    Outgoing,
    /// To this device.
    Incoming,
}

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Offered; the receiver, or this person, has not answered.
    Offered,
    /// Under way.
    Running {
        /// Bytes that are checked and stored at the receiver.
        done: u64,
        /// Bytes a second, lately.
        speed: u64,
    },
    /// Interrupted; goes on when there is a link again.
    Waiting {
        /// Bytes that are checked and stored at the receiver.
        done: u64,
    },
    /// All of it is there, checked.
    Done {
        /// Where, on the receiver's side.
        path: Option<PathBuf>,
    },
    /// The receiver said no.
    Declined(DeclineReason),
    /// One side stopped it.
    Cancelled(CancelReason),
}

/// A file's transfer as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// What was offered.
    pub offer: FileOffer,
    /// Who sends.
    pub from: PeerId,
    /// Which way it goes.
    pub direction: Direction,
    /// Which way its link goes, while it runs.
    pub way: Option<Way>,
    /// How far it has come.
    pub state: FileState,
    /// What went wrong on this device, in words.
    pub trouble: Option<String>,
}

/// What a peer tells its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The live stream is there: the tracker knows that this peer is.
    Online,
    /// The live stream is gone; it comes back by itself.
    Offline {
        /// Why, in words.
        reason: String,
    },
    /// The session is over: sign in again. Nothing more comes.
    SignedOut,
    /// A direct message is new here: from another peer, or from another device of this one's owner.
    Direct(Direct),
    /// An own direct message has come further.
    Delivery {
        /// Which.
        id: MessageId,
        /// To whom.
        to: PeerId,
        /// How far.
        delivery: Delivery,
    },
    /// A message has its place in a channel's log.
    Message {
        /// Which channel.
        channel: ChannelName,
        /// The message.
        message: StoredMessage,
    },
    /// A channel message came over a direct link, ahead of the log.
    Post {
        /// Who wrote it.
        from: PeerId,
        /// Its id; the log's message with it takes its place.
        id: MessageId,
        /// Which channel.
        channel: ChannelName,
        /// The text.
        message: String,
        /// The sender's clock.
        timestamp: String,
    },
    /// Someone came or went.
    Presence(Presence),
    /// Someone, or this peer, joined or left a channel.
    Membership {
        /// Which channel.
        channel: ChannelName,
        /// Who.
        peer: PeerId,
        /// Whether it is a member now.
        joined: bool,
    },
    /// A public channel was made.
    Channel(ChannelName),
    /// What was missed can't be told one by one, because the tracker has no more of it or because events were not
    /// taken for too long: read talks, channels, history and files anew. Nothing that is stored is lost.
    Reset,
    /// A link came up, changed its way, or went (`None`).
    Link {
        /// To which device.
        remote: Remote,
        /// Which way.
        way: Option<Way>,
    },
    /// A partner uses a device that was never seen before, while others were.
    NewDevice {
        /// Whose.
        peer: PeerId,
        /// Which.
        device: DeviceId,
    },
    /// A device could not prove who it is; nothing of it was taken.
    Refused {
        /// Who it claims to be.
        remote: Remote,
        /// Why, in words.
        reason: String,
    },
    /// A file was offered, or has come further.
    File(FileStatus),
}

impl FileStatus {
    /// Its id.
    pub fn id(&self) -> FileId {
        self.offer.file
    }
}

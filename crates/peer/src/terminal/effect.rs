//! What the interface asks for, and what came of it.

use std::path::PathBuf;

use wire::chat::{Channel, Presence};
use wire::p2p::FileId;
use wire::tracker::Messages;
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use crate::event::{Direct, FileStatus};
use crate::peer::{PartnerDevice, PeerError};

/// Messages that are read at once.
pub(crate) const PAGE: u32 = 50;

/// Something to be done outside of the model. None of it makes the interface wait.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Write a direct message; `serial` is its place in the log.
    Send {
        to: PeerId,
        text: String,
        serial: u64,
    },
    /// Write to a channel.
    Broadcast {
        channel: ChannelName,
        text: String,
        serial: u64,
    },
    /// Read a page of direct messages: the newest, or those before one.
    Talk {
        with: PeerId,
        before: Option<Box<Direct>>,
    },
    /// Read a page of a channel: the newest, or those before a `seq`.
    History {
        channel: ChannelName,
        before: Option<u64>,
    },
    Channels {
        all: bool,
    },
    Talks,
    People,
    Files,
    Members(ChannelName),
    Join(ChannelName),
    Leave(ChannelName),
    MarkRead(ChannelName, u64),
    Connect(PeerId),
    SendFile {
        to: PeerId,
        path: PathBuf,
    },
    Accept(PeerId, FileId),
    Decline(PeerId, FileId),
    Cancel(PeerId, FileId),
    Devices {
        of: PeerId,
        compare: bool,
    },
    MarkCompared(PeerId, DeviceId),
    /// Which files a path that is being typed could become.
    Paths {
        typed: String,
        path: PathBuf,
    },
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    Bell,
    /// Draw everything anew.
    Redraw,
    /// Stop, as Ctrl-Z does elsewhere.
    Suspend,
    /// Say goodbye to the links, then end.
    Goodbye,
    /// End at once.
    Quit,
}

/// What came of an [`Effect`].
#[derive(Debug)]
pub(crate) enum Outcome {
    Sent {
        to: PeerId,
        serial: u64,
        result: Result<MessageId, PeerError>,
    },
    Broadcasted {
        channel: ChannelName,
        serial: u64,
        result: Result<MessageId, PeerError>,
    },
    Talk {
        with: PeerId,
        older: bool,
        result: Result<Vec<Direct>, PeerError>,
    },
    History {
        channel: ChannelName,
        before: Option<u64>,
        result: Result<Messages, PeerError>,
    },
    Channels {
        all: bool,
        result: Result<Vec<Channel>, PeerError>,
    },
    Talks(Result<Vec<PeerId>, PeerError>),
    People(Result<Vec<Presence>, PeerError>),
    Members(ChannelName, Result<Vec<Presence>, PeerError>),
    Joined(ChannelName, Result<(), PeerError>),
    Left(ChannelName, Result<(), PeerError>),
    Read {
        channel: ChannelName,
        seq: u64,
        result: Result<(), PeerError>,
    },
    Files(Vec<FileStatus>),
    /// A file was offered, accepted, declined or stopped; the rest comes as an event.
    File(Result<(), PeerError>),
    Devices {
        of: PeerId,
        compare: bool,
        result: Result<Vec<PartnerDevice>, PeerError>,
    },
    Compared {
        peer: PeerId,
        result: Result<(), PeerError>,
    },
    /// Names that the last part of a path could become; folders end in `/`.
    Paths {
        typed: String,
        names: Vec<String>,
    },
}

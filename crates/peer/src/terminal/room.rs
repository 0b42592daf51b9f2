//! A conversation: a channel, or the direct messages with a person.

use wire::chat::Channel;
use wire::{ChannelName, MessageId, PeerId};

use super::input::Editor;
use super::log::{Item, Kind, Log};
use super::people::is;

/// Which conversation.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A channel.
    Channel(ChannelName),
    /// Direct messages. Spellings of a name that differ in case are the same person.
    Talk(PeerId),
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Channel(one), Self::Channel(other)) => one == other,
            (Self::Talk(one), Self::Talk(other)) => is(one, other),
            _ => false,
        }
    }
}

impl Eq for Place {}

/// Where the view stands when someone reads older messages: at this item, so many of whose rows are below the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) serial: u64,
    pub(crate) hidden: usize,
}

/// The first message that was not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstUnread {
    /// The first one of others behind this `seq`.
    Behind(u64),
    /// This direct message.
    Direct(PeerId, MessageId),
}

/// A conversation as the interface keeps it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) place: Place,
    /// Whether it can be written to: always so for direct messages.
    pub(crate) joined: bool,
    pub(crate) private: bool,
    pub(crate) members: usize,
    /// The newest `seq` that is known of.
    pub(crate) head: u64,
    /// The newest `seq` that was read.
    pub(crate) read: u64,
    /// The newest `seq` that the tracker was told as read, and whether a call is under way.
    pub(crate) told: u64,
    pub(crate) telling: bool,
    pub(crate) unread: u64,
    pub(crate) first_unread: Option<FirstUnread>,
    pub(crate) log: Log,
    /// `None` at the newest message.
    pub(crate) anchor: Option<Anchor>,
    pub(crate) draft: Editor,
}

impl Room {
    /// A room of which nothing is known yet.
    pub(crate) fn new(place: Place) -> Self {
        Self {
            joined: matches!(place, Place::Talk(_)),
            place,
            private: false,
            members: 0,
            head: 0,
            read: 0,
            told: 0,
            telling: false,
            unread: 0,
            first_unread: None,
            log: Log::default(),
            anchor: None,
            draft: Editor::default(),
        }
    }

    /// Takes what the tracker tells of a channel. What was heard since counts on top.
    pub(crate) fn update(&mut self, channel: &Channel) {
        self.joined = channel.joined;
        self.private = channel.private;
        self.members = channel.members_count;
        if channel.read_seq >= self.read {
            self.read = channel.read_seq;
            self.unread = channel.unread + self.head.saturating_sub(channel.head_seq);
        }
        self.told = self.told.max(channel.read_seq);
        self.head = self.head.max(channel.head_seq);
    }

    /// The person of a talk.
    pub(crate) fn person(&self) -> Option<&PeerId> {
        match &self.place {
            Place::Talk(person) => Some(person),
            Place::Channel(_) => None,
        }
    }

    /// Whether the line “new” goes above this item: it is the first unread one.
    pub(crate) fn begins_unread(&self, index: usize, me: &PeerId) -> bool {
        let behind =
            |item: &Item, read: u64| matches!(item.kind, Kind::Message { seq, .. } if seq > read);
        let foreign = |from: &PeerId| !is(from, me);
        let Some((item, before)) = self.log.items().get(index).zip(self.log.items().get(..index))
        else {
            return false;
        };
        match (&self.first_unread, &item.kind) {
            (Some(FirstUnread::Behind(read)), Kind::Message { seq, from, .. }) => {
                let first = |earlier: &Item| {
                    matches!(&earlier.kind, Kind::Message { from, .. } if foreign(from))
                        && behind(earlier, *read)
                };
                *seq > *read && foreign(from) && !before.iter().rev().any(first)
            }
            (Some(FirstUnread::Direct(from, id)), Kind::Direct { direct, .. }) => {
                direct.id == *id && direct.from == *from
            }
            _ => false,
        }
    }
}

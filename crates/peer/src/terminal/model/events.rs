//! What the peer tells.

use wire::tracker::StoredMessage;
use wire::{ChannelName, MessageId, PeerId};

use super::{Connection, EARLY, LOOK_SOON, Model, Now};
use crate::event::{Delivery, Direct, Direction, Event, FileState, FileStatus};
use crate::terminal::effect::Effect;
use crate::terminal::log::{Loaded, POST_PATIENCE, Tone};
use crate::terminal::people::is;
use crate::terminal::room::{FirstUnread, Place};
use crate::terminal::safe::Safe;
use crate::terminal::transfers::{is_over, partner};
use crate::terminal::words::fill;

impl Model {
    pub(super) fn event(&mut self, event: Event, now: Now) {
        match event {
            Event::Online => self.online(now),
            Event::Offline { reason } => self.offline(&reason, now),
            Event::SignedOut => {
                self.connection = Connection::SignedOut;
                self.say(self.words().session_over, Tone::Wrong, now);
            }
            Event::Direct(direct) => self.direct(direct, now),
            Event::Delivery { id, to, delivery } => self.delivery(&id, to, delivery, now),
            Event::Message { channel, message } => self.message(channel, &message, now),
            Event::Post { from, id, channel, message, timestamp } => {
                let until = now.instant + POST_PATIENCE;
                let at = timestamp.parse().unwrap_or(now.wall);
                if let Some(room) = self.room_mut(&Place::Channel(channel))
                    && room.log.loaded == Loaded::Yes
                {
                    room.log.post(from, id, &message, at, until);
                }
            }
            Event::Presence(presence) => {
                self.people.presence(&presence);
                let talk = Place::Talk(presence.peer_id.clone());
                if presence.online && self.open.as_ref() == Some(&talk) {
                    self.ask(Effect::Connect(presence.peer_id));
                }
            }
            Event::Membership { channel, peer, joined } => self.membership(channel, &peer, joined),
            Event::Channel(channel) => {
                self.room_or_new(&Place::Channel(channel));
            }
            Event::Reset => {
                for room in &mut self.rooms {
                    room.log.outdated();
                }
                self.ask(Effect::Files);
                self.reload();
            }
            Event::Link { remote, way } => {
                self.people.link(&remote, way);
                if way.is_none() {
                    self.look_in(LOOK_SOON, now);
                }
            }
            Event::NewDevice { peer, device } => {
                let device = device.to_string();
                let values =
                    [("name", peer.as_str()), ("device", device.get(..8).unwrap_or(&device))];
                let text = fill(self.words().new_device, &values);
                self.warn(peer.clone(), &text, Tone::Warning, now);
            }
            Event::Refused { remote, reason } => {
                let reason = Safe::line(&reason);
                let values = [("name", remote.peer.as_str()), ("reason", reason.as_str())];
                let text = fill(self.words().refused, &values);
                self.warn(remote.peer, &text, Tone::Wrong, now);
            }
            Event::File(status) => self.file(&status, now),
        }
    }

    fn online(&mut self, now: Now) {
        let was = std::mem::replace(&mut self.connection, Connection::Online);
        if was == Connection::Offline {
            self.say(self.words().back_online, Tone::Plain, now);
        }
        if was == Connection::Offline || self.missed {
            self.reload();
        }
    }

    fn offline(&mut self, reason: &str, now: Now) {
        let was = std::mem::replace(&mut self.connection, Connection::Offline);
        if was != Connection::Offline {
            let reason = Safe::line(reason);
            let text = fill(self.words().went_offline, &[("reason", reason.as_str())]);
            self.say(text, Tone::Warning, now);
        }
    }

    /// Reads anew what the tracker knows, and what is missing of the open conversation.
    fn reload(&mut self) {
        self.missed = false;
        self.ask(Effect::Channels { all: self.all });
        self.ask(Effect::Talks);
        self.look();
        self.load();
    }

    fn direct(&mut self, direct: Direct, now: Now) {
        let mine = is(&direct.from, &self.me);
        let other = if mine { direct.to.clone() } else { direct.from.clone() };
        let place = Place::Talk(other.clone());
        let (from, id) = (direct.from.clone(), direct.id.clone());
        let watched = self.is_watched(&place);
        let room = self.room_or_new(&place);
        let new = room.log.loaded == Loaded::No || room.log.direct(direct, now.wall);
        if room.anchor.is_none() {
            room.log.trim();
        }
        if new && !mine {
            if watched {
                room.unread = 0;
            } else {
                room.unread += 1;
                room.first_unread.get_or_insert(FirstUnread::Direct(from, id));
                let shown = self.open.as_ref() == Some(&place);
                if !shown {
                    let text = fill(self.words().message_from, &[("name", other.as_str())]);
                    self.say(text, Tone::Plain, now);
                }
                self.ring(now);
            }
        }
        self.touch(&place);
    }

    /// A talk with something new stands first.
    pub(super) fn touch(&mut self, place: &Place) {
        if let Some(at) = self.rooms.iter().position(|room| room.place == *place) {
            let room = self.rooms.remove(at);
            self.rooms.insert(0, room);
        }
    }

    fn delivery(&mut self, id: &MessageId, to: PeerId, delivery: Delivery, now: Now) {
        let (me, place) = (self.me.clone(), Place::Talk(to));
        let watched = self.is_watched(&place);
        let known = self.room_mut(&place).is_some_and(|room| room.log.deliver(&me, id, &delivery));
        if let (Delivery::Failed { reason }, false, Place::Talk(to)) = (&delivery, watched, &place)
        {
            let reason = fill(self.words().failed, &[("reason", Safe::line(reason).as_str())]);
            self.say(format!("{to}: {reason}"), Tone::Wrong, now);
        }
        if known {
            return;
        }
        if self.early.len() == EARLY {
            self.early.pop_front();
        }
        self.early.push_back((id.clone(), delivery));
        // Perhaps another program writes through this peer.
        if let Some(room) = self.room_mut(&place)
            && !room.log.is_sending()
        {
            room.log.outdated();
            self.load();
        }
    }

    fn message(&mut self, channel: ChannelName, message: &StoredMessage, now: Now) {
        let mine = is(&message.from, &self.me);
        let place = Place::Channel(channel);
        let watched = self.is_watched(&place);
        let unknown = self.room(&place).is_none();
        let room = self.room_or_new(&place);
        let news = message.seq > room.head;
        let hole = room.log.loaded == Loaded::Yes && message.seq > room.log.newest_seq() + 1;
        room.head = room.head.max(message.seq);
        if room.log.loaded != Loaded::No {
            room.log.message(message, mine, now.wall);
            if room.anchor.is_none() {
                room.log.trim();
            }
        }
        if news && !mine && !watched {
            room.first_unread.get_or_insert(FirstUnread::Behind(room.read));
            room.unread += 1;
        }
        if hole {
            room.log.outdated();
            self.load();
        }
        if unknown {
            self.ask(Effect::Channels { all: self.all });
        }
        self.seen();
    }

    fn membership(&mut self, channel: ChannelName, peer: &PeerId, joined: bool) {
        let me = is(peer, &self.me);
        let room = self.room_or_new(&Place::Channel(channel));
        room.members = if joined { room.members + 1 } else { room.members.saturating_sub(1) };
        if me {
            room.joined = joined;
            // Its counts and its private mark.
            self.ask(Effect::Channels { all: self.all });
        } else if joined && !self.people.get(peer).is_some_and(|known| known.online) {
            self.look();
        }
    }

    /// Asks who is there, one call at a time.
    pub(super) fn look(&mut self) {
        if !std::mem::replace(&mut self.asks_people, true) {
            self.ask(Effect::People);
        }
    }

    /// Says something about a person in the talk with them, and in passing.
    fn warn(&mut self, about: PeerId, text: &str, tone: Tone, now: Now) {
        if let Some(room) = self.room_mut(&Place::Talk(about)) {
            room.log.line(Safe::line(text), tone, now.wall);
        }
        self.say(text, tone, now);
    }

    /// All files, read anew.
    pub(super) fn files(&mut self, all: &[FileStatus], now: Now) {
        self.transfers.keep(all);
        for status in all {
            if !is_over(&status.state) || self.transfers.has(status) {
                self.file(status, now);
            }
        }
    }

    fn file(&mut self, status: &FileStatus, now: Now) {
        if !self.transfers.update(status) {
            return;
        }
        let place = Place::Talk(partner(status).clone());
        let watched = self.is_watched(&place);
        let words = self.words();
        let name = Safe::line(&status.offer.name);
        if is_over(&status.state) {
            let (text, tone) = words.file_end(status, &name);
            let room = self.room_or_new(&place);
            room.log.line(Safe::line(&text), tone, now.wall);
            if !watched {
                self.say(text, tone, now);
            }
        } else if status.direction == Direction::Incoming && status.state == FileState::Offered {
            let size = words.bytes(status.offer.size);
            let values = [("name", status.from.as_str()), ("file", name.as_str()), ("size", &size)];
            let text = fill(words.offers, &values);
            let room = self.room_or_new(&place);
            room.log.line(Safe::line(&text), Tone::Plain, now.wall);
            if !watched {
                room.unread += 1;
                self.say(format!("{text}: {}", words.file_answer), Tone::Warning, now);
                self.ring(now);
            }
        }
    }
}

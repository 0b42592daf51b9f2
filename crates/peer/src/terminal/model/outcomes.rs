//! What came of what was asked.

use wire::chat::{Channel, Presence};
use wire::tracker::Messages;
use wire::{ChannelName, MessageId, PeerId};

use super::{Connection, LOOK, Model, Now};
use crate::event::{Delivery, Direct};
use crate::peer::{PartnerDevice, PeerError};
use crate::terminal::complete::{Completion, complete_path};
use crate::terminal::effect::{Effect, Outcome};
use crate::terminal::log::{Loaded, Pending, Tone};
use crate::terminal::room::{Place, Room};
use crate::terminal::safe::Safe;
use crate::terminal::sheet::{self, About, Row};
use crate::terminal::words::fill;

impl Model {
    pub(super) fn outcome(&mut self, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Sent { to, serial, result } => self.sent_to(&to, serial, result, now),
            Outcome::Broadcasted { channel, serial, result } => {
                self.broadcasted(channel, serial, result, now);
            }
            Outcome::Talk { with, older, result } => self.talk(with, older, result, now),
            Outcome::History { channel, before, result } => {
                self.history(channel, before.is_some(), result, now);
            }
            Outcome::Channels { all, result } => {
                self.channels(all, result, now);
                self.answered.0 = true;
                self.show_first();
            }
            Outcome::Talks(result) => {
                self.talks(result, now);
                self.answered.1 = true;
                self.show_first();
            }
            Outcome::People(result) => self.everybody(result, now),
            Outcome::Members(channel, result) => self.members(&channel, result, now),
            Outcome::Joined(channel, result) => match result {
                Ok(()) => self.joined(channel, now),
                Err(error) => self.complain(&error, now),
            },
            Outcome::Left(channel, result) => match result {
                Ok(()) => self.left(channel, now),
                Err(error) => self.complain(&error, now),
            },
            Outcome::Read { channel, seq, result } => {
                let place = Place::Channel(channel);
                if let Some(room) = self.room_mut(&place) {
                    room.telling = false;
                    // An error is not worth a word: the next message that is read tells it again.
                    if result.is_ok() {
                        room.told = room.told.max(seq);
                        self.tell_read(&place);
                    }
                }
            }
            Outcome::Files(all) => self.files(&all, now),
            Outcome::File(Ok(())) => {}
            Outcome::File(Err(error)) => self.complain(&error, now),
            Outcome::Devices { of, compare, result } => self.devices(&of, compare, result, now),
            Outcome::Compared { peer, result } => match result {
                Ok(()) => {
                    self.say(self.words().compared, Tone::Plain, now);
                    self.ask(Effect::Devices { of: peer, compare: true });
                }
                Err(error) => self.complain(&error, now),
            },
            Outcome::Paths { typed, names } => self.paths(&typed, &names),
        }
        self.say_goodbye();
    }

    fn complain(&mut self, error: &PeerError, now: Now) {
        let text = self.words().problem(error);
        self.say(text, Tone::Wrong, now);
    }

    fn sent_to(
        &mut self,
        to: &PeerId,
        serial: u64,
        result: Result<MessageId, PeerError>,
        now: Now,
    ) {
        let (place, me, words) = (Place::Talk(to.clone()), self.me.clone(), self.words());
        match result {
            Ok(id) => {
                let early = self.early.iter().rposition(|(known, _)| *known == id);
                let delivery =
                    early.and_then(|at| self.early.remove(at)).map(|(_, delivery)| delivery);
                let Some(room) = self.room_mut(&place) else { return };
                if let Some(message) = room.log.settle(serial, Pending::Taken(id.clone())) {
                    room.log.remove(serial);
                    let direct = Direct {
                        id,
                        from: me,
                        to: to.clone(),
                        message,
                        timestamp: now.wall.to_string(),
                        route: None,
                        delivery: Some(delivery.unwrap_or(Delivery::Sending)),
                    };
                    room.log.direct(direct, now.wall);
                }
                self.touch(&place);
            }
            Err(error) => {
                let reason = words.problem(&error);
                if let Some(room) = self.room_mut(&place) {
                    room.log.settle(serial, Pending::Failed(Safe::line(&reason)));
                }
            }
        }
        self.pump(&place);
    }

    fn broadcasted(
        &mut self,
        channel: ChannelName,
        serial: u64,
        result: Result<MessageId, PeerError>,
        now: Now,
    ) {
        let (place, me, words) = (Place::Channel(channel), self.me.clone(), self.words());
        let Some(room) = self.room_mut(&place) else { return };
        match result {
            Ok(id) if room.log.has_message(&me, &id) => room.log.remove_pending(serial),
            Ok(id) => {
                room.log.settle(serial, Pending::Taken(id));
            }
            Err(error) => {
                let reason = words.problem(&error);
                if room.log.settle(serial, Pending::Failed(Safe::line(&reason))).is_none() {
                    self.say(reason, Tone::Wrong, now);
                }
            }
        }
        self.pump(&place);
    }

    fn talk(
        &mut self,
        with: PeerId,
        older: bool,
        result: Result<Vec<Direct>, PeerError>,
        now: Now,
    ) {
        let place = Place::Talk(with);
        let Some(room) = self.room_mut(&place) else { return };
        room.log.older &= !older;
        match result {
            Ok(page) => {
                room.log.loaded = Loaded::Yes;
                room.log.talk(page, older, now.wall);
            }
            Err(error) => {
                room.log.failed(older);
                self.complain(&error, now);
            }
        }
        self.seen();
    }

    fn history(
        &mut self,
        channel: ChannelName,
        older: bool,
        result: Result<Messages, PeerError>,
        now: Now,
    ) {
        let (place, me) = (Place::Channel(channel), self.me.clone());
        let Some(room) = self.room_mut(&place) else { return };
        room.log.older &= !older;
        match result {
            Ok(page) => {
                room.log.loaded = Loaded::Yes;
                room.log.history(&page, older, &me, now.wall);
                room.head = room.head.max(page.head_seq);
            }
            Err(error) => {
                room.log.failed(older);
                self.complain(&error, now);
            }
        }
        self.seen();
    }

    fn channels(&mut self, all: bool, result: Result<Vec<Channel>, PeerError>, now: Now) {
        let channels = match result {
            Ok(channels) => channels,
            Err(error) => {
                self.missed = true;
                if !self.fail_sheet(&About::Channels, &error, now)
                    && self.connection == Connection::Online
                {
                    self.complain(&error, now);
                }
                return;
            }
        };
        for channel in &channels {
            self.room_or_new(&Place::Channel(channel.channel.clone())).update(channel);
        }
        let told = |name: &ChannelName| channels.iter().any(|channel| channel.channel == *name);
        let open = self.open.clone();
        self.rooms.retain(|room| match &room.place {
            Place::Channel(name) => {
                told(name)
                    || !(all || room.joined)
                    || open.as_ref() == Some(&room.place)
                    || !room.draft.is_blank()
            }
            Place::Talk(_) => true,
        });
        for room in &mut self.rooms {
            if let Place::Channel(name) = &room.place {
                room.joined &= told(name);
            }
        }
        let words = self.words();
        if let Some(sheet) =
            self.sheet.as_mut().filter(|sheet| all && sheet.about == About::Channels)
        {
            sheet.fill(sheet::channels(&channels, words));
        }
        self.seen();
    }

    fn talks(&mut self, result: Result<Vec<PeerId>, PeerError>, now: Now) {
        match result {
            Ok(talks) => {
                for person in talks {
                    let place = Place::Talk(person);
                    if self.room(&place).is_none() {
                        self.rooms.push(Room::new(place));
                    }
                }
            }
            Err(error) => self.complain(&error, now),
        }
    }

    /// Shows the first conversation that there is, the general channel before others, when none is open.
    fn show_first(&mut self) {
        if self.open.is_some() || self.answered != (true, true) {
            return;
        }
        let (channels, talks) = self.listed();
        let general = channels
            .iter()
            .find(|room| matches!(&room.place, Place::Channel(name) if name.as_str() == "general"));
        let first = general.or(channels.first()).or(talks.first());
        if let Some(place) = first.map(|room| room.place.clone()) {
            self.show(&place);
        }
    }

    fn joined(&mut self, channel: ChannelName, now: Now) {
        let text = fill(self.words().joined, &[("channel", channel.as_str())]);
        let place = Place::Channel(channel);
        self.room_or_new(&place).joined = true;
        self.show(&place);
        self.say(text, Tone::Plain, now);
        self.ask(Effect::Channels { all: self.all });
    }

    fn left(&mut self, channel: ChannelName, now: Now) {
        let text = fill(self.words().left, &[("channel", channel.as_str())]);
        let place = Place::Channel(channel);
        if let Some(room) = self.room_mut(&place) {
            room.joined = false;
            room.unread = 0;
        }
        if self.open.as_ref() == Some(&place) && self.draft().is_blank() {
            self.open = None;
            self.show_first();
        }
        self.say(text, Tone::Plain, now);
        self.ask(Effect::Channels { all: self.all });
    }

    fn everybody(&mut self, result: Result<Vec<Presence>, PeerError>, now: Now) {
        self.asks_people = false;
        self.look_in(LOOK, now);
        match result {
            Ok(people) => {
                for presence in &people {
                    self.people.presence(presence);
                }
                self.connect();
                let rows = sheet::people(&people, &self.me, self.words());
                self.fill_sheet(&About::People, rows);
            }
            Err(error) => {
                self.missed = true;
                self.fail_sheet(&About::People, &error, now);
            }
        }
    }

    /// A link to the one of the open talk is wanted, when they are there.
    fn connect(&mut self) {
        let person = self.current().and_then(|room| room.person()).cloned();
        let Some(person) = person.filter(|person| self.people.way(person).is_none()) else {
            return;
        };
        if self.people.get(&person).is_some_and(|known| known.online) {
            self.ask(Effect::Connect(person));
        }
    }

    fn members(
        &mut self,
        channel: &ChannelName,
        result: Result<Vec<Presence>, PeerError>,
        now: Now,
    ) {
        let about = About::Members(channel.clone());
        match result {
            Ok(members) => {
                for presence in &members {
                    self.people.presence(presence);
                }
                let rows = sheet::people(&members, &self.me, self.words());
                self.fill_sheet(&about, rows);
            }
            Err(error) => {
                self.fail_sheet(&about, &error, now);
            }
        }
    }

    fn devices(
        &mut self,
        of: &PeerId,
        compare: bool,
        result: Result<Vec<PartnerDevice>, PeerError>,
        now: Now,
    ) {
        let about = if compare { About::Compare(of.clone()) } else { About::Devices(of.clone()) };
        match result {
            Ok(devices) if compare => {
                let rows = sheet::compare(of, &devices, self.words());
                self.fill_sheet(&about, rows);
            }
            Ok(devices) => {
                let rows = sheet::devices(of, &devices, &self.setting.zone, self.words());
                self.fill_sheet(&about, rows);
            }
            Err(error) => {
                self.fail_sheet(&about, &error, now);
            }
        }
    }

    /// Fills a sheet, if it is still open.
    fn fill_sheet(&mut self, about: &About, rows: Vec<Row>) {
        if let Some(sheet) = self.sheet.as_mut().filter(|sheet| sheet.about == *about) {
            let at = sheet.at;
            let again = !sheet.loading;
            sheet.fill(rows);
            if again && sheet.rows.get(at).is_some_and(Row::can_be_chosen) {
                sheet.at = at;
            }
        }
    }

    /// A sheet can't be filled. Gives whether someone waited for it.
    fn fail_sheet(&mut self, about: &About, error: &PeerError, now: Now) -> bool {
        let waited = self.sheet.take_if(|sheet| sheet.about == *about && sheet.loading).is_some();
        if waited {
            self.complain(error, now);
        }
        waited
    }

    /// The disk's answer to Tab, if the line is still the same.
    fn paths(&mut self, typed: &str, names: &[String]) {
        let draft = self.draft();
        let Some(before) = draft.text().get(..draft.cursor()) else { return };
        let Some(start) = before.strip_suffix(typed).map(str::len) else { return };
        let completion = complete_path(start, typed, names);
        self.completed(completion);
    }

    pub(super) fn completed(&mut self, completion: Completion) {
        match completion {
            Completion::Word { from, word, others } => {
                self.draft_mut().complete(from, &word);
                self.candidates =
                    others.iter().map(|other| Safe::line(other).to_string()).collect();
            }
            Completion::Nothing | Completion::Path(_) => self.candidates.clear(),
        }
    }
}

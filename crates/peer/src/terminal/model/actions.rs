//! What a person does: sends, commands, leaves.

use wire::limits::MESSAGE_BYTES;
use wire::{ChannelName, PeerId};

use super::{Model, Now};
use crate::terminal::commands::{self, Command, Line, Wanted};
use crate::terminal::complete::{Completion, Known, complete};
use crate::terminal::effect::Effect;
use crate::terminal::log::Tone;
use crate::terminal::room::{Place, Room};
use crate::terminal::sheet::{self, About, RowKind, Sheet};
use crate::terminal::transfers::Transfer;
use crate::terminal::words::fill;

/// Own messages of a conversation that may wait to be sent.
const UNSENT: usize = 50;

impl Model {
    /// Enter: sends the line, or does what it says. A line that can't be taken stays.
    pub(super) fn submit(&mut self, now: Now) {
        if self.draft().is_blank() {
            return;
        }
        let line = self.draft().text().to_owned();
        let words = self.words();
        let refused = match commands::parse(&line, self.setting.home.as_deref()) {
            Line::Text(text) => self.send(&text, now),
            Line::Command(command) => {
                // The command may open another conversation: the line is that of this one.
                self.draft_mut().take();
                self.sent.push(&line);
                self.command(command, now);
                return;
            }
            Line::Unknown(name) => Err(fill(words.unknown_command, &[("name", &name)])),
            Line::Missing(name) => Err(fill(words.usage, &[("usage", (words.command)(name).0)])),
            Line::Bad(Wanted::Channel) => Err(words.bad_channel.to_owned()),
            Line::Bad(Wanted::Person) => Err(words.bad_person.to_owned()),
            Line::Bad(Wanted::Number) => Err(words.bad_number.to_owned()),
        };
        match refused {
            Ok(()) => {
                self.draft_mut().take();
                self.sent.push(&line);
            }
            Err(why) => self.say(why, Tone::Wrong, now),
        }
    }

    /// Writes to the open conversation; the error says why not.
    fn send(&mut self, text: &str, now: Now) -> Result<(), String> {
        let words = self.words();
        if let Some(over) = text.len().checked_sub(MESSAGE_BYTES + 1) {
            return Err(fill(words.bytes_over, &[("n", &(over + 1).to_string())]));
        }
        let Some(room) = self.current_mut() else { return Err(words.welcome.to_owned()) };
        let place = room.place.clone();
        if let (Place::Channel(channel), false) = (&place, room.joined) {
            return Err(fill(words.join_to_write, &[("channel", channel.as_str())]));
        }
        if room.log.unsent() >= UNSENT {
            return Err(words.too_many.to_owned());
        }
        room.log.mine(text.to_owned(), now.wall);
        room.anchor = None;
        room.first_unread = None;
        self.pump(&place);
        self.seen();
        Ok(())
    }

    fn command(&mut self, command: Command, now: Now) {
        let words = self.words();
        match command {
            Command::Join(channel) => self.ask(Effect::Join(channel)),
            Command::Leave(channel) => match channel.or_else(|| self.open_channel()) {
                Some(channel) => self.ask(Effect::Leave(channel)),
                None => self.say(words.no_channel, Tone::Wrong, now),
            },
            Command::Channels => {
                self.sheet = Some(Sheet::loading(About::Channels));
                self.ask(Effect::Channels { all: true });
            }
            Command::Msg(person, text) => {
                self.show(&Place::Talk(person));
                if let Some(Err(why)) = text.map(|text| self.send(&text, now)) {
                    self.say(why, Tone::Wrong, now);
                }
            }
            Command::Who => match self.open_channel() {
                Some(channel) => {
                    self.sheet = Some(Sheet::loading(About::Members(channel.clone())));
                    self.ask(Effect::Members(channel));
                }
                None => {
                    self.sheet = Some(Sheet::loading(About::People));
                    self.look();
                }
            },
            Command::File(path) => match self.open_person() {
                Some(to) => self.ask(Effect::SendFile { to, path }),
                None => self.say(words.no_talk, Tone::Wrong, now),
            },
            Command::Accept(number) => self.accept(number, now),
            Command::Decline(number) => self.decline(number, now),
            Command::Cancel(number) => self.cancel(number, now),
            Command::Devices(of) => self.devices_of(of, false, now),
            Command::Compare(with) => self.devices_of(with, true, now),
            Command::Mouse => {
                self.mouse = !self.mouse;
                let said = if self.mouse { words.mouse_taken } else { words.mouse_left };
                self.say(said, Tone::Plain, now);
                self.ask(Effect::Mouse(self.mouse));
            }
            Command::Help => self.help(),
            Command::Quit => self.leave(),
        }
    }

    fn open_channel(&self) -> Option<ChannelName> {
        match &self.open {
            Some(Place::Channel(channel)) => Some(channel.clone()),
            _ => None,
        }
    }

    fn open_person(&self) -> Option<PeerId> {
        match &self.open {
            Some(Place::Talk(person)) => Some(person.clone()),
            _ => None,
        }
    }

    fn devices_of(&mut self, of: Option<PeerId>, compare: bool, now: Now) {
        let Some(of) = of.or_else(|| self.open_person()) else {
            return self.say(self.words().no_talk, Tone::Wrong, now);
        };
        let about = if compare { About::Compare(of.clone()) } else { About::Devices(of.clone()) };
        self.sheet = Some(Sheet::loading(about));
        self.ask(Effect::Devices { of, compare });
    }

    // ---- files -----------------------------------------------------------------------------------------------

    /// Accepts the file with a number, or the first that asks.
    pub(super) fn accept(&mut self, number: Option<usize>, now: Now) {
        let near = self.open_person();
        match self.transfers.choose(number, near.as_ref(), Transfer::asks) {
            Some((from, file)) => {
                self.notice = None;
                self.ask(Effect::Accept(from, file));
            }
            None => self.say(self.words().no_offer, Tone::Wrong, now),
        }
    }

    /// Declines the file with a number, or the first that asks.
    pub(super) fn decline(&mut self, number: Option<usize>, now: Now) {
        let near = self.open_person();
        match self.transfers.choose(number, near.as_ref(), Transfer::asks) {
            Some((from, file)) => {
                self.notice = None;
                self.ask(Effect::Decline(from, file));
            }
            None => self.say(self.words().no_offer, Tone::Wrong, now),
        }
    }

    /// Stops the file with a number, or the first one.
    pub(super) fn cancel(&mut self, number: Option<usize>, now: Now) {
        let near = self.open_person();
        match self.transfers.choose(number, near.as_ref(), |_| true) {
            Some((with, file)) => self.ask(Effect::Cancel(with, file)),
            None => self.say(self.words().no_transfer, Tone::Wrong, now),
        }
    }

    // ---- sheets and lists ------------------------------------------------------------------------------------

    /// Shows the help, or closes it.
    pub(super) fn help(&mut self) {
        let shown = self.sheet.as_ref().is_some_and(|sheet| sheet.about == About::Help);
        self.sheet = (!shown).then(|| Sheet::of(About::Help, sheet::help(self.words())));
    }

    /// Shows all conversations, or closes them.
    pub(super) fn rooms_sheet(&mut self) {
        if self.sheet.take_if(|sheet| sheet.about == About::Rooms).is_some() {
            return;
        }
        let rows = crate::terminal::view::list::sheet_rows(self);
        let mut sheet = Sheet::of(About::Rooms, rows);
        let here = |row: &sheet::Row| match (&row.kind, &self.open) {
            (RowKind::Open(place), Some(open)) => place == open,
            _ => false,
        };
        sheet.at = sheet.rows.iter().position(here).unwrap_or(sheet.at);
        self.sheet = Some(sheet);
    }

    /// Shows the channels that are joined, or all.
    pub(super) fn toggle_all(&mut self) {
        self.all = !self.all;
        if self.all {
            self.ask(Effect::Channels { all: true });
        }
    }

    /// Goes so many conversations down the list, around its end.
    pub(super) fn switch(&mut self, steps: isize) {
        let (channels, talks) = self.listed();
        let places: Vec<&Place> = channels.iter().chain(&talks).map(|room| &room.place).collect();
        let count = places.len().cast_signed();
        if count == 0 {
            return;
        }
        let now = places.iter().position(|place| self.open.as_ref() == Some(place));
        let next = match now {
            Some(at) => (at.cast_signed() + steps).rem_euclid(count),
            None => 0,
        };
        if let Some(place) = places.get(next.unsigned_abs()).map(|place| (*place).clone()) {
            self.show(&place);
        }
    }

    /// Tab.
    pub(super) fn complete(&mut self) {
        let draft = self.draft();
        let before = draft.text().get(..draft.cursor()).unwrap_or_default();
        let channels = self.rooms.iter().filter_map(|room| match &room.place {
            Place::Channel(name) => Some(name.as_str()),
            Place::Talk(_) => None,
        });
        let talks = self.rooms.iter().filter_map(|room| room.person());
        let people = self.people.all().map(|person| &person.id).chain(talks);
        let people = people.map(PeerId::as_str).filter(|name| *name != self.me.as_str());
        let known = Known { channels: channels.collect(), people: people.collect() };
        match complete(before, &known) {
            Completion::Path(typed) => {
                let path = commands::path(&typed, self.setting.home.as_deref());
                // `~` alone, or a folder that is typed out, is looked into.
                self.ask(Effect::Paths { typed, path });
            }
            completion => self.completed(completion),
        }
    }

    // ---- the end ---------------------------------------------------------------------------------------------

    /// Ctrl-C: leaves, after a warning when something is not sent. The second one ends the program at once.
    pub(super) fn interrupt(&mut self, now: Now) {
        if self.leaving || self.warned {
            self.ask(Effect::Quit);
        } else if self.has_unsent() {
            self.warned = true;
            self.say(self.words().unsent, Tone::Warning, now);
        } else {
            self.leave();
        }
    }

    fn has_unsent(&self) -> bool {
        let unsent = |room: &Room| !room.draft.is_blank() || room.log.unsent() > 0;
        !self.lobby.is_blank() || self.rooms.iter().any(unsent)
    }

    /// Leaves; when that is under way already, ends at once.
    pub(super) fn leave(&mut self) {
        if std::mem::replace(&mut self.leaving, true) {
            self.ask(Effect::Quit);
        } else {
            self.say_goodbye();
        }
    }

    /// Says goodbye, once all direct messages that were written are on the disk.
    pub(super) fn say_goodbye(&mut self) {
        let unwritten = |room: &Room| room.person().is_some() && room.log.unsent() > 0;
        if self.leaving && !self.gone && !self.rooms.iter().any(unwritten) {
            self.gone = true;
            self.ask(Effect::Goodbye);
        }
    }
}

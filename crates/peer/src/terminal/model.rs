//! Everything that the interface knows, and what becomes of it: pure logic. Whatever has to be done outside of it is an
//! [`Effect`].

mod actions;
mod events;
mod keys;
mod outcomes;
mod scrolling;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossterm::event::KeyEvent;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::{MessageId, PeerId};

use super::effect::{Effect, Outcome};
use super::input::{Editor, Sent};
use super::log::{Loaded, Tone};
use super::people::People;
use super::room::{FirstUnread, Place, Room};
use super::sheet::Sheet;
use super::transfers::Transfers;
use super::words::Words;
use crate::event::{Delivery, Event};

/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(10);
/// How often it is asked who is there while a talk is open: of people in no common channel nothing is told.
const LOOK: Duration = Duration::from_secs(60);
/// How soon after the end of a link.
const LOOK_SOON: Duration = Duration::from_secs(3);
/// The time between two rings of the bell.
const BELL: Duration = Duration::from_secs(2);
/// Deliveries that are told before the message's own call came back.
const EARLY: usize = 64;

/// A moment, on the clock that only goes forward and on the wall's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) wall: Timestamp,
}

impl Now {
    /// This moment.
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }
}

/// What happens to the interface.
#[derive(Debug)]
pub(crate) enum Input {
    /// The peer tells something.
    Event(Event),
    /// An effect came back.
    Outcome(Outcome),
    /// A key.
    Key(KeyEvent),
    /// A text was pasted.
    Paste(String),
    /// The wheel was turned: rows up, or down when negative.
    Wheel(isize),
    /// The mouse's button was pressed there: column and row.
    Click(u16, u16),
    /// The window is the one that the person works in, or no longer.
    Focus(bool),
    /// The window's size: columns and rows.
    Resize(u16, u16),
    /// A moment has come that [`Model::deadline`] named.
    Tick,
    /// The system asks the program to end.
    Stop,
}

/// Whether the tracker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not known yet.
    Starting,
    Online,
    Offline,
    /// The session is over.
    SignedOut,
}

/// A line that goes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    until: Instant,
}

/// What a terminal and its person are like.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) words: &'static Words,
    pub(crate) zone: TimeZone,
    /// What `~` means.
    pub(crate) home: Option<PathBuf>,
    /// Whether colours are wanted.
    pub(crate) colours: bool,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
}

/// The interface.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) me: PeerId,
    pub(crate) setting: Setting,
    pub(crate) connection: Connection,
    /// Channels in no order; talks by their newest message.
    pub(crate) rooms: Vec<Room>,
    pub(crate) open: Option<Place>,
    /// Whether channels are listed that aren't joined.
    pub(crate) all: bool,
    pub(crate) people: People,
    pub(crate) transfers: Transfers,
    pub(crate) notice: Option<Notice>,
    pub(crate) sheet: Option<Sheet>,
    /// Words that Tab found.
    pub(crate) candidates: Vec<String>,
    pub(crate) leaving: bool,
    /// What is written while no conversation is open.
    lobby: Editor,
    sent: Sent,
    /// Deliveries of messages whose id isn't known here yet.
    early: VecDeque<(MessageId, Delivery)>,
    /// Whether it was answered which channels and which talks there are: then the first one is shown.
    answered: (bool, bool),
    /// What the tracker knows could not be read.
    missed: bool,
    /// When the bell rang last.
    rang: Option<Instant>,
    /// When it is asked again who is there.
    look_at: Option<Instant>,
    /// It was asked who is there, and is not answered yet.
    asks_people: bool,
    focused: bool,
    mouse: bool,
    /// Ctrl-C was pressed, and there is unsent text.
    warned: bool,
    /// Goodbye was said.
    gone: bool,
    effects: Vec<Effect>,
}

impl Model {
    /// An interface that knows nothing yet.
    pub(crate) fn new(me: PeerId, setting: Setting) -> Self {
        Self {
            me,
            setting,
            connection: Connection::Starting,
            rooms: Vec::new(),
            open: None,
            all: false,
            people: People::default(),
            transfers: Transfers::default(),
            notice: None,
            sheet: None,
            candidates: Vec::new(),
            leaving: false,
            lobby: Editor::default(),
            sent: Sent::default(),
            early: VecDeque::new(),
            answered: (false, false),
            missed: false,
            rang: None,
            look_at: None,
            asks_people: true,
            focused: true,
            mouse: true,
            warned: false,
            gone: false,
            effects: Vec::new(),
        }
    }

    /// What is asked first.
    pub(crate) fn start(&mut self) -> Vec<Effect> {
        vec![Effect::Channels { all: false }, Effect::Talks, Effect::People, Effect::Files]
    }

    /// Takes what happened; gives what is to be done.
    pub(crate) fn apply(&mut self, input: Input, now: Now) -> Vec<Effect> {
        match input {
            Input::Event(event) => self.event(event, now),
            Input::Outcome(outcome) => self.outcome(outcome, now),
            Input::Key(key) => self.key(key, now),
            Input::Paste(text) => self.paste(text, now),
            Input::Wheel(rows) => self.wheel(rows),
            Input::Click(column, row) => self.click(column, row, now),
            Input::Focus(focused) => {
                self.focused = focused;
                self.look_in(LOOK_SOON, now);
                self.seen();
            }
            Input::Resize(columns, rows) => self.setting.size = (columns, rows),
            Input::Tick => self.tick(now),
            Input::Stop => self.leave(),
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Input::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let posts = self.rooms.iter().filter_map(|room| room.log.next_expiry());
        posts.chain(self.notice.as_ref().map(|notice| notice.until)).chain(self.look_at).min()
    }

    fn tick(&mut self, now: Now) {
        for room in &mut self.rooms {
            room.log.expire(now.instant);
        }
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now.instant) {
            self.notice = None;
        }
        if self.look_at.take_if(|look| *look <= now.instant).is_some() {
            self.look();
        }
    }

    /// Looks who is there, in so long or sooner, while a talk is open.
    fn look_in(&mut self, wait: Duration, now: Now) {
        let at = now.instant + wait;
        if matches!(self.open, Some(Place::Talk(_))) && self.focused {
            self.look_at = Some(self.look_at.map_or(at, |look| look.min(at)));
        }
    }

    /// The texts of the person's language.
    pub(crate) fn words(&self) -> &'static Words {
        self.setting.words
    }

    fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn say(&mut self, text: impl Into<String>, tone: Tone, now: Now) {
        self.notice = Some(Notice { text: text.into(), tone, until: now.instant + NOTICE });
    }

    /// Rings, but not for every message of many.
    fn ring(&mut self, now: Now) {
        if self.rang.is_none_or(|rang| rang + BELL <= now.instant) {
            self.rang = Some(now.instant);
            self.ask(Effect::Bell);
        }
    }

    // ---- rooms -----------------------------------------------------------------------------------------------

    /// A conversation.
    pub(crate) fn room(&self, place: &Place) -> Option<&Room> {
        self.rooms.iter().find(|room| room.place == *place)
    }

    fn room_mut(&mut self, place: &Place) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.place == *place)
    }

    /// A conversation, new ones at the top.
    fn room_or_new(&mut self, place: &Place) -> &mut Room {
        let at = self.rooms.iter().position(|room| room.place == *place).unwrap_or_else(|| {
            self.rooms.insert(0, Room::new(place.clone()));
            0
        });
        // It was found, or has just been put in.
        &mut self.rooms[at]
    }

    /// The conversation that is shown.
    pub(crate) fn current(&self) -> Option<&Room> {
        self.open.as_ref().and_then(|place| self.room(place))
    }

    fn current_mut(&mut self) -> Option<&mut Room> {
        let place = self.open.clone()?;
        self.room_mut(&place)
    }

    /// What is being written.
    pub(crate) fn draft(&self) -> &Editor {
        self.current().map_or(&self.lobby, |room| &room.draft)
    }

    fn draft_mut(&mut self) -> &mut Editor {
        let at = self
            .open
            .as_ref()
            .and_then(|open| self.rooms.iter().position(|room| room.place == *open));
        match at.and_then(|at| self.rooms.get_mut(at)) {
            Some(room) => &mut room.draft,
            None => &mut self.lobby,
        }
    }

    /// The conversations in the order in which they are shown: channels by name, then talks.
    pub(crate) fn listed(&self) -> (Vec<&Room>, Vec<&Room>) {
        let (mut channels, talks): (Vec<&Room>, Vec<&Room>) =
            self.rooms.iter().partition(|room| matches!(room.place, Place::Channel(_)));
        channels.retain(|room| room.joined || self.all || self.open.as_ref() == Some(&room.place));
        channels.sort_by_key(|room| match &room.place {
            Place::Channel(name) => (name.as_str().to_lowercase(), name.as_str()),
            Place::Talk(_) => (String::new(), ""),
        });
        (channels, talks)
    }

    /// Shows a conversation, and reads what isn't loaded of it.
    fn show(&mut self, place: &Place) {
        if self.open.as_ref() != Some(place) {
            // What was said belongs to what was shown.
            self.notice = None;
            if let Some(left) = self.current_mut() {
                left.first_unread = None;
            }
        }
        self.candidates.clear();
        self.sheet = None;
        let room = self.room_or_new(place);
        if matches!(room.place, Place::Channel(_)) && room.unread > 0 {
            room.first_unread = Some(FirstUnread::Behind(room.read));
        }
        // A talk is shown under the spelling that it has already.
        let place = room.place.clone();
        if let Place::Talk(person) = &place {
            self.look();
            self.ask(Effect::Connect(person.clone()));
        }
        self.open = Some(place);
        self.load();
        self.seen();
    }

    /// Asks for the newest page of the open conversation, unless it is there.
    fn load(&mut self) {
        let Some(room) = self.current_mut() else { return };
        if room.log.loaded != Loaded::No {
            return;
        }
        room.log.loaded = Loaded::Asked;
        let effect = newest_page(&room.place);
        self.ask(effect);
    }

    /// Whether a message at the end of this conversation is seen as it comes.
    fn is_watched(&self, place: &Place) -> bool {
        self.focused
            && self.open.as_ref() == Some(place)
            && self.room(place).is_some_and(|room| room.anchor.is_none())
    }

    /// What is shown counts as read, when someone looks.
    fn seen(&mut self) {
        let Some(place) = self.open.clone().filter(|place| self.is_watched(place)) else { return };
        let Some(room) = self.room_mut(&place) else { return };
        if room.log.loaded != Loaded::Yes {
            return;
        }
        room.unread = 0;
        room.read = room.read.max(room.log.newest_seq());
        self.tell_read(&place);
    }

    /// Tells the tracker what was read, one call at a time.
    fn tell_read(&mut self, place: &Place) {
        let Some(room) = self.room_mut(place) else { return };
        if let Place::Channel(channel) = &room.place
            && room.joined
            && room.read > room.told
            && !room.telling
        {
            room.telling = true;
            let effect = Effect::MarkRead(channel.clone(), room.read);
            self.ask(effect);
        }
    }

    /// Sends what waits, one message at a time for each conversation.
    fn pump(&mut self, place: &Place) {
        let Some(room) = self.room_mut(place) else { return };
        let Some((serial, text)) = room.log.next_to_send() else { return };
        let effect = match &room.place {
            Place::Channel(channel) => Effect::Broadcast { channel: channel.clone(), text, serial },
            Place::Talk(to) => Effect::Send { to: to.clone(), text, serial },
        };
        self.ask(effect);
    }
}

fn newest_page(place: &Place) -> Effect {
    match place {
        Place::Channel(channel) => Effect::History { channel: channel.clone(), before: None },
        Place::Talk(with) => Effect::Talk { with: with.clone(), before: None },
    }
}

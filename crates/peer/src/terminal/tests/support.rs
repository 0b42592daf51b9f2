//! A desk: the model, a clock that stands still, and a screen made of text.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, CellWidth};
use wire::chat::{Channel, Presence};
use wire::tracker::{Messages, StoredMessage};
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use crate::event::{Direct, Event, Route};
use crate::links::{Remote, Way};
use crate::terminal::effect::{Effect, Outcome};
use crate::terminal::model::{Input, Model, Now, Setting};
use crate::terminal::view;
use crate::terminal::words::Words;

pub(super) const WIDE: (u16, u16) = (80, 24);
pub(super) const NARROW: (u16, u16) = (40, 12);

pub(super) struct Desk {
    pub(super) model: Model,
    pub(super) now: Now,
    /// What was asked for since it was taken last.
    asked: Vec<Effect>,
}

pub(super) fn peer(name: &str) -> PeerId {
    PeerId::parse(name).unwrap()
}

pub(super) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(super) fn id(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

pub(super) fn device(byte: u8) -> DeviceId {
    DeviceId::new([byte; 16])
}

/// A channel as the tracker tells it.
pub(super) fn told(name: &str, joined: bool, head: u64, read: u64) -> Channel {
    Channel {
        channel: channel(name),
        private: false,
        joined,
        members_count: 3,
        head_seq: head,
        read_seq: read,
        unread: head - read,
    }
}

/// A message with its place; minute `seq` after noon.
pub(super) fn stored(seq: u64, from: &str, text: &str) -> StoredMessage {
    StoredMessage {
        from: peer(from),
        message: text.to_owned(),
        timestamp: format!("2026-03-04T{:02}:{:02}:00.000Z", 12 + seq / 60, seq % 60),
        seq,
        id: id(&format!("m{seq}")),
    }
}

pub(super) fn page(messages: Vec<StoredMessage>, head_seq: u64) -> Messages {
    Messages { channel: channel("general"), count: messages.len(), messages, head_seq }
}

/// A direct message from someone; minute `minute` after two.
pub(super) fn direct(from: &str, to: &str, minute: u32, text: &str) -> Direct {
    Direct {
        id: id(&format!("{from}-{minute}")),
        from: peer(from),
        to: peer(to),
        message: text.to_owned(),
        timestamp: format!("2026-03-04T14:{minute:02}:00.000Z"),
        route: Some(Route::Direct),
        delivery: None,
    }
}

pub(super) fn presence(name: &str, online: bool) -> Presence {
    Presence { peer_id: peer(name), active: online, online, last_seen: None, devices: vec![] }
}

pub(super) fn remote(name: &str) -> Remote {
    Remote { peer: peer(name), device: device(7) }
}

impl Desk {
    /// Alice's desk, in a language, where nothing was told yet.
    pub(super) fn bare(lang: &str, size: (u16, u16)) -> Self {
        let words = Words::of(|name| (name == "LANG").then(|| lang.to_owned()));
        let setting = Setting { words, zone: TimeZone::UTC, home: None, colours: true, size };
        let now = Now { instant: Instant::now(), wall: "2026-03-04T15:00:00Z".parse().unwrap() };
        let mut model = Model::new(peer("alice"), setting);
        let asked = model.start();
        Self { model, now, asked }
    }

    /// Alice in `#general`, with two messages of Bob in it; connected.
    pub(super) fn new(size: (u16, u16)) -> Self {
        Self::in_language("C", size)
    }

    pub(super) fn in_language(lang: &str, size: (u16, u16)) -> Self {
        let mut desk = Self::bare(lang, size);
        desk.event(Event::Online);
        desk.outcome(Outcome::People(Ok(vec![presence("bob", true), presence("carol", false)])));
        desk.outcome(Outcome::Talks(Ok(vec![])));
        desk.channels(vec![told("games", true, 5, 3), told("general", true, 2, 2)]);
        desk.history(vec![stored(1, "bob", "hello"), stored(2, "bob", "anybody here?")], 2);
        desk.asked.clear();
        desk
    }

    pub(super) fn apply(&mut self, input: Input) -> &mut Self {
        self.asked.extend(self.model.apply(input, self.now));
        self
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Self {
        self.apply(Input::Event(event))
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) -> &mut Self {
        self.apply(Input::Outcome(outcome))
    }

    pub(super) fn channels(&mut self, channels: Vec<Channel>) -> &mut Self {
        self.outcome(Outcome::Channels { all: false, result: Ok(channels) })
    }

    /// The newest page of `#general` has come.
    pub(super) fn history(&mut self, messages: Vec<StoredMessage>, head: u64) -> &mut Self {
        self.outcome(Outcome::History {
            channel: channel("general"),
            before: None,
            result: Ok(page(messages, head)),
        })
    }

    /// A message got its place in `#general`.
    pub(super) fn said(&mut self, seq: u64, from: &str, text: &str) -> &mut Self {
        self.event(Event::Message { channel: channel("general"), message: stored(seq, from, text) })
    }

    pub(super) fn link(&mut self, name: &str, way: Option<Way>) -> &mut Self {
        self.event(Event::Link { remote: remote(name), way })
    }

    pub(super) fn key(&mut self, code: KeyCode) -> &mut Self {
        self.press(code, KeyModifiers::NONE)
    }

    pub(super) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> &mut Self {
        self.apply(Input::Key(KeyEvent::new(code, modifiers)))
    }

    pub(super) fn control(&mut self, letter: char) -> &mut Self {
        self.press(KeyCode::Char(letter), KeyModifiers::CONTROL)
    }

    pub(super) fn types(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
        self
    }

    /// Types a line and presses Enter.
    pub(super) fn enters(&mut self, line: &str) -> &mut Self {
        self.types(line).key(KeyCode::Enter)
    }

    pub(super) fn later(&mut self, seconds: u64) -> &mut Self {
        self.now.instant += Duration::from_secs(seconds);
        self.apply(Input::Tick)
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.asked)
    }

    /// The serial of the message that is being sent.
    pub(super) fn sending(&mut self) -> u64 {
        let sent = self.asked().into_iter().find_map(|effect| match effect {
            Effect::Send { serial, .. } | Effect::Broadcast { serial, .. } => Some(serial),
            _ => None,
        });
        sent.expect("nothing is being sent")
    }

    pub(super) fn buffer(&self) -> (Buffer, Option<(u16, u16)>) {
        let (columns, rows) = self.model.setting.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view::draw(&self.model, frame)).unwrap();
        let cursor = terminal.backend().cursor_visible().then(|| {
            let position = terminal.backend().cursor_position();
            (position.x, position.y)
        });
        (terminal.backend().buffer().clone(), cursor)
    }

    /// The screen's rows, without spaces at their ends.
    pub(super) fn rows(&self) -> Vec<String> {
        let (buffer, _) = self.buffer();
        let area = *buffer.area();
        let row = |y: u16| {
            let (mut text, mut x) = (String::new(), 0);
            while x < area.width {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += symbol.cell_width().max(1);
            }
            text.trim_end().to_owned()
        };
        (0..area.height).map(row).collect()
    }

    /// The screen as one text.
    pub(super) fn screen(&self) -> String {
        self.rows().join("\n")
    }

    /// Fails unless the screen shows this.
    #[track_caller]
    pub(super) fn shows(&mut self, text: &str) -> &mut Self {
        assert!(self.screen().contains(text), "no {text:?} on\n{}", self.screen());
        self
    }

    /// Fails if the screen shows this.
    #[track_caller]
    pub(super) fn hides(&mut self, text: &str) -> &mut Self {
        assert!(!self.screen().contains(text), "{text:?} on\n{}", self.screen());
        self
    }
}

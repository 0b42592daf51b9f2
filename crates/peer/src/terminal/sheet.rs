//! A page over the conversation: help, lists, safety numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::chat::{Channel, Presence};
use wire::{ChannelName, DeviceId, PeerId};

use super::commands::NAMES;
use super::people::is;
use super::room::Place;
use super::safe::Safe;
use super::words::{Words, fill};
use crate::links::Way;
use crate::peer::PartnerDevice;

/// What a sheet is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// Keys and commands.
    Help,
    /// All conversations, where a window has no room for them beside the messages.
    Rooms,
    /// All visible channels.
    Channels,
    /// All people.
    People,
    /// A channel's members.
    Members(ChannelName),
    /// A person's devices.
    Devices(PeerId),
    /// The safety numbers with a person.
    Compare(PeerId),
}

/// A row of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) kind: RowKind,
    /// Where continued rows begin.
    pub(crate) indent: usize,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// To be read.
    Text,
    /// A title of what follows.
    Title,
    /// Beside the point.
    Faint,
    /// Enter opens this conversation.
    Open(Place),
    /// Y marks this device as compared.
    Device(DeviceId),
}

/// A page over the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) about: About,
    pub(crate) rows: Vec<Row>,
    /// The chosen row, or the first visible one where nothing can be chosen.
    pub(crate) at: usize,
    pub(crate) loading: bool,
}

impl Row {
    pub(crate) fn new(text: impl Into<String>, kind: RowKind) -> Self {
        Self { text: text.into(), kind, indent: 2 }
    }

    /// Whether it can be chosen.
    pub(crate) fn can_be_chosen(&self) -> bool {
        matches!(self.kind, RowKind::Open(_) | RowKind::Device(_))
    }
}

impl Sheet {
    /// A sheet whose rows are still to come.
    pub(crate) fn loading(about: About) -> Self {
        Self { about, rows: Vec::new(), at: 0, loading: true }
    }

    /// A sheet with its rows; the first one that can be chosen is.
    pub(crate) fn of(about: About, rows: Vec<Row>) -> Self {
        let mut sheet = Self { about, rows: Vec::new(), at: 0, loading: false };
        sheet.fill(rows);
        sheet
    }

    /// The rows have come.
    pub(crate) fn fill(&mut self, rows: Vec<Row>) {
        self.loading = false;
        self.at = rows.iter().position(Row::can_be_chosen).unwrap_or(0);
        self.rows = rows;
    }

    /// Whether rows can be chosen.
    pub(crate) fn has_choice(&self) -> bool {
        self.rows.iter().any(Row::can_be_chosen)
    }

    /// The chosen row.
    pub(crate) fn chosen(&self) -> Option<&Row> {
        self.rows.get(self.at).filter(|row| row.can_be_chosen())
    }

    /// Moves so many steps down, or up; `last` is the greatest first row where nothing can be chosen.
    pub(crate) fn step(&mut self, steps: isize, last: usize) {
        if !self.has_choice() {
            self.at = self.at.min(last).saturating_add_signed(steps).min(last);
            return;
        }
        let choices: Vec<usize> = (0..self.rows.len())
            .filter(|&at| self.rows.get(at).is_some_and(Row::can_be_chosen))
            .collect();
        let now = choices.iter().position(|&at| at == self.at).unwrap_or(0);
        let next = now.saturating_add_signed(steps).min(choices.len().saturating_sub(1));
        self.at = choices.get(next).copied().unwrap_or(0);
    }

    /// Its title.
    pub(crate) fn title(&self, words: &Words) -> String {
        match &self.about {
            About::Help => words.help.to_owned(),
            About::Rooms => words.conversations.to_owned(),
            About::Channels => words.all_channels.to_owned(),
            About::People => words.people.to_owned(),
            About::Members(channel) => fill(words.members_of, &[("channel", channel.as_str())]),
            About::Devices(of) => fill(words.devices_of, &[("name", of.as_str())]),
            About::Compare(with) => fill(words.compare_with, &[("name", with.as_str())]),
        }
    }

    /// What its keys do.
    pub(crate) fn keys(&self, words: &Words) -> &'static str {
        match self.chosen().map(|row| &row.kind) {
            Some(RowKind::Open(_)) => words.opens,
            Some(RowKind::Device(_)) => words.marks,
            _ => words.closes,
        }
    }
}

/// Keys, commands and signs.
pub(crate) fn help(words: &Words) -> Vec<Row> {
    let commands: Vec<(String, &str)> = NAMES
        .iter()
        .map(|&(name, _)| (words.command)(name))
        .map(|(usage, text)| (format!("/{usage}"), text))
        .collect();
    let keys = words.keys.iter().map(|&(keys, text)| (keys.to_owned(), text)).collect();
    let legend = words.legend.iter().map(|&(sign, text)| (sign.to_owned(), text)).collect();
    let mut rows = Vec::new();
    let parts: [(&str, Vec<(String, &str)>); 3] =
        [(words.commands_title, commands), (words.keys_title, keys), (words.legend_title, legend)];
    for (title, entries) in parts {
        if !rows.is_empty() {
            rows.push(Row::new("", RowKind::Text));
        }
        rows.push(Row::new(title, RowKind::Title));
        for (key, text) in entries {
            rows.push(Row::new(format!("{key}: {text}"), RowKind::Text));
        }
    }
    rows
}

/// The visible channels, each to be opened.
pub(crate) fn channels(channels: &[Channel], words: &Words) -> Vec<Row> {
    let row = |channel: &Channel| {
        let mut facts = vec![words.members(channel.members_count)];
        if channel.private {
            facts.push(words.private.to_owned());
        }
        if !channel.joined {
            facts.push(words.not_joined.to_owned());
        } else if channel.unread > 0 {
            facts.push(fill(words.unread_other, &[("n", &channel.unread.to_string())]));
        }
        let name = &channel.channel;
        let text = format!("#{name}  {}", facts.join(" · "));
        Row::new(text, RowKind::Open(Place::Channel(name.clone())))
    };
    or_none(channels.iter().map(row).collect(), words)
}

/// People, each to be written to; those who are there first.
pub(crate) fn people(people: &[Presence], me: &PeerId, words: &Words) -> Vec<Row> {
    let mut sorted: Vec<&Presence> = people.iter().collect();
    sorted.sort_by_key(|person| (!person.online, !person.active, person.peer_id.folded()));
    let row = |person: &Presence| {
        let (sign, word) = match (person.online, person.active) {
            (true, _) => ("●", words.online),
            (false, true) => ("◐", words.active),
            (false, false) => ("○", words.away),
        };
        let id = &person.peer_id;
        let you = if is(id, me) { format!(" ({})", words.you) } else { String::new() };
        Row::new(format!("{sign} {id}{you}  {word}"), RowKind::Open(Place::Talk(id.clone())))
    };
    or_none(sorted.into_iter().map(row).collect(), words)
}

fn or_none(rows: Vec<Row>, words: &Words) -> Vec<Row> {
    if rows.is_empty() { vec![Row::new(words.none, RowKind::Faint)] } else { rows }
}

/// A person's devices.
pub(crate) fn devices(
    of: &PeerId,
    devices: &[PartnerDevice],
    zone: &TimeZone,
    words: &Words,
) -> Vec<Row> {
    if devices.is_empty() {
        return vec![Row::new(fill(words.no_devices, &[("name", of.as_str())]), RowKind::Faint)];
    }
    let mut rows = Vec::new();
    for device in devices {
        rows.push(Row::new(label(device), RowKind::Title));
        let mut facts = vec![match device.way {
            Some(way) => way_word(way, words).to_owned(),
            None if device.device.live => words.device_live.to_owned(),
            None => fill(words.device_seen, &[("time", &seen(device, zone, words))]),
        }];
        facts.push(compared(device, words).to_owned());
        rows.push(Row::new(format!("  {}", facts.join(" · ")), RowKind::Text));
        rows.push(Row::new(format!("  {}", device.device.device), RowKind::Faint));
    }
    rows
}

/// The safety numbers with a person's devices, in twelve groups each.
pub(crate) fn compare(with: &PeerId, devices: &[PartnerDevice], words: &Words) -> Vec<Row> {
    if devices.is_empty() {
        return vec![Row::new(fill(words.no_devices, &[("name", with.as_str())]), RowKind::Faint)];
    }
    let mut how = Row::new(words.compare_how, RowKind::Text);
    how.indent = 0;
    let mut rows = vec![how];
    for device in devices {
        rows.push(Row::new("", RowKind::Text));
        let text = format!("{} · {}", label(device), compared(device, words));
        rows.push(Row::new(text, RowKind::Device(device.device.device)));
        let groups = groups(&device.safety_number);
        for four in groups.chunks(4) {
            rows.push(Row::new(format!("  {}", four.join(" ")), RowKind::Text));
        }
    }
    rows
}

/// A safety number in groups of five digits.
fn groups(number: &str) -> Vec<String> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits.chunks(5).map(|group| group.iter().collect()).collect()
}

fn label(device: &PartnerDevice) -> String {
    // The person chose it: it may hold anything.
    let label = Safe::line(&device.device.label);
    let id = device.device.device.to_string();
    if label.as_str().trim().is_empty() { id } else { label.to_string() }
}

fn compared(device: &PartnerDevice, words: &Words) -> &'static str {
    if device.compared { words.is_compared } else { words.not_compared }
}

fn seen(device: &PartnerDevice, zone: &TimeZone, words: &Words) -> String {
    match device.device.last_seen.parse::<Timestamp>() {
        Ok(at) => {
            let local = zone.to_datetime(at);
            format!("{}, {:02}:{:02}", words.date(local.date()), local.hour(), local.minute())
        }
        Err(_) => Safe::line(&device.device.last_seen).to_string(),
    }
}

/// The word for a link's way.
pub(crate) fn way_word(way: Way, words: &Words) -> &'static str {
    match way {
        Way::Direct => words.direct,
        Way::Relayed => words.relayed,
    }
}

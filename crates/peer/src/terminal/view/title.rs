//! The first row: what the open conversation is, and whether the tracker is there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::theme;
use crate::terminal::log::Tone;
use crate::terminal::model::{Connection, Model};
use crate::terminal::people::is;
use crate::terminal::room::{Place, Room};
use crate::terminal::sheet::way_word;
use crate::terminal::wrap::{columns, cut};

/// What the connection to the tracker is like.
pub(super) fn connection(model: &Model) -> Span<'static> {
    let (words, theme) = (model.words(), theme(model));
    match model.connection {
        Connection::Starting => Span::styled("…", theme.faint()),
        Connection::Online => Span::styled(words.online, theme.online()),
        Connection::Offline => Span::styled(words.offline, theme.tone(Tone::Wrong)),
        Connection::SignedOut => Span::styled(words.signed_out, theme.tone(Tone::Wrong)),
    }
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let theme = theme(model);
    let mut width = usize::from(area.width);
    let mut spans = Vec::new();
    if area.x == 0 {
        // Without the list beside it, this row tells what is unread elsewhere, and when the tracker is not there.
        let elsewhere: u64 = model
            .rooms
            .iter()
            .filter(|room| room.joined && model.open.as_ref() != Some(&room.place))
            .map(|room| room.unread)
            .sum();
        if elsewhere > 0 {
            spans.push(Span::styled(format!("({elsewhere}) "), theme.unread()));
        }
        if model.connection != Connection::Online {
            let state = connection(model);
            width = width.saturating_sub(columns(&state.content) + 1);
            let at = area.x + u16::try_from(width + 1).unwrap_or(0);
            buffer.set_span(at, area.y, &state, area.width);
        }
    }
    match model.current() {
        Some(room) => {
            spans.push(Span::styled(name(&room.place), theme.title()));
            for fact in facts(model, room) {
                spans.push(Span::styled(" · ", theme.faint()));
                spans.push(fact);
            }
        }
        None => spans.push(Span::styled(model.words().app, theme.title())),
    }
    put(spans, width, area.x, area.y, buffer);
}

/// A conversation's name, with its mark.
pub(super) fn name(place: &Place) -> String {
    match place {
        Place::Channel(channel) => format!("#{channel}"),
        Place::Talk(person) => person.to_string(),
    }
}

fn facts(model: &Model, room: &Room) -> Vec<Span<'static>> {
    let (words, theme) = (model.words(), theme(model));
    let plain = |text: String| Span::styled(text, Style::new());
    match &room.place {
        Place::Channel(_) => {
            let mut facts = Vec::new();
            if room.members > 0 {
                facts.push(plain(words.members(room.members)));
            }
            if room.private {
                facts.push(plain(words.private.to_owned()));
            }
            if !room.joined {
                facts.push(plain(words.not_joined.to_owned()));
            }
            facts
        }
        Place::Talk(person) if is(person, &model.me) => vec![plain(words.notes.to_owned())],
        Place::Talk(person) => {
            let there = match model.people.get(person) {
                Some(known) if known.online => Span::styled(words.online, theme.online()),
                Some(known) if known.active => plain(words.active.to_owned()),
                _ => Span::styled(words.away, theme.faint()),
            };
            let way = model.people.way(person).map_or(words.mailbox, |way| way_word(way, words));
            vec![there, plain(way.to_owned())]
        }
    }
}

/// Writes spans, cut to a width with a sign.
fn put(spans: Vec<Span<'_>>, width: usize, x: u16, y: u16, buffer: &mut Buffer) {
    let mut left = width;
    let mut line = Line::default();
    for span in spans {
        let shown = cut(&span.content, left);
        left -= columns(&shown).min(left);
        line.push_span(Span::styled(shown, span.style));
    }
    buffer.set_line(x, y, &line, u16::try_from(width).unwrap_or(u16::MAX));
}

//! The conversations: channels with what is unread, people with whether they are there and which way leads to them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Layout, theme, title};
use crate::links::Way;
use crate::terminal::model::Model;
use crate::terminal::room::{Place, Room};
use crate::terminal::sheet::{Row, RowKind, way_word};
use crate::terminal::wrap::{columns, cut};

/// A row of the list.
enum Entry<'a> {
    Title(&'static str),
    Room(&'a Room),
    Gap,
}

fn entries(model: &Model) -> Vec<Entry<'_>> {
    let words = model.words();
    let (channels, talks) = model.listed();
    let mut entries =
        vec![Entry::Title(if model.all { words.all_channels } else { words.channels })];
    entries.extend(channels.into_iter().map(Entry::Room));
    entries.extend([Entry::Gap, Entry::Title(words.talks)]);
    entries.extend(talks.into_iter().map(Entry::Room));
    entries
}

/// The first entry in view: the open conversation is always in it.
fn first_visible(model: &Model, entries: &[Entry<'_>], height: usize) -> usize {
    let open = entries.iter().position(
        |entry| matches!(entry, Entry::Room(room) if model.open.as_ref() == Some(&room.place)),
    );
    open.map_or(0, |at| (at + 1).saturating_sub(height))
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = theme(model);
    for y in area.y..area.bottom() {
        buffer.set_stringn(area.right(), y, "│", 1, theme.faint());
    }
    let width = usize::from(area.width).saturating_sub(1);
    let state = title::connection(model);
    let taken = columns(&state.content);
    let me = cut(model.me.as_str(), width.saturating_sub(taken + 1));
    buffer.set_stringn(area.x, area.y, me, width, theme.me());
    let at = area.x + u16::try_from(width.saturating_sub(taken)).unwrap_or(0);
    buffer.set_span(at, area.y, &state, area.width);
    let entries = entries(model);
    let rows = usize::from(area.height.saturating_sub(1));
    let first = first_visible(model, &entries, rows);
    for (y, entry) in (area.y + 1..area.bottom()).zip(entries.iter().skip(first)) {
        match entry {
            Entry::Title(title) => {
                buffer.set_stringn(area.x, y, cut(title, width), width, theme.title());
            }
            Entry::Room(room) => {
                let line = row(model, room, width);
                buffer.set_line(area.x, y, &line, area.width);
                if model.open.as_ref() == Some(&room.place) {
                    buffer.set_style(Rect::new(area.x, y, area.width, 1), theme.chosen());
                }
            }
            Entry::Gap => {}
        }
    }
}

/// The conversation that stands in a row of the list.
pub(crate) fn place_at(model: &Model, column: u16, row: u16) -> Option<Place> {
    let area = Layout::of(model).list;
    if column >= area.right() || row <= area.y || row >= area.bottom() {
        return None;
    }
    let entries = entries(model);
    let first = first_visible(model, &entries, usize::from(area.height.saturating_sub(1)));
    match entries.get(first + usize::from(row - area.y) - 1) {
        Some(Entry::Room(room)) => Some(room.place.clone()),
        _ => None,
    }
}

/// The list as a sheet, for a window without room for it.
pub(crate) fn sheet_rows(model: &Model) -> Vec<Row> {
    let rows = entries(model).into_iter().map(|entry| match entry {
        Entry::Title(title) => Row::new(title, RowKind::Title),
        Entry::Gap => Row::new("", RowKind::Text),
        Entry::Room(room) => {
            let columns = usize::from(model.setting.size.0).clamp(10, 60);
            let line = row(model, room, columns.saturating_sub(4));
            Row::new(line.to_string(), RowKind::Open(room.place.clone()))
        }
    });
    rows.collect()
}

/// A conversation in so many columns: sign, name, and at the right its way and what is unread.
fn row(model: &Model, room: &Room, width: usize) -> Line<'static> {
    let theme = theme(model);
    let unread = if room.unread == 0 { String::new() } else { format!(" {}", room.unread) };
    let (sign, sign_style, name) = match &room.place {
        Place::Channel(channel) => {
            let sign = match (room.joined, room.private) {
                (false, _) => "+",
                (true, true) => "*",
                (true, false) => " ",
            };
            (sign, theme.faint(), format!("#{channel}"))
        }
        Place::Talk(_) => {
            let person = room.person().and_then(|id| model.people.get(id));
            let (sign, style) = match person {
                Some(person) if person.online => ("●", theme.online()),
                Some(person) if person.active => ("◐", Style::new()),
                _ => ("○", theme.faint()),
            };
            (sign, style, title::name(&room.place))
        }
    };
    let inner = width.saturating_sub(2 + columns(&unread));
    let way = way(model, room, inner.saturating_sub(columns(&name)));
    let name = cut(&name, inner.saturating_sub(columns(&way)));
    let gap = inner.saturating_sub(columns(&name) + columns(&way));
    let style = match (room.unread > 0, room.joined) {
        (true, _) => theme.title(),
        (false, true) => Style::new(),
        (false, false) => theme.faint(),
    };
    Line::from(vec![
        Span::styled(format!("{sign} "), sign_style),
        Span::styled(name, style),
        Span::raw(" ".repeat(gap)),
        Span::styled(way, theme.faint()),
        Span::styled(unread, theme.unread()),
    ])
}

/// The way to a person: a word where there is room, else a sign.
fn way(model: &Model, room: &Room, free: usize) -> String {
    let Some(person) = room.person() else { return String::new() };
    let words = model.words();
    let way = model.people.way(person);
    let word = way.map_or(words.mailbox, |way| way_word(way, words));
    match way {
        _ if columns(word) < free => format!(" {word}"),
        Some(Way::Direct) => " =".to_owned(),
        Some(Way::Relayed) => " ~".to_owned(),
        None => String::new(),
    }
}

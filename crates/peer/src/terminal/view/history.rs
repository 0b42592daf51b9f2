//! The messages of the open conversation.

use jiff::Timestamp;
use jiff::civil::Date;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use wire::PeerId;

use super::theme;
use crate::event::{Delivery, Route};
use crate::terminal::log::{Item, Kind, Loaded, Pending, Tone};
use crate::terminal::model::Model;
use crate::terminal::people::is;
use crate::terminal::room::{Place, Room};
use crate::terminal::safe::Safe;
use crate::terminal::words::fill;
use crate::terminal::wrap::{columns, wrap};

/// Columns of the time before a message.
const TIME: usize = 6;
/// Narrower panes have no room for the time.
const TIME_FROM: usize = 24;

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let rows = match model.current() {
        Some(room) => visible(model, room, width, height),
        None => wrap(model.words().welcome, width.saturating_sub(2))
            .into_iter()
            .map(|row| Line::from(format!(" {row}")))
            .collect(),
    };
    let first = height.saturating_sub(rows.len());
    for (y, row) in (area.y..area.bottom()).skip(first).zip(&rows) {
        buffer.set_line(area.x, y, row, area.width);
    }
}

/// The rows that are in view, the last one at the lower edge.
fn visible(model: &Model, room: &Room, width: usize, height: usize) -> Vec<Line<'static>> {
    let items = room.log.items();
    let anchor =
        room.anchor.and_then(|anchor| Some((room.log.position(anchor.serial)?, anchor.hidden)));
    let (last, hidden) = anchor.unwrap_or((items.len().saturating_sub(1), 0));
    let mut blocks: Vec<Vec<Line<'static>>> = Vec::new();
    let mut count = 0;
    for at in (0..items.len().min(last + 1)).rev() {
        let mut rows = block(model, room, at, width);
        if at == last {
            // A message is never hidden whole: after a change of the window it may have fewer rows.
            rows.truncate(rows.len().saturating_sub(hidden).max(1));
        }
        count += rows.len();
        blocks.push(rows);
        if count >= height {
            break;
        }
    }
    if items.is_empty() {
        blocks.push(head(model, room, width));
    }
    let rows: Vec<Line<'static>> = blocks.into_iter().rev().flatten().collect();
    let skipped = rows.len().saturating_sub(height);
    rows.into_iter().skip(skipped).collect()
}

/// An item's rows, with what stands above it: the beginning of all, its day, the line “new”.
pub(crate) fn block(model: &Model, room: &Room, at: usize, width: usize) -> Vec<Line<'static>> {
    let items = room.log.items();
    let Some(item) = items.get(at) else { return Vec::new() };
    let mut rows = if at == 0 { head(model, room, width) } else { Vec::new() };
    let day = local_day(model, item.at);
    let before =
        at.checked_sub(1).and_then(|at| items.get(at)).map(|item| local_day(model, item.at));
    if before != Some(day) {
        let text = model.words().date(day);
        rows.push(ruler(&text, width, theme(model).faint()));
    }
    if room.first_unread.is_some() && room.begins_unread(at, &model.me) {
        rows.push(ruler(model.words().new, width, theme(model).unread()));
    }
    rows.extend(item_rows(model, item, width));
    rows
}

/// What stands above the oldest loaded message.
fn head(model: &Model, room: &Room, width: usize) -> Vec<Line<'static>> {
    let words = model.words();
    let text = match &room.place {
        _ if room.log.loaded == Loaded::Asked => words.loading.to_owned(),
        _ if !room.log.start => return Vec::new(),
        Place::Channel(channel) => fill(words.start_channel, &[("channel", channel.as_str())]),
        Place::Talk(person) if is(person, &model.me) => return Vec::new(),
        Place::Talk(person) => fill(words.start_talk, &[("name", person.as_str())]),
    };
    let rows = wrap(&text, width.saturating_sub(1));
    rows.into_iter().map(|row| Line::styled(format!(" {row}"), theme(model).faint())).collect()
}

fn ruler(text: &str, width: usize, style: Style) -> Line<'static> {
    let text = format!("── {text} ");
    let rest = "─".repeat(width.saturating_sub(columns(&text)));
    Line::styled(text + &rest, style)
}

fn local_day(model: &Model, at: Timestamp) -> Date {
    model.setting.zone.to_datetime(at).date()
}

fn clock(model: &Model, at: Timestamp) -> String {
    let local = model.setting.zone.to_datetime(at);
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// What is said of a message behind its text.
struct Label {
    text: String,
    tone: Option<Tone>,
}

impl Label {
    fn faint(text: &str) -> Self {
        Self { text: text.to_owned(), tone: None }
    }

    fn wrong(text: String) -> Self {
        Self { text, tone: Some(Tone::Wrong) }
    }
}

fn item_rows(model: &Model, item: &Item, width: usize) -> Vec<Line<'static>> {
    let words = model.words();
    match &item.kind {
        Kind::Message { from, text, .. } => message(model, item.at, from, text, None, width),
        Kind::Post { from, text, .. } => {
            message(model, item.at, from, text, Some(Label::faint(words.unconfirmed)), width)
        }
        Kind::Direct { direct, text, .. } => {
            let label = match (&direct.delivery, direct.route) {
                (Some(delivery), _) => Some(delivery_label(model, delivery)),
                (None, _) if is(&direct.from, &model.me) => Some(Label::faint(words.other_device)),
                (None, Some(route)) => Some(Label::faint(match route {
                    Route::Direct => words.direct,
                    Route::Relayed => words.relayed,
                    Route::Mailbox => words.mailbox,
                })),
                (None, None) => None,
            };
            message(model, item.at, &direct.from, text, label, width)
        }
        Kind::Mine { shown, state, .. } => {
            let label = match state {
                Pending::Waiting => Label::faint(words.waiting),
                Pending::Sending | Pending::Taken(_) => Label::faint(words.sending),
                Pending::Failed(reason) => {
                    Label::wrong(fill(words.failed, &[("reason", reason.as_str())]))
                }
            };
            message(model, item.at, &model.me, shown, Some(label), width)
        }
        Kind::Line { text, tone } => {
            let style = theme(model).tone(*tone).add_modifier(Modifier::ITALIC);
            body(model, item.at, vec![(text.as_str().to_owned(), style)], None, width)
        }
    }
}

fn delivery_label(model: &Model, delivery: &Delivery) -> Label {
    let words = model.words();
    match delivery {
        Delivery::Sending => Label::faint(words.sending),
        Delivery::Queued => Label::faint(words.queued),
        Delivery::Delivered(Route::Direct) => Label::faint(words.direct),
        Delivery::Delivered(Route::Relayed) => Label::faint(words.relayed),
        Delivery::Delivered(Route::Mailbox) => Label::faint(words.delivered),
        Delivery::Failed { reason } => {
            Label::wrong(fill(words.failed, &[("reason", Safe::line(reason).as_str())]))
        }
    }
}

fn message(
    model: &Model,
    at: Timestamp,
    from: &PeerId,
    text: &Safe,
    label: Option<Label>,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = theme(model);
    let (name, style) = if is(from, &model.me) {
        (model.words().you.to_owned(), theme.me())
    } else {
        (from.to_string(), theme.name(from))
    };
    let parts = vec![(format!("{name}: "), style), (text.as_str().to_owned(), Style::new())];
    body(model, at, parts, label, width)
}

/// The time, styled parts that flow into each other, and a label: wrapped.
fn body(
    model: &Model,
    at: Timestamp,
    parts: Vec<(String, Style)>,
    label: Option<Label>,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = theme(model);
    let indent = if width < TIME_FROM { 0 } else { TIME };
    let text: String = parts.iter().map(|(part, _)| part.as_str()).collect();
    let room = width.saturating_sub(indent).max(1);
    let mut rows: Vec<Line<'static>> = Vec::new();
    for row in wrap(&text, room) {
        let margin = match (rows.is_empty(), indent) {
            (_, 0) => Span::raw(""),
            (true, _) => Span::styled(format!("{} ", clock(model, at)), theme.faint()),
            (false, _) => Span::raw(" ".repeat(indent)),
        };
        let mut line = Line::from(margin);
        let from = offset(&text, row);
        let mut start = 0;
        for (part, style) in &parts {
            // What this row shows of the part.
            let (begin, end) = (from.max(start), (from + row.len()).min(start + part.len()));
            if let Some(shown) = text.get(begin..end).filter(|shown| !shown.is_empty()) {
                line.push_span(Span::styled(shown.to_owned(), *style));
            }
            start += part.len();
        }
        rows.push(line);
    }
    if let Some(label) = label {
        put_label(label, indent, room, theme, &mut rows);
    }
    rows
}

/// Behind the text when there is room, else on rows of its own.
fn put_label(
    label: Label,
    indent: usize,
    room: usize,
    theme: crate::terminal::theme::Theme,
    rows: &mut Vec<Line<'static>>,
) {
    let style = label.tone.map_or(theme.faint(), |tone| theme.tone(tone));
    let behind = format!(" · {}", label.text);
    let used =
        rows.last().map_or(0, |row| row.spans.iter().map(|span| columns(&span.content)).sum());
    match rows.last_mut() {
        Some(row) if used + columns(&behind) <= indent + room => {
            row.push_span(Span::styled(behind, style));
        }
        _ => {
            for part in wrap(&label.text, room) {
                let margin = " ".repeat(indent);
                rows.push(Line::from(vec![
                    Span::raw(margin),
                    Span::styled(part.to_owned(), style),
                ]));
            }
        }
    }
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

//! The line that is being written, and the line above it, which tells what just happened.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use wire::limits::MESSAGE_BYTES;

use super::{PROMPT, input_width, theme};
use crate::terminal::log::Tone;
use crate::terminal::model::Model;
use crate::terminal::people::is;
use crate::terminal::room::Place;
use crate::terminal::words::fill;
use crate::terminal::wrap::{columns, cut, editor_rows, place, wrap};

/// Bytes that are left when the count is shown.
const NEAR_LIMIT: usize = 1024;

/// Rows of what is said above the input at most.
const SAID_ROWS: usize = 4;

/// The rows of what is said; one, an empty rule, when nothing is.
pub(super) fn rule_rows(model: &Model, width: u16) -> usize {
    let Some((text, _)) = said(model) else { return 1 };
    wrap(&text, said_width(width)).len().clamp(1, SAID_ROWS)
}

fn said_width(width: u16) -> usize {
    usize::from(width).saturating_sub(3).max(1)
}

pub(super) fn draw_rule(model: &Model, area: Rect, buffer: &mut Buffer) {
    let theme = theme(model);
    let width = usize::from(area.width);
    buffer.set_stringn(area.x, area.y, "─".repeat(width), width, theme.faint());
    let Some((text, style)) = said(model) else {
        let words = model.words();
        // Without the list, how to get to it.
        let hint = if area.x == 0 { words.keys_hint_narrow } else { words.keys_hint };
        let used = columns(hint) + 3;
        if used < width {
            let x = area.right() - u16::try_from(used).unwrap_or(area.width);
            buffer.set_stringn(x, area.y, format!(" {hint} "), used, theme.faint());
        }
        return;
    };
    let height = usize::from(area.height);
    let rows = wrap(&text, said_width(area.width));
    for (at, (y, row)) in (area.y..area.bottom()).zip(&rows).enumerate() {
        let mut row = (*row).to_owned();
        if at + 1 == height && rows.len() > height {
            // What has no room is cut, and says so.
            row =
                cut(&format!("{row} {}", rows.get(height).unwrap_or(&"")), said_width(area.width));
        }
        buffer.set_stringn(area.x + 1, y, format!(" {row} "), width.saturating_sub(1), style);
    }
}

/// What the line above the input says.
fn said(model: &Model) -> Option<(String, Style)> {
    let (words, theme) = (model.words(), theme(model));
    if model.leaving {
        return Some((words.leaving.to_owned(), Style::new()));
    }
    if !model.candidates.is_empty() {
        return Some((model.candidates.join("  "), Style::new()));
    }
    if let Some(notice) = &model.notice {
        return Some((notice.text.clone(), theme.tone(notice.tone)));
    }
    let bytes = model.draft().text().len();
    if let Some(over) = bytes.checked_sub(MESSAGE_BYTES + 1) {
        let text = fill(words.bytes_over, &[("n", &(over + 1).to_string())]);
        return Some((text, theme.tone(Tone::Wrong)));
    }
    if bytes + NEAR_LIMIT > MESSAGE_BYTES {
        let text = fill(words.bytes_left, &[("n", &(MESSAGE_BYTES - bytes).to_string())]);
        return Some((text, theme.tone(Tone::Warning)));
    }
    let room = model.current()?;
    if room.log.older {
        return Some((words.loading.to_owned(), theme.faint()));
    }
    if room.anchor.is_some() {
        return Some((words.below.to_owned(), theme.unread()));
    }
    None
}

/// Draws the input; gives where the cursor is.
pub(super) fn draw_input(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = theme(model);
    let draft = model.draft();
    buffer.set_stringn(area.x, area.y, PROMPT, usize::from(area.width), theme.title());
    let x = area.x + u16::try_from(PROMPT.len()).unwrap_or(0);
    let width = input_width(area.width);
    if draft.text().is_empty() {
        buffer.set_stringn(x, area.y, cut(&hint(model), width), width, theme.faint());
    }
    let rows = editor_rows(draft.text(), width);
    let (row, column) = place(draft.text(), &rows, draft.cursor());
    let height = usize::from(area.height);
    // As much of the text as fits, with the cursor in it.
    let first = (row + 1).saturating_sub(height).max(rows.len().saturating_sub(height).min(row));
    for (y, range) in (area.y..area.bottom()).zip(rows.iter().skip(first)) {
        let text = draft.text().get(range.clone()).unwrap_or_default();
        buffer.set_stringn(x, y, text, width, Style::new());
    }
    let down = u16::try_from(row - first).ok()?;
    let right = u16::try_from(column.min(width)).ok()?;
    let last = area.right().saturating_sub(1);
    Some(Position::new((x + right).min(last), area.y + down))
}

/// What stands in the empty line.
fn hint(model: &Model) -> String {
    let words = model.words();
    match model.current() {
        None => words.write_command.to_owned(),
        Some(room) => match &room.place {
            Place::Channel(channel) if room.joined => {
                fill(words.write_channel, &[("channel", channel.as_str())])
            }
            Place::Channel(channel) => fill(words.join_to_write, &[("channel", channel.as_str())]),
            Place::Talk(person) if is(person, &model.me) => words.notes.to_owned(),
            Place::Talk(person) => fill(words.write_talk, &[("name", person.as_str())]),
        },
    }
}

//! Files that are under way with the person of the open talk: name, how far, how fast, which way, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme;
use crate::event::{Direction, FileState};
use crate::terminal::log::Tone;
use crate::terminal::model::Model;
use crate::terminal::sheet::way_word;
use crate::terminal::transfers::Transfer;
use crate::terminal::words::fill;
use crate::terminal::wrap::{columns, cut};

/// The transfers of the open talk; those of all talks where none is open.
pub(super) fn rows(model: &Model) -> Vec<&Transfer> {
    match model.current().and_then(|room| room.person()) {
        Some(person) => model.transfers.with(person).collect(),
        None => Vec::new(),
    }
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let transfers = rows(model);
    let shown = usize::from(area.height);
    let (width, theme) = (usize::from(area.width), theme(model));
    for (at, (y, transfer)) in (area.y..area.bottom()).zip(&transfers).enumerate() {
        let more = transfers.len() - shown;
        if at + 1 == shown && more > 0 && shown > 1 {
            let text = fill(model.words().file_more, &[("n", &(more + 1).to_string())]);
            buffer.set_stringn(area.x + 1, y, text, width.saturating_sub(1), theme.faint());
            return;
        }
        let style = theme.tone(if transfer.asks() { Tone::Warning } else { Tone::Plain });
        buffer.set_stringn(area.x, y, text(model, transfer, width), width, style);
    }
}

/// A transfer in one row. The keys, then the way and the speed, go first when room is short.
fn text(model: &Model, transfer: &Transfer, width: usize) -> String {
    let words = model.words();
    let status = &transfer.status;
    let arrow = match status.direction {
        Direction::Incoming => "↓",
        Direction::Outgoing => "↑",
    };
    let size = status.offer.size;
    let way = status.way.map(|way| way_word(way, words).to_owned());
    let (state, facts) = match status.state {
        FileState::Offered if transfer.asks() => (words.bytes(size), vec![]),
        FileState::Offered => (words.file_asked.to_owned(), vec![words.bytes(size)]),
        FileState::Running { done, speed } => {
            let facts =
                [Some(format!("{}/s", words.bytes(speed))), way, Some(of(model, done, size))];
            (percent(done, size), facts.into_iter().flatten().collect())
        }
        FileState::Waiting { done } => {
            (percent(done, size), vec![words.file_paused.to_owned(), of(model, done, size)])
        }
        _ => (String::new(), vec![]),
    };
    let keys = if transfer.asks() { words.file_answer } else { words.file_stop };
    let mut parts = vec![state];
    let name_least = columns(transfer.name.as_str()).min(12);
    let fixed = format!("{arrow}{} ", transfer.number);
    for part in facts.into_iter().chain([keys.to_owned()]) {
        let used: usize = parts.iter().map(|part| columns(part) + 2).sum();
        if columns(&fixed) + name_least + used + columns(&part) + 2 <= width {
            parts.push(part);
        }
    }
    let rest: usize = parts.iter().map(|part| columns(part) + 2).sum();
    let name = cut(transfer.name.as_str(), width.saturating_sub(columns(&fixed) + rest));
    format!("{fixed}{name}  {}", parts.join("  "))
}

fn percent(done: u64, size: u64) -> String {
    // In a wider type, so that the largest file doesn't overflow.
    let percent = (u128::from(done.min(size)) * 100).checked_div(u128::from(size)).unwrap_or(100);
    format!("{percent}%")
}

fn of(model: &Model, done: u64, size: u64) -> String {
    format!("{} / {}", model.words().bytes(done), model.words().bytes(size))
}

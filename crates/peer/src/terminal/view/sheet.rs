//! The page over the conversation.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme;
use crate::terminal::model::Model;
use crate::terminal::sheet::{Row, RowKind, Sheet};
use crate::terminal::wrap::{columns, cut, wrap};

/// Columns of a sheet at most: longer rows are hard to read.
const WIDEST: u16 = 84;

/// A visible row: the text, and which row of the sheet it belongs to.
struct Shown {
    text: String,
    row: usize,
}

/// Where a sheet is: its frame.
fn frame(area: Rect) -> Rect {
    let width = area.width.min(WIDEST);
    Rect::new(area.x + (area.width - width) / 2, area.y, width, area.height)
}

fn shown(sheet: &Sheet, width: usize) -> Vec<Shown> {
    let mut all = Vec::new();
    for (at, row) in sheet.rows.iter().enumerate() {
        for (text, continued) in
            wrapped(row, width).into_iter().zip([false].into_iter().chain(std::iter::repeat(true)))
        {
            let indent = if continued { row.indent } else { 0 };
            all.push(Shown { text: format!("{}{text}", " ".repeat(indent)), row: at });
        }
    }
    all
}

fn wrapped(row: &Row, width: usize) -> Vec<&str> {
    wrap(&row.text, width.saturating_sub(row.indent).max(1))
}

/// A sheet's rows for a page, and the greatest first row where nothing can be chosen.
pub(crate) fn page(model: &Model) -> (usize, usize) {
    let (columns, rows) = model.setting.size;
    let area = frame(Rect::new(0, 0, columns, rows));
    let height = usize::from(area.height).saturating_sub(2).max(1);
    let Some(sheet) = &model.sheet else { return (height, 0) };
    let count = shown(sheet, usize::from(area.width).saturating_sub(4)).len();
    (height.saturating_sub(1).max(1), count.saturating_sub(height))
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(sheet) = &model.sheet else { return };
    let (words, theme) = (model.words(), theme(model));
    let area = frame(area);
    // With a column beside it, so that no wide character reaches into it.
    let left = area.x.saturating_sub(1);
    blank(Rect::new(left, area.y, area.right() - left, area.height), buffer);
    let width = usize::from(area.width);
    let edge = |text: &str| {
        let text = format!("── {} ", cut(text, width.saturating_sub(5)));
        let rest = "─".repeat(width.saturating_sub(columns(&text)));
        text + &rest
    };
    buffer.set_stringn(area.x, area.y, edge(&sheet.title(words)), width, theme.title());
    let last = area.bottom().saturating_sub(1);
    buffer.set_stringn(area.x, last, edge(sheet.keys(words)), width, theme.faint());
    let inside = Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(4),
        area.height.saturating_sub(2),
    );
    if sheet.loading {
        buffer.set_stringn(
            inside.x,
            inside.y,
            words.loading,
            usize::from(inside.width),
            theme.faint(),
        );
        return;
    }
    let all = shown(sheet, usize::from(inside.width));
    let first = first(sheet, &all, usize::from(inside.height));
    for (y, shown) in (inside.y..inside.bottom()).zip(all.iter().skip(first)) {
        let Some(row) = sheet.rows.get(shown.row) else { continue };
        let style = match row.kind {
            RowKind::Title => theme.title(),
            RowKind::Faint => theme.faint(),
            _ => Style::new(),
        };
        buffer.set_stringn(inside.x, y, &shown.text, usize::from(inside.width), style);
        if row.can_be_chosen() && shown.row == sheet.at {
            buffer.set_style(Rect::new(inside.x, y, inside.width, 1), theme.chosen());
        }
    }
}

/// The first visible row: the chosen one, and what belongs to it, is in view.
fn first(sheet: &Sheet, all: &[Shown], height: usize) -> usize {
    let most = all.len().saturating_sub(height);
    if !sheet.has_choice() {
        return sheet.at.min(most);
    }
    let next = sheet.rows.iter().skip(sheet.at + 1).position(Row::can_be_chosen);
    let end_row = next.map_or(sheet.rows.len(), |ahead| sheet.at + 1 + ahead);
    let start = all.iter().position(|shown| shown.row >= sheet.at).unwrap_or(0);
    let end = all.iter().position(|shown| shown.row >= end_row).unwrap_or(all.len());
    end.saturating_sub(height).min(start).min(most)
}

fn blank(area: Rect, buffer: &mut Buffer) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

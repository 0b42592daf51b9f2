//! Draws the model: where everything is, and how it looks.

mod composer;
mod files;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod sheet;
mod title;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::model::Model;
use super::theme::Theme;
use super::wrap::editor_rows;

/// What is shown before the line that is being written.
const PROMPT: &str = "> ";
/// A window with fewer columns has no room for the list beside the messages.
const LIST_FROM: u16 = 60;

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// The conversations; empty in a narrow window.
    pub(crate) list: Rect,
    /// What the open conversation is.
    pub(crate) title: Rect,
    /// Its messages.
    pub(crate) history: Rect,
    /// Files under way.
    pub(crate) files: Rect,
    /// The line above the input, and what is said there.
    pub(crate) rule: Rect,
    /// What is being written.
    pub(crate) input: Rect,
}

impl Layout {
    /// The layout of a model as it is now; all empty when the window is too small.
    pub(crate) fn of(model: &Model) -> Self {
        let (columns, rows) = model.setting.size;
        if columns < 16 || rows < 4 {
            return Self::default();
        }
        let beside = if columns < LIST_FROM { 0 } else { (columns / 4).clamp(20, 32) };
        let list = Rect::new(0, 0, beside, rows);
        // Two columns between them: a line, and air.
        let x = if beside == 0 { 0 } else { beside + 2 };
        let width = columns - x;
        let written = editor_rows(model.draft().text(), input_width(width)).len();
        let input = u16::try_from(written).unwrap_or(u16::MAX).min((rows / 3).clamp(1, 8));
        let most = if rows < 16 { 1 } else { 4 };
        let files = u16::try_from(files::rows(model).len()).unwrap_or(u16::MAX).min(most);
        let left = rows - 1 - input - files;
        // The messages keep most of what is left.
        let said = u16::try_from(composer::rule_rows(model, width)).unwrap_or(u16::MAX);
        let rule = said.min((left / 3).max(1));
        let history = left - rule;
        Self {
            list,
            title: Rect::new(x, 0, width, 1),
            history: Rect::new(x, 1, width, history),
            files: Rect::new(x, 1 + history, width, files),
            rule: Rect::new(x, 1 + history + files, width, rule),
            input: Rect::new(x, 1 + history + files + rule, width, input),
        }
    }
}

fn input_width(width: u16) -> usize {
    usize::from(width).saturating_sub(PROMPT.len()).max(1)
}

/// The styles of a model.
pub(crate) fn theme(model: &Model) -> Theme {
    Theme { colours: model.setting.colours }
}

/// Draws everything.
pub(crate) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let layout = Layout::of(model);
    let area = frame.area();
    // The window may have changed since the model was told.
    if layout.title.is_empty()
        || area.width < layout.title.right()
        || area.height < layout.input.bottom()
    {
        frame.buffer_mut().set_stringn(
            0,
            0,
            model.words().too_small,
            usize::from(area.width),
            theme(model).faint(),
        );
        return;
    }
    let buffer = frame.buffer_mut();
    list::draw(model, layout.list, buffer);
    title::draw(model, layout.title, buffer);
    history::draw(model, layout.history, buffer);
    files::draw(model, layout.files, buffer);
    composer::draw_rule(model, layout.rule, buffer);
    let cursor = composer::draw_input(model, layout.input, buffer);
    if model.sheet.is_some() {
        sheet::draw(model, area, buffer);
    } else if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

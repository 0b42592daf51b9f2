//! The line that is being written: a text and a cursor that stands between graphemes, never within one.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::safe::Safe;

/// Bytes of a draft at most: room to cut a text down that was pasted, before it fits into a message.
pub(crate) const DRAFT_BYTES: usize = 4 * wire::limits::MESSAGE_BYTES;
/// Sent lines that can be called back.
const REMEMBERED: usize = 100;

/// What a key does to the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Puts a text in at the cursor.
    Insert(String),
    /// A grapheme to the left.
    Left,
    /// A grapheme to the right.
    Right,
    /// To the beginning of the word.
    WordLeft,
    /// Behind the word.
    WordRight,
    /// To the beginning of the line.
    Home,
    /// To the end of the line.
    End,
    /// Removes the grapheme before the cursor.
    Backspace,
    /// Removes the grapheme behind the cursor.
    Delete,
    /// Cuts back to the last space.
    CutBack,
    /// Cuts back to the beginning of the word.
    CutWordLeft,
    /// Cuts to the end of the word.
    CutWordRight,
    /// Cuts to the beginning of the line.
    CutToHome,
    /// Cuts to the end of the line.
    CutToEnd,
    /// Puts back what was cut last.
    Paste,
    /// A line up, or to what was sent before.
    Up,
    /// A line down, or to what was sent after.
    Down,
}

/// A draft.
#[derive(Debug, Clone, Default)]
pub(crate) struct Editor {
    text: String,
    cursor: usize,
    cut: String,
    /// Which sent line is shown, counted from the newest, and the draft that it hides.
    recalled: Option<(usize, String)>,
}

/// What was sent, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Sent(Vec<String>);

impl Sent {
    /// Remembers a line.
    pub(crate) fn push(&mut self, line: &str) {
        if self.0.last().is_some_and(|last| last == line) {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(line.to_owned());
    }

    fn back(&self, steps: usize) -> Option<&String> {
        self.0.len().checked_sub(steps + 1).and_then(|at| self.0.get(at))
    }
}

impl Editor {
    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, as a byte of the text.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing but spaces is there.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Replaces the text; the cursor stands behind it.
    pub(crate) fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Takes the text away.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        self.recalled = None;
        std::mem::take(&mut self.text)
    }

    /// Puts a completed word in the place of what was typed of it, from a byte up to the cursor.
    pub(crate) fn complete(&mut self, from: usize, word: &str) {
        if self.text.is_char_boundary(from) && from <= self.cursor {
            self.remove(from, self.cursor);
            self.insert(word);
        }
    }

    /// Does what a key asks for. Gives whether all of it could be done: a text may have no room.
    pub(crate) fn edit(&mut self, edit: Edit, sent: &Sent) -> bool {
        match edit {
            Edit::Insert(text) => return self.insert(&text),
            Edit::Left => self.cursor = self.before(self.cursor),
            Edit::Right => self.cursor = self.after(self.cursor),
            Edit::WordLeft => self.cursor = self.word_left(is_word),
            Edit::WordRight => self.cursor = self.word_right(),
            Edit::Home => self.cursor = self.line_start(),
            Edit::End => self.cursor = self.line_end(),
            Edit::Backspace => self.remove(self.before(self.cursor), self.cursor),
            Edit::Delete => self.remove(self.cursor, self.after(self.cursor)),
            Edit::CutBack => self.cut(self.word_left(|c| !c.is_whitespace()), self.cursor),
            Edit::CutWordLeft => self.cut(self.word_left(is_word), self.cursor),
            Edit::CutWordRight => self.cut(self.cursor, self.word_right()),
            Edit::CutToHome => self.cut(self.line_start(), self.cursor),
            Edit::CutToEnd => {
                // At an end it takes the line break, so that lines can be joined.
                let end = self.line_end();
                let end = if end == self.cursor { self.after(end) } else { end };
                self.cut(self.cursor, end);
            }
            Edit::Paste => {
                let cut = self.cut.clone();
                return self.insert(&cut);
            }
            Edit::Up => self.up(sent),
            Edit::Down => self.down(sent),
        }
        true
    }

    fn insert(&mut self, text: &str) -> bool {
        // What is typed is shown as it will be sent.
        let clean = Safe::text(text);
        let room = DRAFT_BYTES.saturating_sub(self.text.len());
        let mut fits = clean.as_str().len().min(room);
        while !clean.as_str().is_char_boundary(fits) {
            fits -= 1;
        }
        self.text.insert_str(self.cursor, &clean.as_str()[..fits]);
        self.cursor = self.snap(self.cursor + fits);
        fits == clean.as_str().len()
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        // What was apart may be one grapheme now.
        self.cursor = self.snap(from);
    }

    fn cut(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.text[from..to].to_owned();
            self.remove(from, to);
        }
    }

    /// The nearest boundary of graphemes that is not before a byte.
    fn snap(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        match cursor.is_boundary(&self.text, 0) {
            Ok(true) => at,
            _ => self.after(at),
        }
    }

    fn before(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// Where the word before the cursor begins, after skipping what is no word.
    fn word_left(&self, belongs: fn(char) -> bool) -> usize {
        let mut at = self.cursor;
        let mut inside = false;
        for (start, grapheme) in self.text[..self.cursor].grapheme_indices(true).rev() {
            let word = grapheme.chars().any(belongs);
            if inside && !word {
                break;
            }
            inside |= word;
            at = start;
        }
        at
    }

    fn word_right(&self) -> usize {
        let mut inside = false;
        for (start, grapheme) in self.text[self.cursor..].grapheme_indices(true) {
            let word = grapheme.chars().any(is_word);
            if inside && !word {
                return self.cursor + start;
            }
            inside |= word;
        }
        self.text.len()
    }

    fn up(&mut self, sent: &Sent) {
        let start = self.line_start();
        if start > 0 {
            let column = self.text[start..self.cursor].graphemes(true).count();
            self.cursor = start - 1;
            self.go_to_column(column);
            return;
        }
        let steps = self.recalled.as_ref().map_or(0, |(steps, _)| steps + 1);
        if let Some(line) = sent.back(steps) {
            let hidden = match self.recalled.take() {
                Some((_, hidden)) => hidden,
                None => std::mem::take(&mut self.text),
            };
            self.set(line);
            self.recalled = Some((steps, hidden));
        }
    }

    fn down(&mut self, sent: &Sent) {
        let end = self.line_end();
        if end < self.text.len() {
            let column = self.text[self.line_start()..self.cursor].graphemes(true).count();
            self.cursor = end + 1;
            self.go_to_column(column);
            return;
        }
        match self.recalled.take() {
            Some((0, hidden)) => self.set(&hidden),
            Some((steps, hidden)) => {
                let line = sent.back(steps - 1).cloned().unwrap_or_default();
                self.set(&line);
                self.recalled = Some((steps - 1, hidden));
            }
            None => self.cursor = self.text.len(),
        }
    }

    /// Moves to a column of the line that the cursor is in, or to its end.
    fn go_to_column(&mut self, column: usize) {
        let start = self.line_start();
        let end = self.line_end();
        let ahead: usize = self.text[start..end].graphemes(true).take(column).map(str::len).sum();
        self.cursor = start + ahead;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests;

//! Standard output: data alone, line by line, nothing of it held back.

use serde_json::Value;
use std::io::{self, Write};

use crate::terminal::safe::Safe;

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON objects instead of lines for people.
    pub json: bool,
}

impl Output {
    /// Writes lines, all of them or an error.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads any more.
    pub fn lines(self, lines: &[String]) -> io::Result<()> {
        let mut text = lines.join("\n");
        text.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes an object, or its words for people where there are some.
    ///
    /// # Errors
    /// As [`Self::lines`].
    pub fn write(self, object: &Value, words: Option<&str>) -> io::Result<()> {
        match (self.json, words) {
            (true, _) => self.lines(&[object.to_string()]),
            (false, Some(words)) => self.lines(&[words.to_owned()]),
            (false, None) => Ok(()),
        }
    }
}

/// A text of others in one line: control characters do nothing to the terminal, line breaks are shown as `⏎`.
pub fn one_line(text: &str) -> String {
    let safe = Safe::text(text);
    safe.as_str().trim_end_matches('\n').replace('\n', " ⏎ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_in_its_line_and_moves_no_cursor() {
        assert_eq!(one_line("one\ntwo\n"), "one ⏎ two");
        assert!(!one_line("red \u{1b}[31m").contains('\u{1b}'));
    }
}

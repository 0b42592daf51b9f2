//! Texts of others, made harmless for a terminal: no control sequence, no reordering, no invisible padding.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

/// Characters of one grapheme that are shown; a family of emoji has eleven. A pile of accents has no end.
const GRAPHEME_CHARS: usize = 16;

/// A text that can be written to a terminal: its characters are printable ones, spaces and line breaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Safe(String);

impl Safe {
    /// A text of several lines.
    pub(crate) fn text(text: &str) -> Self {
        let clean = clean(text);
        Self(clean.replace('\t', "    "))
    }

    /// A text for a place with one line: line breaks become spaces.
    pub(crate) fn line(text: &str) -> Self {
        Self(clean(text).replace(['\t', '\n'], " "))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let unified = text.replace("\r\n", "\n");
    for grapheme in unified.graphemes(true) {
        shown.extend(grapheme.chars().filter_map(harmless).take(GRAPHEME_CHARS));
    }
    shown
}

/// What is shown for a character; `None` when nothing is.
fn harmless(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(c),
        // Line breaks of other systems and of Unicode.
        '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        // Unicode has a picture for each of the old control characters.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}' => Some('\u{fffd}'),
        // What puts the text after it into another order.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        // Marks for directions, and characters without a shape or with one that terminals don't agree on.
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => None,
        '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' => None,
        '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => None,
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(Safe::text("a\u{1b}[2Jb\u{7}").as_str(), "a␛[2Jb␇");
        assert_eq!(Safe::text("\u{9b}2J\u{7f}").as_str(), "\u{fffd}2J␡");
    }

    #[test]
    fn text_that_would_run_backwards_stays_in_order() {
        assert_eq!(Safe::line("gpj.\u{202e}exe").as_str(), "gpj.\u{fffd}exe");
        assert_eq!(Safe::line("a\u{200b}\u{feff}b").as_str(), "ab");
    }

    #[test]
    fn lines_are_kept_where_there_is_room_for_them() {
        assert_eq!(Safe::text("a\r\nb\rc\u{2028}d").as_str(), "a\nb\nc\nd");
        assert_eq!(Safe::line("a\r\nb\tc").as_str(), "a b c");
    }

    #[test]
    fn scripts_and_emoji_stay_whole() {
        for text in [
            "Tiếng Việt",
            "Tie\u{302}\u{301}ng Vie\u{323}\u{302}t",
            "日本語",
            "שלום",
            "हिन्दी",
            "👨‍👩‍👧‍👦",
            "🇻🇳",
        ] {
            assert_eq!(Safe::text(text).as_str(), text);
        }
    }

    #[test]
    fn a_pile_of_accents_is_cut() {
        let pile = format!("a{}", "\u{301}".repeat(5000));
        assert_eq!(Safe::text(&pile).as_str().chars().count(), GRAPHEME_CHARS);
    }

    proptest! {
        #[test]
        fn whatever_comes_has_no_control_character_left(text in any::<String>()) {
            let shown = Safe::text(&text);
            prop_assert!(shown.as_str().chars().all(|c| c == '\n' || !c.is_control()));
            let line = Safe::line(&text);
            prop_assert!(line.as_str().chars().all(|c| !c.is_control()));
        }
    }
}

//! Text in columns: how wide it is, and where its rows end.

use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// The columns that a text takes. Wide characters take two, marks that sit on others none.
pub(crate) fn columns(text: &str) -> usize {
    text.graphemes(true).map(grapheme_columns).sum()
}

fn grapheme_columns(grapheme: &str) -> usize {
    // Callers show no control characters; those of an editor's line breaks take no column.
    if grapheme.chars().any(char::is_control) { 0 } else { usize::from(grapheme.cell_width()) }
}

/// The longest beginning of a text that fits; cut ends show `…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let room = width.saturating_sub(1);
    let mut kept: String = text
        .graphemes(true)
        .take_while(|grapheme| {
            used += grapheme_columns(grapheme);
            used <= room
        })
        .collect();
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// Rows of at most so many columns, broken at spaces, between wide characters, and within a word only when it
/// fits nowhere. Spaces at a break aren't shown.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<&str> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        wrap_line(line, width.max(1), &mut rows);
    }
    rows
}

fn wrap_line<'a>(line: &'a str, width: usize, rows: &mut Vec<&'a str>) {
    let mut start = 0;
    let mut used = 0;
    // The last place where the row could be broken: where it would end, and where the next one would begin.
    let mut split: Option<Range<usize>> = None;
    for (at, grapheme) in line.grapheme_indices(true) {
        let (end, wide) = (at + grapheme.len(), grapheme_columns(grapheme));
        if grapheme == " " {
            split = match split {
                Some(spaces) if spaces.end == at && spaces.start < at => Some(spaces.start..end),
                _ => Some(at..end),
            };
            used += wide;
            continue;
        }
        if wide > 1 && at > start && split.as_ref().is_none_or(|split| split.end < at) {
            split = Some(at..at);
        }
        while used + wide > width && at > start {
            let here = split.take().unwrap_or(at..at);
            rows.push(&line[start..here.start]);
            start = here.end;
            used = columns(&line[start..at]);
        }
        used += wide;
        if wide > 1 {
            split = Some(end..end);
        }
    }
    rows.push(&line[start..]);
}

/// Rows of an editor, as ranges of bytes: every character has its place, also spaces at an end, and so does the
/// cursor behind a full last row.
pub(crate) fn editor_rows(text: &str, width: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        if grapheme == "\n" || grapheme == "\r\n" {
            rows.push(start..at);
            (start, used) = (at + grapheme.len(), 0);
            continue;
        }
        let wide = grapheme_columns(grapheme);
        if used + wide > width && at > start {
            rows.push(start..at);
            (start, used) = (at, 0);
        }
        used += wide;
    }
    rows.push(start..text.len());
    if used >= width {
        rows.push(text.len()..text.len());
    }
    rows
}

/// The row and column of a cursor.
pub(crate) fn place(text: &str, rows: &[Range<usize>], cursor: usize) -> (usize, usize) {
    let row = rows.iter().rposition(|row| row.start <= cursor).unwrap_or(0);
    let column = rows.get(row).and_then(|row| text.get(row.start..cursor.min(row.end)));
    (row, column.map_or(0, columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_while_they_fit() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("one   two", 5), ["one", "two"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a\n\nb", 5), ["a", "", "b"]);
    }

    #[test]
    fn a_word_that_fits_nowhere_is_broken() {
        assert_eq!(wrap("see abcdefghijkl", 5), ["see", "abcde", "fghij", "kl"]);
    }

    #[test]
    fn wide_characters_break_between_each_other() {
        assert_eq!(wrap("日本語のテキスト", 7), ["日本語", "のテキ", "スト"]);
        assert_eq!(wrap("ab日本語", 4), ["ab日", "本語"]);
        assert_eq!(columns("日本"), 4);
    }

    #[test]
    fn a_character_wider_than_the_row_is_no_trap() {
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }

    #[test]
    fn composed_and_decomposed_vietnamese_are_equally_wide() {
        let (composed, decomposed) = ("Tiếng Việt", "Tie\u{302}\u{301}ng Vie\u{323}\u{302}t");
        assert_eq!(columns(composed), 10);
        assert_eq!(columns(decomposed), 10);
        assert_eq!(wrap(decomposed, 6).len(), 2);
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("general", 7), "general");
        assert_eq!(cut("general", 5), "gene…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn the_cursor_behind_a_full_row_is_on_the_next() {
        let text = "abcd";
        let rows = editor_rows(text, 4);
        assert_eq!(place(text, &rows, 4), (1, 0));
        assert_eq!(place(text, &rows, 3), (0, 3));
        let text = "ab\ncd";
        let rows = editor_rows(text, 4);
        assert_eq!(place(text, &rows, 2), (0, 2));
        assert_eq!(place(text, &rows, 3), (1, 0));
    }

    proptest! {
        #[test]
        fn rows_fit_and_lose_nothing_but_spaces(text in "[a-z 日本\u{301}e👨\u{200d}]{0,60}", width in 2_usize..12) {
            let rows = wrap(&text, width);
            for row in &rows {
                // Spaces may hang over the edge, and so does a character that is wider than the row.
                let row = row.trim_end_matches(' ');
                prop_assert!(columns(row) <= width || row.graphemes(true).count() == 1, "{row:?}");
            }
            let dense = |text: &str| text.replace(' ', "");
            prop_assert_eq!(dense(&rows.concat()), dense(&text));
        }

        #[test]
        fn editor_rows_have_every_character_and_a_place_for_the_cursor(text in "[a-z 日\n\u{301}]{0,60}", width in 2_usize..12) {
            let rows = editor_rows(&text, width);
            for (at, _) in text.char_indices() {
                let (row, column) = place(&text, &rows, at);
                prop_assert!(row < rows.len() && column <= width);
            }
            let shown: String = rows.iter().map(|row| &text[row.clone()]).collect();
            prop_assert_eq!(shown, text.replace('\n', ""));
        }
    }
}

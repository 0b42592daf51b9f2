//! The fenced code blocks of a document, so that tests run what readers copy.

use std::path::Path;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The word after the fence: `sh`, `json`, …
    pub language: String,
    /// Its text, with the last line's end.
    pub text: String,
    /// The line of its opening fence.
    pub line: usize,
    /// The heading under which it stands.
    pub heading: String,
}

/// The blocks of a file, in order.
///
/// # Panics
/// When the file can't be read or a fence stays open.
pub fn blocks(file: &Path) -> Vec<Block> {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    parse(&text)
}

fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut heading = String::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                open = Some(Block {
                    language: language.trim().to_owned(),
                    text: String::new(),
                    line: index + 1,
                    heading: heading.clone(),
                });
            }
            (None, None) if line.starts_with('#') => {
                heading = line.trim_start_matches('#').trim().to_owned();
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence stays open");
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_knows_its_language_text_heading_and_line() {
        let found = parse("# One\n\n## Two\n```sh\n# a comment\ncurl x\n```\n");
        assert_eq!(
            found,
            [Block {
                language: "sh".into(),
                text: "# a comment\ncurl x\n".into(),
                line: 4,
                heading: "Two".into()
            }]
        );
    }
}

//! From a byte offset in the file to what a person looks for: line, column, key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The text of a file and where its keys are.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    keys: Vec<Key>,
}

/// Where one key and its value are, and how it is called from the top.
#[derive(Debug)]
struct Key {
    span: Range<usize>,
    path: String,
}

impl<'t> Document<'t> {
    /// A document whose keys are not known, since it can't be parsed.
    pub(super) fn unparsed(text: &'t str) -> Self {
        Self { text, keys: Vec::new() }
    }

    /// A document with the keys of its parsed form.
    pub(super) fn new(text: &'t str, root: &DeTable<'_>) -> Self {
        let mut keys = Vec::new();
        collect(root, "", &mut keys);
        Self { text, keys }
    }

    /// Line and column (in characters), both from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The key that an offset lies in, the innermost one; empty if there is none.
    pub(super) fn key_at(&self, offset: usize) -> String {
        // Children come after their parents, so the last hit is the innermost.
        self.keys
            .iter()
            .rev()
            .find(|key| key.span.contains(&offset))
            .map(|key| key.path.clone())
            .unwrap_or_default()
    }
}

fn collect(table: &DeTable<'_>, parent: &str, keys: &mut Vec<Key>) {
    for (name, value) in table {
        let name_text = name.get_ref();
        let path =
            if parent.is_empty() { name_text.to_string() } else { format!("{parent}.{name_text}") };
        keys.push(Key { span: name.span(), path: path.clone() });
        descend(value.get_ref(), value.span(), &path, keys);
    }
}

fn descend(value: &DeValue<'_>, span: Range<usize>, path: &str, keys: &mut Vec<Key>) {
    keys.push(Key { span, path: path.to_owned() });
    match value {
        DeValue::Table(table) => collect(table, path, keys),
        DeValue::Array(array) => {
            for (nth, item) in array.iter().enumerate() {
                // A list of one is named like a single value: `listen`, not `listen[0]`.
                let path =
                    if array.len() == 1 { path.to_owned() } else { format!("{path}[{nth}]") };
                descend(item.get_ref(), item.span(), &path, keys);
            }
        }
        _ => {}
    }
}

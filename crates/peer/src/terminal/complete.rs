//! What Tab makes of a half-written word.

use super::commands::NAMES;

/// What there is to choose from.
pub(crate) struct Known<'a> {
    pub(crate) channels: Vec<&'a str>,
    pub(crate) people: Vec<&'a str>,
}

/// What Tab does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Completion {
    /// Nothing fits.
    Nothing,
    /// From this byte up to the cursor this text goes; when several words fit, these.
    Word { from: usize, word: String, others: Vec<String> },
    /// This is a path, which the disk knows more about.
    Path(String),
}

/// Completes what is before the cursor.
pub(crate) fn complete(before: &str, known: &Known<'_>) -> Completion {
    let command = before.strip_prefix('/').and_then(|line| line.split_once(' '));
    let from = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = before.get(from..).unwrap_or_default();
    match command {
        Some(("file", path)) => Completion::Path(path.trim_start().to_owned()),
        Some(("join" | "leave", argument)) if !argument.contains(' ') => {
            let mark = usize::from(word.starts_with('#'));
            among(from + mark, word.get(mark..).unwrap_or_default(), known.channels.iter().copied())
        }
        None if before.starts_with('/') && !before.starts_with("//") && from == 0 => {
            let typed = word.get(1..).unwrap_or_default();
            among(1, typed, NAMES.iter().map(|(_, name)| *name))
        }
        _ => {
            let mark = usize::from(word.starts_with('@'));
            let argument = matches!(command, Some(("msg" | "devices" | "compare", _)));
            if word.is_empty() && !argument {
                return Completion::Nothing;
            }
            among(from + mark, word.get(mark..).unwrap_or_default(), known.people.iter().copied())
        }
    }
}

/// Completes the last part of a path out of the names in its folder; folders end in `/`.
pub(crate) fn complete_path(from: usize, typed: &str, names: &[String]) -> Completion {
    let part = typed.rsplit_once('/').map_or(typed, |(_, part)| part);
    let from = from + typed.len() - part.len();
    match among(from, part, names.iter().map(String::as_str)) {
        // A folder goes on.
        Completion::Word { from, word, others } if others.is_empty() && word.ends_with("/ ") => {
            Completion::Word { from, word: word.trim_end().to_owned(), others }
        }
        other => other,
    }
}

fn among<'a>(from: usize, typed: &str, words: impl Iterator<Item = &'a str>) -> Completion {
    let mut fitting: Vec<&str> = words.filter(|word| begins(word, typed)).collect();
    fitting.sort_unstable();
    fitting.dedup();
    match fitting.as_slice() {
        [] => Completion::Nothing,
        [only] => Completion::Word { from, word: format!("{only} "), others: Vec::new() },
        [first, rest @ ..] => {
            let mut common = first.chars().count();
            for other in rest {
                let same =
                    first.chars().zip(other.chars()).take_while(|(one, other)| alike(*one, *other));
                common = common.min(same.count());
            }
            let word = first.chars().take(common).collect();
            Completion::Word {
                from,
                word,
                others: fitting.iter().map(|&word| word.to_owned()).collect(),
            }
        }
    }
}

fn begins(word: &str, typed: &str) -> bool {
    let mut letters = word.chars();
    typed.chars().all(|wanted| letters.next().is_some_and(|letter| alike(letter, wanted)))
}

fn alike(one: char, other: char) -> bool {
    one == other || one.to_lowercase().eq(other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known<'static> {
        Known {
            channels: vec!["general", "games", "lớp-10A"],
            people: vec!["Bob", "bobby", "alice"],
        }
    }

    fn tab(before: &str) -> (String, Vec<String>) {
        match complete(before, &known()) {
            Completion::Word { from, word, others } => {
                (format!("{}{word}", &before[..from]), others)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_channels_and_people_are_completed() {
        assert_eq!(tab("/ch").0, "/channels ");
        assert_eq!(tab("/join l").0, "/join lớp-10A ");
        assert_eq!(tab("/join #ge").0, "/join #general ");
        assert_eq!(tab("/msg al").0, "/msg alice ");
        assert_eq!(tab("thanks @al").0, "thanks @alice ");
    }

    #[test]
    fn several_that_fit_are_completed_as_far_as_they_agree() {
        assert_eq!(tab("/join g"), ("/join g".into(), vec!["games".into(), "general".into()]));
        assert_eq!(tab("/msg b"), ("/msg Bob".into(), vec!["Bob".into(), "bobby".into()]));
        assert_eq!(
            tab("/c"),
            ("/c".into(), vec!["cancel".into(), "channels".into(), "compare".into()])
        );
    }

    #[test]
    fn an_empty_word_of_a_message_is_left_alone() {
        assert_eq!(complete("hello ", &known()), Completion::Nothing);
        assert_eq!(complete("", &known()), Completion::Nothing);
        assert_eq!(complete("//jo", &known()), Completion::Nothing);
    }

    #[test]
    fn a_path_is_completed_part_by_part() {
        assert_eq!(complete("/file /tmp/ph", &known()), Completion::Path("/tmp/ph".into()));
        let names = ["photos/".to_owned(), "notes.txt".to_owned()];
        let word = |typed: &str| complete_path(6, typed, &names);
        assert_eq!(
            word("/tmp/ph"),
            Completion::Word { from: 11, word: "photos/".into(), others: vec![] }
        );
        assert_eq!(
            word("no"),
            Completion::Word { from: 6, word: "notes.txt ".into(), others: vec![] }
        );
    }
}

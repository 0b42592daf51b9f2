//! Every text that the interface shows, in each language.

mod en;
mod vi;

use jiff::civil::{Date, Weekday};
use wire::p2p::{CancelReason, DeclineReason};

use super::commands::Name;
use super::log::Tone;
use super::safe::Safe;
use crate::event::{FileState, FileStatus};
use crate::peer::PeerError;

/// The texts of a language. `{name}` is filled in by [`fill`].
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) app: &'static str,
    pub(crate) you: &'static str,
    pub(crate) channels: &'static str,
    pub(crate) all_channels: &'static str,
    pub(crate) talks: &'static str,
    pub(crate) conversations: &'static str,
    pub(crate) notes: &'static str,
    pub(crate) private: &'static str,
    pub(crate) members_one: &'static str,
    pub(crate) members_other: &'static str,
    pub(crate) unread_other: &'static str,
    pub(crate) not_joined: &'static str,

    pub(crate) online: &'static str,
    pub(crate) active: &'static str,
    pub(crate) away: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) signed_out: &'static str,
    pub(crate) leaving: &'static str,

    pub(crate) direct: &'static str,
    pub(crate) relayed: &'static str,
    pub(crate) mailbox: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) sending: &'static str,
    pub(crate) queued: &'static str,
    pub(crate) delivered: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) unconfirmed: &'static str,
    pub(crate) other_device: &'static str,

    pub(crate) loading: &'static str,
    pub(crate) start_channel: &'static str,
    pub(crate) start_talk: &'static str,
    pub(crate) new: &'static str,
    pub(crate) below: &'static str,
    pub(crate) welcome: &'static str,
    pub(crate) write_channel: &'static str,
    pub(crate) write_talk: &'static str,
    pub(crate) write_command: &'static str,
    pub(crate) join_to_write: &'static str,
    pub(crate) bytes_left: &'static str,
    pub(crate) bytes_over: &'static str,
    pub(crate) keys_hint: &'static str,
    pub(crate) keys_hint_narrow: &'static str,
    pub(crate) too_small: &'static str,

    pub(crate) back_online: &'static str,
    pub(crate) went_offline: &'static str,
    pub(crate) session_over: &'static str,
    pub(crate) new_device: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) message_from: &'static str,
    pub(crate) unknown_command: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) bad_channel: &'static str,
    pub(crate) bad_person: &'static str,
    pub(crate) bad_number: &'static str,
    pub(crate) too_many: &'static str,
    pub(crate) cut: &'static str,
    pub(crate) no_talk: &'static str,
    pub(crate) no_channel: &'static str,
    pub(crate) no_offer: &'static str,
    pub(crate) no_transfer: &'static str,
    pub(crate) joined: &'static str,
    pub(crate) left: &'static str,
    pub(crate) unsent: &'static str,
    pub(crate) mouse_taken: &'static str,
    pub(crate) mouse_left: &'static str,
    pub(crate) compared: &'static str,

    pub(crate) offers: &'static str,
    pub(crate) file_answer: &'static str,
    pub(crate) file_stop: &'static str,
    pub(crate) file_asked: &'static str,
    pub(crate) file_paused: &'static str,
    pub(crate) file_more: &'static str,
    pub(crate) file_here: &'static str,
    pub(crate) file_there: &'static str,
    pub(crate) file_declined: &'static str,
    pub(crate) file_taken: &'static str,
    pub(crate) file_no_space: &'static str,
    pub(crate) file_too_large: &'static str,
    pub(crate) file_busy: &'static str,
    pub(crate) file_cancelled: &'static str,
    pub(crate) file_failed: &'static str,
    pub(crate) file_changed: &'static str,
    pub(crate) file_corrupt: &'static str,

    pub(crate) help: &'static str,
    pub(crate) people: &'static str,
    pub(crate) members_of: &'static str,
    pub(crate) devices_of: &'static str,
    pub(crate) compare_with: &'static str,
    pub(crate) compare_how: &'static str,
    pub(crate) none: &'static str,
    pub(crate) no_devices: &'static str,
    pub(crate) device_live: &'static str,
    pub(crate) device_seen: &'static str,
    pub(crate) is_compared: &'static str,
    pub(crate) not_compared: &'static str,
    pub(crate) closes: &'static str,
    pub(crate) opens: &'static str,
    pub(crate) marks: &'static str,
    pub(crate) keys: &'static [(&'static str, &'static str)],
    pub(crate) keys_title: &'static str,
    pub(crate) commands_title: &'static str,
    pub(crate) legend_title: &'static str,
    pub(crate) legend: &'static [(&'static str, &'static str)],

    /// What a command is for, and what it wants behind its name.
    pub(crate) command: fn(Name) -> (&'static str, &'static str),
    /// Words for an error that the server names with a code.
    pub(crate) error: fn(&str) -> Option<&'static str>,
    pub(crate) unreachable: &'static str,
    date: fn(Date, &'static str) -> String,
    weekdays: [&'static str; 7],
    decimal: &'static str,
}

impl Words {
    /// The language of an environment: `LC_ALL`, `LC_MESSAGES` and `LANG`, the first that says something.
    pub(crate) fn of(var: impl Fn(&str) -> Option<String>) -> &'static Self {
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = named.into_iter().filter_map(var).find(|value| !value.is_empty());
        match locale {
            Some(locale) if locale.starts_with("vi") => &vi::WORDS,
            _ => &en::WORDS,
        }
    }

    /// A day, in words.
    pub(crate) fn date(&self, date: Date) -> String {
        let weekday = match date.weekday() {
            Weekday::Monday => 0,
            Weekday::Tuesday => 1,
            Weekday::Wednesday => 2,
            Weekday::Thursday => 3,
            Weekday::Friday => 4,
            Weekday::Saturday => 5,
            Weekday::Sunday => 6,
        };
        (self.date)(date, self.weekdays.get(weekday).copied().unwrap_or_default())
    }

    /// So many members.
    pub(crate) fn members(&self, count: usize) -> String {
        let words = if count == 1 { self.members_one } else { self.members_other };
        fill(words, &[("n", &count.to_string())])
    }

    /// An amount of bytes, as people read it (powers of 1000, as disks and networks are sold).
    pub(crate) fn bytes(&self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
        let mut unit = 0;
        let mut scale: u64 = 1;
        while bytes / scale >= 1000 && unit + 1 < UNITS.len() {
            scale *= 1000;
            unit += 1;
        }
        let name = UNITS.get(unit).copied().unwrap_or_default();
        match (unit, bytes / scale) {
            (0, whole) | (_, whole @ 100..) => format!("{whole} {name}"),
            (_, whole) => format!("{whole}{}{} {name}", self.decimal, bytes % scale * 10 / scale),
        }
    }

    /// How a transfer ended.
    pub(crate) fn file_end(&self, status: &FileStatus, name: &Safe) -> (String, Tone) {
        let (text, tone) = match &status.state {
            FileState::Done { path: Some(path) } => {
                let path = Safe::line(&path.to_string_lossy());
                let values = [("file", name.as_str()), ("path", path.as_str())];
                return (fill(self.file_here, &values), Tone::Plain);
            }
            FileState::Declined(reason) => match reason {
                DeclineReason::Taken => (self.file_taken, Tone::Plain),
                DeclineReason::NoSpace => (self.file_no_space, Tone::Wrong),
                DeclineReason::TooLarge => (self.file_too_large, Tone::Wrong),
                DeclineReason::Busy => (self.file_busy, Tone::Wrong),
                DeclineReason::Declined | DeclineReason::Unknown => {
                    (self.file_declined, Tone::Warning)
                }
            },
            FileState::Cancelled(reason) => match reason {
                CancelReason::Failed => (self.file_failed, Tone::Wrong),
                CancelReason::Changed => (self.file_changed, Tone::Wrong),
                CancelReason::Corrupt => (self.file_corrupt, Tone::Wrong),
                CancelReason::Cancelled | CancelReason::Unknown => {
                    (self.file_cancelled, Tone::Warning)
                }
            },
            _ => (self.file_there, Tone::Plain),
        };
        let values = [("file", name.as_str()), ("name", status.offer.to.as_str())];
        let text = fill(text, &values);
        match &status.trouble {
            Some(trouble) => (format!("{text} ({})", Safe::line(trouble)), tone),
            None => (text, tone),
        }
    }

    /// Why something could not be done.
    pub(crate) fn problem(&self, error: &PeerError) -> String {
        match error {
            PeerError::Refused { code, message } => {
                (self.error)(code).map_or_else(|| Safe::line(message).to_string(), str::to_owned)
            }
            PeerError::Unreachable(_) => self.unreachable.to_owned(),
            PeerError::Local(reason) => Safe::line(reason).to_string(),
        }
    }
}

/// Puts values into a text's places.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            rest = behind;
            break;
        };
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn language(pairs: &'static [(&str, &str)]) -> &'static str {
        let find = |name: &str| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        Words::of(find).help
    }

    #[test]
    fn the_locale_decides_and_the_strongest_variable_wins() {
        assert_eq!(language(&[]), en::WORDS.help);
        assert_eq!(language(&[("LANG", "vi_VN.UTF-8")]), vi::WORDS.help);
        assert_eq!(language(&[("LANG", "vi_VN.UTF-8"), ("LC_ALL", "C")]), en::WORDS.help);
        assert_eq!(
            language(&[("LANG", "de_DE"), ("LC_MESSAGES", "vi"), ("LC_ALL", "")]),
            vi::WORDS.help
        );
    }

    #[test]
    fn days_and_sizes_are_written_as_people_write_them() {
        let day = date(2026, 3, 4);
        assert_eq!(en::WORDS.date(day), "Wednesday 4 March 2026");
        assert_eq!(vi::WORDS.date(day), "Thứ Tư, 4/3/2026");
        assert_eq!(en::WORDS.bytes(0), "0 B");
        assert_eq!(en::WORDS.bytes(999), "999 B");
        assert_eq!(en::WORDS.bytes(1_500_000), "1.5 MB");
        assert_eq!(vi::WORDS.bytes(1_500_000), "1,5 MB");
        assert_eq!(en::WORDS.bytes(123_456_789), "123 MB");
        assert_eq!(en::WORDS.bytes(u64::MAX), "18446744 TB");
    }

    #[test]
    fn a_value_that_looks_like_a_place_stays_as_it_is() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "2")]), "{b} and 2");
        assert_eq!(fill("open {", &[]), "open ");
    }

    /// The debug form lists the texts by field, so that both languages can be compared as a translator would.
    fn places(words: &Words) -> Vec<(String, Vec<String>)> {
        let listed = format!("{words:#?}");
        let texts = listed.lines().filter_map(|line| line.trim().split_once(": \""));
        texts
            .map(|(field, text)| {
                let mut names: Vec<String> = text
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split_once('}'))
                    .map(|(name, _)| name.to_owned())
                    .collect();
                names.sort();
                (field.to_owned(), names)
            })
            .collect()
    }

    #[test]
    fn both_languages_fill_in_the_same_values() {
        assert!(places(&en::WORDS).len() > 80);
        assert_eq!(places(&en::WORDS), places(&vi::WORDS));
        assert_eq!(en::WORDS.keys.len(), vi::WORDS.keys.len());
    }
}

//! Names that cannot be wrong: parsed once at the edge, trusted inside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_CHARS;

/// Why a text is not a name. The text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// More than [`NAME_CHARS`] characters.
    #[error("must have at most {NAME_CHARS} characters, this has {chars}")]
    TooLong {
        /// Characters that were given.
        chars: usize,
    },
    /// A character outside the set.
    #[error("must not contain {found:?}: {allowed}")]
    Forbidden {
        /// The first such character.
        found: char,
        /// The set, in words.
        allowed: &'static str,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $allowed:literal, |$c:ident| $test:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 64, pattern = $pattern))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// [`NameError`], with what would be right in its text.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text, $allowed, |$c| $test)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                check(&text, $allowed, |$c| $test)?;
                Ok(Self(text.into_boxed_str()))
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Who takes part: a guest's chosen name, or an account's. ASCII, so that no two ids look the same
    /// to a reader and differ to the program. Ids that differ only in case belong to the same owner.
    PeerId,
    r"^[A-Za-z0-9._@:+-]+$",
    "use ASCII letters, digits and - _ . @ : +",
    |c| c.is_ascii_alphanumeric() || "-_.@:+".contains(c)
}

name! {
    /// A channel's name: letters and digits of any script. Combining marks are refused, so that
    /// a name has one spelling (Unicode's composed form, NFC).
    ChannelName,
    r"^[\p{L}\p{N}._+-]+$",
    "use letters and digits (composed, NFC) and - _ . +",
    |c| c.is_alphanumeric() || "-_.+".contains(c)
}

name! {
    /// A message's id, made by the client that sends it: a retry with the same id is the same message.
    MessageId,
    r"^[A-Za-z0-9._:-]+$",
    "use ASCII letters, digits and - _ . :",
    |c| c.is_ascii_alphanumeric() || "-_.:".contains(c)
}

impl PeerId {
    /// The form under which spellings of one id meet: lower case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn check(text: &str, allowed: &'static str, fits: impl Fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    // Counting stops early on an absurdly long text, which the body limit bounds anyway.
    let chars = text.chars().count();
    if chars > NAME_CHARS {
        return Err(NameError::TooLong { chars });
    }
    match text.chars().find(|&c| !fits(c)) {
        Some(found) => Err(NameError::Forbidden { found, allowed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_channel_may_have_a_vietnamese_name_in_its_composed_form() {
        assert!(ChannelName::parse("lớp-10A").is_ok());
        let decomposed = "lo\u{31b}\u{301}p";
        assert!(matches!(ChannelName::parse(decomposed), Err(NameError::Forbidden { .. })));
    }

    #[test]
    fn sixty_four_characters_fit_and_one_more_does_not() {
        assert!(PeerId::parse(&"a".repeat(64)).is_ok());
        assert_eq!(PeerId::parse(&"a".repeat(65)), Err(NameError::TooLong { chars: 65 }));
        assert!(ChannelName::parse(&"ớ".repeat(64)).is_ok());
    }

    #[test]
    fn the_error_names_the_character_and_the_set() {
        let text = PeerId::parse("al ice").unwrap_err().to_string();
        assert!(text.contains("' '") && text.contains("ASCII letters"), "{text}");
    }

    proptest! {
        #[test]
        fn a_parsed_name_round_trips_and_holds_no_control_or_space(text in "\\PC{0,80}") {
            if let Ok(name) = ChannelName::parse(&text) {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert!(!text.chars().any(|c| c.is_control() || c.is_whitespace()));
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<ChannelName>(&json).unwrap(), name);
            }
        }
    }
}

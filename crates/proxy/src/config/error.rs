//! What is wrong with a configuration, told so that it can be put right: where, which key, what, and
//! what to do.

use std::fmt;
use std::io;

use super::locate::Document;
use crate::log::is_invisible;

/// One thing that is wrong, or suspicious, at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key with its tables, such as `upstreams.chat-tracker.policy`; empty at the top.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    pub(super) fn at(
        document: &Document<'_>,
        offset: usize,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (line, column) = document.line_and_column(offset);
        Self {
            line,
            column,
            key: document.key_at(offset),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "key `{}`: ", Shown(&self.key))?;
        }
        write!(f, "{}; {}", Shown(&self.problem), Shown(&self.remedy))
    }
}

/// A text with what the file says in it: one line, which reads as it is.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control() || is_invisible(letter) {
                write!(f, "{}", letter.escape_unicode())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// Something that is allowed but probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file's name as given.
    pub file: String,
    /// What and where.
    pub finding: Finding,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.finding)
    }
}

/// A configuration that can't be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file can't be read.
    Read {
        /// The file's name as given.
        file: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Its content is wrong.
    Invalid {
        /// The file's name as given.
        file: String,
        /// Everything that was found, in the order of the file; never empty.
        findings: Vec<Finding>,
    },
}

/// One line for each finding.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, cause } => write!(
                f,
                "{file}: {cause}; name the configuration with --config FILE (proxy.conf is the default)"
            ),
            Self::Invalid { file, findings } => {
                for (nth, finding) in findings.iter().enumerate() {
                    let newline = if nth == 0 { "" } else { "\n" };
                    write!(f, "{newline}{file}:{finding}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { cause, .. } => Some(cause),
            Self::Invalid { .. } => None,
        }
    }
}

//! Exit codes.

use std::process::ExitCode;

use crate::peer::{PeerError, StartError};
use crate::tracker::{CallError, SignInError};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done; a message is delivered.
    Done,
    /// It failed.
    Failed,
    /// A flag, the configuration or the data folder is wrong.
    Usage,
    /// The message is in the receiver's mailbox, and not delivered yet.
    Queued,
    /// Name or password are wrong, or the session is over.
    SignIn,
    /// The server can't be reached; a message is kept here.
    Unreachable,
    /// The time was over before it was clear; a message is kept here.
    Undecided,
    /// A person ended it (SIGINT, SIGTERM).
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Queued => 3,
            Self::SignIn => 4,
            Self::Unreachable => 5,
            Self::Undecided => 6,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ends early: the code, and the words for standard error.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Failed {
    /// The code.
    pub exit: Exit,
    words: String,
}

impl Failed {
    /// With these words.
    pub fn new(exit: Exit, words: impl Into<String>) -> Self {
        Self { exit, words: words.into() }
    }

    /// It failed.
    pub fn because(words: impl Into<String>) -> Self {
        Self::new(Exit::Failed, words)
    }

    /// Bad usage.
    pub fn usage(words: impl Into<String>) -> Self {
        Self::new(Exit::Usage, words)
    }

    /// Says it on standard error.
    pub fn tell(self) -> Exit {
        if !self.words.is_empty() {
            eprintln!("error: {}", self.words);
        }
        self.exit
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        match error {
            StartError::SignIn(words) => Self::new(Exit::SignIn, words),
            StartError::Server(words) => Self::new(Exit::Unreachable, words),
            StartError::Local(words) => Self::new(Exit::Usage, words),
        }
    }
}

impl From<SignInError> for Failed {
    fn from(error: SignInError) -> Self {
        let exit = match error {
            SignInError::Refused(_) | SignInError::SecondFactor(_) => Exit::SignIn,
            SignInError::Unreachable(_) => Exit::Unreachable,
            SignInError::Keep { .. } => Exit::Usage,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        let exit = match &error {
            CallError::Unreachable(_) => Exit::Unreachable,
            _ if error.is_unauthenticated() => Exit::SignIn,
            CallError::Refused { .. } => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<PeerError> for Failed {
    fn from(error: PeerError) -> Self {
        let exit = match error {
            PeerError::Unreachable(_) => Exit::Unreachable,
            PeerError::Refused { .. } | PeerError::Local(_) => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

/// Standard output is closed: whoever read it has enough, which is no failure worth words.
impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::because(error.to_string())
    }
}

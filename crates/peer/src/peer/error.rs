//! Why a peer could not start, or do something.

use crate::store::StoreError;
use crate::tracker::CallError;
use crate::transfer::TransferError;

/// Why a peer could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Name or password are wrong, or the session is over.
    #[error("{0}")]
    SignIn(String),
    /// The server doesn't answer, or not as one of ours.
    #[error("{0}")]
    Server(String),
    /// The data folder, the database, the key, or the UDP port.
    #[error("{0}")]
    Local(String),
}

/// Why something could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PeerError {
    /// The tracker refused: its code and its words.
    #[error("{message}")]
    Refused {
        /// Stable, for programs.
        code: String,
        /// For people.
        message: String,
    },
    /// The tracker can't be reached now.
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    /// The store, a file, or what was asked for is wrong.
    #[error("{0}")]
    Local(String),
}

impl From<CallError> for PeerError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { code, message, .. } => Self::Refused { code, message },
            CallError::Unreachable(reason) => Self::Unreachable(reason),
        }
    }
}

impl From<StoreError> for PeerError {
    fn from(error: StoreError) -> Self {
        Self::Local(error.to_string())
    }
}

impl From<TransferError> for PeerError {
    fn from(error: TransferError) -> Self {
        Self::Local(error.to_string())
    }
}

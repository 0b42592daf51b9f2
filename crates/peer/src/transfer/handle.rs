//! The front of all transfers.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use wire::PeerId;
use wire::p2p::{FileId, Frame};

use crate::event::{Event, FileStatus};
use crate::links::{FileChannel, Links, Remote, Way};

/// How transfers are set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As whom.
    pub me: PeerId,
    /// Where received files go. The folder is made (mode 0700) when the first one is accepted.
    pub downloads: PathBuf,
    /// Whether an offer is accepted without asking.
    pub accept_files: bool,
}

/// Why a transfer could not be started, answered or stopped.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a device, or a name that is no text.
    #[error("{path} is no file that can be sent: {why}")]
    NotSendable {
        /// Its path.
        path: String,
        /// Why, in words.
        why: &'static str,
    },
    /// There is no such offer, or no such transfer.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// The database could not keep it.
    #[error("{0}")]
    Store(String),
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
}

/// All transfers of this device. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transfers {}

impl Transfers {
    /// Starts: goes on with what an earlier run left unfinished, as links come up. Every change is told as
    /// [`Event::File`]; progress at most five times a second for each file.
    ///
    /// (A handle of the store will be a parameter too.)
    ///
    /// # Errors
    /// [`TransferError::Store`] when the database can't be read.
    pub async fn start(
        _links: Links,
        _settings: Settings,
        _events: mpsc::Sender<Event>,
    ) -> Result<Self, TransferError> {
        todo!()
    }

    /// Offers a file to every device of a peer that is linked, now or later. The same file again goes on where it stopped.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn send_file(&self, _to: &PeerId, _path: &Path) -> Result<FileId, TransferError> {
        todo!()
    }

    /// Accepts an offered file.
    ///
    /// # Errors
    /// [`TransferError::Unknown`].
    pub async fn accept(&self, _from: &PeerId, _file: FileId) -> Result<(), TransferError> {
        todo!()
    }

    /// Declines an offered file.
    ///
    /// # Errors
    /// [`TransferError::Unknown`].
    pub async fn decline(&self, _from: &PeerId, _file: FileId) -> Result<(), TransferError> {
        todo!()
    }

    /// Stops a transfer in whichever direction, on both sides, and removes a partial file.
    ///
    /// # Errors
    /// [`TransferError::Unknown`].
    pub async fn cancel(&self, _with: &PeerId, _file: FileId) -> Result<(), TransferError> {
        todo!()
    }

    /// The transfers of this run, and those that wait to go on; the oldest first.
    pub fn list(&self) -> Vec<FileStatus> {
        todo!()
    }

    /// Whether an unfinished transfer waits for a link to this peer: its live devices should be connected.
    pub fn wants(&self, _peer: &PeerId) -> bool {
        todo!()
    }

    /// A link came up, or goes another way now (`LinkEvent::Up`, `LinkEvent::Way`).
    pub async fn up(&self, _remote: &Remote, _way: Way) {
        todo!()
    }

    /// A link is gone (`LinkEvent::Down`).
    pub async fn down(&self, _remote: &Remote) {
        todo!()
    }

    /// A frame about a file arrived (`file_*`). Others are ignored.
    pub async fn frame(&self, _remote: &Remote, _frame: Frame) {
        todo!()
    }

    /// The other side opened a file's channel (`LinkEvent::File`).
    pub async fn channel(&self, _remote: &Remote, _file: FileId, _channel: FileChannel) {
        todo!()
    }

    /// Stops all transfers and waits until their files are closed. Unfinished ones go on in the next run.
    pub async fn close(&self) {
        todo!()
    }
}

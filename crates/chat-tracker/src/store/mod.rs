//! What must not be lost: peers, devices, channels, memberships, messages, read markers and mailboxes, in
//! SQLite.
//!
//! # Layout
//! - `schema`: opening the file, its schema in numbered steps.
//! - `writer`: the one thread that writes, with group commit.
//! - `readers`: a few connections for reading, beside the writer (WAL lets them).
//! - `peers`, `devices`, `channels`, `messages`, `mailbox`: the commands and the queries, one noun a file.
//! - `load`: fills the index in memory at the start.

mod channels;
mod devices;
mod load;
mod mailbox;
mod messages;
mod peers;
mod readers;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::channels::Channels;
use crate::devices::Devices;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::peers::Peers;

pub(crate) use channels::{Create, Join, Leave, MarkRead, markers};
pub(crate) use devices::{RegisterDevice, RemoveDevice, SawDevice, StoredDevice, devices_of};
pub(crate) use mailbox::{Acknowledge, Expire, Queue, Room, deliveries, waiting};
pub(crate) use messages::{Append, Page, page};
pub(crate) use peers::{Register, SignIn};
pub use schema::OpenError;
pub(crate) use writer::Command;

use readers::Readers;
use writer::{Job, Pending};

/// The database's name in the data folder.
const FILE: &str = "tracker.db";
/// The file that marks the folder as taken.
const LOCK: &str = "tracker.lock";

/// How the store works.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The folder of the database.
    pub data_dir: PathBuf,
    /// Commands in one commit at most.
    pub group: usize,
    /// Commands that may wait for the writer.
    pub queue: usize,
    /// Connections that read.
    pub readers: usize,
}

/// What follows each commit: the index in memory, and the live streams.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) peers: Peers,
    pub(crate) channels: Channels,
    pub(crate) devices: Devices,
    pub(crate) hub: Hub,
}

/// Why the store would not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The peer id belongs to another account.
    NotYours,
    /// There is such a channel.
    ChannelExists,
    /// There is no such channel.
    NoSuchChannel,
    /// Members let others in.
    Private,
    /// The peer is not in the channel.
    NotAMember,
    /// The sender has used this id for another message.
    IdConflict,
    /// The device is another peer's.
    DeviceTaken,
    /// The recipient's mailbox has no room.
    MailboxFull,
}

/// Why a command or a query failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may not be; the caller is told why.
    Refused(Refusal),
    /// The database could not do it now; nothing was changed.
    Unavailable(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The store. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Store {
    queue: mpsc::Sender<Box<dyn Job>>,
    readers: Readers,
}

impl Store {
    /// Opens the database, fills the index and starts the writer. The handle ends, with everything
    /// committed, once all clones of the store are gone.
    pub(crate) fn open(
        settings: &Settings,
        live: Live,
        metrics: Metrics,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
        let path = prepare_folder(&settings.data_dir)?;
        let lock = lock(&settings.data_dir)?;
        let db = schema::open_writer(&path)?;
        load::load(&db, &live)
            .map_err(|source| OpenError::Sqlite { path: path.display().to_string(), source })?;
        let readers = Readers::open(&path, settings.readers)?;
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let group = settings.group.max(1);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer::run(db, waiting, group, &live, &metrics);
                drop(lock);
            })
            .map_err(|source| OpenError::Folder { path: path.display().to_string(), source })?;
        Ok((Self { queue, readers }, writer))
    }

    /// Has the writer run a command; the answer comes after the commit.
    pub(crate) async fn write<C: Command>(&self, command: C) -> Result<C::Answer, Failure> {
        let (pending, answer) = Pending::new(command);
        let gone = || Failure::Unavailable("the store has ended".to_owned());
        self.queue.send(Box::new(pending)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Has the writer run a command of which nobody waits for the outcome, unless it has too much to do.
    pub(crate) fn offer<C: Command>(&self, command: C) {
        let (pending, _) = Pending::new(command);
        // It is dropped when the queue is full: what is offered can be missed.
        let _ = self.queue.try_send(Box::new(pending));
    }

    /// Runs a query beside the writer.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, Failure>
    where
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.readers.run(query).await
    }

    /// Whether the writer still takes commands.
    pub(crate) fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Commands that wait for the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

fn prepare_folder(folder: &Path) -> Result<PathBuf, OpenError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| OpenError::Folder { path: folder.display().to_string(), source })?;
    Ok(folder.join(FILE))
}

/// Takes the folder for this process, until it ends in whatever way: two trackers on one database would
/// each have an index of its own.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let named = |source| OpenError::Folder { path: path.display().to_string(), source };
    let file = File::create(&path).map_err(named)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(OpenError::InUse { path: folder.display().to_string() })
        }
        Err(TryLockError::Error(source)) => Err(named(source)),
    }
}

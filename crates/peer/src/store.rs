//! What a device keeps, in SQLite: direct messages, the outbox, partners' devices, how far a listener has come, transfers.
//!
//! # Layout
//! - [`Store`]: the handle. One thread owns the one connection, and commits what waits together.
//! - [`folder`]: the data folder, which belongs to one process at a time.
//! - `schema`: opening the file, its schema in numbered steps.
//! - `writer`: the thread, with group commit.
//! - [`direct`]: direct messages and the outbox.
//! - [`devices`]: devices that partners were seen with.
//! - [`places`]: how far a listener has come, in files of their own.
//! - [`transfers`]: files under way, and those that were received.

pub mod devices;
pub mod direct;
pub mod folder;
pub mod places;
mod schema;
#[cfg(test)]
mod tests;
pub mod transfers;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use folder::{Folder, FolderError};
pub use places::Places;
pub use schema::OpenError;

use writer::{Job, Pending};

/// The database's name in the data folder.
const FILE: &str = "peer.db";
/// Jobs of [`Store::run`] that may wait for the thread; further callers wait for a place.
const QUEUE: usize = 1_024;

/// The database could not do it; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data folder's database: {0}")]
pub struct StoreError(String);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

/// The store. Cheap to clone; its thread ends, with everything committed, after the last clone is gone.
#[derive(Debug, Clone)]
pub struct Store {
    // Bounded by `places`, and by whoever submits without one.
    queue: mpsc::UnboundedSender<Box<dyn Job>>,
    places: Arc<Semaphore>,
}

impl Store {
    /// Opens the database of a folder, or makes it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Folder) -> Result<Self, OpenError> {
        Self::open_file(&folder.path().join(FILE))
    }

    /// Opens the database beside a peer that has taken the folder, for a look or a small change.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_beside(folder: &Path) -> Result<Self, OpenError> {
        Self::open_file(&folder.join(FILE))
    }

    fn open_file(path: &Path) -> Result<Self, OpenError> {
        let db = schema::open(path)?;
        let (queue, waiting) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("peer-store".to_owned())
            .spawn(move || writer::run(db, waiting))
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { queue, places: Arc::new(Semaphore::new(QUEUE)) })
    }

    /// Has the thread run a job, inside a transaction that others share; the answer comes after the commit.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the job is kept.
    pub async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let _place = self.places.acquire().await.map_err(|_| ended())?;
        self.submit(job).await
    }

    /// As [`Self::run`], in the order of these calls: the job waits in the queue when this returns, whenever its answer is
    /// asked for. The caller bounds how many there are.
    pub fn submit<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static + use<T, F>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        // When the thread is gone, the caller's channel goes with the job.
        let _ = self.queue.send(Box::new(Pending::new(job, caller)));
        async move { answer.await.map_err(|_| ended())? }
    }

    /// Waits until everything that was asked for so far is on disk.
    pub async fn settle(&self) {
        let _ = self.run(|_| Ok(())).await;
    }
}

fn ended() -> StoreError {
    StoreError("the store has ended".to_owned())
}

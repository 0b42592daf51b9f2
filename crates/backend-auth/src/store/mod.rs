//! What must survive a restart: accounts, sessions, tokens, device marks, invites, the audit log, in one SQLite file.
//!
//! One thread owns the connection and does one job after the other, so that no async thread ever waits
//! for a disk and no two jobs interleave. A job is a transaction; its effect on memory (the sessions) is
//! applied inside the job, in the same order as on disk. Commits are durable (WAL, `synchronous=FULL`).
//!
//! - [`schema`]: the tables and how older files become today's.
//! - [`accounts`], [`people`], [`sessions`], [`tokens`], [`revocations`], [`invites`], [`resets`], [`devices`],
//!   [`factors`], [`passkeys`], [`linked`], [`ways`], [`endings`], [`audit`]: statements, as functions over a connection.

pub mod accounts;
pub mod audit;
pub mod devices;
pub mod endings;
pub mod factors;
pub mod invites;
pub mod linked;
pub mod passkeys;
pub mod people;
pub mod resets;
pub mod revocations;
pub mod schema;
pub mod sessions;
pub mod tokens;
pub mod ways;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use service::Problem;
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait at most.
const QUEUE: usize = 1024;
/// How long a caller waits for its job.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long SQLite waits for a lock of another process (a backup, say).
const BUSY: Duration = Duration::from_millis(1500);

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite can't open or migrate the file.
    #[error("database {path}: {source}")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A newer program wrote the file.
    #[error(
        "database {path} has schema {found}, this program knows up to {known}: start the newer program, or restore an older backup"
    )]
    Newer {
        /// The file.
        path: String,
        /// The file's schema.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// An older program wrote the file.
    #[error(
        "database {path} has schema {found}, this program needs {known}: start the server once with this version"
    )]
    Older {
        /// The file.
        path: String,
        /// The file's schema.
        found: usize,
        /// The one that this program knows.
        known: usize,
    },
    /// The file is damaged.
    #[error("database {path} is damaged ({found}): restore a backup")]
    Damaged {
        /// The file.
        path: String,
        /// What the check found first.
        found: String,
    },
    /// The thread could not be started.
    #[error("database thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused: full, locked, broken.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Too many jobs wait, or this one waited too long.
    #[error("database: too slow")]
    Slow,
    /// The thread has ended.
    #[error("database: closed")]
    Closed,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "storage failed");
        Problem::unavailable(
            "storage_unavailable",
            "accounts can't be read or written right now",
            2,
        )
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Opens the database of a server that may be running, for one change from outside. Only as it is: what an older program
/// wrote is brought up to date by the server.
///
/// # Errors
/// [`OpenError`].
pub fn open_beside(path: &Path) -> Result<Connection, OpenError> {
    let shown = path.display().to_string();
    let broken = |source| OpenError::Sqlite { path: shown.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
    prepare(&connection).map_err(broken)?;
    schema::check_current(&connection, &shown)?;
    Ok(connection)
}

/// Handle to the store; cheap to clone. The thread ends with the last handle.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Opens (or makes) the database, brings it up to date and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<(Self, std::thread::JoinHandle<()>), OpenError> {
        let shown = path.display().to_string();
        let broken = |source| OpenError::Sqlite { path: shown.clone(), source };
        let mut connection = Connection::open(path).map_err(broken)?;
        prepare(&connection).map_err(broken)?;
        schema::migrate(&mut connection, &shown)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
            if let Err((_, error)) = connection.close() {
                tracing::warn!(%error, "the database did not close cleanly");
            }
        })?;
        Ok((Self { jobs }, thread))
    }

    /// Runs a job in a transaction and commits it; `applied` then sees its result before any other job
    /// runs (to bring memory in line with the disk).
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed, unless it is [`StoreError::Slow`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        applied: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            applied(&result);
            Ok(result)
        })
        .await
    }

    /// Runs a job that only reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |connection| work(connection)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that gave up gets no account or session behind its back.
            if !reply.is_closed() {
                let _ = reply.send(work(connection));
            }
        });
        let result = async {
            self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)
        };
        Ok(tokio::time::timeout(PATIENCE, result).await.map_err(|_| StoreError::Slow)???)
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // A deleted session's or invite's hash shall not linger in free pages.
    connection.pragma_update(None, "secure_delete", "ON")
}

#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().expect("memory is there");
    prepare(&connection).expect("pragmas are known");
    schema::migrate(&mut connection, ":memory:").expect("the schema is sound");
    connection
}

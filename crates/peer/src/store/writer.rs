//! The thread that owns the database, with group commit.
//!
//! 1. It waits for a job, then takes what else waits, up to a number.
//! 2. Each job runs inside a savepoint of one transaction, so that one that fails takes back its own changes and no others.
//! 3. The commit makes all of them durable with one sync of the disk. Only then the callers get their answers.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Jobs in one commit at most.
const GROUP: usize = 256;

/// A job on its way, whatever it answers.
pub(super) trait Job: Send {
    /// Runs it. Whether its changes are to be kept.
    fn run(&mut self, db: &Connection) -> bool;
    /// Tells the caller; `lost` when nothing of the commit is kept.
    fn answer(self: Box<Self>, lost: Option<&StoreError>);
}

pub(super) struct Pending<F, T> {
    job: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Pending<F, T> {
    pub(super) fn new(job: F, caller: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { job: Some(job), outcome: None, caller }
    }
}

impl<F, T> Job for Pending<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, db: &Connection) -> bool {
        let Some(job) = self.job.take() else { return false };
        let outcome = job(db).map_err(StoreError::from);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, lost: Option<&StoreError>) {
        let outcome = match (lost, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(StoreError("the job was not run".to_owned())),
        };
        // A caller that has hung up doesn't wait for its answer; what it asked for is done all the same.
        let _ = self.caller.send(outcome);
    }
}

/// Runs until all handles are gone, then ends with everything committed.
pub(super) fn run(mut db: Connection, mut queue: mpsc::UnboundedReceiver<Box<dyn Job>>) {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut batch, GROUP) > 0 {
        let lost = commit(&mut db, &mut batch).err().map(StoreError::from);
        if let Some(error) = &lost {
            tracing::error!(%error, jobs = batch.len(), "a commit failed, nothing of it is kept");
        }
        batch.drain(..).for_each(|job| job.answer(lost.as_ref()));
    }
    if let Err((_, error)) = db.close() {
        tracing::warn!(%error, "the database was not closed cleanly; it recovers at the next start");
    }
}

/// One transaction. On an error it has been taken back wholly.
fn commit(db: &mut Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let mut group = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        let savepoint = group.savepoint()?;
        if job.run(&savepoint) {
            savepoint.commit()?;
        } else {
            // A full disk can end the whole transaction; then this fails too, and the batch is lost as one.
            savepoint.finish()?;
        }
    }
    group.commit()
}

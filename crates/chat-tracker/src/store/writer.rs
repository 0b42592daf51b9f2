//! The one thread that writes, with group commit.
//!
//! 1. It waits for a command, then takes what else waits in the queue, up to a number.
//! 2. Each command runs inside a savepoint of one transaction, so that one that fails takes back its own
//!    changes and no others.
//! 3. The commit makes all of them durable with one sync of the disk.
//! 4. Only then, in the order of the commands, the index in memory follows and the events are published;
//!    so a channel's events come in the order of `seq`.
//! 5. Only then the callers get their answers. When the commit fails, each caller is told so and
//!    nothing of the batch exists.

use std::time::Instant;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Failure, Live};
use crate::metrics::Metrics;

/// Something to write. Its fields are the question; `run` gives the answer.
pub(crate) trait Command: Send + 'static {
    /// What the caller gets after the commit.
    type Answer: Send + 'static;

    /// Changes the database, inside a transaction that others share.
    fn run(&self, db: &Connection, now: Timestamp) -> Result<Self::Answer, Failure>;

    /// Follows the commit in memory and tells the live streams.
    fn committed(&self, answer: &Self::Answer, live: &Live);
}

/// A command on its way, whatever its type.
pub(super) trait Job: Send {
    fn run(&mut self, db: &Connection, now: Timestamp) -> Ran;
    fn committed(&mut self, live: &Live);
    fn answer(self: Box<Self>, lost: Option<&str>);
}

/// What became of a command inside its savepoint.
pub(super) enum Ran {
    Kept,
    TakenBack,
}

pub(super) struct Pending<C: Command> {
    command: C,
    outcome: Option<Result<C::Answer, Failure>>,
    caller: oneshot::Sender<Result<C::Answer, Failure>>,
}

impl<C: Command> Pending<C> {
    pub(super) fn new(command: C) -> (Self, oneshot::Receiver<Result<C::Answer, Failure>>) {
        let (caller, answer) = oneshot::channel();
        (Self { command, outcome: None, caller }, answer)
    }
}

impl<C: Command> Job for Pending<C> {
    fn run(&mut self, db: &Connection, now: Timestamp) -> Ran {
        let outcome = self.command.run(db, now);
        let ran = if outcome.is_ok() { Ran::Kept } else { Ran::TakenBack };
        self.outcome = Some(outcome);
        ran
    }

    fn committed(&mut self, live: &Live) {
        if let Some(Ok(answer)) = &self.outcome {
            self.command.committed(answer, live);
        }
    }

    fn answer(self: Box<Self>, lost: Option<&str>) {
        // A lost batch takes its refusals with it: one may rest on a change that is gone now.
        let outcome = match (lost, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(reason), _) => Err(Failure::Unavailable(reason.to_owned())),
            (None, None) => Err(Failure::Unavailable("the command was not run".to_owned())),
        };
        // A caller that has hung up doesn't wait for its answer; what it asked for is done all the same.
        let _ = self.caller.send(outcome);
    }
}

/// Runs until all senders are gone, then ends with everything committed.
pub(super) fn run(
    mut db: Connection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    group: usize,
    live: &Live,
    metrics: &Metrics,
) {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(group);
    let mut clock = Timestamp::UNIX_EPOCH;
    while queue.blocking_recv_many(&mut batch, group) > 0 {
        // Times never run backwards along `seq`, even when the system's clock is set back.
        clock = clock.max(Timestamp::now());
        let started = Instant::now();
        let committed = write(&mut db, &mut batch, clock);
        metrics.commit(batch.len(), started.elapsed());
        match committed {
            Ok(()) => {
                for job in &mut batch {
                    job.committed(live);
                }
                batch.drain(..).for_each(|job| job.answer(None));
            }
            Err(error) => {
                tracing::error!(%error, commands = batch.len(), "a commit failed, nothing of it is kept");
                metrics.commit_failed();
                let reason = error.to_string();
                batch.drain(..).for_each(|job| job.answer(Some(&reason)));
            }
        }
    }
    if let Err((_, error)) = db.close() {
        tracing::warn!(%error, "the database was not closed cleanly; it recovers at the next start");
    }
}

/// One transaction. On an error it has been taken back wholly.
fn write(db: &mut Connection, batch: &mut [Box<dyn Job>], now: Timestamp) -> rusqlite::Result<()> {
    let mut group = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for job in batch {
        let savepoint = group.savepoint()?;
        match job.run(&savepoint, now) {
            Ran::Kept => savepoint.commit()?,
            Ran::TakenBack => {
                // A full disk can end the whole transaction (SQLite, "Response To Errors Within A
                // Transaction"); then this fails too, and the batch is lost as one.
                savepoint.finish()?;
            }
        }
    }
    group.commit()
}

//! Connections that read. A query runs on a thread that may block, and at most as many run at once as
//! there are connections; further ones wait their turn.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::Failure;
use super::schema::{OpenError, open_reader};

#[derive(Clone)]
pub(super) struct Readers {
    // A std lock: it is held for one push or pop.
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, OpenError> {
        let count = count.max(1);
        let idle = (0..count).map(|_| open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), turns: Arc::new(Semaphore::new(count)) })
    }

    pub(super) async fn run<T, F>(&self, query: F) -> Result<T, Failure>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let gone = |_| Failure::Unavailable("the store has ended".to_owned());
        // The permit goes into the query's thread: a caller that hangs up must not free it early.
        let turn = self.turns.clone().acquire_owned().await.map_err(gone)?;
        let idle = self.idle.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let lent = Lent { db: lock(&idle).pop(), idle: &idle };
            let answer = match &lent.db {
                Some(db) => query(db).map_err(Failure::from),
                None => Err(Failure::Unavailable("no connection is left to read with".to_owned())),
            };
            drop(lent);
            drop(turn);
            answer
        });
        answer.await.map_err(|error| Failure::Unavailable(error.to_string()))?
    }
}

/// A connection on loan: it comes back even when the query panics.
struct Lent<'a> {
    db: Option<Connection>,
    idle: &'a Mutex<Vec<Connection>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            lock(self.idle).push(db);
        }
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Writes into the store what the desk wants kept, in order, and what has gathered meanwhile in one go.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use wire::PeerId;
use wire::p2p::FileId;

use super::handle::TransferError;
use crate::event::Direction;
use crate::store::Store;
use crate::store::transfers::{Kept, forget, keep};

/// Entries that may wait.
const WAITING: usize = 1_024;
/// Entries written in one go.
const AT_ONCE: usize = 256;

/// What is to be written.
pub(super) enum Entry {
    /// Keep this.
    Keep(Box<Kept>),
    /// Remove this.
    Forget(Direction, PeerId, FileId),
    /// Tell when everything before is on disk.
    Settle(oneshot::Sender<Result<(), TransferError>>),
}

/// Starts the task. It ends, with everything written, when nobody can ask it any more.
pub(super) fn start(store: Store, tasks: &TaskTracker) -> mpsc::Sender<Entry> {
    let (entries, mut waiting) = mpsc::channel(WAITING);
    tasks.spawn(async move {
        let mut batch = Vec::new();
        while waiting.recv_many(&mut batch, AT_ONCE).await > 0 {
            write(&store, std::mem::take(&mut batch)).await;
        }
    });
    entries
}

async fn write(store: &Store, batch: Vec<Entry>) {
    let now = Timestamp::now().as_millisecond();
    let mut settled = Vec::new();
    let mut changes = Vec::new();
    for entry in batch {
        match entry {
            Entry::Settle(reply) => settled.push(reply),
            change => changes.push(change),
        }
    }
    let written = store.run(move |db| {
        changes.iter().try_for_each(|change| match change {
            Entry::Keep(kept) => keep(db, kept, now),
            Entry::Forget(direction, peer, file) => forget(db, *direction, peer, *file),
            Entry::Settle(_) => Ok(()),
        })
    });
    let written = written.await.map_err(|error| error.to_string());
    if let Err(error) = &written {
        tracing::warn!(%error, "transfers may not survive a restart");
    }
    for reply in settled {
        let _ = reply.send(written.clone().map_err(TransferError::Store));
    }
}

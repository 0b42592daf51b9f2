//! What an earlier run has left.

use jiff::Timestamp;
use wire::PeerId;
use wire::p2p::FileId;

use super::desk::Desk;
use super::handle::TransferError;
use super::source::{Source, Stamp};
use crate::store::transfers::{Kept, Stage, all};
use crate::store::{Store, StoreError};

/// Reads what is kept. Files to be sent that have changed since are given up.
pub(super) async fn restore(store: &Store, desk: &mut Desk) -> Result<(), TransferError> {
    let now = Timestamp::now().as_millisecond();
    let read = store.run(move |db| all(db, now)).await;
    let kept = read.map_err(|error: StoreError| TransferError::Store(error.to_string()))?;
    let looking = tokio::task::spawn_blocking(move || {
        let lost: Vec<(PeerId, FileId)> = kept.iter().filter_map(lost).collect();
        (kept, lost)
    });
    let (kept, lost) = looking.await.map_err(|_| TransferError::Closed)?;
    desk.restore(kept);
    for (to, file) in lost {
        desk.lost(std::time::Instant::now(), &to, file);
    }
    Ok(())
}

/// Whose file has changed.
fn lost(kept: &Kept) -> Option<(PeerId, FileId)> {
    let Stage::Sending { path, modified, .. } = &kept.stage else { return None };
    let stamp = Stamp { size: kept.offer.size, modified: *modified };
    Source::open(path, stamp).is_err().then(|| (kept.peer.clone(), kept.offer.file))
}

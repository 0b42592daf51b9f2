//! Hands to the transfers what the links tell, in order, without waiting for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use wire::PeerId;
use wire::p2p::{FileId, Frame};

use crate::links::{FileChannel, Remote, Way};
use crate::transfer::Transfers;

/// Frames and channels that wait for the transfers; more of them come from nobody who means well.
const WAITING: usize = 1_024;

/// What the links tell.
enum Told {
    Up(Remote, Way),
    Way(Remote, Way),
    Down(Remote),
    Frame(Remote, Frame),
    Channel(Remote, FileId, FileChannel),
}

/// The transfers, and what waits for them.
pub(super) struct Files {
    transfers: Transfers,
    told: mpsc::UnboundedSender<Told>,
    waiting: Arc<AtomicUsize>,
}

impl Files {
    pub(super) fn new(transfers: Transfers) -> Self {
        // Bounded by the number of links, and by the count of what others make.
        let (told, taken) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tokio::spawn(hand_over(transfers.clone(), taken, waiting.clone()));
        Self { transfers, told, waiting }
    }

    pub(super) fn up(&self, remote: &Remote, way: Way) {
        let _ = self.told.send(Told::Up(remote.clone(), way));
    }

    pub(super) fn way(&self, remote: &Remote, way: Way) {
        let _ = self.told.send(Told::Way(remote.clone(), way));
    }

    pub(super) fn down(&self, remote: &Remote) {
        let _ = self.told.send(Told::Down(remote.clone()));
    }

    /// Whether there is room for it.
    #[must_use]
    pub(super) fn frame(&self, remote: &Remote, frame: Frame) -> bool {
        self.counted(Told::Frame(remote.clone(), frame))
    }

    /// Whether there is room for it.
    #[must_use]
    pub(super) fn channel(&self, remote: &Remote, file: FileId, channel: FileChannel) -> bool {
        self.counted(Told::Channel(remote.clone(), file, channel))
    }

    fn counted(&self, told: Told) -> bool {
        let room = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING;
        if !room || self.told.send(told).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        room
    }

    /// Whether a transfer waits for a link to this peer.
    pub(super) fn wants(&self, peer: &PeerId) -> bool {
        self.transfers.wants(peer)
    }

    /// Those to whom something waits for a link.
    pub(super) fn partners(&self) -> Vec<PeerId> {
        self.transfers.wanted()
    }

    pub(super) async fn close(&self) {
        if tokio::time::timeout(super::GOODBYE, self.transfers.close()).await.is_err() {
            tracing::warn!("the transfers took too long to stop; they go on with the next start");
        }
    }
}

async fn hand_over(
    transfers: Transfers,
    mut told: mpsc::UnboundedReceiver<Told>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(told) = told.recv().await {
        match told {
            Told::Up(remote, way) => transfers.up(&remote, way).await,
            Told::Way(remote, way) => transfers.way(&remote, way).await,
            Told::Down(remote) => transfers.down(&remote).await,
            Told::Frame(remote, frame) => {
                transfers.frame(&remote, frame).await;
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Told::Channel(remote, file, channel) => {
                transfers.channel(&remote, file, channel).await;
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

//! Frames on their way to devices, one task for each device, so that a slow link holds up no other.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use wire::p2p::Frame;

use super::carrier::Carrier;
use crate::links::Remote;

/// Frames that may wait for a link. A partner who makes more answers necessary than the link carries misses some, and hears
/// them when it asks again.
const WAITING: usize = 1_024;

struct Postman {
    frames: mpsc::Sender<Frame>,
    task: AbortHandle,
}

/// What waits to be sent.
pub(super) struct Post<C> {
    links: C,
    tasks: TaskTracker,
    postmen: HashMap<Remote, Postman>,
}

impl<C: Carrier> Post<C> {
    pub(super) fn new(links: C, tasks: TaskTracker) -> Self {
        Self { links, tasks, postmen: HashMap::new() }
    }

    /// Has a frame sent after those before.
    pub(super) fn send(&mut self, remote: &Remote, frame: Frame) {
        let postman = self.postmen.entry(remote.clone()).or_insert_with(|| {
            let (frames, mut waiting) = mpsc::channel::<Frame>(WAITING);
            let (links, remote) = (self.links.clone(), remote.clone());
            let task = self.tasks.spawn(async move {
                while let Some(frame) = waiting.recv().await {
                    // Without a link it is said again after the next one is up, as far as it still matters.
                    let _ = links.send(&remote, &frame).await;
                }
            });
            Postman { frames, task: task.abort_handle() }
        });
        if postman.frames.try_send(frame).is_err() {
            tracing::debug!(peer = %remote.peer, "a frame about a file was dropped: too many wait");
        }
    }

    /// The link is gone, and what waited for it.
    pub(super) fn close(&mut self, remote: &Remote) {
        if let Some(postman) = self.postmen.remove(remote) {
            postman.task.abort();
        }
    }
}

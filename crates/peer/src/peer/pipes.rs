//! Frames on their way out, one pipe a link, so that a link that is slow delays no other.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use wire::p2p::Frame;

use crate::links::{Links, Remote};

/// Frames that wait for one link. The outbox has at most a quarter of it under way; the rest is for answers.
const FRAMES: usize = 1_024;

/// The pipes of all links that are up.
#[derive(Debug)]
pub(super) struct Pipes {
    links: Links,
    pipes: HashMap<Remote, Pipe>,
}

#[derive(Debug)]
struct Pipe {
    frames: mpsc::Sender<Frame>,
    task: AbortHandle,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // What waits for a link that is gone must not go over the next one.
        self.task.abort();
    }
}

impl Pipes {
    pub(super) fn new(links: Links) -> Self {
        Self { links, pipes: HashMap::new() }
    }

    /// A link came up.
    pub(super) fn open(&mut self, remote: &Remote) {
        let (frames, mut waiting) = mpsc::channel::<Frame>(FRAMES);
        let (links, to) = (self.links.clone(), remote.clone());
        let task = tokio::spawn(async move {
            while let Some(frame) = waiting.recv().await {
                if links.send(&to, &frame).await.is_err() {
                    // The links tell that it is gone, and what was not acknowledged is sent again.
                    return;
                }
            }
        });
        self.pipes.insert(remote.clone(), Pipe { frames, task: task.abort_handle() });
    }

    /// A link is gone.
    pub(super) fn close(&mut self, remote: &Remote) {
        self.pipes.remove(remote);
    }

    /// Sends a frame. Whether there is room for it: if not, the other side takes nothing, and its link should end.
    #[must_use]
    pub(super) fn send(&self, remote: &Remote, frame: Frame) -> bool {
        let Some(pipe) = self.pipes.get(remote) else { return true };
        !matches!(pipe.frames.try_send(frame), Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Sends a frame that may be lost.
    pub(super) fn try_send(&self, remote: &Remote, frame: Frame) {
        if let Some(pipe) = self.pipes.get(remote)
            && pipe.frames.capacity() > FRAMES / 2
        {
            let _ = pipe.frames.try_send(frame);
        }
    }

    /// The devices that are linked.
    pub(super) fn linked(&self) -> impl Iterator<Item = &Remote> {
        self.pipes.keys()
    }
}

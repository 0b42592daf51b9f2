//! What the engine and the [`Links`](super::Links) handles both see.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::{Remote, Way};

/// Signals that wait for the engine at most; it takes them faster than a tracker brings them.
const SIGNALS: usize = 1024;

/// A link that is up.
#[derive(Debug, Clone)]
pub(super) struct UpLink {
    /// The engine's number for it.
    pub(super) id: u64,
    /// Which way it goes.
    pub(super) way: Way,
    /// The room in front of SCTP's buffer.
    pub(super) frames: Arc<Semaphore>,
}

/// The shared state. Its locks are held for a look or a change, never while waiting.
#[derive(Debug, Default)]
pub(super) struct Shared {
    links: Mutex<HashMap<Remote, UpLink>>,
    addresses: Mutex<Vec<SocketAddr>>,
    signals: AtomicUsize,
}

impl Shared {
    /// A link came up.
    pub(super) fn up(&self, remote: &Remote, link: UpLink) {
        lock(&self.links).insert(remote.clone(), link);
    }

    /// A link goes another way.
    pub(super) fn way(&self, remote: &Remote, way: Way) {
        if let Some(link) = lock(&self.links).get_mut(remote) {
            link.way = way;
        }
    }

    /// A link is gone.
    pub(super) fn down(&self, remote: &Remote) {
        lock(&self.links).remove(remote);
    }

    /// All links are gone.
    pub(super) fn clear(&self) {
        for (_, link) in lock(&self.links).drain() {
            link.frames.close();
        }
    }

    /// A link that is up.
    pub(super) fn link(&self, remote: &Remote) -> Option<UpLink> {
        lock(&self.links).get(remote).cloned()
    }

    /// The links that are up.
    pub(super) fn links(&self) -> Vec<(Remote, Way)> {
        lock(&self.links).iter().map(|(remote, link)| (remote.clone(), link.way)).collect()
    }

    /// Where the sockets are bound now.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        lock(&self.addresses).clone()
    }

    /// The sockets are bound elsewhere now.
    pub(super) fn bound(&self, addresses: Vec<SocketAddr>) {
        *lock(&self.addresses) = addresses;
    }

    /// Whether one more signal may wait for the engine.
    pub(super) fn signal_waits(&self) -> bool {
        let waits = self.signals.fetch_add(1, Ordering::Relaxed) < SIGNALS;
        if !waits {
            self.signals.fetch_sub(1, Ordering::Relaxed);
        }
        waits
    }

    /// The engine took a signal.
    pub(super) fn signal_taken(&self) {
        self.signals.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A panic while the lock was held leaves a map that is whole: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

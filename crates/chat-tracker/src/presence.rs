//! Who is there: derived from live streams and calls, never stored.
//!
//! A peer with a live stream is online. Without one it stays active for a while after it was last heard
//! from: long for those who only make calls (a person who types curl), short after a stream ended.
//! A device is live as long as a stream has it. What others are told is coalesced: a page's reload, which
//! ends a stream and opens the next one, is told to nobody.

mod seen;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wire::DeviceId;
use wire::chat::Presence;

use crate::peers::PeerKey;
use seen::{Seen, Status};

/// How long a peer counts as being there, and who is told.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Active after a call, without a live stream.
    pub after_call: Duration,
    /// Active after the last live stream ended.
    pub after_stream: Duration,
    /// Offline for so long before others are told; the same for each device.
    pub settle: Duration,
    /// Channels with more members are not told who comes and goes.
    pub crowd: usize,
    /// Events about it that may be handed to readers in a second.
    pub budget: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            after_call: Duration::from_secs(600),
            after_stream: Duration::from_secs(60),
            settle: Duration::from_secs(5),
            crowd: 500,
            budget: 20_000,
        }
    }
}

/// Who is there. Cheap to clone.
#[derive(Clone)]
pub struct Directory(
    // A std lock: it is held for a few map operations, never over an await.
    Arc<Mutex<State>>,
);

struct State {
    patience: Patience,
    /// The same moment on both clocks: the monotonic one decides, the other is shown.
    started: (Instant, Timestamp),
    peers: HashMap<PeerKey, Seen>,
    /// Peers of whom others may have to be told something, now or when time has passed.
    watched: HashSet<PeerKey>,
}

impl Directory {
    /// An empty directory.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self(Arc::new(Mutex::new(State {
            patience,
            started: (now, Timestamp::now()),
            peers: HashMap::new(),
            watched: HashSet::new(),
        })))
    }

    /// What it was made with.
    pub fn patience(&self) -> Patience {
        self.state().patience
    }

    /// A peer made a call.
    pub fn heard(&self, peer: &PeerKey, now: Instant) {
        let mut state = self.state();
        let after_call = state.patience.after_call;
        let seen = state.seen(peer, now);
        seen.heard = now;
        seen.until = now + after_call;
        state.watch(peer, now);
    }

    /// A live stream of a peer began, on one of its devices perhaps.
    pub fn stream_opened(&self, peer: &PeerKey, device: Option<DeviceId>, now: Instant) {
        let mut state = self.state();
        state.seen(peer, now).opened(device, now);
        state.watch(peer, now);
    }

    /// A live stream of a peer ended.
    pub fn stream_closed(&self, peer: &PeerKey, device: Option<DeviceId>, now: Instant) {
        let mut state = self.state();
        // Also when it made a call lately: a closed page is gone soon.
        let until = now + state.patience.after_stream;
        state.seen(peer, now).closed(device, now, until);
        state.watch(peer, now);
    }

    /// A peer's devices that are live, for one who asks, as in [`Self::presences`].
    pub fn devices(&self, peer: &PeerKey, asker: Option<&PeerKey>, now: Instant) -> Vec<DeviceId> {
        let mut state = self.state();
        if asker != Some(peer) {
            state.owe(peer, now);
        }
        state.peers.get(peer).map(|seen| seen.live().collect()).unwrap_or_default()
    }

    /// How many devices are live.
    pub fn live_devices(&self) -> usize {
        self.state().peers.values().map(|seen| seen.live().count()).sum()
    }

    /// Whether a peer was heard from lately.
    pub fn is_active(&self, peer: &PeerKey, now: Instant) -> bool {
        self.state().peers.get(peer).is_some_and(|seen| seen.is_active(now))
    }

    /// When a peer was last heard from; `None` when not since the start.
    pub fn last_seen(&self, peer: &PeerKey, now: Instant) -> Option<Timestamp> {
        let state = self.state();
        state.peers.get(peer).map(|seen| state.wall(seen.last_seen(now)))
    }

    /// The active peers and when each was last heard from, in no order.
    pub fn active(&self, now: Instant) -> Vec<(PeerKey, Timestamp)> {
        let state = self.state();
        let active = state.peers.iter().filter(|(_, seen)| seen.is_active(now));
        active.map(|(peer, seen)| (peer.clone(), state.wall(seen.last_seen(now)))).collect()
    }

    /// A peer as it is at this moment.
    pub fn presence(&self, peer: &PeerKey, now: Instant) -> Presence {
        self.state().presence(peer, now)
    }

    /// Several peers as they are at this moment, in the order given, for one who asks. What nobody was told of
    /// them yet will be told, although it may be over by then: or the asker would go on believing it. Of itself
    /// the asker needs no news.
    pub fn presences<'a>(
        &self,
        peers: impl IntoIterator<Item = &'a PeerKey>,
        asker: Option<&PeerKey>,
        now: Instant,
    ) -> Vec<Presence> {
        let mut state = self.state();
        let shown = peers.into_iter().map(|peer| {
            if asker != Some(peer) {
                state.owe(peer, now);
            }
            state.presence(peer, now)
        });
        shown.collect()
    }

    /// Of whom others should be told now. Each stays due until [`Self::told`].
    pub fn due(&self, now: Instant) -> Vec<(PeerKey, Presence)> {
        let mut state = self.state();
        let State { patience, peers, watched, .. } = &mut *state;
        let mut due = Vec::new();
        watched.retain(|peer| {
            let Some(seen) = peers.get_mut(peer) else { return false };
            let settled = seen.settled(now, patience.settle);
            if settled == seen.told && !seen.owes_news(now, patience.settle) {
                // A stream's end wakes the watch again; only time passing does not.
                return seen.may_change(now);
            }
            due.push((peer.clone(), settled));
            true
        });
        let shown = due.into_iter().map(|(peer, status)| {
            let presence = state.shown(&peer, status, now);
            (peer, presence)
        });
        shown.collect()
    }

    /// Others are told this.
    pub fn told(&self, peer: &PeerKey, presence: &Presence, now: Instant) {
        if let Some(seen) = self.state().peers.get_mut(peer) {
            seen.told = Status::of(presence);
            // Unless it was shown otherwise since it was due.
            seen.shown &= seen.differs(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn seen(&mut self, peer: &PeerKey, now: Instant) -> &mut Seen {
        self.peers.entry(peer.clone()).or_insert_with(|| Seen::new(now))
    }

    /// Calls are many: only a peer that others see differently is worth watching.
    fn watch(&mut self, peer: &PeerKey, now: Instant) {
        let differs = self.peers.get(peer).is_some_and(|seen| seen.differs(now));
        if differs && !self.watched.contains(peer) {
            self.watched.insert(peer.clone());
        }
    }

    /// Somebody is shown a peer as it is. Where others know something else, this is remembered.
    fn owe(&mut self, peer: &PeerKey, now: Instant) {
        let Some(seen) = self.peers.get_mut(peer) else { return };
        if !seen.shown && seen.differs(now) {
            seen.shown = true;
            self.watched.insert(peer.clone());
        }
    }

    fn presence(&self, peer: &PeerKey, now: Instant) -> Presence {
        let status = self.peers.get(peer).map(|seen| seen.status(now)).unwrap_or_default();
        self.shown(peer, status, now)
    }

    fn shown(&self, peer: &PeerKey, status: Status, now: Instant) -> Presence {
        let seen = self.peers.get(peer);
        Presence {
            peer_id: peer.id().clone(),
            active: status.active,
            online: status.online,
            last_seen: seen.map(|seen| crate::clock::rfc3339(self.wall(seen.last_seen(now)))),
            devices: status.devices,
        }
    }

    fn wall(&self, at: Instant) -> Timestamp {
        let (instant, timestamp) = self.started;
        let passed = jiff::SignedDuration::try_from(at.saturating_duration_since(instant));
        passed.ok().and_then(|passed| timestamp.checked_add(passed).ok()).unwrap_or(timestamp)
    }
}

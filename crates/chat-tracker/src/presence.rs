//! Who is there: derived from live streams and calls, never stored.
//!
//! A peer with a live stream is online. Without one it stays active for a while after it was last heard
//! from: long for those who only make calls (a person who types curl), short after a stream ended.
//! What others are told is coalesced: a page's reload, which ends a stream and opens the next one, is
//! told to nobody.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wire::chat::Presence;

use crate::peers::PeerKey;

/// How long a peer counts as being there, and who is told.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Active after a call, without a live stream.
    pub after_call: Duration,
    /// Active after the last live stream ended.
    pub after_stream: Duration,
    /// Offline for so long before others are told.
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

struct Seen {
    streams: usize,
    heard: Instant,
    /// When its last stream ended.
    closed: Instant,
    /// Active until then without a stream.
    until: Instant,
    told: Status,
}

/// What others know of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Status {
    active: bool,
    online: bool,
}

impl Seen {
    fn status(&self, now: Instant) -> Status {
        let online = self.streams > 0;
        Status { active: online || now < self.until, online }
    }

    fn last_seen(&self, now: Instant) -> Instant {
        if self.streams > 0 { now } else { self.heard }
    }
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

    /// A live stream of a peer began.
    pub fn stream_opened(&self, peer: &PeerKey, now: Instant) {
        let mut state = self.state();
        let seen = state.seen(peer, now);
        seen.streams += 1;
        seen.heard = now;
        state.watch(peer, now);
    }

    /// A live stream of a peer ended.
    pub fn stream_closed(&self, peer: &PeerKey, now: Instant) {
        let mut state = self.state();
        let after_stream = state.patience.after_stream;
        let seen = state.seen(peer, now);
        seen.streams = seen.streams.saturating_sub(1);
        seen.heard = now;
        seen.closed = now;
        // Also when it made a call lately: a closed page is gone soon.
        seen.until = now + after_stream;
        state.watch(peer, now);
    }

    /// Whether a peer was heard from lately.
    pub fn is_active(&self, peer: &PeerKey, now: Instant) -> bool {
        self.state().peers.get(peer).is_some_and(|seen| seen.status(now).active)
    }

    /// When a peer was last heard from; `None` when not since the start.
    pub fn last_seen(&self, peer: &PeerKey, now: Instant) -> Option<Timestamp> {
        let state = self.state();
        state.peers.get(peer).map(|seen| state.wall(seen.last_seen(now)))
    }

    /// The active peers and when each was last heard from, in no order.
    pub fn active(&self, now: Instant) -> Vec<(PeerKey, Timestamp)> {
        let state = self.state();
        let active = state.peers.iter().filter(|(_, seen)| seen.status(now).active);
        active.map(|(peer, seen)| (peer.clone(), state.wall(seen.last_seen(now)))).collect()
    }

    /// A peer as others see it.
    pub fn presence(&self, peer: &PeerKey, now: Instant) -> Presence {
        self.state().presence(peer, now)
    }

    /// Several peers as others see them, in the order given.
    pub fn presences<'a>(
        &self,
        peers: impl IntoIterator<Item = &'a PeerKey>,
        now: Instant,
    ) -> Vec<Presence> {
        let state = self.state();
        peers.into_iter().map(|peer| state.presence(peer, now)).collect()
    }

    /// Of whom others should be told now. Each stays due until [`Self::told`].
    pub fn due(&self, now: Instant) -> Vec<(PeerKey, Presence)> {
        let mut state = self.state();
        let State { patience, peers, watched, .. } = &mut *state;
        let mut due = Vec::new();
        watched.retain(|peer| {
            let Some(seen) = peers.get(peer) else { return false };
            let status = seen.status(now);
            if status == seen.told {
                // A stream's end wakes the watch again; only time passing does not.
                return status.active && !status.online;
            }
            let settled =
                !seen.told.online || status.online || now >= seen.closed + patience.settle;
            if settled {
                due.push(peer.clone());
            }
            true
        });
        due.into_iter().map(|peer| (peer.clone(), state.presence(&peer, now))).collect()
    }

    /// Others were told this.
    pub fn told(&self, peer: &PeerKey, presence: &Presence) {
        if let Some(seen) = self.state().peers.get_mut(peer) {
            seen.told = Status { active: presence.active, online: presence.online };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn seen(&mut self, peer: &PeerKey, now: Instant) -> &mut Seen {
        self.peers.entry(peer.clone()).or_insert_with(|| Seen {
            streams: 0,
            heard: now,
            closed: now,
            until: now,
            told: Status::default(),
        })
    }

    /// Calls are many: only a peer that others see differently is worth watching.
    fn watch(&mut self, peer: &PeerKey, now: Instant) {
        let differs = self.peers.get(peer).is_some_and(|seen| seen.status(now) != seen.told);
        if differs && !self.watched.contains(peer) {
            self.watched.insert(peer.clone());
        }
    }

    fn presence(&self, peer: &PeerKey, now: Instant) -> Presence {
        let seen = self.peers.get(peer);
        let status = seen.map(|seen| seen.status(now)).unwrap_or_default();
        Presence {
            peer_id: peer.id().clone(),
            active: status.active,
            online: status.online,
            last_seen: seen.map(|seen| crate::clock::rfc3339(self.wall(seen.last_seen(now)))),
            devices: Vec::new(),
        }
    }

    fn wall(&self, at: Instant) -> Timestamp {
        let (instant, timestamp) = self.started;
        let passed = jiff::SignedDuration::try_from(at.saturating_duration_since(instant));
        passed.ok().and_then(|passed| timestamp.checked_add(passed).ok()).unwrap_or(timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::PeerId;

    fn peer(id: &str) -> PeerKey {
        PeerKey::of(PeerId::parse(id).unwrap())
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Tells everything that is due: `(id, active, online)`.
    fn tell(directory: &Directory, now: Instant) -> Vec<(String, bool, bool)> {
        let mut told: Vec<_> = directory
            .due(now)
            .into_iter()
            .map(|(peer, presence)| {
                directory.told(&peer, &presence);
                (presence.peer_id.to_string(), presence.active, presence.online)
            })
            .collect();
        told.sort();
        told
    }

    fn directory() -> (Directory, Instant) {
        let now = Instant::now();
        (Directory::new(Patience::default(), now), now)
    }

    #[test]
    fn a_caller_without_a_stream_is_active_for_ten_minutes() {
        let (directory, start) = directory();
        directory.heard(&peer("curl"), start);
        assert_eq!(tell(&directory, start), [("curl".into(), true, false)]);
        assert!(directory.is_active(&peer("CURL"), start + secs(599)));
        assert!(tell(&directory, start + secs(599)).is_empty());
        assert!(!directory.is_active(&peer("curl"), start + secs(600)));
        assert!(directory.active(start + secs(600)).is_empty());
        assert_eq!(tell(&directory, start + secs(600)), [("curl".into(), false, false)]);
        assert!(tell(&directory, start + secs(601)).is_empty());
    }

    #[test]
    fn a_peer_is_active_for_a_minute_after_its_last_stream_although_it_made_calls() {
        let (directory, start) = directory();
        let alice = peer("alice");
        directory.heard(&alice, start);
        directory.stream_opened(&alice, start);
        directory.stream_opened(&alice, start);
        directory.stream_closed(&alice, start + secs(1000));
        assert!(directory.presence(&alice, start + secs(5000)).online);
        directory.stream_closed(&alice, start + secs(5000));
        assert!(directory.is_active(&alice, start + secs(5059)));
        assert!(!directory.is_active(&alice, start + secs(5060)));
    }

    #[test]
    fn a_reload_is_told_to_nobody() {
        let (directory, start) = directory();
        let alice = peer("alice");
        directory.stream_opened(&alice, start);
        assert_eq!(tell(&directory, start), [("alice".into(), true, true)]);
        directory.stream_closed(&alice, start + secs(10));
        assert!(tell(&directory, start + secs(11)).is_empty());
        directory.stream_opened(&alice, start + secs(12));
        assert!(tell(&directory, start + secs(100)).is_empty());
    }

    #[test]
    fn going_away_is_told_in_two_steps() {
        let (directory, start) = directory();
        let alice = peer("alice");
        directory.stream_opened(&alice, start);
        tell(&directory, start);
        directory.stream_closed(&alice, start + secs(10));
        assert!(tell(&directory, start + secs(14)).is_empty());
        assert_eq!(tell(&directory, start + secs(15)), [("alice".into(), true, false)]);
        assert_eq!(tell(&directory, start + secs(70)), [("alice".into(), false, false)]);
    }

    #[test]
    fn what_was_not_told_stays_due() {
        let (directory, start) = directory();
        directory.stream_opened(&peer("alice"), start);
        assert_eq!(directory.due(start).len(), 1);
        assert_eq!(directory.due(start + secs(1)).len(), 1);
    }

    #[test]
    fn last_seen_is_now_for_an_online_peer_and_the_last_call_for_another() {
        let (directory, start) = directory();
        directory.stream_opened(&peer("alice"), start);
        directory.heard(&peer("curl"), start + secs(1));
        let now = start + secs(100);
        let alice = directory.last_seen(&peer("alice"), now).unwrap();
        let curl = directory.last_seen(&peer("curl"), now).unwrap();
        assert_eq!(alice.duration_since(curl).as_secs(), 99);
        assert!(directory.last_seen(&peer("nobody"), now).is_none());
    }
}

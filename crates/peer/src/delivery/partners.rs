//! Which devices of a peer are live, as far as is known.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use wire::{DeviceId, PeerId};

/// What is known of a peer for longer is asked again before it is relied on: only those who share a channel
/// are told who comes and goes.
const FRESH: Duration = Duration::from_secs(10);
/// That nobody is live gets old sooner: whoever comes back wants to be found.
const FRESH_ABSENCE: Duration = Duration::from_secs(2);
/// The soonest that the tracker is asked about the same peer again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Whether two ids are spellings of one peer.
pub fn same(one: &PeerId, other: &PeerId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// What is known of one peer.
#[derive(Debug, Default)]
struct Partner {
    live: BTreeSet<DeviceId>,
    /// When that was told; `None` when it can't be relied on.
    told: Option<Instant>,
    asked: Option<Instant>,
    /// Which of all presences that the live stream told was its last; 0 when none was.
    heard: u64,
    /// Until when links to devices that come are wanted without a message.
    warm: Option<Instant>,
}

/// What is known of all peers.
#[derive(Debug, Default)]
pub struct Partners {
    known: HashMap<String, Partner>,
    /// Presences that the live stream told so far.
    heard: u64,
}

/// When the tracker was asked, in presences: its answer doesn't know of later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked(u64);

/// How a peer's devices have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Live now, and not before.
    pub came: Vec<DeviceId>,
    /// Live before, and not now.
    pub went: Vec<DeviceId>,
}

impl Partners {
    /// The live stream tells of a peer: answers to what was asked before are older.
    pub fn hear(&mut self, peer: &str) {
        self.heard += 1;
        self.known.entry(peer.to_owned()).or_default().heard = self.heard;
    }

    /// The time, for a question that is put now.
    pub fn asked(&self) -> Asked {
        Asked(self.heard)
    }

    /// Whether the live stream told of a peer since a question was put. The answer may have been given before that, or after; the stream is
    /// right either way, since it tells of whatever comes later, too.
    pub fn has_heard_since(&self, peer: &str, Asked(asked): Asked) -> bool {
        self.known.get(peer).is_some_and(|partner| partner.heard > asked)
    }

    /// The tracker tells a peer's live devices.
    pub fn told(&mut self, peer: &str, devices: &[DeviceId], now: Instant) -> Change {
        let partner = self.known.entry(peer.to_owned()).or_default();
        let live: BTreeSet<DeviceId> = devices.iter().copied().collect();
        let change = Change {
            came: live.difference(&partner.live).copied().collect(),
            went: partner.live.difference(&live).copied().collect(),
        };
        partner.live = live;
        partner.told = Some(now);
        change
    }

    /// The devices that were live when the tracker last told.
    pub fn live(&self, peer: &str) -> impl Iterator<Item = DeviceId> + '_ {
        self.known.get(peer).into_iter().flat_map(|partner| partner.live.iter().copied())
    }

    /// Whether a device was live when the tracker last told.
    pub fn is_live(&self, peer: &str, device: DeviceId) -> bool {
        self.known.get(peer).is_some_and(|partner| partner.live.contains(&device))
    }

    /// Whether what is known is new enough to rely on.
    pub fn is_fresh(&self, peer: &str, now: Instant) -> bool {
        let Some(Partner { live, told: Some(told), .. }) = self.known.get(peer) else {
            return false;
        };
        let lasts = if live.is_empty() { FRESH_ABSENCE } else { FRESH };
        now.saturating_duration_since(*told) < lasts
    }

    /// The tracker should be asked again, however lately it was asked.
    pub fn ask_again(&mut self, peer: &str) {
        if let Some(partner) = self.known.get_mut(peer) {
            (partner.told, partner.asked) = (None, None);
        }
    }

    /// Whether the tracker should be asked now; if so, that counts as done.
    pub fn ask(&mut self, peer: &str, now: Instant) -> bool {
        let partner = self.known.entry(peer.to_owned()).or_default();
        let lately = |asked| now.saturating_duration_since(asked) < ASK_EVERY;
        if partner.asked.is_some_and(lately) {
            return false;
        }
        partner.asked = Some(now);
        true
    }

    /// Something was said, or is about to be: links are wanted until then.
    pub fn warm(&mut self, peer: &str, until: Instant) {
        let partner = self.known.entry(peer.to_owned()).or_default();
        partner.warm = partner.warm.max(Some(until));
    }

    /// Whether links are wanted without a message.
    pub fn is_warm(&self, peer: &str, now: Instant) -> bool {
        self.known.get(peer).and_then(|partner| partner.warm).is_some_and(|until| now < until)
    }

    /// The tracker is away: what it told can't be relied on.
    pub fn doubt(&mut self) {
        for partner in self.known.values_mut() {
            partner.told = None;
            partner.asked = None;
        }
    }

    /// The peers with whom talk is warm.
    pub fn warm_ones(&self, now: Instant) -> Vec<String> {
        self.known.keys().filter(|peer| self.is_warm(peer, now)).cloned().collect()
    }

    /// Forgets peers that nothing is known of any more and that nobody asks about: presence of a large chat would fill
    /// the memory otherwise.
    pub fn prune(&mut self, most: usize, now: Instant) {
        if self.known.len() > most {
            self.known.retain(|_, partner| {
                !partner.live.is_empty() || partner.warm.is_some_and(|until| now < until)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DeviceId = DeviceId::new([1; 16]);
    const TWO: DeviceId = DeviceId::new([2; 16]);

    #[test]
    fn who_came_and_who_went_is_told_once() {
        let mut partners = Partners::default();
        let now = Instant::now();
        assert_eq!(partners.told("bob", &[ONE], now), Change { came: vec![ONE], went: vec![] });
        assert_eq!(partners.told("bob", &[TWO], now), Change { came: vec![TWO], went: vec![ONE] });
        assert_eq!(partners.told("bob", &[TWO], now), Change::default());
    }

    #[test]
    fn what_is_known_gets_old_and_the_tracker_is_not_asked_twice_at_once() {
        let mut partners = Partners::default();
        let now = Instant::now();
        assert!(!partners.is_fresh("bob", now));
        assert!(partners.ask("bob", now) && !partners.ask("bob", now));
        partners.told("bob", &[ONE], now);
        assert!(partners.is_fresh("bob", now + FRESH_ABSENCE));
        assert!(!partners.is_fresh("bob", now + FRESH));
        partners.told("bob", &[], now);
        assert!(partners.is_fresh("bob", now) && !partners.is_fresh("bob", now + FRESH_ABSENCE));
        assert!(partners.ask("bob", now + ASK_EVERY));
        partners.doubt();
        assert!(!partners.is_fresh("bob", now) && partners.ask("bob", now));
        partners.told("bob", &[ONE], now);
        partners.ask_again("bob");
        assert!(!partners.is_fresh("bob", now) && partners.ask("bob", now));
    }

    #[test]
    fn those_that_are_away_are_forgotten_when_there_are_many() {
        let mut partners = Partners::default();
        let now = Instant::now();
        partners.told("live", &[ONE], now);
        partners.told("away", &[], now);
        partners.warm("warm", now + FRESH);
        partners.prune(2, now);
        assert!(partners.is_live("live", ONE) && partners.is_warm("warm", now));
        assert!(!partners.is_fresh("away", now));
    }
}

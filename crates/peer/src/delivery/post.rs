//! What waits for the mailbox, and its pace.
//!
//! Messages go there in the order in which they were written, a few at a time, and not faster than a tracker takes them
//! from one peer: one that it turned away in the middle would lose its place.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Messages on their way to the mailbox at once.
const AT_ONCE: usize = 16;
/// Messages a second, on average and after a pause.
const PACE: u32 = 200;
/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The queue in front of the mailboxes.
#[derive(Debug)]
pub struct Post {
    /// The place in the outbox, and whose mailbox.
    waiting: BTreeMap<u64, String>,
    under_way: usize,
    /// When the next one may go.
    next: Instant,
    /// Nothing goes before, after a failure; and how long the next wait would be.
    pause: Option<Instant>,
    wait: Duration,
    /// Full mailboxes, and when they are tried again.
    full: HashMap<String, Instant>,
}

impl Post {
    /// An empty one.
    pub fn new(now: Instant) -> Self {
        Self {
            waiting: BTreeMap::new(),
            under_way: 0,
            next: a_second_before(now),
            pause: None,
            wait: WAITS.0,
            full: HashMap::new(),
        }
    }

    /// A message waits for a mailbox.
    pub fn add(&mut self, place: u64, peer: String) {
        self.waiting.insert(place, peer);
    }

    /// A message needs no mailbox any more.
    pub fn remove(&mut self, place: u64) {
        self.waiting.remove(&place);
    }

    /// The next message that may go now.
    pub fn next(&mut self, now: Instant) -> Option<u64> {
        if self.under_way >= AT_ONCE || now < self.next || self.pause.is_some_and(|at| now < at) {
            return None;
        }
        self.pause = None;
        self.full.retain(|_, again| now < *again);
        let place = *self.waiting.iter().find(|(_, peer)| !self.full.contains_key(*peer))?.0;
        self.waiting.remove(&place);
        self.under_way += 1;
        // A second without messages lets a burst through; beyond it, each waits its turn.
        let step = Duration::from_secs(1) / PACE;
        self.next = self.next.max(a_second_before(now)) + step;
        Some(place)
    }

    /// One was taken, or turned away for good.
    pub fn settled(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.wait = WAITS.0;
    }

    /// The server can't take any now: this one waits again.
    pub fn failed(&mut self, place: u64, peer: String, after: Option<Duration>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.add(place, peer);
        // Of several that fail together, the first one sets the pause.
        if self.pause.is_none() {
            self.pause = Some(now + self.wait.max(after.unwrap_or_default()));
            self.wait = (self.wait * 2).min(WAITS.1);
        }
    }

    /// This mailbox is full: its messages wait, and nobody else's.
    pub fn full(&mut self, place: u64, peer: String, after: Option<Duration>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.full.insert(peer.clone(), now + after.unwrap_or(WAITS.1));
        self.add(place, peer);
    }

    /// The server is back: no more pause.
    pub fn online(&mut self) {
        self.pause = None;
        self.wait = WAITS.0;
    }

    /// Whether something waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn a_second_before(now: Instant) -> Instant {
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> String {
        "bob".to_owned()
    }

    #[test]
    fn messages_go_in_order_a_few_at_a_time() {
        let now = Instant::now() + Duration::from_secs(10);
        let mut post = Post::new(now - Duration::from_secs(5));
        (0..100).rev().for_each(|place| post.add(place, bob()));
        let sent: Vec<u64> = std::iter::from_fn(|| post.next(now)).collect();
        assert_eq!(sent, (0..16).collect::<Vec<u64>>());
        post.settled();
        assert_eq!(post.next(now), Some(16));
        assert_eq!(post.next(now), None);
    }

    #[test]
    fn no_more_than_the_pace_goes_out_in_a_second() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut post = Post::new(start - Duration::from_secs(5));
        (0..5000).for_each(|place| post.add(place, bob()));
        let mut sent = 0;
        for millis in 0..1000 {
            while post.next(start + Duration::from_millis(millis)).is_some() {
                post.settled();
                sent += 1;
            }
        }
        assert!((390..=401).contains(&sent), "the burst and one second: {sent}");
    }

    #[test]
    fn after_a_failure_all_wait_and_a_full_mailbox_stops_nobody_else() {
        let now = Instant::now();
        let mut post = Post::new(now);
        post.add(1, bob());
        assert_eq!(post.next(now), Some(1));
        post.failed(1, bob(), None, now);
        assert_eq!(post.next(now + Duration::from_millis(999)), None);
        let now = now + Duration::from_secs(1);
        assert_eq!(post.next(now), Some(1));
        post.full(1, bob(), Some(Duration::from_secs(60)), now);
        post.add(2, "carol".to_owned());
        let now = now + Duration::from_secs(1);
        assert_eq!((post.next(now), post.next(now)), (Some(2), None));
        assert_eq!(post.next(now + Duration::from_secs(60)), Some(1));
    }
}

//! How often a peer may call, and an address ask: a bucket for each, which fills at a steady rate.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Buckets at most. A full bucket is as good as none, so full ones are dropped first.
const BUCKETS: usize = 65_536;

/// All buckets, by whose they are. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rates<K> {
    rate: f64,
    burst: f64,
    // A std lock: held for a map operation.
    buckets: Arc<Mutex<HashMap<K, Bucket>>>,
}

struct Bucket {
    calls: f64,
    at: Instant,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// `rate` calls a second, `burst` at once; a rate of 0 is no limit.
    pub(crate) fn new(rate: u32, burst: u32) -> Self {
        Self { rate: f64::from(rate), burst: f64::from(burst), buckets: Arc::default() }
    }

    /// Takes a call out of a bucket.
    ///
    /// # Errors
    /// Seconds to wait.
    pub(crate) fn take(&self, key: &K, now: Instant) -> Result<(), u64> {
        if self.rate <= 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS && !buckets.contains_key(key) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.burst);
            // All in use at once: forgetting them is generous, which is better than growing.
            if buckets.len() >= BUCKETS {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key.clone()).or_insert(Bucket { calls: self.burst, at: now });
        let calls = self.filled(bucket, now);
        *bucket = Bucket { calls: calls - 1.0, at: now };
        if calls < 1.0 {
            bucket.calls = calls;
            return Err(((1.0 - calls) / self.rate).ceil().max(1.0) as u64);
        }
        Ok(())
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.calls + since * self.rate).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wire::PeerId;

    use crate::peers::PeerKey;

    #[test]
    fn a_burst_passes_then_the_rate_decides_and_peers_do_not_share() {
        let rates = Rates::new(2, 3);
        let alice = PeerKey::of(PeerId::parse("alice").unwrap());
        let bob = PeerKey::of(PeerId::parse("bob").unwrap());
        let now = Instant::now();
        let passed = (0..10).filter(|_| rates.take(&alice, now).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(rates.take(&alice, now), Err(1));
        assert!(rates.take(&bob, now).is_ok());
        let later = now + Duration::from_secs(1);
        let passed = (0..10).filter(|_| rates.take(&alice, later).is_ok()).count();
        assert_eq!(passed, 2);
    }
}

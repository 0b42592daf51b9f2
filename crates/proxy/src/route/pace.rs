//! How often something may happen: the generic cell rate algorithm, with the time passed in.
//!
//! One number is kept for each who is counted: the time at which all that happened so far would be paid
//! for, if one happened every interval. Whoever is ahead of the clock by more than the burst has to wait.

use std::time::Duration;

use http::HeaderName;

/// `rate_limit` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// How often a request may come.
    pub pace: Pace,
    /// Who is counted together.
    pub by: RateBy,
    /// How many are remembered; beyond it the one who was away for longest is forgotten.
    pub clients: usize,
}

/// Who is counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateBy {
    /// Each client by its address, IPv6 by its network (/64).
    Client,
    /// Everyone.
    Route,
    /// Each value of a header; whoever sends none is counted by address.
    Header(HeaderName),
}

/// So many in a time, some of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nanoseconds that one takes.
    interval: u64,
    /// How far ahead of the clock one may be, in nanoseconds.
    ahead: u64,
}

impl Pace {
    /// `requests` in `per`, `burst` at once; both at least 1.
    #[must_use]
    pub fn new(requests: u32, per: Duration, burst: u32) -> Self {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval = per.div_ceil(u64::from(requests.max(1))).max(1);
        Self { interval, ahead: interval.saturating_mul(u64::from(burst.max(1) - 1)) }
    }

    /// The time that one takes.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// Whether one more may happen at `now`, after what `paid` stands for (0: nothing yet). Both are
    /// nanoseconds since the same moment.
    ///
    /// # Errors
    /// The nanoseconds after which it may.
    pub fn admit(self, paid: u64, now: u64) -> Result<u64, u64> {
        let paid = paid.max(now);
        let wait = (paid - now).saturating_sub(self.ahead);
        if wait == 0 { Ok(paid.saturating_add(self.interval)) } else { Err(wait) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_one_every_interval() {
        let pace = Pace::new(100, Duration::from_secs(60), 20);
        let second = 1_000_000_000;
        let mut paid = 0;
        for _ in 0..20 {
            paid = pace.admit(paid, second).unwrap();
        }
        assert_eq!(pace.admit(paid, second), Err(600_000_000));
        paid = pace.admit(paid, second + 600_000_000).unwrap();
        assert_eq!(pace.admit(paid, second + 600_000_000), Err(600_000_000));
        // Whoever rested for long enough has the whole burst again, and no more.
        let later = second * 1000;
        for _ in 0..20 {
            paid = pace.admit(paid, later).unwrap();
        }
        assert!(pace.admit(paid, later).is_err());
    }

    proptest! {
        /// Over any stretch of time no more pass than the burst and what the rate gives.
        #[test]
        fn no_pattern_of_requests_beats_the_limit(
            requests in 1_u32..50,
            per_ms in 1_u64..5_000,
            burst in 1_u32..20,
            gaps in proptest::collection::vec(0_u64..400_000_000, 1..200),
        ) {
            let pace = Pace::new(requests, Duration::from_millis(per_ms), burst);
            let (mut paid, mut now) = (0, 1);
            let mut passed = Vec::new();
            for gap in gaps {
                now += gap;
                match pace.admit(paid, now) {
                    Ok(next) => {
                        paid = next;
                        passed.push(now);
                    }
                    Err(wait) => {
                        // The wait that was told is right to the nanosecond.
                        prop_assert!(pace.admit(paid, now + wait - 1).is_err());
                        prop_assert!(pace.admit(paid, now + wait).is_ok());
                    }
                }
            }
            for (nth, start) in passed.iter().enumerate() {
                for (count, end) in passed[nth..].iter().enumerate() {
                    let count = count as u64 + 1;
                    let fair = u64::from(burst) + (end - start) / pace.interval;
                    prop_assert!(count <= fair, "{} passed where {} may", count, fair);
                }
            }
        }

        /// Whoever keeps to the rate is never refused.
        #[test]
        fn the_rate_itself_always_passes(requests in 1_u32..1000, per_ms in 1_u64..100_000, burst in 1_u32..5) {
            let pace = Pace::new(requests, Duration::from_millis(per_ms), burst);
            let mut paid = 0;
            for nth in 0..500 {
                paid = pace.admit(paid, nth * pace.interval).expect("in time");
            }
        }
    }
}

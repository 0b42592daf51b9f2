//! Requests of one route spread over several upstreams by weight, such as a few to a new version.

use crate::config::HashBy;

/// The upstreams of a route, and the share of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    shares: Vec<Share>,
    total: u64,
    /// What keeps a client with its upstream; `None`: each request is spread by itself.
    pub by: Option<HashBy>,
}

/// An upstream, and where its part of the line from 0 to the total ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    upstream: usize,
    end: u64,
}

impl Split {
    /// Upstreams by position, with their weights. Not all weights may be zero.
    pub(crate) fn new(weights: &[(usize, u32)], by: Option<HashBy>) -> Option<Self> {
        let mut total = 0;
        let mut shares = Vec::new();
        for &(upstream, weight) in weights {
            total += u64::from(weight);
            shares.push(Share { upstream, end: total });
        }
        (total > 0).then_some(Self { shares, total, by })
    }

    /// The upstream at a point of all that there are. Equal points lead to the same one, and when the last
    /// upstream of the list gets a larger share, whoever was with it stays.
    #[must_use]
    pub fn at(&self, point: u64) -> usize {
        let place = (u128::from(point) * u128::from(self.total)) >> 64;
        let share = self.shares.iter().find(|share| place < u128::from(share.end));
        share.or(self.shares.last()).map_or(0, |share| share.upstream)
    }

    /// All weights together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The upstreams with their weights.
    pub fn weights(&self) -> impl Iterator<Item = (usize, u64)> {
        let mut before = 0;
        self.shares.iter().map(move |share| {
            (share.upstream, share.end - std::mem::replace(&mut before, share.end))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_upstream_without_weight_gets_nothing() {
        let split = Split::new(&[(5, 0), (7, 3), (9, 0)], None).unwrap();
        assert!([0, 1, u64::MAX / 2, u64::MAX].into_iter().all(|point| split.at(point) == 7));
        assert_eq!(split.weights().collect::<Vec<_>>(), [(5, 0), (7, 3), (9, 0)]);
        assert_eq!(split.total(), 3);
        assert_eq!(Split::new(&[(5, 0)], None), None);
        assert_eq!(Split::new(&[], None), None);
    }

    proptest! {
        #[test]
        fn shares_follow_the_weights(weights in proptest::collection::vec(0_u32..1000, 1..6)) {
            let list: Vec<_> = weights.iter().copied().enumerate().collect();
            let total: u64 = weights.iter().copied().map(u64::from).sum();
            let Some(split) = Split::new(&list, None) else {
                prop_assert_eq!(total, 0);
                return Ok(());
            };
            const POINTS: u64 = 10_000;
            let mut counts = vec![0_u64; weights.len()];
            for step in 0..POINTS {
                counts[split.at(step * (u64::MAX / POINTS))] += 1;
            }
            for (count, weight) in counts.iter().zip(&weights) {
                let fair = POINTS * u64::from(*weight) / total;
                prop_assert!(count.abs_diff(fair) <= 2, "{} instead of {}", count, fair);
                prop_assert!(*weight > 0 || *count == 0);
            }
        }

        #[test]
        fn whoever_is_with_the_canary_stays_when_it_grows(
            point in any::<u64>(), small in 1_u32..50, more in 0_u32..50,
        ) {
            let split = |canary| Split::new(&[(0, 100 - canary), (1, canary)], None).expect("weights");
            if split(small).at(point) == 1 {
                prop_assert_eq!(split(small + more).at(point), 1);
            }
        }
    }
}

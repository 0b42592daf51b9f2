//! How long a client may take over a request body. Only the time counts in which the client is waited for:
//! a slow upstream is not its fault.

use std::time::Duration;

/// The limits of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest silence.
    pub idle: Duration,
    /// Longest wait over the whole body; `None`: as long as it goes on.
    pub total: Option<Duration>,
    /// Bytes a second, on average, after a first wait of `idle`; 0: any.
    pub min_rate: u64,
}

impl Patience {
    /// The milliseconds that a client may still be waited for, after it sent so many bytes and was waited
    /// for so long.
    #[must_use]
    pub fn left(&self, bytes: u64, waited_ms: u64) -> u64 {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let idle = millis(self.idle);
        let total = self.total.map_or(u64::MAX, millis);
        let earned = match self.min_rate {
            0 => u64::MAX,
            rate => idle.saturating_add(bytes.saturating_mul(1000) / rate),
        };
        idle.min(total.min(earned).saturating_sub(waited_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    #[test]
    fn a_client_that_drips_runs_out_of_time_and_one_that_sends_does_not() {
        let patience = Patience { idle: IDLE, total: None, min_rate: 240 };
        assert_eq!(patience.left(0, 0), 30_000);
        assert_eq!(patience.left(1, 29_000), 1_004, "a byte buys four milliseconds");
        assert_eq!(patience.left(2, 31_000), 0);
        assert_eq!(patience.left(24_000, 90_000), 30_000, "as fast as it must be");
        assert_eq!(patience.left(u64::MAX, u64::MAX), 0);
        let any = Patience { min_rate: 0, ..patience };
        assert_eq!(any.left(1, u64::MAX / 2), 30_000);
        let short = Patience { total: Some(Duration::from_secs(60)), ..any };
        assert_eq!(short.left(u64::MAX, 20_000), 30_000);
        assert_eq!(short.left(u64::MAX, 50_000), 10_000);
        assert_eq!(short.left(u64::MAX, 61_000), 0);
    }

    proptest! {
        /// However a client spaces its bytes, it holds a place no longer than it pays for.
        #[test]
        fn no_rhythm_holds_a_place_for_longer(
            min_rate in 1_u64..10_000,
            steps in proptest::collection::vec((0_u64..40_000, 1_u64..5_000), 1..200),
        ) {
            let patience = Patience { idle: IDLE, total: None, min_rate };
            let (mut bytes, mut waited) = (0_u64, 0_u64);
            for (pause, sent) in steps {
                if pause > patience.left(bytes, waited) {
                    return Ok(());
                }
                waited += pause;
                let bought = 30_000 + bytes * 1000 / min_rate;
                prop_assert!(waited <= bought, "{} of {}", waited, bought);
                bytes += sent;
            }
        }
    }
}

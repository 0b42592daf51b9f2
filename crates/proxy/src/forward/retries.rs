//! How many requests may be sent a second time.

use std::cell::Cell;

/// The share of an upstream's requests that may be sent again, so that a failing server isn't flooded on
/// top.
#[derive(Debug)]
pub(crate) struct Retries {
    /// Hundredths of a retry that each request earns.
    earned: u32,
    tokens: Cell<u32>,
}

/// One retry.
const TOKEN: u32 = 100;
/// What can be saved up, and is there at the start.
const SAVED: u32 = 10 * TOKEN;

impl Retries {
    /// `budget` is in percent; nothing at all is sent again with a budget of 0.
    pub(crate) fn new(budget: u8) -> Self {
        let tokens = if budget == 0 { 0 } else { SAVED };
        Self { earned: u32::from(budget), tokens: Cell::new(tokens) }
    }

    /// A request was sent.
    pub(super) fn earn(&self) {
        self.tokens.set((self.tokens.get() + self.earned).min(SAVED));
    }

    /// A few are always allowed, three a second: called twice a second.
    pub(crate) fn refill(&self) {
        if self.earned > 0 {
            self.tokens.set((self.tokens.get() + 3 * TOKEN / 2).min(SAVED));
        }
    }

    /// Whether one may be sent again; if so, it is counted.
    pub(super) fn spend(&self) -> bool {
        match self.tokens.get().checked_sub(TOKEN) {
            Some(left) => {
                self.tokens.set(left);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(retries: &Retries) -> usize {
        std::iter::from_fn(|| retries.spend().then_some(())).count()
    }

    #[test]
    fn a_share_of_the_requests_may_be_sent_again_and_a_few_always() {
        let retries = Retries::new(20);
        assert_eq!(spent(&retries), 10, "saved up");
        (0..4).for_each(|_| retries.earn());
        assert_eq!(spent(&retries), 0);
        retries.earn();
        assert_eq!(spent(&retries), 1, "one for five");
        retries.refill();
        retries.refill();
        assert_eq!(spent(&retries), 3, "a second without requests");
        (0..1000).for_each(|_| retries.earn());
        assert_eq!(spent(&retries), 10, "no more can be saved up");
    }

    #[test]
    fn without_a_budget_nothing_is_sent_again() {
        let retries = Retries::new(0);
        retries.earn();
        retries.refill();
        assert_eq!(spent(&retries), 0);
    }
}

//! How many requests may be sent a second time. Each worker has its share of what is allowed to all.

use std::cell::Cell;

/// The share of an upstream's requests that may be sent again, so that a failing server isn't flooded on
/// top.
#[derive(Debug)]
pub(crate) struct Retries {
    /// Hundredths of a retry that each request earns.
    earned: u32,
    tokens: Cell<u32>,
    /// What can be saved up, and is there at the start.
    most: u32,
    /// What half a second brings.
    refilled: u32,
}

/// One retry.
const TOKEN: u32 = 100;
/// What all workers together can save up.
const SAVED: u32 = 10 * TOKEN;
/// What they are allowed in half a second, whatever there was to earn.
const ALLOWED: u32 = 3 * TOKEN / 2;

impl Retries {
    /// `budget` is in percent; nothing at all is sent again with a budget of 0. Of what is not earned a worker
    /// has its share, but can save up one retry in any case.
    pub(crate) fn new(budget: u8, workers: usize) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
        let most = if budget == 0 { 0 } else { (SAVED / workers).max(TOKEN) };
        let refilled = ALLOWED.div_ceil(workers);
        Self { earned: u32::from(budget), tokens: Cell::new(most), most, refilled }
    }

    /// A request was sent.
    pub(super) fn earn(&self) {
        self.tokens.set((self.tokens.get() + self.earned).min(self.most));
    }

    /// A few are always allowed, three a second: called twice a second.
    pub(crate) fn refill(&self) {
        self.tokens.set((self.tokens.get() + self.refilled).min(self.most));
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
        let retries = Retries::new(20, 1);
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
    fn workers_share_what_is_always_allowed_and_each_can_save_up_one() {
        let two = Retries::new(20, 2);
        assert_eq!(spent(&two), 5);
        two.refill();
        two.refill();
        assert_eq!(spent(&two), 1);
        let many = Retries::new(20, 64);
        assert_eq!(spent(&many), 1);
        // 64 of them: three a second.
        (0..43).for_each(|_| many.refill());
        assert_eq!(spent(&many), 1);
    }

    #[test]
    fn without_a_budget_nothing_is_sent_again() {
        let retries = Retries::new(0, 1);
        retries.earn();
        retries.refill();
        assert_eq!(spent(&retries), 0);
    }
}

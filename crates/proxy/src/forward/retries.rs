//! How many requests may be sent a second time.

use std::cell::Cell;

/// The share of requests that may be sent again, so that a failing server isn't flooded on top.
pub(crate) struct Retries {
    tokens: Cell<u32>,
}

/// A fifth of a token: what one request earns.
const EARNED: u32 = 1;
const TOKEN: u32 = 5;
/// Tokens that can be saved up, and that are there at the start.
const SAVED: u32 = 10 * TOKEN;

impl Retries {
    pub(crate) fn new() -> Self {
        Self { tokens: Cell::new(SAVED) }
    }

    /// A request was sent.
    pub(super) fn earn(&self) {
        self.tokens.set((self.tokens.get() + EARNED).min(SAVED));
    }

    /// A few a second are always allowed.
    pub(crate) fn refill(&self) {
        self.tokens.set((self.tokens.get() + 3 * TOKEN).min(SAVED));
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

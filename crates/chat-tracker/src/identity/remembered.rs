//! Verified tokens, remembered until they end: a signature costs some 30 µs to check, and the proxy sends
//! the same token with many calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::Account;

/// Tokens at most.
const TOKENS: usize = 16_384;

#[derive(Default)]
pub(super) struct Remembered(
    // A std lock: held for a map operation.
    Mutex<HashMap<[u8; 32], Entry>>,
);

struct Entry {
    until: i64,
    account: Arc<Account>,
}

impl Remembered {
    pub(super) fn get(&self, token: &str, now: i64) -> Option<Arc<Account>> {
        let key = key(token);
        let entries = self.lock();
        let entry = entries.get(&key)?;
        (now < entry.until).then(|| entry.account.clone())
    }

    pub(super) fn put(&self, token: &str, until: i64, account: Arc<Account>, now: i64) {
        let mut entries = self.lock();
        if entries.len() >= TOKENS {
            entries.retain(|_, entry| now < entry.until);
        }
        // Still full: so many live tokens are rare, and forgetting them costs one check each.
        if entries.len() >= TOKENS {
            entries.clear();
        }
        entries.insert(key(token), Entry { until, account });
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole token, signature included, decides; a hash of it keeps tokens out of memory dumps.
fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

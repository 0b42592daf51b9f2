//! Rate limits as they are kept: one table for all workers, bounded.
//!
//! Only routes with a `rate_limit` come here. Who is counted is known by a hash with a secret key, so an
//! entry has the same small size whatever a client sends, and nobody can pick a victim to share one with.
//! The table is cut into parts with a lock each, held for one look-up. When it is full, the entry that
//! was not used for longest makes room; entries that have nothing left to remember go before that.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lru::LruCache;

use crate::config::Config;
use crate::front::crowd::client_of;
use crate::lock::lock;
use crate::route::{Pace, RateBy, RateLimit, Route};

/// Parts of a table.
const PARTS: usize = 16;

/// The limit of one route.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) limit: RateLimit,
    /// The route it belongs to: a reload that changes neither route nor limit keeps the counts.
    of: (Box<str>, Arc<str>),
    started: Instant,
    secret: RandomState,
    /// Who to the time until which all is paid for.
    parts: Box<[Mutex<LruCache<u64, u64>>]>,
    most: usize,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who<'a> {
    Everyone,
    Address(IpAddr),
    Value(&'a [u8]),
}

impl Limiter {
    fn new(host: &str, route: &Route, limit: &RateLimit) -> Self {
        let parts = match limit.by {
            RateBy::Route => 1,
            _ => PARTS.min(limit.clients.max(1)),
        };
        Self {
            limit: limit.clone(),
            of: (host.into(), route.path.clone()),
            started: Instant::now(),
            secret: RandomState::new(),
            parts: (0..parts).map(|_| Mutex::new(LruCache::unbounded())).collect(),
            most: (limit.clients / parts).max(1),
        }
    }

    /// The limiters of a configuration, by the position of their routes.
    pub(crate) fn all(config: &Config, before: &[Option<Arc<Self>>]) -> Vec<Option<Arc<Self>>> {
        let limiter = |route: &Route| {
            let limit = route.rate_limit.as_deref()?;
            let host = config.routes.host_of(route);
            let kept = before
                .iter()
                .flatten()
                .find(|old| old.limit == *limit && *old.of.0 == *host && old.of.1 == route.path);
            Some(kept.cloned().unwrap_or_else(|| Arc::new(Self::new(host, route, limit))))
        };
        config.routes.iter().map(limiter).collect()
    }

    /// Counts a request that came at `now`.
    ///
    /// # Errors
    /// The whole seconds after which the next one may come.
    pub(crate) fn admit(&self, who: Who<'_>, now: Instant) -> Result<(), u64> {
        let since = now.saturating_duration_since(self.started).as_nanos();
        // 0 stands for never.
        let now = u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1);
        let key = self.secret.hash_one(who.words());
        let place = usize::try_from(key % self.parts.len() as u64).unwrap_or(0);
        let Some(part) = self.parts.get(place) else { return Ok(()) };
        let mut part = lock(part);
        take(&mut part, self.most, self.limit.pace, key, now)
            .map_err(|wait| wait.div_ceil(1_000_000_000))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().unwrap().len()).sum()
    }
}

fn take(
    part: &mut LruCache<u64, u64>,
    most: usize,
    pace: Pace,
    key: u64,
    now: u64,
) -> Result<(), u64> {
    if let Some(paid) = part.get_mut(&key) {
        *paid = pace.admit(*paid, now)?;
        return Ok(());
    }
    let paid = pace.admit(0, now)?;
    // Two at most, so that nobody waits long for the lock, and the table still shrinks while it is used.
    for _ in 0..2 {
        if part.peek_lru().is_some_and(|(_, &paid)| paid <= now) {
            part.pop_lru();
        }
    }
    while part.len() >= most {
        part.pop_lru();
    }
    part.put(key, paid);
    Ok(())
}

impl Who<'_> {
    /// What is hashed: the kind, and who of that kind.
    fn words(&self) -> (u8, &[u8], u128) {
        match self {
            Self::Everyone => (0, &[], 0),
            Self::Address(address) => (1, &[], client_of(*address)),
            Self::Value(value) => (2, value, 0),
        }
    }
}

#[cfg(test)]
mod tests;

//! Half sessions: the password was right, or the provider said who it is, and a second factor is still to be shown. Nothing else can be done
//! with one.
//!
//! They live in memory, for minutes, and for a few tries. Whoever has the password could guess codes
//! for ever by signing in again and again, from many addresses; so an account has only so many half sessions in that time. Its owner
//! doesn't suffer from that on a device on which the account signed in before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::handlers::entry::PASSWORD;
use crate::oidc::OIDC;
use crate::recent::Recent;
use crate::secret::SecretHash;
use crate::store::accounts::{self, Account};
use crate::store::linked::{self, Identity};
use crate::throttle::RetryAfter;

/// Half sessions, and accounts with some, that are remembered at most.
const ENTRIES: usize = 20_000;

/// The numbers.
#[derive(Debug, Clone, Copy)]
pub struct HalfConfig {
    /// Seconds that one lives.
    pub within: i64,
    /// Tries of one.
    pub tries: u32,
    /// Half sessions that an account may begin in that time on unknown devices.
    pub per_account: usize,
}

/// A half session; what of it never changes.
#[derive(Debug)]
pub struct Half {
    /// Whose it is.
    pub account: Arc<Account>,
    /// What was shown first.
    pub first: First,
    /// Asked to stay signed in.
    pub remember: bool,
    /// Wants one token and no more.
    pub brief: bool,
    /// Where a form's sender goes next.
    pub next: Option<String>,
    /// The mark of the device, when the account signed in on it before.
    pub device: Option<SecretHash>,
}

/// What was shown before the second factor.
#[derive(Debug, Clone)]
pub enum First {
    /// The password; the hash that it fitted.
    Password(String),
    /// Who it is at the provider (OpenID Connect), and when that was shown there.
    Linked(Identity, i64),
}

impl First {
    /// Its name (RFC 8176, as far as that has one).
    pub fn amr(&self) -> &'static str {
        match self {
            Self::Password(_) => PASSWORD,
            Self::Linked(..) => OIDC,
        }
    }

    /// When the account showed who it is, if the second factor is shown now: whoever was let in by an old sign-in at the provider showed
    /// anew a part only.
    pub fn shown_at(&self, now: i64) -> i64 {
        match self {
            Self::Password(_) => now,
            Self::Linked(_, shown_at) => *shown_at.min(&now),
        }
    }

    /// Whether it would still do: it opens the same account, which is as it was. Minutes passed since it was shown.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn still_opens(&self, db: &Connection, account: &Account) -> rusqlite::Result<bool> {
        match self {
            Self::Password(hash) => accounts::is_unchanged(db, account, hash),
            Self::Linked(identity, _) => linked::still_opens(db, identity, account),
        }
    }

    /// Notes that it was used.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn used(&self, db: &Connection, now: i64) -> rusqlite::Result<()> {
        match self {
            Self::Password(_) => Ok(()),
            Self::Linked(identity, _) => linked::used(db, identity, now),
        }
    }
}

#[derive(Debug)]
struct Entry {
    half: Arc<Half>,
    ends_at: i64,
    tries_left: u32,
}

/// All of them. The lock is a std one: held for a look-up, never over an await.
#[derive(Debug)]
pub struct Halves {
    config: HalfConfig,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    by_token: Recent<SecretHash, Entry>,
    /// When each account's end.
    by_account: Recent<String, Vec<i64>>,
}

impl Halves {
    /// None yet.
    pub fn new(config: HalfConfig) -> Self {
        let table = Table { by_token: Recent::new(ENTRIES), by_account: Recent::new(ENTRIES) };
        Self { config, table: Mutex::new(table) }
    }

    /// Seconds that one lives.
    pub fn lifetime(&self) -> i64 {
        self.config.within
    }

    /// Begins one.
    ///
    /// # Errors
    /// [`RetryAfter`] when the account has too many.
    pub fn begin(&self, token: SecretHash, half: Half, now: i64) -> Result<(), RetryAfter> {
        let ends_at = now.saturating_add(self.config.within);
        let mut table = self.lock();
        let ends = table.by_account.entry(half.account.id.clone(), Vec::new);
        ends.retain(|end| *end > now);
        if half.device.is_none() && ends.len() >= self.config.per_account {
            let first = ends.iter().min().copied().unwrap_or(now);
            return Err(RetryAfter(u64::try_from(first - now).unwrap_or(1).max(1)));
        }
        // On known devices there is no end to their number, but to what is remembered of them.
        if ends.len() < self.config.per_account {
            ends.push(ends_at);
        }
        let entry = Entry { half: Arc::new(half), ends_at, tries_left: self.config.tries };
        table.by_token.entry(token, || entry);
        Ok(())
    }

    /// The half session of a token, unless it is over.
    pub fn get(&self, token: &SecretHash, now: i64) -> Option<Arc<Half>> {
        let mut table = self.lock();
        let entry = table.by_token.get_mut(*token).filter(|entry| now < entry.ends_at)?;
        Some(entry.half.clone())
    }

    /// Whether one more code may be tried; counts it at once, so that many at the same time get no more tries.
    pub fn try_one(&self, token: &SecretHash, now: i64) -> bool {
        let mut table = self.lock();
        let entry = table.by_token.get_mut(*token).filter(|entry| now < entry.ends_at);
        let Some(entry) = entry.filter(|entry| entry.tries_left > 0) else { return false };
        entry.tries_left -= 1;
        if entry.tries_left == 0 {
            table.by_token.remove(token);
        }
        true
    }

    /// Ends one that became a session.
    pub fn end(&self, token: &SecretHash, account: &str) {
        let mut table = self.lock();
        table.by_token.remove(token);
        if let Some(ends) = table.by_account.get_mut(account.to_owned()) {
            ends.pop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Valid after any panic: each step leaves plain values.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::accounts::Role;

    fn halves() -> Halves {
        Halves::new(HalfConfig { within: 300, tries: 5, per_account: 3 })
    }

    fn half(device: Option<SecretHash>) -> Half {
        let account = Account {
            id: "id".into(),
            name: "alice".into(),
            role: Role::Member,
            created_at: 0,
            disabled_at: None,
        };
        let account = Arc::new(account);
        Half {
            account,
            first: First::Password("hash".into()),
            remember: false,
            brief: false,
            next: None,
            device,
        }
    }

    fn token(number: u32) -> SecretHash {
        SecretHash::digest(&number.to_string())
    }

    #[test]
    fn a_half_session_is_over_after_its_tries_or_its_time() {
        let halves = halves();
        halves.begin(token(1), half(None), 0).unwrap();
        assert!((0..5).all(|_| halves.try_one(&token(1), 299)));
        assert!(!halves.try_one(&token(1), 299) && halves.get(&token(1), 299).is_none());
        halves.begin(token(2), half(None), 0).unwrap();
        assert!(halves.get(&token(2), 299).is_some() && halves.get(&token(2), 300).is_none());
        assert!(!halves.try_one(&token(2), 300));
    }

    #[test]
    fn whoever_has_the_password_gets_only_so_many_and_the_owner_s_device_is_never_refused() {
        let halves = halves();
        for number in 0..3 {
            halves.begin(token(number), half(None), 10).unwrap();
        }
        assert_eq!(halves.begin(token(3), half(None), 100), Err(RetryAfter(210)));
        for number in 4..20 {
            halves.begin(token(number), half(Some(token(99))), 100).unwrap();
        }
        halves.begin(token(20), half(None), 310).unwrap();
    }

    #[test]
    fn those_that_became_sessions_do_not_count() {
        let halves = halves();
        for number in 0..20 {
            halves.begin(token(number), half(None), 10).unwrap();
            halves.end(&token(number), "id");
            assert!(halves.get(&token(number), 10).is_none());
        }
    }
}

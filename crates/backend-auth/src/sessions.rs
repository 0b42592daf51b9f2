//! Sessions and personal access tokens in memory, so that `GET /auth/verify` asks no disk.
//!
//! The store's thread is the only writer of sessions, and it brings this table in line inside the same
//! job that commits; so the table is exact. `last_seen` alone is written later, in a batch once a minute:
//! a crash costs at most that minute of an idle limit counted in hours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use crate::secret::SecretHash;
use crate::store::accounts::Account;

/// A session; what of it never changes.
#[derive(Debug)]
pub struct Session {
    /// Whose it is.
    pub account: Arc<Account>,
    /// Its public id: in identities and logs. Not the token.
    pub sid: String,
    /// When the account signed in.
    pub auth_time: i64,
    /// Seconds without use after which it is over.
    pub idle: i64,
    /// When it is over in any case.
    pub ends_at: i64,
    /// Asked to stay signed in.
    pub remember: bool,
    /// By what the account showed who it is (RFC 8176), separated by spaces: `pwd`.
    pub amr: String,
    /// What may be done with it, separated by spaces.
    pub scope: String,
    /// What opened it.
    pub kind: Kind,
}

/// What opened a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sign-in; its token is in a cookie.
    Cookie,
    /// A personal access token, which is the token itself.
    Token,
}

impl Session {
    /// Whether it may do this.
    pub fn may(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|own| own == scope)
    }
}

/// A session that was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The hash of its token.
    pub token: SecretHash,
    /// Its public id.
    pub sid: String,
}

/// A session as the store has it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The hash of its token.
    pub token: SecretHash,
    /// The session.
    pub session: Arc<Session>,
    /// When it was last used.
    pub last_seen: i64,
}

/// An identity minted for a session, to be passed on until it gets old.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token, ready to send.
    pub header: HeaderValue,
    /// When it ends.
    pub expires_at: i64,
    /// The key that signed it.
    pub kid: Arc<str>,
}

#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    last_seen: i64,
    written: i64,
    minted: Option<Minted>,
}

impl Entry {
    fn is_over(&self, now: i64) -> bool {
        now >= self.session.ends_at || now >= self.last_seen.saturating_add(self.session.idle)
    }
}

/// Handle to the table; cheap to clone. The lock is a std one: held for a look-up, never over an await.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    by_token: HashMap<SecretHash, Entry>,
    by_sid: HashMap<String, SecretHash>,
}

impl Sessions {
    /// The table, filled from the store.
    pub fn load(stored: &[Stored]) -> Self {
        let sessions = Self::default();
        sessions.extend(stored);
        sessions
    }

    /// Adds a session.
    pub fn insert(&self, token: SecretHash, session: Arc<Session>, now: i64) {
        let mut table = self.lock();
        table.by_sid.insert(session.sid.clone(), token);
        let entry = Entry { session, last_seen: now, written: now, minted: None };
        table.by_token.insert(token, entry);
    }

    /// Adds several.
    pub fn extend(&self, stored: &[Stored]) {
        for Stored { token, session, last_seen } in stored {
            self.insert(*token, session.clone(), *last_seen);
        }
    }

    /// Ends a session.
    pub fn remove(&self, token: &SecretHash) {
        let mut table = self.lock();
        if let Some(entry) = table.by_token.remove(token) {
            table.by_sid.remove(&entry.session.sid);
        }
    }

    /// Ends several.
    pub fn end(&self, ended: &[Ended]) {
        ended.iter().for_each(|ended| self.remove(&ended.token));
    }

    /// The session of a token, unless it is over; counts as a use. With the identity last minted for it.
    pub fn touch(&self, token: &SecretHash, now: i64) -> Option<(Arc<Session>, Option<Minted>)> {
        let mut table = self.lock();
        let entry = table.by_token.get_mut(token).filter(|entry| !entry.is_over(now))?;
        entry.last_seen = entry.last_seen.max(now);
        Some((entry.session.clone(), entry.minted.clone()))
    }

    /// The token's hash of a session known by its public id.
    pub fn token_of(&self, sid: &str) -> Option<SecretHash> {
        self.lock().by_sid.get(sid).copied()
    }

    /// When a session was last used, unless it is over.
    pub fn last_seen(&self, token: &SecretHash, now: i64) -> Option<i64> {
        let table = self.lock();
        table.by_token.get(token).filter(|entry| !entry.is_over(now)).map(|entry| entry.last_seen)
    }

    /// Keeps an identity for the next who asks.
    pub fn keep(&self, token: &SecretHash, minted: Minted) {
        if let Some(entry) = self.lock().by_token.get_mut(token) {
            entry.minted = Some(minted);
        }
    }

    /// What is to be written: sessions used since the last time, and sessions that are over. The latter
    /// leave the table now; they are dead whether or not their rows go.
    pub fn unwritten(&self, now: i64) -> (Vec<(SecretHash, i64)>, Vec<SecretHash>) {
        let mut table = self.lock();
        let over: Vec<SecretHash> = table
            .by_token
            .iter()
            .filter(|(_, entry)| entry.is_over(now))
            .map(|(token, _)| *token)
            .collect();
        for token in &over {
            if let Some(entry) = table.by_token.remove(token) {
                table.by_sid.remove(&entry.session.sid);
            }
        }
        let seen = table
            .by_token
            .iter()
            .filter(|(_, entry)| entry.last_seen > entry.written)
            .map(|(token, entry)| (*token, entry.last_seen))
            .collect();
        (seen, over)
    }

    /// Notes that what [`Self::unwritten`] gave is on disk.
    pub fn written(&self, seen: &[(SecretHash, i64)]) {
        let mut table = self.lock();
        for (token, last_seen) in seen {
            if let Some(entry) = table.by_token.get_mut(token) {
                entry.written = *last_seen;
            }
        }
    }

    /// Sessions and tokens in the table.
    pub fn len(&self) -> usize {
        self.lock().by_token.len()
    }

    /// Whether nobody is signed in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing here panics half-way; a poisoned lock would come from a failed allocation.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::accounts::Role;

    const HOUR: i64 = 3600;

    fn sessions() -> (Sessions, SecretHash) {
        let account = Account {
            id: "id".into(),
            name: "alice".into(),
            role: Role::Member,
            created_at: 0,
            disabled_at: None,
        };
        let session = Session {
            account: Arc::new(account),
            sid: "sid".into(),
            auth_time: 0,
            idle: 24 * HOUR,
            ends_at: 7 * 24 * HOUR,
            remember: false,
            amr: "pwd".into(),
            scope: "chat:read chat:write".into(),
            kind: Kind::Cookie,
        };
        let (sessions, token) = (Sessions::default(), SecretHash::digest("token"));
        sessions.insert(token, Arc::new(session), 0);
        (sessions, token)
    }

    #[test]
    fn an_idle_session_ends() {
        let (sessions, token) = sessions();
        assert!(sessions.touch(&token, 24 * HOUR - 1).is_some());
        assert!(sessions.touch(&token, 47 * HOUR).is_some());
        assert!(sessions.touch(&token, 71 * HOUR).is_none());
    }

    #[test]
    fn constant_use_does_not_outlive_the_absolute_limit() {
        let (sessions, token) = sessions();
        for hour in 0..7 * 24 {
            assert!(sessions.touch(&token, hour * HOUR).is_some());
        }
        assert!(sessions.touch(&token, 7 * 24 * HOUR).is_none());
    }

    #[test]
    fn use_is_written_once_and_a_session_that_is_over_leaves() {
        let (sessions, token) = sessions();
        sessions.touch(&token, 30);
        sessions.touch(&token, 59);
        let (seen, over) = sessions.unwritten(60);
        assert_eq!((seen.as_slice(), over.len()), ([(token, 59)].as_slice(), 0));
        sessions.written(&seen);
        assert!(sessions.unwritten(61).0.is_empty());
        assert_eq!(sessions.unwritten(30 * 24 * HOUR).1, [token]);
        assert!(sessions.is_empty() && sessions.token_of("sid").is_none());
    }

    #[test]
    fn a_removed_session_is_gone_by_token_and_by_id() {
        let (sessions, token) = sessions();
        assert_eq!(sessions.token_of("sid"), Some(token));
        sessions.remove(&token);
        assert!(sessions.touch(&token, 1).is_none() && sessions.token_of("sid").is_none());
    }
}

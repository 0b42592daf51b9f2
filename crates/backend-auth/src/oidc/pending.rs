//! What waits for someone to come back: sign-ins that are at the provider, and people whose account has no name yet. Both live in memory, for
//! ten minutes, each under a token that only one browser has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::recent::Recent;
use crate::secret::SecretHash;
use crate::store::linked::Identity;

/// Seconds that someone may take at the provider, and to choose a name.
pub const WITHIN: i64 = 10 * 60;
/// Sign-ins, and people, that are remembered at most: those begun first are forgotten first. One takes about 500 bytes, and up to 2 KiB
/// more for a long way back.
const ENTRIES: usize = 20_000;

/// What someone goes to the provider for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn {
        /// Asked to stay signed in.
        remember: bool,
    },
    /// To link an account (its id) with who they are there.
    Link(String),
    /// To show again who they are, to an account (its id) that they are signed in to.
    Again(String),
}

/// A sign-in that is at the provider.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The hash of the browser's token.
    pub holder: SecretHash,
    /// What the ID token has to repeat.
    pub nonce: String,
    /// What the code is exchanged with (RFC 7636).
    pub verifier: String,
    /// What for.
    pub purpose: Purpose,
    /// Where it goes on afterwards.
    pub next: Option<String>,
    /// When it began.
    pub begun_at: i64,
}

/// Someone whose account is to be made once it has a name.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// Who that is.
    pub identity: Identity,
    /// What the provider calls the person.
    pub name: String,
    /// When the person last showed there who it is; 0 when that isn't told.
    pub auth_time: i64,
    /// Asked to stay signed in.
    pub remember: bool,
    /// Where it goes on afterwards.
    pub next: Option<String>,
}

/// All of them. The lock is a std one: held for a look-up, never over an await.
#[derive(Debug)]
pub struct Pending(Mutex<Table>);

#[derive(Debug)]
struct Table {
    flows: Recent<SecretHash, Flow>,
    newcomers: Recent<SecretHash, (Newcomer, i64)>,
}

impl Default for Pending {
    fn default() -> Self {
        let (flows, newcomers) = (Recent::new(ENTRIES), Recent::new(ENTRIES));
        Self(Mutex::new(Table { flows, newcomers }))
    }
}

impl Pending {
    /// Keeps a sign-in under the hash of its `state`.
    pub fn begin(&self, state: SecretHash, flow: Flow) {
        self.lock().flows.entry(state, || flow);
    }

    /// Ends a sign-in: its state is good once, and in the browser in which it began. In another one it stays as it is: nobody ends what
    /// others began.
    pub fn take(&self, state: &SecretHash, holder: &SecretHash, now: i64) -> Option<Flow> {
        let mut table = self.lock();
        let flow = table.flows.get_mut(*state)?;
        if flow.holder != *holder {
            return None;
        }
        table.flows.take(state).filter(|flow| now < flow.begun_at.saturating_add(WITHIN))
    }

    /// Keeps someone who is to choose a name.
    pub fn welcome(&self, token: SecretHash, newcomer: Newcomer, now: i64) {
        self.lock().newcomers.entry(token, || (newcomer, now.saturating_add(WITHIN)));
    }

    /// Who is to choose a name, by the browser's token.
    pub fn newcomer(&self, token: &SecretHash, now: i64) -> Option<Newcomer> {
        let mut table = self.lock();
        let (newcomer, ends_at) = table.newcomers.get_mut(*token)?;
        (now < *ends_at).then(|| newcomer.clone())
    }

    /// Forgets someone who has a name now.
    pub fn named(&self, token: &SecretHash) {
        self.lock().newcomers.remove(token);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Valid after any panic: each step leaves plain values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> SecretHash {
        SecretHash::digest(text)
    }

    fn begin(pending: &Pending, state: &str) {
        let flow = Flow {
            holder: hash("browser"),
            nonce: "nonce".into(),
            verifier: "verifier".into(),
            purpose: Purpose::SignIn { remember: false },
            next: None,
            begun_at: 1_000,
        };
        pending.begin(hash(state), flow);
    }

    #[test]
    fn a_state_is_good_once_for_ten_minutes_and_in_one_browser() {
        let pending = Pending::default();
        begin(&pending, "a");
        let take = |state, browser, now| pending.take(&hash(state), &hash(browser), now).is_some();
        assert!(!take("b", "browser", 1_000), "nobody's state");
        assert!(!take("a", "another", 1_000), "of another browser");
        assert!(take("a", "browser", 1_000 + WITHIN - 1), "which didn't end it");
        assert!(!take("a", "browser", 1_000), "it was taken");
        begin(&pending, "a");
        assert!(!take("a", "browser", 1_000 + WITHIN), "too late");
    }

    #[test]
    fn someone_has_ten_minutes_and_several_tries_to_choose_a_name() {
        let pending = Pending::default();
        let identity = Identity { issuer: "https://login".into(), subject: "7".into() };
        let newcomer =
            Newcomer { identity, name: "ada".into(), auth_time: 0, remember: false, next: None };
        pending.welcome(hash("browser"), newcomer, 1_000);
        let is_there = |now| pending.newcomer(&hash("browser"), now).is_some();
        assert!(is_there(1_000) && is_there(1_000 + WITHIN - 1) && !is_there(1_000 + WITHIN));
        assert!(pending.newcomer(&hash("another"), 1_000).is_none());
        pending.named(&hash("browser"));
        assert!(!is_there(1_000));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let pending = Pending::default();
        for number in 0..=ENTRIES {
            begin(&pending, &number.to_string());
        }
        assert!(pending.take(&hash("0"), &hash("browser"), 1_000).is_none());
    }
}

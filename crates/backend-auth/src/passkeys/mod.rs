//! Passkeys (WebAuthn): which host they belong to, and the exchanges that are under way.
//!
//! 1. We ask ([`Host`]): a random challenge, for our host name, with the owner verified. What the answer has to fit stays here
//!    ([`Passkeys::begin`]), under the token of whoever was asked.
//! 2. The browser's authenticator signs the challenge, the page's origin and its own counter.
//! 3. We end the exchange ([`Passkeys::take`]), whatever the answer is, and check it ([`Host`]) against what is kept of the passkey
//!    ([`Kept`]).
//!
//! - [`host`]: asking and checking.
//! - [`kept`]: what of a passkey is stored.

pub mod host;
pub mod kept;

use std::sync::{Arc, Mutex, PoisonError};

use webauthn_rp::request::auth::NonDiscoverableAuthenticationServerState;
use webauthn_rp::{DiscoverableAuthenticationServerState, RegistrationServerState};

pub use self::host::Host;
pub use self::kept::Kept;
use crate::client::Client;
use crate::origin::Origin;
use crate::recent::Recent;
use crate::secret::SecretHash;

/// Seconds that an exchange with an authenticator may take: people look for their keys.
pub const WITHIN: i64 = 5 * 60;
/// Exchanges that are remembered at most; those begun first are forgotten first. One takes some 100 bytes, or, where the passkeys of an
/// account are asked for after its password, what their ids take: up to 1 KiB each, and as a rule 32 bytes.
const ENTRIES: usize = 20_000;
/// Bytes of an account's id (a UUID), which authenticators keep beside a passkey.
const USER: usize = 16;

/// Passkeys of this host, or why there are none here. The lock is a std one: held for a look-up, never over an await.
pub struct Passkeys {
    /// `None` when no public origin was told: then it depends on what a request asks for.
    host: Option<Result<Arc<Host>, String>>,
    exchanges: Mutex<Recent<SecretHash, (Exchange, i64)>>,
}

/// What was asked of an authenticator. Its challenge is in there.
pub enum Exchange {
    /// To make a passkey.
    Register(RegistrationServerState<USER>),
    /// To show one of an account's passkeys, after the password.
    SecondFactor(NonDiscoverableAuthenticationServerState),
    /// To show any passkey of this host.
    SignIn(DiscoverableAuthenticationServerState),
}

impl Passkeys {
    /// Passkeys for a public origin.
    pub fn of(origin: Option<&Origin>) -> Self {
        let host = origin.map(|origin| Host::of(Some(origin)).map(Arc::new));
        Self { host, exchanges: Mutex::new(Recent::new(ENTRIES)) }
    }

    /// What asks a client for them and checks them.
    ///
    /// # Errors
    /// Why there are none here, for people.
    pub fn host(&self, client: &Client) -> Result<Arc<Host>, String> {
        match &self.host {
            Some(told) => told.clone(),
            None => Host::asked(client).map(Arc::new),
        }
    }

    /// Begins an exchange with whoever holds a token; an older one of the same is over.
    pub fn begin(&self, holder: SecretHash, exchange: Exchange, now: i64) {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.remove(&holder);
        exchanges.entry(holder, || (exchange, now.saturating_add(WITHIN)));
    }

    /// Ends the exchange with a holder: its challenge is good once.
    pub fn take(&self, holder: &SecretHash, now: i64) -> Option<Exchange> {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        let (exchange, ends_at) = exchanges.take(holder)?;
        (now < ends_at).then_some(exchange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn passkeys() -> Passkeys {
        Passkeys::of(Some(&Origin::parse("http://localhost:8080").unwrap()))
    }

    fn begin(passkeys: &Passkeys, now: i64) -> SecretHash {
        let holder = Secret::token().unwrap().hash;
        let client = Client::of_headers(&http::HeaderMap::new(), None);
        let (_, exchange) = passkeys.host(&client).unwrap().ask_for_any().unwrap();
        passkeys.begin(holder, exchange, now);
        holder
    }

    #[test]
    fn a_challenge_is_good_once_and_for_five_minutes() {
        let passkeys = passkeys();
        let holder = begin(&passkeys, 1_000);
        assert!(passkeys.take(&holder, 1_000 + WITHIN - 1).is_some());
        assert!(passkeys.take(&holder, 1_000).is_none(), "it was taken");
        let holder = begin(&passkeys, 1_000);
        assert!(passkeys.take(&holder, 1_000 + WITHIN).is_none(), "too late");
        assert!(passkeys.take(&holder, 1_000).is_none(), "and it is over");
    }

    #[test]
    fn only_so_many_exchanges_are_remembered() {
        let passkeys = passkeys();
        let first = begin(&passkeys, 0);
        for _ in 0..ENTRIES {
            begin(&passkeys, 0);
        }
        assert!(passkeys.take(&first, 0).is_none());
    }
}

//! Passkeys (WebAuthn): which host they belong to, and the exchanges that are under way.
//!
//! A passkey belongs to a host name and works nowhere else. Browsers offer passkeys over https, and on localhost; so we need to know
//! the public origin, and say why not where it doesn't fit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration, Url,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::origin::Origin;
use crate::recent::Recent;
use crate::secret::SecretHash;

/// What authenticators show beside the host's name.
const NAME: &str = "Hybrid chat";
/// Seconds that an exchange with an authenticator may take: people look for their keys.
pub const WITHIN: i64 = 5 * 60;
/// Exchanges that are remembered at most; those begun first are forgotten first.
const ENTRIES: usize = 20_000;

/// Passkeys of this host, or why there are none.
pub struct Passkeys {
    host: Result<Webauthn, String>,
    exchanges: Mutex<Recent<SecretHash, (Exchange, i64)>>,
}

/// What was asked of an authenticator. Its challenge is in there.
pub enum Exchange {
    /// To make a passkey.
    Register(PasskeyRegistration),
    /// To show one of an account's passkeys, after the password.
    SecondFactor(PasskeyAuthentication),
    /// To show any passkey of this host.
    SignIn(DiscoverableAuthentication),
}

impl Passkeys {
    /// Passkeys for a public origin.
    pub fn of(origin: Option<&Origin>) -> Self {
        Self { host: host(origin), exchanges: Mutex::new(Recent::new(ENTRIES)) }
    }

    /// What checks them.
    ///
    /// # Errors
    /// Why there are none here, for people.
    pub fn host(&self) -> Result<&Webauthn, &str> {
        self.host.as_ref().map_err(String::as_str)
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

fn host(origin: Option<&Origin>) -> Result<Webauthn, String> {
    let Some(origin) = origin else {
        return Err("passkeys belong to a host name, which this server wasn't told: start backend-auth with \
                    --public-origin https://chat.example.org (PUBLIC_ORIGIN)"
            .to_owned());
    };
    let name = origin.host();
    if name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!(
            "passkeys belong to a host name, and {name} is an address: give this server a name"
        ));
    }
    let local = name == "localhost" || name.ends_with(".localhost");
    if !origin.is_https() && !local {
        return Err(format!(
            "browsers have passkeys over https only (or on localhost), and this is {origin}"
        ));
    }
    let wrong =
        |error: &dyn std::fmt::Display| format!("passkeys can't be used at {origin}: {error}");
    let url = Url::parse(origin.as_str()).map_err(|error| wrong(&error))?;
    WebauthnBuilder::new(name, &url)
        .map(|builder| builder.rp_name(NAME).timeout(Duration::from_secs(WITHIN.unsigned_abs())))
        .and_then(WebauthnBuilder::build)
        .map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_host_name_over_https_or_to_localhost() {
        let host = |text: &str| host(Some(&Origin::parse(text).unwrap())).map(|_| ());
        for good in [
            "https://chat.example.org",
            "https://chat.example.org:8443",
            "http://localhost:8080",
            "https://localhost",
            "http://chat.localhost",
        ] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("http://chat.example.org", "over https only"),
            ("https://192.168.1.5", "192.168.1.5 is an address"),
            ("https://[fd00::1]:8443", "[fd00::1] is an address"),
            ("http://127.0.0.1:8080", "127.0.0.1 is an address"),
        ] {
            assert!(host(bad).unwrap_err().contains(reason), "{bad}: {:?}", host(bad));
        }
        assert!(super::host(None).unwrap_err().contains("--public-origin"));
    }
}

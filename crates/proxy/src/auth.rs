//! Forward-auth: asks backend-auth who sent a request, and remembers the answer for a few seconds.
//!
//! 1. Only session cookies and `Authorization` count as a credential; without one nobody is asked.
//! 2. The call is `GET` with a handful of headers, made anew: nothing else of the client's reaches it.
//! 3. 200 with an identity lets the request pass, 401 and 403 refuse it. Anything else, or no answer in
//!    time, is 503: never open. 200 without an identity is 502.
//! 4. A decision is kept per worker under the SHA-256 of the credential. Requests that need the same
//!    decision wait for one call. Failures are never kept, a refusal for a second at most, and an identity
//!    only until its token has 20 s left, so that the upstream never sees one about to expire.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use http::request::Parts;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::config::Auth;
use crate::error::Failure;
use crate::headers::Client;
use crate::site::Site;
use crate::stats::Stats;
use crate::target::Refused;
use crate::watch::{millis, now_ms};

mod call;
mod login;

pub(crate) use login::{login_location, wants_page};

/// How long a refusal is remembered: a user who has just signed in mustn't wait.
const REFUSAL_MS: u64 = 1_000;
/// An identity with less life left than this is not handed out again.
const LIFE_LEFT: u64 = 20;
/// Decisions remembered by one worker, at most.
const REMEMBERED: usize = 20_000;
/// What backend-auth said.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// Yes or no.
    pub(crate) verdict: Verdict,
    /// Cookies for the client: a session that was renewed, or one that ended.
    pub(crate) set_cookie: Vec<HeaderValue>,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Who it is, signed.
    Pass(HeaderValue),
    /// Nobody known.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
}

/// Why there is no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undecided {
    /// No answer, or none that says anything.
    Unavailable,
    /// A yes without an identity.
    WithoutIdentity,
}

type Outcome = Result<Rc<Decision>, Undecided>;
type Key = [u8; 32];

/// Asks about sessions, and remembers.
pub(crate) struct Gate {
    config: Auth,
    cache: RefCell<HashMap<Key, Entry>>,
    swept: Cell<u64>,
}

enum Entry {
    Known { decision: Rc<Decision>, until: u64 },
    Asking(Rc<Flight>),
}

/// A call under way, and those who wait for it.
#[derive(Default)]
struct Flight {
    outcome: RefCell<Option<Outcome>>,
    landed: Notify,
}

/// What a client shows to prove who it is.
pub(crate) struct Credential {
    key: Key,
    /// The session cookies alone, as a `Cookie` header.
    cookie: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
}

impl Credential {
    /// Whether it is what a browser sends by itself, whichever page makes the call.
    pub(crate) fn is_cookie(&self) -> bool {
        self.authorization.is_none()
    }
}

impl Gate {
    pub(crate) fn new(config: Auth) -> Self {
        Self { config, cache: RefCell::default(), swept: Cell::new(0) }
    }

    /// What proxy.conf says.
    pub(crate) fn config(&self) -> &Auth {
        &self.config
    }

    /// The credential of a request; `None` if it has none.
    ///
    /// # Errors
    /// When a session cookie or `Authorization` occurs twice: two readers could take different ones.
    pub(crate) fn credential(&self, headers: &HeaderMap) -> Result<Option<Credential>, Failure> {
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(doubled());
        }
        let mut cookie = Vec::new();
        let mut seen = 0_u64;
        for line in headers.get_all(COOKIE) {
            for pair in line.as_bytes().split(|&byte| byte == b';') {
                let pair = pair.trim_ascii();
                let Some(equals) = pair.iter().position(|&byte| byte == b'=') else { continue };
                let name = pair[..equals].trim_ascii_end();
                let known = self.config.cookies.iter().position(|one| one.as_bytes() == name);
                let Some(place) = known else { continue };
                let mark = 1_u64 << (place % 64);
                if seen & mark != 0 {
                    return Err(doubled());
                }
                seen |= mark;
                if !cookie.is_empty() {
                    cookie.extend_from_slice(b"; ");
                }
                cookie.extend_from_slice(pair);
            }
        }
        if cookie.is_empty() && authorization.is_none() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        hash.update(&cookie);
        // A byte that no header value contains keeps the two apart.
        hash.update([0]);
        hash.update(authorization.map_or(&b""[..], HeaderValue::as_bytes));
        let cookie = (!cookie.is_empty()).then(|| HeaderValue::from_bytes(&cookie).ok()).flatten();
        let key = hash.finalize().into();
        Ok(Some(Credential { key, cookie, authorization: authorization.cloned() }))
    }

    /// Who a credential belongs to.
    pub(crate) async fn decide(
        &self,
        site: &Rc<Site>,
        stats: &Stats,
        credential: Credential,
        parts: &Parts,
        client: &Client,
        id: &HeaderValue,
    ) -> Result<Rc<Decision>, Failure> {
        let found = match self.cache.borrow().get(&credential.key) {
            Some(Entry::Known { decision, until }) if now_ms() < *until => {
                stats.auth_hits.add(1);
                return Ok(decision.clone());
            }
            Some(Entry::Asking(flight)) => Some(flight.clone()),
            _ => None,
        };
        let flight = match found {
            Some(flight) => {
                stats.auth_hits.add(1);
                flight
            }
            None => {
                stats.auth_misses.add(1);
                self.ask(site, credential, parts, client, id)
            }
        };
        // The call has the same limit; this one is for a call that can't end. Boxed, since most requests
        // find their decision above and shouldn't carry the space for the wait around.
        let patience = self.config.timeout + Duration::from_millis(500);
        let landed = Box::pin(tokio::time::timeout(patience, flight.landed())).await;
        landed.unwrap_or(Err(Undecided::Unavailable)).map_err(|undecided| match undecided {
            Undecided::Unavailable => Failure::AuthUnavailable,
            Undecided::WithoutIdentity => Failure::AuthWithoutIdentity,
        })
    }

    /// Starts a call in a task of its own: it outlives the request that needed it first.
    fn ask(
        &self,
        site: &Rc<Site>,
        credential: Credential,
        parts: &Parts,
        client: &Client,
        id: &HeaderValue,
    ) -> Rc<Flight> {
        let flight = Rc::new(Flight::default());
        let key = credential.key;
        let caching = !self.config.cache.is_zero();
        if caching {
            self.cache.borrow_mut().insert(key, Entry::Asking(flight.clone()));
        }
        let address = client.origin_text(&parts.headers, |ip| site.config.server.trusts(ip));
        let head = self.head(credential, parts, client, address, id);
        let (site, landing) = (site.clone(), flight.clone());
        tokio::task::spawn_local(async move {
            let Some(gate) = &site.gate else { return };
            let asked = tokio::time::timeout(gate.config.timeout, gate.call(&site, head)).await;
            let outcome = asked.unwrap_or_else(|_| {
                tracing::warn!("backend-auth did not decide in time");
                Err(Undecided::Unavailable)
            });
            if caching {
                gate.remember(key, &outcome);
            }
            *landing.outcome.borrow_mut() = Some(outcome);
            landing.landed.notify_waiters();
        });
        flight
    }

    fn remember(&self, key: Key, outcome: &Outcome) {
        let mut cache = self.cache.borrow_mut();
        let life = outcome.as_ref().ok().map(|decision| match &decision.verdict {
            Verdict::Pass(identity) => {
                let left = expiry(identity).map(|expiry| {
                    expiry.saturating_sub(unix_now()).saturating_sub(LIFE_LEFT).saturating_mul(1000)
                });
                millis(self.config.cache).min(left.unwrap_or(u64::MAX))
            }
            Verdict::Unauthenticated | Verdict::Forbidden => {
                millis(self.config.cache).min(REFUSAL_MS)
            }
        });
        match (outcome, life) {
            // A renewed session must reach its client once, not every client request for seconds.
            (Ok(decision), Some(life @ 1..)) if decision.set_cookie.is_empty() => {
                let entry = Entry::Known { decision: decision.clone(), until: now_ms() + life };
                if cache.len() < REMEMBERED {
                    cache.insert(key, entry);
                } else {
                    cache.remove(&key);
                }
            }
            _ => {
                cache.remove(&key);
            }
        }
    }

    /// Forgets what is too old.
    pub(crate) fn sweep(&self) {
        if now_ms().saturating_sub(self.swept.get()) < 1_000 {
            return;
        }
        self.swept.set(now_ms());
        self.cache.borrow_mut().retain(|_, entry| match entry {
            Entry::Known { until, .. } => now_ms() < *until,
            Entry::Asking(_) => true,
        });
    }
}

impl Flight {
    async fn landed(&self) -> Outcome {
        loop {
            if let Some(outcome) = &*self.outcome.borrow() {
                return outcome.clone();
            }
            // One thread: nothing lands between the look and the wait.
            self.landed.notified().await;
        }
    }
}

fn doubled() -> Failure {
    Failure::Rejected(Refused::new(
        StatusCode::BAD_REQUEST,
        "doubled_credential",
        "a session cookie or Authorization may be sent only once",
    ))
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// `exp` of a JWT, read and not verified: it only shortens how long the token is kept.
fn expiry(token: &HeaderValue) -> Option<u64> {
    let payload = token.to_str().ok()?.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice::<serde_json::Value>(&payload).ok()?.get("exp")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_of_a_token_is_read_from_its_payload() {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1700000000,"sub":"a"}"#);
        let token = HeaderValue::from_str(&format!("e30.{payload}.c2ln")).unwrap();
        assert_eq!(expiry(&token), Some(1_700_000_000));
        assert_eq!(expiry(&HeaderValue::from_static("opaque")), None);
    }
}

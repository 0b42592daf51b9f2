//! Who calls: signed identities, verified here without asking anyone.
//!
//! 1. A call brings a token as `Authorization: Bearer` (curl, a peer) or as `X-Chat-Identity` (the proxy).
//! 2. The token is a JWT that backend-auth signed; the keys come from its key set, asked for every
//!    few minutes, when a token names an unknown key (at most once in 30 s), and kept on disk.
//! 3. A verified token is remembered until it ends, so that the signature is checked once.
//! 4. A session that ended takes its tokens and live streams along: backend-auth is asked every few seconds which ones
//!    did ([`revocations`]).
//! 5. Without a token the caller is a guest, where the mode allows guests. A wrong token is never taken for
//!    a guest's.

mod keys;
mod remembered;
pub mod revocations;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use jiff::Timestamp;
use service::{Problem, Shutdown};
use wire::PeerId;
use wire::identity::{Claims, IDENTITY_HEADER, KeySet, SCOPE_READ, SCOPE_WRITE};

use crate::http_client::BaseUrl;
use crate::settings::AuthMode;
use keys::{KeyRing, Rejected, key_id};
use remembered::Remembered;
use revocations::Revoked;
use source::Source;

/// A verified account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Never changes, never given twice.
    pub sub: Arc<str>,
    /// Its name, which is a peer id of its own.
    pub name: PeerId,
    /// `admin`, `member`, `bot`.
    pub roles: Vec<String>,
    /// The public id of the session that it comes with.
    pub sid: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
}

/// What an identity may do: a token may be for less than its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    /// Look and listen: `chat:read`.
    pub read: bool,
    /// Say and change: `chat:write`.
    pub write: bool,
}

impl Scopes {
    /// From a token's `scope` (RFC 8693 §4.2); what is unknown gives nothing.
    fn parse(scope: &str) -> Self {
        let has = |name| scope.split(' ').any(|scope| scope == name);
        Self { read: has(SCOPE_READ), write: has(SCOPE_WRITE) }
    }
}

/// Tells who calls. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    mode: AuthMode,
    source: Source,
    // Std locks: held for a clone or a map operation, never over an await.
    ring: RwLock<Option<Arc<KeyRing>>>,
    remembered: Remembered,
    revoked: Revoked,
    /// When an unknown key last led to a question. Held during the question: others wait for its answer.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Identity {
    /// Starts with the keys kept on disk, if any.
    pub fn new(mode: AuthMode, auth_url: BaseUrl, data_dir: PathBuf) -> Self {
        let source = Source { auth_url, data_dir };
        let kept = source.kept();
        let identity = Self(Arc::new(Inner {
            mode,
            source,
            ring: RwLock::new(None),
            remembered: Remembered::default(),
            revoked: Revoked::default(),
            asked: tokio::sync::Mutex::new(None),
        }));
        if let Some(set) = kept {
            identity.use_keys(&set);
        }
        identity
    }

    /// Whether guests are let in.
    pub fn lets_guests_in(&self) -> bool {
        self.0.mode == AuthMode::Open
    }

    /// Where backend-auth answers.
    pub(crate) fn auth_url(&self) -> &BaseUrl {
        &self.0.source.auth_url
    }

    /// Whether tokens can be verified.
    pub fn has_keys(&self) -> bool {
        self.ring().is_some()
    }

    /// Keeps the keys fresh until `shutdown`.
    pub(crate) async fn refresh_until(self, shutdown: Shutdown) {
        let mut wait = source::RETRY.0;
        let mut told = false;
        loop {
            let pause = match self.refresh().await {
                Ok(()) => {
                    wait = source::RETRY.0;
                    if std::mem::take(&mut told) {
                        tracing::info!("backend-auth answers again: its keys are fresh");
                    }
                    source::EVERY
                }
                Err(reason) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(
                            auth_url = %self.auth_url(), reason,
                            "no fresh keys from backend-auth, trying again; guests and known keys go on"
                        );
                    }
                    let pause = wait;
                    wait = (wait * 2).min(source::RETRY.1);
                    pause
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Who calls, by the headers of the call; `None` is a guest.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<Account>>, Problem> {
        let bearer = bearer(headers)?;
        let passed_on = one(headers, IDENTITY_HEADER)?.map(text).transpose()?;
        let account = match (bearer, passed_on) {
            (None, None) if self.lets_guests_in() => return Ok(None),
            (None, None) => {
                return Err(Problem::unauthenticated(
                    "this tracker asks for an identity: get a token from POST /login and send it as Authorization: Bearer",
                ));
            }
            (Some(token), None) | (None, Some(token)) => self.verify(token).await?,
            (Some(one), Some(other)) => {
                let account = self.verify(one).await?;
                if self.verify(other).await?.sub != account.sub {
                    return Err(Problem::bad_request(
                        "identity_conflict",
                        "Authorization and X-Chat-Identity name two accounts",
                    ));
                }
                account
            }
        };
        self.check_session(&account)?;
        Ok(Some(account))
    }

    /// Whether an account's session isn't known to be over.
    ///
    /// # Errors
    /// 401 when it is.
    pub fn check_session(&self, account: &Account) -> Result<(), Problem> {
        if self.0.revoked.contains(&account.sid) {
            Err(refused(Rejected::SessionOver))
        } else {
            Ok(())
        }
    }

    async fn verify(&self, token: &str) -> Result<Arc<Account>, Problem> {
        let now = Timestamp::now().as_second();
        if let Some(account) = self.0.remembered.get(token, now) {
            return Ok(account);
        }
        // A token that no key could save is refused before anyone is asked for keys.
        key_id(token).map_err(refused)?;
        let tried = self.ring();
        let mut verified = self.verify_with(tried.clone(), token, now);
        if matches!(verified, None | Some(Err(Rejected::UnknownKey))) {
            self.ask_for_keys_after(tried).await;
            verified = self.verify_with(self.ring(), token, now);
        }
        match verified {
            Some(Ok(account)) => Ok(account),
            Some(Err(rejected)) => Err(refused(rejected)),
            None => Err(Problem::unavailable(
                "identity_unavailable",
                "identities can't be verified now: backend-auth has not told its keys yet",
                2,
            )),
        }
    }

    /// `None` when there are no keys at all.
    fn verify_with(
        &self,
        ring: Option<Arc<KeyRing>>,
        token: &str,
        now: i64,
    ) -> Option<Result<Arc<Account>, Rejected>> {
        let claims = match ring?.verify(token, now) {
            Ok(claims) => claims,
            Err(rejected) => return Some(Err(rejected)),
        };
        let until = claims.exp;
        let account = match account(claims) {
            Ok(account) => Arc::new(account),
            Err(rejected) => return Some(Err(rejected)),
        };
        self.0.remembered.put(token, until, account.clone(), now);
        Some(Ok(account))
    }

    /// Asks for the keys after a token could not be verified with those `tried`, unless others did so
    /// meanwhile or a short while ago.
    async fn ask_for_keys_after(&self, tried: Option<Arc<KeyRing>>) {
        let mut asked = self.0.asked.lock().await;
        let now = self.ring();
        if now.as_ref().map(Arc::as_ptr) != tried.as_ref().map(Arc::as_ptr) {
            return;
        }
        if !source::may_be_asked(*asked, now.is_some(), Instant::now()) {
            return;
        }
        if let Err(reason) = self.refresh().await {
            tracing::debug!(reason, "no keys for a token");
        }
        // The first keys of all don't count: a new one right after them is worth a question.
        let first = now.is_none() && self.has_keys();
        *asked = (!first).then(Instant::now);
    }

    async fn refresh(&self) -> Result<(), String> {
        let set = self.0.source.fetch().await?;
        if !self.use_keys(&set) {
            return Err("its key set has no key that verifies".to_owned());
        }
        self.0.source.keep(&set);
        Ok(())
    }

    /// Verifies with these keys from now on; what others had verified is forgotten.
    fn use_keys(&self, set: &KeySet) -> bool {
        let ring = KeyRing::new(set);
        if ring.is_empty() {
            return false;
        }
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ring));
        self.0.remembered.clear();
        true
    }

    fn ring(&self) -> Option<Arc<KeyRing>> {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn account(claims: Claims) -> Result<Account, Rejected> {
    let name = PeerId::try_from(claims.name).map_err(|_| Rejected::Invalid)?;
    if claims.sub.is_empty() {
        return Err(Rejected::Invalid);
    }
    Ok(Account {
        sub: claims.sub.into(),
        name,
        roles: claims.roles,
        sid: claims.sid.into(),
        scopes: Scopes::parse(&claims.scope),
    })
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = one(headers, AUTHORIZATION.as_str())? else { return Ok(None) };
    match text(value)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::unauthenticated("send the token as Authorization: Bearer TOKEN")),
    }
}

/// The only value of a header: of two, nobody knows which one was meant.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => {
            Err(Problem::bad_request("duplicate_header", format!("{name} was sent more than once")))
        }
    }
}

fn text(value: &HeaderValue) -> Result<&str, Problem> {
    value.to_str().map_err(|_| refused(Rejected::Malformed))
}

/// RFC 6750 §3.1
fn refused(rejected: Rejected) -> Problem {
    Problem::new(http::StatusCode::UNAUTHORIZED, "unauthenticated", rejected.to_string())
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
}

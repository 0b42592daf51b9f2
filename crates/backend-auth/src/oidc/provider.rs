//! The provider: where its pages are, its keys, and the exchange of a code. Each is asked for when it is needed first; what comes is kept for
//! a while, and one caller asks for all that wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode};
use jsonwebtoken::jwk::Jwk;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::address::Address;
use super::fetch::{Answer, FetchError, Fetcher};
use super::id_token::{self, Expected, Flaw, Person, Signed};
use super::kept::Kept;
use super::keys::Keys;
use super::metadata::Metadata;
use super::pending::{Flow, Pending, Purpose};
use super::settings::Settings;
use super::tame;
use crate::secret::{Secret, SecretHash};

/// How long what was learnt is good when the provider can't be asked again.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// What stays as it is in a query and a form (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why nobody is known by the provider's word. The texts hold no secret: neither code nor token nor anything the provider wrote but names of errors.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be reached, or says nothing that makes sense.
    #[error("the provider can't be asked for {what}: {why}")]
    Unavailable {
        /// What it was asked for.
        what: &'static str,
        /// What came of it.
        why: String,
    },
    /// It didn't answer a moment ago, and isn't asked again yet.
    #[error("the provider can't be asked for {0}: it could not a moment ago")]
    Pausing(&'static str),
    /// It doesn't know us.
    #[error(
        "the provider doesn't know this server ({0}): look at --oidc-client-id and the client's secret"
    )]
    Client(String),
    /// It takes no such code of us.
    #[error("the provider did not exchange the code: {0}")]
    Exchange(String),
    /// Its ID token is not good.
    #[error(transparent)]
    Token(#[from] Flaw),
    /// The answer is another provider's (RFC 9207).
    #[error("the answer is of another issuer")]
    Mixed,
    /// The system has no randomness to give.
    #[error("no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// The only field of its answer that we read.
#[derive(Deserialize)]
struct Exchanged {
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// The provider. Its locks are held while it is asked, so that others wait for the same answer, and no longer than it may take.
pub struct Provider {
    settings: Settings,
    fetcher: Fetcher,
    metadata: Mutex<Kept<Metadata>>,
    keys: Mutex<Kept<Keys>>,
    /// Who is there now.
    pub pending: Pending,
}

/// A sign-in that began.
pub struct Begun {
    /// The provider's page.
    pub location: String,
    /// What the browser's cookie holds until it is back.
    pub browser: Secret,
}

impl Provider {
    /// A provider that wasn't asked anything yet.
    pub fn new(settings: Settings) -> Self {
        let fetcher = Fetcher::new(settings.authorities.clone(), settings.timeout);
        Self {
            settings,
            fetcher,
            metadata: Mutex::new(Kept::nothing()),
            keys: Mutex::new(Kept::nothing()),
            pending: Pending::default(),
        }
    }

    /// Which one it is.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// When the provider can't tell where its pages are, or the system has no randomness.
    pub async fn begin(
        &self,
        purpose: Purpose,
        next: Option<String>,
        now: i64,
    ) -> Result<Begun, Failure> {
        let metadata = self.metadata().await?;
        // 256 bits each. What others see of the verifier is its hash; so is what we keep of the state.
        let (state, nonce, verifier, browser) =
            (Secret::token()?, Secret::token()?, Secret::token()?, Secret::token()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.text.as_bytes()));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect_uri),
            ("scope", &self.settings.scopes),
            ("state", &state.text),
            ("nonce", &nonce.text),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        if matches!(purpose, Purpose::Again(_)) {
            // Being signed in there is not enough, and `auth_time` is to be told (OpenID Connect Core 1.0 §3.1.2.1).
            fields.extend([("prompt", "login"), ("max_age", "0")]);
        }
        let page = &metadata.authorization;
        let sign = if page.has_query() { '&' } else { '?' };
        let location = format!("{page}{sign}{}", form(&fields));
        let flow = Flow {
            holder: browser.hash,
            nonce: nonce.text,
            verifier: verifier.text,
            purpose,
            next,
            begun_at: now,
        };
        self.pending.begin(state.hash, flow);
        Ok(Begun { location, browser })
    }

    /// Takes the sign-in of a `state` that came back in a browser.
    pub fn take(&self, state: &str, browser: SecretHash, now: i64) -> Option<Flow> {
        self.pending.take(&SecretHash::of_token(state)?, &browser, now)
    }

    /// Whether an answer is this provider's: it has to say so if the provider does that, and must not say anything else (RFC 9207 §2.4).
    ///
    /// # Errors
    /// [`Failure::Mixed`], or when the provider can't be asked whether it does that.
    pub async fn is_of(&self, issuer: Option<&str>) -> Result<(), Failure> {
        match issuer {
            Some(issuer) if issuer == self.issuer() => Ok(()),
            None if !self.metadata().await?.names_itself => Ok(()),
            _ => Err(Failure::Mixed),
        }
    }

    /// Who came back with a code.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn person(&self, flow: &Flow, code: &str, now: i64) -> Result<Person, Failure> {
        let token = self.exchange(code, &flow.verifier).await?;
        let signed = id_token::signed(&token)?;
        let key = self.key(&signed).await?;
        let expected = Expected {
            issuer: self.issuer(),
            client_id: &self.settings.client_id,
            nonce: &flow.nonce,
            begun_at: flow.begun_at,
        };
        Ok(id_token::check(&token, signed.algorithm, &key, expected, now)?)
    }

    /// Exchanges a code for an ID token (RFC 6749 §4.1.3, RFC 7636 §4.5).
    async fn exchange(&self, code: &str, verifier: &str) -> Result<String, Failure> {
        const WHAT: &str = "a token";
        let metadata = self.metadata().await?;
        let Settings { client_id, secret, redirect_uri, .. } = &self.settings;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let secret = secret.as_ref().map(|secret| secret.reveal());
        let authorization = match secret {
            Some(secret) if !metadata.secret_in_form => {
                Some(basic(client_id, secret).map_err(|why| unavailable(WHAT, why))?)
            }
            _ => {
                fields.push(("client_id", client_id));
                fields.extend(secret.map(|secret| ("client_secret", secret)));
                None
            }
        };
        let asked = self.fetcher.post_form(&metadata.token, form(&fields), authorization);
        let Answer { status, body } = asked.await.map_err(|error| unavailable(WHAT, error))?;
        if status.is_server_error() {
            return Err(unavailable(WHAT, status));
        }
        if status != StatusCode::OK {
            let told = serde_json::from_slice::<Refused>(&body).map(|refused| tame(&refused.error));
            let told = format!("{} {}", status.as_u16(), told.unwrap_or_default());
            // RFC 6749 §5.2
            let of_client = ["invalid_client", "unauthorized_client"];
            return Err(if of_client.iter().any(|error| told.ends_with(error)) {
                Failure::Client(told)
            } else {
                Failure::Exchange(told)
            });
        }
        // What is wrong with it is not told: it may quote the token.
        let Ok(Exchanged { id_token: Some(token) }) = serde_json::from_slice(&body) else {
            return Err(Failure::Exchange("there is no ID token in its answer".to_owned()));
        };
        Ok(token)
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Failure> {
        const WHAT: &str = "what it says of itself";
        let mut kept = self.metadata.lock().await;
        let now = Instant::now();
        if let Some(metadata) = kept.not_older(self.settings.refresh, now) {
            return Ok(metadata);
        }
        let asked = if kept.may_ask(self.settings.pause, now) {
            let came = self.discover().await;
            kept.asked(came, Instant::now()).map_err(|why| unavailable(WHAT, why))
        } else {
            Err(Failure::Pausing(WHAT))
        };
        // Providers move their pages rarely: what was true this morning will do.
        asked.or_else(|failure| kept.not_older(STALE, now).ok_or(failure))
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let issuer = &self.settings.issuer;
        let place = Address::parse(&format!(
            "{}/.well-known/openid-configuration",
            issuer.as_str().trim_end_matches('/')
        ))?;
        let body = self.fetch(&place).await?;
        Metadata::parse(&body, issuer).map_err(|why| format!("{place}: {why}"))
    }

    /// The key of a signature. One that isn't among those that we have may be new; but whoever invents ids makes us ask no more often.
    async fn key(&self, signed: &Signed) -> Result<Jwk, Failure> {
        const WHAT: &str = "its keys";
        let metadata = self.metadata().await?;
        let find = |keys: &Keys| keys.find(signed.key.as_deref(), signed.algorithm).cloned();
        let mut kept = self.keys.lock().await;
        let now = Instant::now();
        let young = kept.not_older(self.settings.refresh, now);
        if let Some(key) = young.as_deref().and_then(find) {
            return Ok(key);
        }
        let mut failure = None;
        if kept.may_ask(self.settings.pause, now) {
            let came = self.fetch_keys(&metadata.keys).await;
            failure = kept.asked(came, Instant::now()).err().map(|why| unavailable(WHAT, why));
        } else if young.is_none() {
            failure = Some(Failure::Pausing(WHAT));
        }
        let found = kept.not_older(STALE, now).as_deref().and_then(find);
        found.ok_or_else(|| failure.unwrap_or(Failure::Token(Flaw::Key)))
    }

    async fn fetch_keys(&self, place: &Address) -> Result<Keys, String> {
        let body = self.fetch(place).await?;
        Keys::parse(&body).map_err(|error| format!("{place}: {error}"))
    }

    async fn fetch(&self, place: &Address) -> Result<bytes::Bytes, String> {
        let asked = self.fetcher.get(place).await;
        let Answer { status, body } =
            asked.map_err(|error: FetchError| format!("{place}: {error}"))?;
        if status == StatusCode::OK { Ok(body) } else { Err(format!("{place}: {status}")) }
    }
}

fn unavailable(what: &'static str, why: impl ToString) -> Failure {
    Failure::Unavailable { what, why: why.to_string() }
}

/// `name=value&…`
fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// `client_secret_basic`: both are encoded as in a form before they are joined (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, String> {
    let pair = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)));
    let mut value =
        HeaderValue::try_from(format!("Basic {pair}")).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_encoded_before_it_is_joined() {
        let value = basic("a:b", "s%c ret+").unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("a%3Ab:s%25c%20ret%2B")).as_str());
        assert!(value.is_sensitive());
    }
}

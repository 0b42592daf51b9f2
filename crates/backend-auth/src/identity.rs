//! Identities: signed for a session, verified when they come back, and the key set by which others verify them.
//!
//! An identity is a JWT (RFC 7519) signed with Ed25519 (RFC 8037); its claims are [`wire::identity`]'s. [`crate::keys`] has
//! the keys.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, Validation};
use wire::identity::{Claims, DIRECT_LIFETIME, KeySet, LEEWAY, TOKEN_TYPE, TRACKER_AUDIENCE};

use crate::keys::{KeyError, KeyFile, Ring};
use crate::sessions::{Minted, Session};

/// Bytes of a token that is looked at, at most.
const LONGEST: usize = 4096;

/// Signs identities.
pub struct Mint {
    // Std locks: held for a clone, never over an await.
    ring: RwLock<Arc<Ring>>,
    file: KeyFile,
    stamp: Mutex<Option<(SystemTime, u64)>>,
    validation: Validation,
    issuer: String,
}

impl Mint {
    /// Reads the keys, or makes the first one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(file: KeyFile, older: &Path, issuer: String, now: i64) -> Result<Self, KeyError> {
        let ring = file.load(older, now)?;
        let stamp = Mutex::new(file.stamp());
        Ok(Self::with(file, ring, stamp, issuer))
    }

    fn with(
        file: KeyFile,
        ring: Ring,
        stamp: Mutex<Option<(SystemTime, u64)>>,
        issuer: String,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&[TRACKER_AUDIENCE]);
        validation.set_issuer(&[&issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self { ring: RwLock::new(Arc::new(ring)), file, stamp, validation, issuer }
    }

    /// Takes keys into use that were changed on the host, and makes the next one when it is due. Says what it made.
    ///
    /// # Errors
    /// [`KeyError`]; the keys so far stay in use.
    pub fn tend(&self, now: i64) -> Result<Option<String>, KeyError> {
        let made =
            if self.file.is_due(now)? { Some(self.file.rotate(false, now)?.0) } else { None };
        let stamp = self.file.stamp();
        let mut known = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != stamp {
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) =
                Arc::new(self.file.reload()?);
            *known = stamp;
        }
        Ok(made)
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What verifies our identities.
    pub fn key_set(&self, now: i64) -> KeySet {
        let ring = self.ring();
        let keys = ring.published(now).into_iter().map(|key| key.public.clone()).collect();
        KeySet { keys, issuer: self.issuer.clone() }
    }

    /// The ids of those keys.
    pub fn key_ids(&self, now: i64) -> Vec<String> {
        self.ring().published(now).into_iter().map(|key| key.public.kid.clone()).collect()
    }

    /// Whether an identity that was minted before still verifies.
    pub fn stands_by(&self, minted: &Minted, now: i64) -> bool {
        self.ring().find(&minted.kid, now).is_some()
    }

    /// Signs an identity for a session.
    ///
    /// # Errors
    /// When the system has no randomness, or the claims can't be encoded.
    pub fn mint(&self, session: &Session, now: i64, lifetime: i64) -> Result<Minted, MintError> {
        let account = &session.account;
        let expires_at = (now + lifetime.min(DIRECT_LIFETIME)).min(session.ends_at);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: vec![TRACKER_AUDIENCE.to_owned()],
            sub: account.id.clone(),
            sid: session.sid.clone(),
            name: account.name.clone(),
            roles: vec![account.role.as_str().to_owned()],
            scope: session.scope.clone(),
            amr: session.amr.split(' ').map(str::to_owned).collect(),
            auth_time: session.auth_time,
            iat: now,
            nbf: now,
            exp: expires_at,
            jti: crate::secret::public_id()?,
        };
        let ring = self.ring();
        let key = ring.active(now).ok_or(MintError::NoKey)?;
        let mut token = key.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut token);
        let signature = key.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        let mut header = HeaderValue::try_from(token)?;
        header.set_sensitive(true);
        Ok(Minted { header, expires_at, kid: key.public.kid.as_str().into() })
    }

    /// The claims of an identity that we signed and that is still good, for those who bring one back.
    pub fn verify(&self, token: &str, now: i64) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return None;
        }
        let ring = self.ring();
        let key = ring.find(header.kid.as_deref()?, now)?;
        let decoded =
            jsonwebtoken::decode::<Claims>(token, &key.verifier, &self.validation).ok()?;
        Some(decoded.claims)
    }
}

/// An identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// There is no key at all.
    #[error("identity: no key")]
    NoKey,
    /// No randomness.
    #[error("identity: {0}")]
    Random(#[from] getrandom::Error),
    /// The claims can't be encoded.
    #[error("identity: {0}")]
    Claims(#[from] serde_json::Error),
    /// The token can't be a header.
    #[error("identity: {0}")]
    Header(#[from] http::header::InvalidHeaderValue),
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::keys::{Rotation, Signing};
    use crate::store::accounts::{Account, Role};

    fn mint_of(seed: [u8; 32]) -> Mint {
        let rotation = Rotation { lifetime: 1000, overlap: 10, keep: 10 };
        let ring = Ring::new(vec![Signing::new(SigningKey::from_bytes(&seed), 0)], rotation.keep);
        let file = KeyFile::new("none".into(), rotation);
        Mint::with(file, ring, Mutex::default(), "hybrid-chat".into())
    }

    fn mint() -> Mint {
        mint_of([7; 32])
    }

    fn session() -> Session {
        let account = Account {
            id: "user".into(),
            name: "alice".into(),
            role: Role::Admin,
            created_at: 0,
            disabled_at: None,
        };
        Session {
            account: Arc::new(account),
            sid: "sid".into(),
            auth_time: 5,
            idle: 60,
            ends_at: i64::MAX,
            remember: false,
            amr: "pwd".into(),
            scope: "chat:read chat:write".into(),
            kind: crate::sessions::Kind::Cookie,
        }
    }

    fn now() -> i64 {
        jiff::Timestamp::now().as_second()
    }

    #[test]
    fn the_key_s_id_is_its_rfc_7638_thumbprint() {
        // The example of RFC 8037 §A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = &mint_of(seed.try_into().unwrap()).key_set(1).keys[0];
        assert_eq!(key.x, x);
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_minted_identity_verifies_and_says_who() {
        let (mint, now) = (mint(), now());
        let minted = mint.mint(&session(), now, 60).unwrap();
        let claims = mint.verify(minted.header.to_str().unwrap(), now).unwrap();
        assert_eq!((claims.sub.as_str(), claims.name.as_str()), ("user", "alice"));
        assert_eq!((claims.iat, claims.nbf, claims.exp), (now, now, now + 60));
        assert_eq!(claims.roles, ["admin"]);
    }

    #[test]
    fn no_identity_lives_longer_than_the_limit() {
        let now = now();
        assert_eq!(mint().mint(&session(), now, 9999).unwrap().expires_at, now + DIRECT_LIFETIME);
    }

    #[test]
    fn old_foreign_and_altered_identities_are_refused() {
        let (mint, now) = (mint(), now());
        let text = |minted: Minted| minted.header.to_str().unwrap().to_owned();
        assert!(mint.verify(&text(mint.mint(&session(), now - 120, 60).unwrap()), now).is_none());
        assert!(mint.verify(&text(mint.mint(&session(), now + 120, 60).unwrap()), now).is_none());
        let other = mint_of([8; 32]);
        assert!(mint.verify(&text(other.mint(&session(), now, 60).unwrap()), now).is_none());
        let good = text(mint.mint(&session(), now, 60).unwrap());
        let (_, rest) = good.split_once('.').unwrap();
        for header in [
            r#"{"alg":"none","typ":"chat-id+jwt"}"#.to_owned(),
            format!(r#"{{"alg":"HS256","typ":"chat-id+jwt","kid":"{}"}}"#, mint.key_ids(now)[0]),
            format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, mint.key_ids(now)[0]),
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert!(mint.verify(&forged, now).is_none());
        }
        assert!(mint.verify(&"a".repeat(5000), now).is_none());
    }
}

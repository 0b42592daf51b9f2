//! The key that signs identities, the identities, and the key set that verifies them.
//!
//! An identity is a JWT (RFC 7519) signed with Ed25519 (RFC 8037); its claims are [`wire::identity`]'s.
//! The key is made at the first start, in `identity-key` in the data folder, readable by its owner only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use sha2::{Digest, Sha256};
use wire::identity::{Claims, DIRECT_LIFETIME, Key, KeySet, LEEWAY, TOKEN_TYPE, TRACKER_AUDIENCE};

use crate::sessions::{Minted, Session};

/// Bytes of a token that is looked at, at most.
const LONGEST: usize = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("identity key {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "identity key {path} is not an Ed25519 key in PKCS#8 PEM: restore it, or remove it to have a new one made"
    )]
    Format {
        /// The file.
        path: String,
    },
    /// The system has no randomness.
    #[error("identity key: {0}")]
    Random(#[from] getrandom::Error),
}

/// Signs identities.
pub struct Mint {
    key: SigningKey,
    public: Key,
    verifier: DecodingKey,
    validation: Validation,
    /// The encoded header, the same for each token.
    header: String,
    issuer: String,
}

impl Mint {
    /// Reads the key, or makes it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path, issuer: String) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.display().to_string(), source };
        let key = match fs::read_to_string(path) {
            Ok(pem) => {
                let key = SigningKey::from_pkcs8_pem(&pem)
                    .map_err(|_| KeyError::Format { path: path.display().to_string() })?;
                warn_if_shared(path);
                key
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed)?;
                let key = SigningKey::from_bytes(&seed);
                let pem = key
                    .to_pkcs8_pem(LineEnding::LF)
                    .map_err(|_| KeyError::Format { path: path.display().to_string() })?;
                service::file::replace(path, pem.as_bytes(), 0o600).map_err(file)?;
                key
            }
            Err(error) => return Err(file(error)),
        };
        Ok(Self::new(key, issuer))
    }

    fn new(key: SigningKey, issuer: String) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // RFC 7638 §3: the required members in lexical order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        let header = URL_SAFE_NO_PAD
            .encode(format!(r#"{{"alg":"EdDSA","typ":"{TOKEN_TYPE}","kid":"{kid}"}}"#));
        // For Ed25519, "DER" is the bare 32 bytes.
        let verifier = DecodingKey::from_ed_der(key.verifying_key().as_bytes());
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&[TRACKER_AUDIENCE]);
        validation.set_issuer(&[&issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let public = Key {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x,
            kid,
            alg: "EdDSA".into(),
            purpose: "sig".into(),
        };
        Self { key, public, verifier, validation, header, issuer }
    }

    /// What verifies our identities.
    pub fn key_set(&self) -> KeySet {
        KeySet { keys: vec![self.public.clone()], issuer: self.issuer.clone() }
    }

    /// The ids of those keys.
    pub fn key_ids(&self) -> Vec<String> {
        vec![self.public.kid.clone()]
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
        let mut token = self.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        let mut header = HeaderValue::try_from(token)?;
        header.set_sensitive(true);
        Ok(Minted { header, expires_at })
    }

    /// The claims of an identity that we signed and that is still good, for those who bring one back.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let decoded =
            jsonwebtoken::decode::<Claims>(token, &self.verifier, &self.validation).ok()?;
        let ours = decoded.header.typ.as_deref() == Some(TOKEN_TYPE)
            && decoded.header.kid.as_deref() == Some(&self.public.kid);
        ours.then_some(decoded.claims)
    }
}

/// An identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
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

fn warn_if_shared(path: &Path) {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others may read the identity key: chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::accounts::{Account, Role};

    fn mint() -> Mint {
        Mint::new(SigningKey::from_bytes(&[7; 32]), "hybrid-chat".into())
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
        let mint = Mint::new(SigningKey::from_bytes(&seed.try_into().unwrap()), "i".into());
        assert_eq!(mint.public.x, x);
        assert_eq!(mint.public.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_minted_identity_verifies_and_says_who() {
        let (mint, now) = (mint(), now());
        let minted = mint.mint(&session(), now, 60).unwrap();
        let claims = mint.verify(minted.header.to_str().unwrap()).unwrap();
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
        assert!(mint.verify(&text(mint.mint(&session(), now - 120, 60).unwrap())).is_none());
        assert!(mint.verify(&text(mint.mint(&session(), now + 120, 60).unwrap())).is_none());
        let other = Mint::new(SigningKey::from_bytes(&[8; 32]), "hybrid-chat".into());
        assert!(mint.verify(&text(other.mint(&session(), now, 60).unwrap())).is_none());
        let good = text(mint.mint(&session(), now, 60).unwrap());
        let (_, rest) = good.split_once('.').unwrap();
        for header in [
            r#"{"alg":"none","typ":"chat-id+jwt"}"#.to_owned(),
            format!(r#"{{"alg":"HS256","typ":"chat-id+jwt","kid":"{}"}}"#, mint.public.kid),
            format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, mint.public.kid),
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert!(mint.verify(&forged).is_none());
        }
        assert!(mint.verify(&"a".repeat(5000)).is_none());
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity-key");
        let first = Mint::load(&path, "i".into()).unwrap();
        let again = Mint::load(&path, "i".into()).unwrap();
        assert_eq!(first.public, again.public);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "nonsense").unwrap();
        let text = Mint::load(&path, "i".into()).err().unwrap().to_string();
        assert!(text.contains("identity-key") && text.contains("restore"), "{text}");
    }
}

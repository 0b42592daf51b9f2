//! The keys that verify identities, and the rules of a token (RFC 7519, 8037, 8725).

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use wire::identity::{Claims, DIRECT_LIFETIME, KeySet, LEEWAY, TOKEN_TYPE, TRACKER_AUDIENCE};
use wire::limits::TOKEN_BYTES;

/// Keys at most; more in a key set are no sign of health.
const KEYS_MAX: usize = 32;

/// A key set that is ready to verify.
pub(super) struct KeyRing {
    keys: HashMap<String, DecodingKey>,
    checks: Validation,
}

/// Why a token is not accepted. The text is for its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejected {
    #[error("the token is longer than {TOKEN_BYTES} bytes")]
    TooLong,
    #[error("this is not a signed identity: get one from POST /login")]
    Malformed,
    #[error("the token is of another kind (`typ` must be {TOKEN_TYPE}, `alg` EdDSA)")]
    OtherKind,
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    #[error("the token's signature or its claims are wrong")]
    Invalid,
    #[error("the token has expired: get a new one")]
    Expired,
    #[error("the session that this token belongs to is over: sign in again")]
    SessionOver,
    #[error("the token is not valid yet, or lives longer than any token may")]
    BadTimes,
}

impl KeyRing {
    /// Takes the keys of a key set that can verify; others (of another kind) are passed over.
    pub(super) fn new(set: &KeySet) -> Self {
        let mut checks = Validation::new(Algorithm::EdDSA);
        checks.set_issuer(&[&set.issuer]);
        checks.set_audience(&[TRACKER_AUDIENCE]);
        checks.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are checked below, against a clock that is passed in.
        checks.validate_exp = false;
        checks.validate_nbf = false;
        let fits = set.keys.iter().filter(|key| {
            key.kty == "OKP" && key.crv == "Ed25519" && key.alg == "EdDSA" && key.purpose == "sig"
        });
        let keys = fits
            .take(KEYS_MAX)
            .filter_map(|key| {
                Some((key.kid.clone(), DecodingKey::from_ed_components(&key.x).ok()?))
            })
            .collect();
        Self { keys, checks }
    }

    /// Whether these are its keys, all of them and no others.
    pub(super) fn has_exactly(&self, kids: &[String]) -> bool {
        kids.len() == self.keys.len() && kids.iter().all(|kid| self.keys.contains_key(kid))
    }

    /// Whether it can verify anything.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a token at `now` (seconds since 1970).
    pub(super) fn verify(&self, token: &str, now: i64) -> Result<Claims, Rejected> {
        let key = self.keys.get(&key_id(token)?).ok_or(Rejected::UnknownKey)?;
        // All claims are fields of `Claims`, none optional: one that is missing or of another type fails.
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.checks)
            .map_err(|_| Rejected::Invalid)?
            .claims;
        check_times(&claims, now)?;
        Ok(claims)
    }
}

/// The key that a token names, after the checks that need no key. Whatever else the header holds
/// (`jwk`, `jku`, `x5u`) is ignored.
pub(super) fn key_id(token: &str) -> Result<String, Rejected> {
    if token.len() > TOKEN_BYTES {
        return Err(Rejected::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::Malformed)?;
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TOKEN_TYPE) {
        return Err(Rejected::OtherKind);
    }
    header.kid.ok_or(Rejected::UnknownKey)
}

fn check_times(claims: &Claims, now: i64) -> Result<(), Rejected> {
    let lifetime = claims.exp.checked_sub(claims.iat).ok_or(Rejected::BadTimes)?;
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(Rejected::Expired);
    }
    let too_early = claims.nbf.max(claims.iat) > now.saturating_add(LEEWAY);
    if too_early || !(1..=DIRECT_LIFETIME).contains(&lifetime) {
        return Err(Rejected::BadTimes);
    }
    Ok(())
}

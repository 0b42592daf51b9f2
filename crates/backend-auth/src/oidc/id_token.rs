//! Checking an ID token: OpenID Connect Core 1.0 §3.1.3.7, in its order where that matters.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::SKEW;

/// Bytes of a token that is looked at, at most.
const LONGEST: usize = 32 * 1024;
/// Characters of a subject at most (OpenID Connect Core 1.0 §2).
const SUBJECT: usize = 255;
/// What tokens are signed with. Only what a published key checks: with a shared secret, whoever can check could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Someone, as the provider tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its number there, given once.
    pub subject: String,
    /// What it calls itself there; nothing that finds anyone.
    pub name: Option<String>,
    /// When it last showed there who it is, where that is told. Seconds since 1970.
    pub auth_time: Option<i64>,
}

/// What is wrong with a token. The texts hold nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no token.
    #[error("the ID token is malformed")]
    Malformed,
    /// It is not signed, or with a shared secret, or in a way that we don't know.
    #[error("the ID token is not signed with an algorithm that is taken")]
    Algorithm,
    /// No such key is published.
    #[error("the ID token is signed with a key that the provider doesn't publish")]
    Key,
    /// Somebody else signed it.
    #[error("the ID token's signature is wrong")]
    Signature,
    /// It is another provider's.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// It was made for somebody else.
    #[error("the ID token is for another client")]
    Audience,
    /// Somebody else asked for it.
    #[error("the ID token was given to another client")]
    AuthorizedParty,
    /// It is over, or not to be taken yet.
    #[error("the ID token is expired, or not good yet")]
    Expired,
    /// It was not made for this sign-in, or one of the clocks is wrong.
    #[error("the ID token was made before this sign-in began, or in the future")]
    IssuedAt,
    /// Its subject is to show in the future who it is.
    #[error("the ID token tells of a sign-in in the future")]
    AuthTime,
    /// It was made for another sign-in.
    #[error("the ID token is an answer to another sign-in")]
    Nonce,
    /// It is about nobody.
    #[error("the ID token names no subject")]
    Subject,
}

/// How a token says that it is signed; nothing in here is to be believed.
#[derive(Debug)]
pub struct Signed {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The id of the key.
    pub key: Option<String>,
}

/// What a token has to fit.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Us.
    pub client_id: &'a str,
    /// The sign-in.
    pub nonce: &'a str,
    /// When that began.
    pub begun_at: i64,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    auth_time: Option<i64>,
    // Whatever it is: a provider that gives no text here gives no name.
    preferred_username: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Reads how a token is signed.
///
/// # Errors
/// [`Flaw::Malformed`], [`Flaw::Algorithm`]
pub fn signed(token: &str) -> Result<Signed, Flaw> {
    if token.len() > LONGEST {
        return Err(Flaw::Malformed);
    }
    let head = token.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| Flaw::Malformed)?;
    let Head { alg, kid, crit } = serde_json::from_slice(&head).map_err(|_| Flaw::Malformed)?;
    // An extension that must be understood, and isn't (RFC 7515 §4.1.11).
    if crit.is_some() {
        return Err(Flaw::Malformed);
    }
    let algorithm = Algorithm::from_str(&alg).map_err(|_| Flaw::Algorithm)?;
    if !ALGORITHMS.contains(&algorithm) {
        return Err(Flaw::Algorithm);
    }
    Ok(Signed { algorithm, key: kid })
}

/// Checks a token.
///
/// # Errors
/// [`Flaw`]
pub fn check(
    token: &str,
    algorithm: Algorithm,
    key: &Jwk,
    expected: Expected<'_>,
    now: i64,
) -> Result<Person, Flaw> {
    let key = DecodingKey::from_jwk(key).map_err(|_| Flaw::Key)?;
    // The signature only: what the claims have to say is checked below, one by one, and with the time that the caller has.
    let mut signature = Validation::new(algorithm);
    signature.validate_exp = false;
    signature.validate_aud = false;
    signature.required_spec_claims.clear();
    let claims: Value =
        jsonwebtoken::decode(token, &key, &signature).map_err(|_| Flaw::Signature)?.claims;
    // Read after that, so that a claim of the wrong type is an error, and never a claim that isn't there.
    let claims = serde_json::from_value(claims).map_err(|_| Flaw::Malformed)?;
    fit(claims, expected, now)
}

fn fit(claims: Claims, expected: Expected<'_>, now: i64) -> Result<Person, Flaw> {
    let us = expected.client_id;
    if claims.iss != expected.issuer {
        return Err(Flaw::Issuer);
    }
    let (for_us, alone) = match &claims.aud {
        Audience::One(one) => (one == us, true),
        Audience::Several(all) => (all.iter().any(|one| one == us), all.len() == 1),
    };
    if !for_us {
        return Err(Flaw::Audience);
    }
    if claims.azp.as_deref().map_or(!alone, |azp| azp != us) {
        return Err(Flaw::AuthorizedParty);
    }
    if now >= claims.exp.saturating_add(SKEW) {
        return Err(Flaw::Expired);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(SKEW)) {
        return Err(Flaw::Expired);
    }
    // It comes straight from the provider, for a code of this sign-in.
    let earliest = expected.begun_at.saturating_sub(SKEW);
    if !(earliest..=now.saturating_add(SKEW)).contains(&claims.iat) {
        return Err(Flaw::IssuedAt);
    }
    // It would count as recent for as long as it is ahead.
    if claims.auth_time.is_some_and(|shown_at| shown_at > now.saturating_add(SKEW)) {
        return Err(Flaw::AuthTime);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(Flaw::Nonce);
    }
    if claims.sub.is_empty() || claims.sub.len() > SUBJECT {
        return Err(Flaw::Subject);
    }
    let name = claims.preferred_username.as_ref().and_then(Value::as_str);
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    Ok(Person {
        subject: claims.sub,
        name: name.map(|name| name.chars().filter(|c| !c.is_control()).take(64).collect()),
        auth_time: claims.auth_time,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 10_000;

    fn with(change: Value) -> Result<Person, Flaw> {
        let mut claims = json!({
            "iss": "https://login", "sub": "7", "aud": "chat", "exp": NOW + 300, "iat": NOW, "nonce": "n",
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected =
            Expected { issuer: "https://login", client_id: "chat", nonce: "n", begun_at: NOW - 30 };
        fit(serde_json::from_value(claims).map_err(|_| Flaw::Malformed)?, expected, NOW)
    }

    #[test]
    fn a_token_that_fits_tells_who_it_is_about() {
        let change = json!({"preferred_username": " ada\n", "auth_time": 9_000});
        let person =
            Person { subject: "7".into(), name: Some("ada".into()), auth_time: Some(9_000) };
        assert_eq!(with(change), Ok(person));
        assert_eq!(with(json!({"preferred_username": 7})).map(|person| person.name), Ok(None));
    }

    #[test]
    fn each_claim_has_to_fit() {
        for (change, flaw) in [
            (json!({"iss": "https://login/"}), Flaw::Issuer),
            (json!({"aud": "another"}), Flaw::Audience),
            (json!({"aud": []}), Flaw::Audience),
            (json!({"aud": ["another"]}), Flaw::Audience),
            (json!({"aud": ["chat", "another"]}), Flaw::AuthorizedParty),
            (json!({"azp": "another"}), Flaw::AuthorizedParty),
            (json!({"exp": NOW - SKEW}), Flaw::Expired),
            (json!({"nbf": NOW + SKEW + 1}), Flaw::Expired),
            (json!({"iat": NOW + SKEW + 1}), Flaw::IssuedAt),
            (json!({"iat": NOW - 30 - SKEW - 1}), Flaw::IssuedAt),
            (json!({"nonce": "m"}), Flaw::Nonce),
            (json!({"nonce": null}), Flaw::Nonce),
            (json!({"sub": ""}), Flaw::Subject),
            (json!({"sub": "a".repeat(256)}), Flaw::Subject),
            (json!({"exp": "soon"}), Flaw::Malformed),
            (json!({"exp": null}), Flaw::Malformed),
            (json!({"iat": null}), Flaw::Malformed),
            (json!({"sub": 7}), Flaw::Malformed),
        ] {
            assert_eq!(with(change.clone()).unwrap_err(), flaw, "{change}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute_and_several_may_be_meant_when_we_asked() {
        for change in [
            json!({"exp": NOW - SKEW + 1}),
            json!({"iat": NOW + SKEW}),
            json!({"iat": NOW - 30 - SKEW}),
            json!({"nbf": NOW + SKEW}),
            json!({"aud": ["chat"]}),
            json!({"aud": ["another", "chat"], "azp": "chat"}),
        ] {
            assert!(with(change.clone()).is_ok(), "{change}");
        }
    }

    #[test]
    fn only_signatures_that_a_published_key_checks_are_looked_at() {
        let token = |head: Value| format!("{}.e30.", URL_SAFE_NO_PAD.encode(head.to_string()));
        for alg in ["none", "None", "HS256", "HS384", "HS512", "ES256K", "", "dir"] {
            assert_eq!(signed(&token(json!({"alg": alg}))).unwrap_err(), Flaw::Algorithm, "{alg}");
        }
        for (alg, algorithm) in [("EdDSA", Algorithm::EdDSA), ("RS256", Algorithm::RS256)] {
            assert_eq!(signed(&token(json!({"alg": alg}))).unwrap().algorithm, algorithm);
        }
        let critical = token(json!({"alg": "ES256", "crit": ["b64"], "b64": false}));
        assert_eq!(signed(&critical).unwrap_err(), Flaw::Malformed);
        for text in ["", ".", "a.b.c", &"a".repeat(LONGEST + 1)] {
            assert_eq!(signed(text).unwrap_err(), Flaw::Malformed);
        }
    }
}

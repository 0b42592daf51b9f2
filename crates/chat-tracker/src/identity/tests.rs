//! The rules of a token, each with a token that breaks just this one.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use wire::identity::{Key, KeySet};

use super::keys::{KeyRing, Rejected};
use super::source::may_be_asked;

const NOW: i64 = 1_800_000_000;

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn ring() -> KeyRing {
    let x = URL_SAFE_NO_PAD.encode(signing_key().verifying_key());
    let key = |kid: &str, kty: &str| Key {
        kty: kty.to_owned(),
        crv: "Ed25519".to_owned(),
        x: x.clone(),
        kid: kid.to_owned(),
        alg: "EdDSA".to_owned(),
        purpose: "sig".to_owned(),
    };
    let keys = vec![key("k1", "OKP"), key("other-kind", "EC")];
    KeyRing::new(&KeySet { keys, issuer: "https://chat.example".to_owned() })
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "chat-id+jwt", "kid": "k1" })
}

fn claims() -> Value {
    json!({
        "iss": "https://chat.example", "aud": ["chat-tracker"], "sub": "u-1", "sid": "s-1",
        "name": "alice", "roles": ["member"], "scope": "chat:read chat:write", "amr": ["pwd"],
        "auth_time": NOW, "iat": NOW, "nbf": NOW, "exp": NOW + 60, "jti": "j-1",
    })
}

fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = signing_key().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn verify(header: &Value, claims: &Value) -> Result<(), Rejected> {
    ring().verify(&signed(header, claims), NOW).map(|_| ())
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

#[test]
fn a_good_token_is_taken() {
    let claims = ring().verify(&signed(&header(), &claims()), NOW).unwrap();
    assert_eq!((claims.name.as_str(), claims.sub.as_str()), ("alice", "u-1"));
}

#[test]
fn only_ed_dsa_of_the_right_type_is_taken() {
    for (field, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
    ] {
        let refused = verify(&with(header(), field, value.clone()), &claims());
        assert!(refused.is_err(), "{field} {value}");
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let header = with(header(), "alg", json!("HS256"));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims()));
    let secret = jsonwebtoken::EncodingKey::from_secret(signing_key().verifying_key().as_bytes());
    let mac =
        jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256)
            .unwrap();
    assert_eq!(ring().verify(&format!("{message}.{mac}"), NOW), Err(Rejected::OtherKind));
}

#[test]
fn a_key_is_known_by_its_id_and_no_other_way() {
    let unknown = with(header(), "kid", json!("k2"));
    assert_eq!(verify(&unknown, &claims()), Err(Rejected::UnknownKey));
    assert_eq!(verify(&with(header(), "kid", Value::Null), &claims()), Err(Rejected::UnknownKey));
    assert_eq!(
        verify(&with(header(), "kid", json!("other-kind")), &claims()),
        Err(Rejected::UnknownKey)
    );
    // A key that the token brings along changes nothing.
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let x = URL_SAFE_NO_PAD.encode(stranger.verifying_key());
    let brought = with(header(), "jwk", json!({ "kty": "OKP", "crv": "Ed25519", "x": x }));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&brought), part(&claims()));
    let signature = URL_SAFE_NO_PAD.encode(stranger.sign(message.as_bytes()).to_bytes());
    assert!(ring().verify(&format!("{message}.{signature}"), NOW).is_err());
}

#[test]
fn every_claim_is_needed_and_of_its_type() {
    for (field, value) in claims().as_object().unwrap() {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(field);
        assert_eq!(verify(&header(), &without), Err(Rejected::Invalid), "without {field}");
        let other_type = if value.is_string() { json!(1) } else { json!("text") };
        let retyped = with(claims(), field, other_type.clone());
        assert_eq!(verify(&header(), &retyped), Err(Rejected::Invalid), "{field} {other_type}");
        let null = with(claims(), field, Value::Null);
        assert_eq!(verify(&header(), &null), Err(Rejected::Invalid), "{field} null");
    }
}

#[test]
fn another_audience_or_issuer_is_refused() {
    for (field, value) in [
        ("aud", json!(["other-service"])),
        ("aud", json!([])),
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://chat.example/")),
    ] {
        assert_eq!(
            verify(&header(), &with(claims(), field, value.clone())),
            Err(Rejected::Invalid),
            "{field} {value}"
        );
    }
}

#[test]
fn times_are_kept_with_five_seconds_of_grace() {
    let at = |iat: i64, exp: i64| {
        let claims = with(with(claims(), "iat", json!(iat)), "nbf", json!(iat));
        verify(&header(), &with(claims, "exp", json!(exp)))
    };
    assert_eq!(at(NOW - 60, NOW - 4), Ok(()));
    assert_eq!(at(NOW - 60, NOW - 5), Err(Rejected::Expired));
    assert_eq!(at(NOW + 5, NOW + 60), Ok(()));
    assert_eq!(at(NOW + 6, NOW + 60), Err(Rejected::BadTimes));
    assert_eq!(at(NOW, NOW + 300), Ok(()));
    assert_eq!(at(NOW, NOW + 301), Err(Rejected::BadTimes));
    assert_eq!(at(NOW + 4, NOW + 4), Err(Rejected::BadTimes), "no lifetime at all");
    assert!(at(i64::MIN, i64::MAX).is_err());
}

#[test]
fn a_changed_or_huge_token_is_refused() {
    let token = signed(&header(), &claims());
    let mut changed = token.clone().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    assert!(ring().verify(std::str::from_utf8(&changed).unwrap(), NOW).is_err());
    assert_eq!(ring().verify(&"a".repeat(4097), NOW), Err(Rejected::TooLong));
    assert_eq!(ring().verify("abc", NOW), Err(Rejected::Malformed));
    assert_eq!(ring().verify("", NOW), Err(Rejected::Malformed));
}

#[test]
fn rule_42_unknown_keys_are_worth_a_question_every_thirty_seconds() {
    let start = Instant::now();
    let after = |ms| start + Duration::from_millis(ms);
    assert!(may_be_asked(None, true, start));
    for (has_keys, every) in [(true, 30_000), (false, 500)] {
        assert!(!may_be_asked(Some(start), has_keys, start));
        assert!(!may_be_asked(Some(start), has_keys, after(every - 1)));
        assert!(may_be_asked(Some(start), has_keys, after(every)));
    }
}

//! Rules 38 to 40, as a running tracker keeps them: a token that breaks one rule opens nothing, neither as a bearer nor in the
//! header of the proxy. Each one here differs from a good token in one thing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    FakeAuth, Running, answer, auth, claims, good, refused, signing_key, tracker_with,
};

async fn world() -> (Running, FakeAuth) {
    let auth = auth().await;
    let tracker = tracker_with(&["--auth-url", &auth.url()]).await;
    // With the keys in hand, so that a refusal is about the token.
    accepted(&tracker, &signed(&header(), &claims("alice"), &signing_key(1))).await;
    (tracker, auth)
}

async fn accepted(tracker: &Running, token: &str) {
    let bearer = tracker.request(Method::GET, "/chat/me").bearer_auth(token);
    assert_eq!(good(answer(bearer).await)["peer_id"], "alice");
    let passed_on = tracker.request(Method::GET, "/chat/me").header("X-Chat-Identity", token);
    assert_eq!(good(answer(passed_on).await)["peer_id"], "alice");
}

async fn rejected(tracker: &Running, token: &str, why: &str) {
    let ask = || tracker.request(Method::GET, "/chat/me");
    for request in [ask().bearer_auth(token), ask().header("X-Chat-Identity", token)] {
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").cloned();
        let (status, body) = (response.status(), response.json().await.unwrap());
        assert_eq!(status.as_u16(), 401, "{why}: {body}");
        refused((status, body), 401, "unauthenticated");
        assert!(challenge.is_some_and(|text| text.as_bytes().starts_with(b"Bearer")), "{why}");
    }
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "chat-id+jwt", "kid": "k1" })
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

fn without(mut object: Value, field: &str) -> Value {
    assert!(object.as_object_mut().unwrap().remove(field).is_some());
    object
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let message = message(header, claims);
    let signature = key.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[tokio::test]
async fn rule_38_only_our_keys_and_their_one_algorithm_count() {
    let (tracker, _auth) = world().await;
    for alg in ["none", "None", "NONE"] {
        let header = with(header(), "alg", json!(alg));
        rejected(&tracker, &format!("{}.", message(&header, &claims("alice"))), alg).await;
        rejected(&tracker, &signed(&header, &claims("alice"), &signing_key(1)), alg).await;
    }
    let public = signing_key(1).verifying_key();
    let as_text = URL_SAFE_NO_PAD.encode(public);
    for secret in [&public.to_bytes()[..], as_text.as_bytes()] {
        let message = message(&with(header(), "alg", json!("HS256")), &claims("alice"));
        let secret = jsonwebtoken::EncodingKey::from_secret(secret);
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, algorithm).unwrap();
        rejected(&tracker, &format!("{message}.{mac}"), "HS256 with the public key").await;
    }
    for kid in [json!("k2"), json!(""), Value::Null, json!(1)] {
        let header = with(header(), "kid", kid.clone());
        let token = signed(&header, &claims("alice"), &signing_key(1));
        rejected(&tracker, &token, &format!("kid {kid}")).await;
    }
    let stranger = signing_key(9);
    let x = URL_SAFE_NO_PAD.encode(stranger.verifying_key());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "alg": "EdDSA" });
    for header in
        [header(), with(header(), "jwk", jwk.clone()), without(with(header(), "jwk", jwk), "kid")]
    {
        let token = signed(&header, &claims("alice"), &stranger);
        rejected(&tracker, &token, &format!("a key of a stranger: {header}")).await;
    }
}

#[tokio::test]
async fn rule_39_times_are_numbers_are_there_and_are_now() {
    let (tracker, _auth) = world().await;
    let token = |claims: &Value| signed(&header(), claims, &signing_key(1));
    let now = jiff::Timestamp::now().as_second();
    for time in ["exp", "nbf", "iat"] {
        let right = claims("alice")[time].clone();
        for value in
            [json!(right.to_string()), Value::Null, json!([right]), json!(-1), json!(1e300)]
        {
            let why = format!("{time} {value}");
            rejected(&tracker, &token(&with(claims("alice"), time, value)), &why).await;
        }
        let why = format!("without {time}");
        rejected(&tracker, &token(&without(claims("alice"), time)), &why).await;
    }
    let at = |iat: i64, nbf: i64, exp: i64| {
        let times = with(with(claims("alice"), "iat", json!(iat)), "nbf", json!(nbf));
        token(&with(times, "exp", json!(exp)))
    };
    accepted(&tracker, &at(now - 60, now - 60, now + 240)).await;
    for (why, token) in [
        ("past", at(now - 300, now - 300, now - 10)),
        ("iat in the future", at(now + 60, now, now + 120)),
        ("nbf in the future", at(now, now + 60, now + 120)),
        ("all in the future", at(now + 3600, now + 3600, now + 3900)),
        ("longer than 300 s", at(now, now, now + 301)),
        ("longer than 300 s, in part over", at(now - 200, now - 200, now + 101)),
        ("ends before it begins", at(now, now, now - 1)),
    ] {
        rejected(&tracker, &token, why).await;
    }
}

#[tokio::test]
async fn rule_40_a_token_for_others_of_others_or_of_another_kind_opens_nothing() {
    let (tracker, _auth) = world().await;
    for (claim, values) in [
        ("aud", [json!(["backend-auth"]), json!("chat-tracker2"), json!([]), Value::Null]),
        ("iss", [json!("https://evil.example"), json!("hybrid-chat/"), json!(""), Value::Null]),
    ] {
        for value in values {
            let why = format!("{claim} {value}");
            let token = signed(&header(), &with(claims("alice"), claim, value), &signing_key(1));
            rejected(&tracker, &token, &why).await;
        }
        let token = signed(&header(), &without(claims("alice"), claim), &signing_key(1));
        rejected(&tracker, &token, &format!("without {claim}")).await;
    }
    for typ in [json!("JWT"), json!("at+jwt"), json!("chat-id"), json!(""), Value::Null] {
        let why = format!("typ {typ}");
        let token = signed(&with(header(), "typ", typ), &claims("alice"), &signing_key(1));
        rejected(&tracker, &token, &why).await;
    }
    let token = signed(&without(header(), "typ"), &claims("alice"), &signing_key(1));
    rejected(&tracker, &token, "without typ").await;
}

//! What the proxy and the tracker get: identities, and the keys that verify them.

use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use serde_json::json;
use wire::identity::{Claims, KeySet};

use crate::support::{Answer, Visitor, World};

/// Verifies as the tracker does: with the published keys only.
async fn verify(visitor: &Visitor, token: &str) -> Result<TokenData<Claims>, String> {
    let answer = visitor.get("/.well-known/jwks.json").await;
    assert!(answer.header("cache-control").contains("max-age=300"));
    let set: KeySet = serde_json::from_str(&answer.text).unwrap();
    let kid = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?.kid;
    let key = set.keys.iter().find(|key| Some(&key.kid) == kid.as_ref()).ok_or("unknown kid")?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = 5;
    validation.validate_nbf = true;
    validation.set_audience(&["chat-tracker"]);
    validation.set_issuer(&[set.issuer]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    let key = DecodingKey::from_ed_components(&key.x).map_err(|error| error.to_string())?;
    jsonwebtoken::decode(token, &key, &validation).map_err(|error| error.to_string())
}

fn identity(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.header("x-chat-identity").to_owned()
}

#[tokio::test]
async fn verify_names_the_account_for_a_minute() {
    let world = World::new().await;
    let alice = world.member("Alice").await;
    let token = identity(&alice.get("/auth/verify").await);
    let data = verify(&alice, &token).await.unwrap();
    assert_eq!(data.header.typ.as_deref(), Some("chat-id+jwt"));
    let claims = data.claims;
    let me = alice.get("/me").await.json();
    assert_eq!((claims.name.as_str(), claims.iss.as_str()), ("Alice", "hybrid-chat"));
    assert_eq!(me["user_id"], claims.sub);
    assert_eq!((claims.exp - claims.iat, claims.nbf), (60, claims.iat));
    assert_eq!(claims.scope, "chat:read chat:write");
    assert_ne!(claims.sid, alice.cookie("session"), "the public id is not the token");
    assert_eq!(claims.jti.len(), 22);
}

#[tokio::test]
async fn one_identity_serves_a_session_while_it_is_fresh() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let first = identity(&alice.get("/auth/verify").await);
    assert_eq!(identity(&alice.get("/auth/verify/").await), first);
    let bob = world.member("bob").await;
    assert_ne!(identity(&bob.get("/auth/verify").await), first);
}

#[tokio::test]
async fn strangers_get_401_with_a_challenge() {
    let world = World::new().await;
    let answer = world.visitor().get("/auth/verify").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.headers.get("x-chat-identity").is_none());
}

#[tokio::test]
async fn a_token_for_direct_use_lives_five_minutes() {
    let world =
        World::with(|flags| flags.public_origin = Some("https://chat.example.org".into())).await;
    let alice = world.member("alice").await;
    let answer = alice.post_form("/token", "aud=chat-tracker").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(token["username"], "alice");
    let claims = verify(&alice, token["access_token"].as_str().unwrap()).await.unwrap().claims;
    assert_eq!(claims.exp - claims.iat, 300);
    assert_eq!(claims.iss, "https://chat.example.org");
    let bare = alice.send(reqwest::Method::POST, "/token", &[], None).await;
    assert_eq!(bare.status, 200);
    let other = alice.post("/token", json!({"aud": "bank"})).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (400, "invalid_target"));
    assert_eq!(world.visitor().post("/token", json!({})).await.status, 401);
}

#[tokio::test]
async fn a_bearer_token_of_ours_is_verified_and_a_bad_one_is_not_saved_by_a_cookie() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let token =
        alice.post("/token", json!({})).await.json()["access_token"].as_str().unwrap().to_owned();
    let good = format!("Bearer {token}");
    let answer = world.visitor().get_with("/auth/verify", &[("authorization", &good)]).await;
    assert_eq!(verify(&alice, &identity(&answer)).await.unwrap().claims.name, "alice");
    let (head, _) = token.rsplit_once('.').unwrap();
    for bad in [
        "Bearer x",
        &format!("Bearer {head}.AAAA"),
        "Basic YTpi",
        &format!("Bearer {}", "a".repeat(5000)),
    ] {
        let answer = alice.get_with("/auth/verify", &[("authorization", bad)]).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_token"));
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
}

#[tokio::test]
async fn altered_identities_do_not_verify() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let token = identity(&alice.get("/auth/verify").await);
    let parts: Vec<&str> = token.split('.').collect();
    let set: KeySet =
        serde_json::from_str(&alice.get("/.well-known/jwks.json").await.text).unwrap();
    let encode = |text: String| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let kid = &set.keys[0].kid;
    for header in [
        format!(r#"{{"alg":"none","typ":"chat-id+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","typ":"chat-id+jwt","kid":"{kid}"}}"#),
        r#"{"alg":"EdDSA","typ":"chat-id+jwt","kid":"unknown"}"#.to_owned(),
    ] {
        let forged = format!("{}.{}.{}", encode(header), parts[1], parts[2]);
        assert!(verify(&alice, &forged).await.is_err());
    }
    let claims = encode(r#"{"sub":"admin"}"#.to_owned());
    assert!(verify(&alice, &format!("{}.{claims}.{}", parts[0], parts[2])).await.is_err());
    assert!(verify(&alice, &token).await.is_ok());
}

//! `GET /auth/verify`: what the proxy asks for each protected request. Also the key set.
//!
//! No disk, no password hash; one signature per session and 20 seconds. A caller with a Bearer token is
//! judged by that alone: a wrong one isn't made good by a cookie. The token is a personal access token, or an identity of
//! ours that counts only as long as the session behind it lives.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, StatusCode};
use service::Problem;
use wire::identity::{IDENTITY_HEADER, PROXIED_LIFETIME};

use super::sign_in_first;
use crate::App;
use crate::clock;
use crate::secret::{ACCESS_TOKEN, SecretHash};
use crate::sessions::Minted;

const IDENTITY: HeaderName = HeaderName::from_static(IDENTITY_HEADER);
/// A kept identity is passed on as long as it lives this many seconds more.
const FRESH: i64 = 40;

/// Whose request is this? 200 with `X-Chat-Identity`, or 401.
#[utoipa::path(get, path = "/auth/verify", tag = "identity",
    responses(
        (status = 200, description = "Signed in", headers(("x-chat-identity" = String, description = "The identity, a JWT of at most 60 s"))),
        (status = 401, description = "`unauthenticated`, with WWW-Authenticate")))]
pub async fn verify(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.metrics.verified.inc();
    match identity(&app, &headers, clock::now()) {
        Ok(minted) => {
            let mut response = StatusCode::OK.into_response();
            response.headers_mut().insert(IDENTITY, minted.header);
            no_store(response)
        }
        Err(problem) => no_store(problem.into_response()),
    }
}

fn identity(app: &App, headers: &HeaderMap, now: i64) -> Result<Minted, Problem> {
    let (token, over): (_, fn() -> Problem) = match headers.get(AUTHORIZATION) {
        Some(value) => (bearer(app, value).ok_or_else(invalid_token)?, invalid_token),
        // The proxy knows 401 only; the login page then tells about a doubled cookie.
        None => {
            let token = app.cookies.session(headers).ok().flatten();
            (token.ok_or_else(sign_in_first)?, sign_in_first)
        }
    };
    let (session, kept) = app.sessions.touch(&token, now).ok_or_else(over)?;
    if let Some(kept) =
        kept.filter(|kept| kept.expires_at - now >= FRESH && app.mint.stands_by(kept, now))
    {
        return Ok(kept);
    }
    let minted = app
        .mint
        .mint(&session, now, PROXIED_LIFETIME)
        .map_err(|error| Problem::internal(&error))?;
    app.metrics.minted.inc();
    app.sessions.keep(&token, minted.clone());
    Ok(minted)
}

fn bearer(app: &App, value: &HeaderValue) -> Option<SecretHash> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    if token.trim().starts_with(ACCESS_TOKEN) {
        return SecretHash::of_access_token(token.trim());
    }
    let claims = app.mint.verify(token.trim(), clock::now())?;
    app.sessions.token_of(&claims.sid)
}

/// RFC 6750 §3.1.
pub(super) fn invalid_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "the Bearer token is not ours, too old, or its session is over",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="invalid_token""#))
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The keys that verify identities (RFC 7517), and their issuer.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "identity",
    responses((status = 200, description = "A JSON Web Key Set with the member `issuer`", headers(("cache-control" = String, description = "It may be kept for five minutes")))))]
pub async fn key_set(State(app): State<Arc<App>>) -> Response {
    let mut response = Json(app.mint.key_set(clock::now())).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

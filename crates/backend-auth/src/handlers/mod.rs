//! One file per group of calls. Each handler reads, asks, answers; decisions live in the modules it asks.

pub mod account;
pub mod admin;
pub mod entry;
pub mod factors;
pub mod guide;
pub mod invites;
pub mod login;
pub mod logout;
pub mod oidc;
pub mod passkey_login;
pub mod passkeys;
pub mod password;
pub mod reauth;
mod refusals;
pub mod register;
pub mod reset;
pub mod revocations;
pub mod second;
pub mod sessions;
pub mod strength;
pub mod token;
pub mod tokens;
pub mod totp;
pub mod verify;

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use http::request::Parts;
use serde::Serialize;
use service::Problem;
use wire::Success;

use crate::App;
use crate::client::Client;
use crate::clock;
use crate::secret::SecretHash;
use crate::sessions::Session;
use crate::step_up;
use crate::store::ways::Doors;

/// What lets people in today, at the address that was asked.
fn doors(app: &App, client: &Client) -> Doors {
    let host = app.passkeys.host(client).ok().map(|host| host.name().to_owned());
    Doors { issuer: app.oidc.as_ref().map(|provider| provider.issuer().to_owned()), host }
}

/// The caller's session: a handler that takes it answers 401 to everyone else.
pub struct SignedIn {
    /// The hash of the session's token.
    pub token: SecretHash,
    /// The session.
    pub session: Arc<Session>,
}

impl SignedIn {
    /// The session that a request's cookie names.
    ///
    /// # Errors
    /// 400 when there are two cookies of the name.
    pub fn find(app: &App, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(token) = app.cookies.session(headers)? else { return Ok(None) };
        let found = app.sessions.touch(&token, clock::now());
        Ok(found.map(|(session, _)| Self { token, session }))
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Self::find(app, &parts.headers) {
            Ok(Some(caller)) => Ok(caller),
            Ok(None) => Err(refusals::note(parts, app, None, sign_in_first()).await),
            Err(problem) => Err(refusals::note(parts, app, None, problem).await),
        }
    }
}

/// The caller, by its session's cookie or by a personal access token. Whoever sends a token is judged by that alone.
pub struct Known(pub SignedIn);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(AUTHORIZATION) else {
            return SignedIn::from_request_parts(parts, app).await.map(Self);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| SecretHash::of_access_token(token.trim()));
        let found = token.and_then(|token| {
            let (session, _) = app.sessions.touch(&token, clock::now())?;
            Some(SignedIn { token, session })
        });
        match found {
            Some(caller) => Ok(Self(caller)),
            None => Err(refusals::note(parts, app, None, verify::invalid_token()).await),
        }
    }
}

/// The session of a caller who showed who it is a moment ago; others hear 403 `reauth_required`.
pub struct Fresh(pub SignedIn);

impl Fresh {
    /// Whether this session's sign-in is recent enough.
    ///
    /// # Errors
    /// 403 `reauth_required`.
    pub fn check(app: &App, caller: SignedIn) -> Result<Self, Problem> {
        step_up::fresh(&caller.session, clock::now(), app.config.step_up_after)?;
        Ok(Self(caller))
    }

    /// The same, for a call that isn't read yet.
    async fn of(parts: &mut Parts, app: &Arc<App>, caller: SignedIn) -> Result<Self, Problem> {
        match step_up::fresh(&caller.session, clock::now(), app.config.step_up_after) {
            Ok(()) => Ok(Self(caller)),
            Err(problem) => Err(refusals::note(parts, app, Some(&caller), problem).await),
        }
    }
}

impl FromRequestParts<Arc<App>> for Fresh {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = SignedIn::from_request_parts(parts, app).await?;
        Self::of(parts, app, caller).await
    }
}

fn sign_in_first() -> Problem {
    Problem::unauthenticated("sign in first: there is no session, or it is over")
}

/// A good answer that no cache keeps.
pub(crate) fn success<T: Serialize>(answer: T) -> Response {
    let mut response = Json(Success::of(answer)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a call: what came of it, or why nothing did.
pub(crate) fn respond<T: Serialize>(outcome: Result<T, Problem>) -> Response {
    outcome.map(success).into_response()
}

/// An answer without fields of its own.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Done {}

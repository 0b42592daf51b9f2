//! `GET /auth/oidc/login`: off to the provider.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use service::Problem;
use utoipa::IntoParams;

use super::{ACCOUNT_PAGE, failed, provider};
use crate::App;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::entry::too_many;
use crate::handlers::{SignedIn, entry, sign_in_first};
use crate::next;
use crate::oidc::Purpose;
use crate::oidc::pending::WITHIN;

/// Query of `GET /auth/oidc/login`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Go {
    /// Where it goes on afterwards: a path on this site.
    next: Option<String>,
    /// Stay signed in for longer (30 days idle, 90 in all) than a working day.
    remember: Option<bool>,
    /// Show the provider again who you are, for what asks for a recent sign-in; needs a session.
    again: Option<bool>,
}

/// Sign in by OpenID Connect: a link for browsers, that sends them to the provider. It changes nothing here.
#[utoipa::path(get, path = "/auth/oidc/login", tag = "accounts", params(Go),
    responses(
        (status = 303, description = "To the provider, with a cookie that is good for 10 minutes; or back to /login (with `again`, to /account) with `?error=CODE`: `oidc_unavailable`, `unauthenticated`, `too_many_requests`: this address begins too many sign-ins"),
        (status = 400, description = "`invalid_query`; `duplicate_cookie`"),
        (status = 404, description = "`no_provider`: this server has none")))]
pub async fn login(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match go(&app, &client, &headers, &uri).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn go(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, Problem> {
    let provider = provider(app)?;
    let Go { next, remember, again } = body::query(uri)?;
    let next = next.filter(|path| next::is_safe(path));
    let (page, purpose) = if again == Some(true) {
        let Some(caller) = SignedIn::find(app, headers)? else {
            return Ok(entry::back("/login", "", next.as_deref(), sign_in_first()));
        };
        (ACCOUNT_PAGE, Purpose::Again(caller.session.account.id.clone()))
    } else {
        ("/login", Purpose::SignIn { remember: remember == Some(true) })
    };
    if let Err(wait) = app.throttle.begin(client.ip, Instant::now()) {
        return Ok(entry::back(page, "", next.as_deref(), too_many(wait)));
    }
    Ok(match provider.begin(purpose, next.clone(), clock::now()).await {
        Ok(begun) => {
            let cookie = app.cookies.set_oidc(&begun.browser.text, WITHIN);
            entry::with_cookies(entry::see_other(&begun.location), cookie)
        }
        Err(failure) => entry::back(page, "", next.as_deref(), failed(&failure)),
    })
}

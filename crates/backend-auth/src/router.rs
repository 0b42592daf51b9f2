//! The table of calls. Each works with and without a slash at its end.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router, middleware};
use service::Problem;
use utoipa::OpenApi;

use crate::handlers::{
    Done, account, admin, factors, guide, invites, login, logout, oidc, passkey_login, passkeys,
    password, reauth, register, reset, revocations, second, sessions, strength, success, token,
    tokens, totp, verify,
};
use crate::{App, csrf, headers, openapi, pages};

type Call = (&'static str, MethodRouter<Arc<App>>);

/// What people's browsers and programs call.
fn calls() -> [Call; 54] {
    [
        ("/register", post(register::register).get(pages::serve)),
        ("/login", post(login::login).get(pages::serve)),
        ("/login/code", post(second::code).get(pages::serve)),
        ("/login/name", post(oidc::name::choose).get(pages::serve)),
        ("/login/passkey", post(passkey_login::begin)),
        ("/login/passkey/finish", post(passkey_login::finish)),
        ("/login/second/passkey", post(passkey_login::begin_second)),
        ("/login/second/passkey/finish", post(passkey_login::finish_second)),
        ("/logout", post(logout::logout)),
        ("/me", get(account::me)),
        ("/password", post(password::change)),
        ("/invites", post(invites::create)),
        ("/token", post(token::token)),
        ("/auth/reauth", post(reauth::reauth)),
        ("/auth/sessions", get(sessions::list)),
        ("/auth/sessions/revoke", post(sessions::revoke)),
        ("/auth/factors", get(factors::list)),
        ("/auth/totp", post(totp::enrol)),
        ("/auth/totp/confirm", post(totp::confirm)),
        ("/auth/totp/remove", post(totp::remove)),
        ("/auth/recovery-codes", post(factors::renew_codes)),
        ("/auth/passkeys", post(passkeys::add)),
        ("/auth/passkeys/begin", post(passkeys::begin)),
        ("/auth/passkeys/rename", post(passkeys::rename)),
        ("/auth/passkeys/remove", post(passkeys::remove)),
        ("/auth/oidc/login", get(oidc::login::login)),
        ("/auth/oidc/callback", get(oidc::callback::callback)),
        ("/auth/oidc/link", post(oidc::link::begin)),
        ("/auth/oidc/unlink", post(oidc::link::unlink)),
        ("/auth/tokens", get(tokens::list).post(tokens::create)),
        ("/auth/tokens/revoke", post(tokens::revoke)),
        ("/auth/password/strength", post(strength::estimate)),
        ("/reset", post(reset::reset).get(pages::serve)),
        ("/auth/admin/users", get(admin::users::list)),
        ("/auth/admin/users/role", post(admin::users::set_role)),
        ("/auth/admin/users/disable", post(admin::users::disable)),
        ("/auth/admin/users/enable", post(admin::users::enable)),
        ("/auth/admin/users/end-sessions", post(admin::users::end_sessions)),
        ("/auth/admin/users/delete", post(admin::users::delete)),
        ("/auth/admin/users/remove-factors", post(admin::factors::remove)),
        ("/auth/admin/users/unlink", post(admin::factors::unlink)),
        ("/auth/admin/users/reset-link", post(admin::resets::create)),
        ("/auth/admin/bots", post(admin::bots::create)),
        ("/auth/admin/tokens", get(admin::bots::list_tokens).post(admin::bots::create_token)),
        ("/auth/admin/tokens/revoke", post(admin::bots::revoke_token)),
        ("/auth/admin/invites", get(admin::invites::list)),
        ("/auth/admin/invites/revoke", post(admin::invites::revoke)),
        ("/auth/admin/audit", get(admin::audit::search)),
        ("/auth/admin/audit/export", get(admin::audit::export)),
        ("/auth/info", get(guide::info)),
        ("/auth/addresses", get(guide::addresses)),
        ("/auth/qr", post(guide::qr)),
        ("/auth/openapi.json", get(document)),
        ("/ready", get(ready)),
    ]
}

/// What is asked by programs only, and often: no headers for browsers.
fn quick() -> [Call; 4] {
    [
        ("/auth/verify", get(verify::verify)),
        ("/.well-known/jwks.json", get(verify::key_set)),
        ("/internal/revocations", get(revocations::since)),
        ("/health", get(health)),
    ]
}

/// The paths of all calls.
pub fn paths() -> impl Iterator<Item = &'static str> {
    calls().into_iter().chain(quick()).map(|(path, _)| path)
}

/// All routes over one state.
pub fn build(app: &Arc<App>) -> Router {
    // A form without an action is sent to the address of its page, and these pages have two.
    let files = Router::new()
        .route("/register.html", post(register::register).get(pages::serve))
        .route("/login.html", post(login::login).get(pages::serve))
        .route("/login-code.html", post(second::code).get(pages::serve))
        .route("/login-name.html", post(oidc::name::choose).get(pages::serve));
    let calls = both(files, calls())
        .fallback(pages::serve)
        .layer(middleware::from_fn_with_state(app.clone(), csrf::guard))
        .with_state(app.clone());
    // A router around the router: the inner one adds `Allow` to its 405 after its own layers.
    let guarded = Router::new()
        .fallback_service(calls)
        .layer(middleware::from_fn_with_state(app.clone(), headers::add));
    both(Router::new(), quick()).merge(guarded).with_state(app.clone())
}

fn both<const N: usize>(router: Router<Arc<App>>, calls: [Call; N]) -> Router<Arc<App>> {
    calls.into_iter().fold(router, |router, (path, call)| {
        router.route(path, call.clone()).route(&format!("{path}/"), call)
    })
}

/// Alive.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = wire::Success<Done>)))]
pub(crate) async fn health() -> Response {
    success(Done {})
}

/// Alive, and able to answer calls.
#[utoipa::path(get, path = "/ready", tag = "service",
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 503, description = "`not_ready`")))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_ready().await {
        success(Done {})
    } else {
        Problem::unavailable("not_ready", "the database does not answer", 1).into_response()
    }
}

/// This document.
#[utoipa::path(get, path = "/auth/openapi.json", tag = "service", responses((status = 200, body = Object)))]
pub(crate) async fn document() -> Response {
    Json(openapi::Document::openapi()).into_response()
}

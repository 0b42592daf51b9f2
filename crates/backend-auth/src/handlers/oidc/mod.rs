//! `/auth/oidc/…`, `/login/name`: signing in by OpenID Connect, the first time and later, and linking an account with the provider.

pub mod callback;
pub mod link;
pub mod login;
pub mod name;

use std::sync::atomic::Ordering;

use http::StatusCode;
use service::Problem;
use wire::auth::Registration;

use crate::App;
use crate::oidc::{Failure, Provider};
use crate::store::linked::Refusal;

/// What the audit log and the metrics say of how it was done.
const WAY: &str = "openid connect";
/// Where what failed while someone was signed in is told.
const ACCOUNT_PAGE: &str = "/account";

/// The provider.
///
/// # Errors
/// 404 `no_provider`
fn provider(app: &App) -> Result<&Provider, Problem> {
    app.oidc.as_ref().ok_or_else(|| {
        Problem::not_found(
            "no_provider",
            "this server knows no provider of OpenID Connect: whoever runs it names one in --oidc-issuer",
        )
    })
}

/// By which rule strangers get accounts; none when they don't.
fn rule(app: &App, provider: &Provider) -> Option<Registration> {
    match provider.settings().register {
        Some(true) => Some(Registration::Open),
        Some(false) => None,
        None => Some(app.config.registration),
    }
}

/// Whether whom nobody knows here gets an account by signing in at the provider.
pub(crate) fn takes_strangers(app: &App, provider: &Provider) -> bool {
    rule(app, provider)
        .is_some_and(|rule| rule == Registration::Open || app.first_run.load(Ordering::Relaxed))
}

/// What the caller hears of a failure. The log has its cause.
fn failed(failure: &Failure) -> Problem {
    match failure {
        Failure::Unavailable { .. } | Failure::Pausing(_) => {
            tracing::warn!(%failure, "sign-in by OpenID Connect");
            Problem::unavailable(
                "oidc_unavailable",
                "the provider doesn't answer: try again in a while, or sign in another way",
                10,
            )
        }
        Failure::Random(error) => Problem::internal(error),
        Failure::Client(_) | Failure::Exchange(_) | Failure::Token(_) | Failure::Mixed => {
            tracing::warn!(%failure, "sign-in by OpenID Connect");
            Problem::forbidden(
                "oidc_failed",
                "the provider's answer was not as it has to be: try again; the log says what is wrong",
            )
        }
    }
}

/// 403: nobody here is that person at the provider, or its account is disabled; not told apart.
fn no_account() -> Problem {
    Problem::forbidden(
        "oidc_no_account",
        "there is no account here that you may use: ask an administrator, or sign in another way and link it",
    )
}

fn refused(refusal: Refusal) -> Problem {
    let (code, message) = match refusal {
        Refusal::OfAnother => (
            "identity_taken",
            "who you are at the provider is linked with another account: unlink it there first",
        ),
        Refusal::HasOne => (
            "identity_exists",
            "this account is linked with the provider already: unlink that first",
        ),
    };
    Problem::new(StatusCode::CONFLICT, code, message)
}

/// 409: what is to go is all that its owner can sign in with.
pub(super) fn last_way_in() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "last_way_in",
        "you couldn't sign in any more: set a password, or add another way, first",
    )
}

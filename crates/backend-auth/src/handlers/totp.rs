//! `/auth/totp`: the caller's authenticator app. Its seed is told once and waits for the app's first code; from then on a
//! password alone is not enough.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::HeaderValue;
use http::{HeaderMap, StatusCode};
use service::Problem;
use wire::factors::{ConfirmTotp, RecoveryCodes, TotpEnrolment};

use super::entry::{self, too_many};
use super::factors::{Changer, give_codes};
use super::second::{OTP, attempt, wrong_code};
use super::{Done, Fresh, SignedIn, respond, sign_in_first, success};
use crate::App;
use crate::audit::{self, Entry};
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::origin::Origin;
use crate::qr;
use crate::recovery::Codes;
use crate::store::{factors, sessions};
use crate::totp;

/// Get a secret for an authenticator app. It counts from `POST /auth/totp/confirm` on, which has to come within 15 minutes; asking again
/// before that gives another one.
#[utoipa::path(post, path = "/auth/totp", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<TotpEnrolment>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 409, description = "`totp_exists`: remove it first")))]
pub async fn enrol(State(app): State<Arc<App>>, client: Client, Fresh(caller): Fresh) -> Response {
    respond(begin(&app, &client, &caller).await)
}

async fn begin(app: &App, client: &Client, caller: &SignedIn) -> Result<TotpEnrolment, Problem> {
    let account = caller.session.account.clone();
    let seed = totp::seed().map_err(entry::random)?;
    let sealed = app.seal.seal(&account.id, &seed).map_err(|error| Problem::internal(&error))?;
    let uri = totp::uri(&seed, &account.name, app.config.origin.as_ref().map(Origin::host));
    let title = format!("QR code for an authenticator app: {}", account.name);
    let qr_svg = qr::titled(&uri, &title).map_err(|error| Problem::internal(&error))?;
    let (token, now) = (caller.token, clock::now());
    app.change(
        Entry::new("enrol_totp", client).by(&account),
        move |db, _| {
            if !sessions::is_there(db, token)? {
                return Ok(Err(sign_in_first()));
            }
            if factors::enrol(db, &account.id, &sealed, now)? {
                return Ok(Ok(()));
            }
            Ok(Err(Problem::new(
                StatusCode::CONFLICT,
                "totp_exists",
                "an authenticator app is in use already: remove it first",
            )))
        },
        |()| (),
    )
    .await?;
    Ok(TotpEnrolment { secret: totp::base32(&seed), uri, qr_svg })
}

/// Show the app's first code. All other sessions of the account end, this one gets a new token. With the first second factor come
/// ten recovery codes.
#[utoipa::path(post, path = "/auth/totp/confirm", tag = "second factors", request_body = ConfirmTotp,
    responses(
        (status = 200, body = wire::Success<RecoveryCodes>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 401, description = "`unauthenticated`; `wrong_code`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 409, description = "`no_enrolment`: POST /auth/totp first, or again"),
        (status = 429, description = "`too_many_requests`, with Retry-After")))]
pub async fn confirm(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let changer = Changer { app: &app, client: &client, headers: &headers, caller: &caller };
    let confirmed = match body::read::<ConfirmTotp>(&app, request).await {
        Ok(ConfirmTotp { code }) => begin_use(&changer, &code).await,
        Err(problem) => Err(problem),
    };
    match confirmed {
        Ok((recovery_codes, cookies)) => {
            entry::with_cookies(success(RecoveryCodes { recovery_codes }), cookies)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn begin_use(
    changer: &Changer<'_>,
    typed: &str,
) -> Result<(Vec<String>, Vec<HeaderValue>), Problem> {
    let Changer { app, client, caller, .. } = changer;
    let account = &caller.session.account;
    let entry = Entry::new("add_factor", client).detail("authenticator app");
    let note = |result| app.audit.note(entry.clone().by(account).result(result));
    let attempt = attempt(client, &account.id, Some(caller.token));
    app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(audit::THROTTLED);
        too_many(wait)
    })?;
    let (id, now) = (account.id.clone(), clock::now());
    let seed = app.store.read(move |db| factors::enrolled(db, &id, now)).await?;
    let Some(seed) = seed else {
        app.throttle.undecided(attempt, Instant::now());
        return Err(no_enrolment());
    };
    let opened =
        app.seal.open(&account.id, &seed.sealed).map_err(|error| Problem::internal(&error))?;
    let step = totp::digits(typed).and_then(|code| totp::step(&opened, &code, now, seed.last_step));
    let Some(step) = step else {
        note(audit::REFUSED);
        return Err(wrong_code());
    };
    let codes = Codes::new().map_err(entry::random)?;
    let confirmed = changer
        .change(
            entry,
            Some(OTP),
            move |db, account| {
                if !factors::confirm(db, account, &seed, step, now)? {
                    return Ok(Err(no_enrolment()));
                }
                give_codes(db, account, codes).map(Ok)
            },
            |_| true,
        )
        .await?;
    app.throttle.succeeded(attempt);
    Ok(confirmed)
}

/// Remove the authenticator app. All other sessions of the account end, this one gets a new token. The recovery codes go with the last
/// second factor.
#[utoipa::path(post, path = "/auth/totp/remove", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<Done>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`no_totp`")))]
pub async fn remove(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    headers: HeaderMap,
) -> Response {
    let changer = Changer { app: &app, client: &client, headers: &headers, caller: &caller };
    let entry = Entry::new("remove_factor", &client).detail("authenticator app");
    let removed = changer.change(
        entry,
        None,
        |db, account| {
            Ok(if factors::remove_totp(db, account)? {
                Ok(())
            } else {
                Err(Problem::not_found("no_totp", "there is no authenticator app to remove"))
            })
        },
        |()| true,
    );
    match removed.await {
        Ok(((), cookies)) => entry::with_cookies(success(Done {}), cookies),
        Err(problem) => problem.into_response(),
    }
}

fn no_enrolment() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no_enrolment",
        "no secret waits for its first code, or it waited too long: POST /auth/totp",
    )
}

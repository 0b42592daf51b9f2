//! `POST /auth/reauth`: shows the password again and renews the session, for what asks for a recent sign-in.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use service::Problem;
use wire::auth::Reauth;

use super::entry::{self, Entered, Issue, PASSWORD, hash_problem, too_many};
use super::password::wrong_password;
use super::{SignedIn, sign_in_first, success};
use crate::App;
use crate::audit::{self, Entry};
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::hasher::{Standing, Verdict};
use crate::password;
use crate::secret::SecretHash;
use crate::store::{accounts, sessions};
use crate::throttle::Attempt;

/// Show the password again. The session gets a new token, and counts as just signed in.
#[utoipa::path(post, path = "/auth/reauth", tag = "accounts", request_body = wire::auth::Reauth,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`wrong_password`"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`busy` or `storage_unavailable`, with Retry-After")))]
pub async fn reauth(
    State(app): State<Arc<App>>,
    client: Client,
    caller: SignedIn,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let renewed = match body::read::<Reauth>(&app, request).await {
        Ok(Reauth { password }) => renew(&app, &client, &headers, &caller, password).await,
        Err(problem) => Err(problem),
    };
    match renewed {
        Ok(entered) => {
            entry::with_cookies(success(entry::account_answer(&entered.account)), entered.cookies)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn renew(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    caller: &SignedIn,
    typed: String,
) -> Result<Entered, Problem> {
    let account = caller.session.account.clone();
    let entry = Entry::new("reauth", client).by(&account);
    let stored = check_password(app, client, caller, typed, &entry).await?;
    let now = clock::now();
    let Issue { new, cookies, .. } =
        Issue::renew(app, client, headers, &caller.session, Some(PASSWORD), now)?;
    let (limit, table) = (app.config.sessions_per_account, app.sessions.clone());
    let (old, checked, renewed) = (caller.token, account.clone(), new.clone());
    app.change(
        entry,
        move |db, _| {
            // Whoever changed the account meanwhile ended this session.
            if !accounts::is_unchanged(db, &checked, &stored)? {
                return Ok(Err(sign_in_first()));
            }
            let mut ended = sessions::delete(db, old, now)?;
            if ended.is_empty() {
                return Ok(Err(sign_in_first()));
            }
            ended.extend(sessions::insert(db, &new, now, limit)?);
            Ok(Ok(ended))
        },
        move |ended| {
            table.end(ended);
            table.insert(renewed.token, renewed.session.clone(), now);
        },
    )
    .await?;
    Ok(Entered { account, cookies })
}

/// Compares what a signed-in caller typed with the account's password; gives the hash that it fits.
///
/// # Errors
/// 403 `wrong_password`, 429, 503; each is noted as `entry`.
pub(super) async fn check_password(
    app: &Arc<App>,
    client: &Client,
    caller: &SignedIn,
    typed: String,
    entry: &Entry,
) -> Result<String, Problem> {
    let account = &caller.session.account;
    let note = |result| app.audit.note(entry.clone().result(result));
    password::check_size(&typed, app.policy)?;
    // Guesses count per session: someone at an unlocked screen has five, and can't lock others out.
    let attempt = Attempt {
        ip: client.ip,
        device: Some(caller.token),
        account: SecretHash::digest(&account.id),
    };
    app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(audit::THROTTLED);
        too_many(wait)
    })?;
    let id = account.id.clone();
    let known = app.store.read(move |db| accounts::of(db, &id)).await?;
    let stored = known.and_then(|(_, password)| password);
    let verified =
        app.hasher.verify(typed, stored.clone(), Standing::Known).await.map_err(|error| {
            app.throttle.undecided(attempt, Instant::now());
            note(audit::ERROR);
            hash_problem(app, &error)
        })?;
    let (Some(stored), Verdict::Right { .. }) = (stored, verified) else {
        note(audit::REFUSED);
        return Err(wrong_password());
    };
    app.throttle.succeeded(attempt);
    Ok(stored)
}

//! `POST /password`: a new password ends the account's other sessions and gives this one a new token.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use service::Problem;
use wire::auth::ChangePassword;

use super::entry::{self, Entered, Issue, hash_problem, too_many};
use super::{SignedIn, success};
use crate::App;
use crate::audit::{self, Outcome};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::hasher::{Standing, Verdict};
use crate::password;
use crate::secret::SecretHash;
use crate::store::{accounts, devices, sessions};
use crate::throttle::Attempt;

/// Change the own password.
#[utoipa::path(post, path = "/password", tag = "accounts", request_body = wire::auth::ChangePassword,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Changed; Set-Cookie renews this session, all others are over"),
        (status = 303, description = "A form: to /"),
        (status = 400, description = "The new password is too short, too long or too common"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`wrong_password`: the current one is another"),
        (status = 429, description = "`too_many_requests`, with Retry-After")))]
pub async fn change(
    State(app): State<Arc<App>>,
    client: Client,
    caller: SignedIn,
    request: Request,
) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let changed = match body::read::<ChangePassword>(&app, request).await {
        Ok(change) => replace(&app, &client, &headers, &caller, change).await,
        Err(problem) => Err(problem),
    };
    match (changed, reply) {
        (Ok(entered), Reply::Json) => {
            entry::with_cookies(success(entry::account_answer(&entered.account)), entered.cookies)
        }
        (Ok(entered), Reply::Redirect) => {
            entry::with_cookies(entry::see_other("/"), entered.cookies)
        }
        (Err(problem), _) => problem.into_response(),
    }
}

async fn replace(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    caller: &SignedIn,
    change: ChangePassword,
) -> Result<Entered, Problem> {
    let session = &caller.session;
    let account = session.account.clone();
    let note = |outcome| audit::password(client, session, outcome);
    password::check_size(&change.current_password, app.policy)?;
    password::check_new(&change.new_password, &account.name, app.policy)?;
    // Guesses count per session: someone at an unlocked screen has five, and can't lock others out.
    let attempt = Attempt {
        ip: client.ip,
        device: Some(caller.token),
        account: SecretHash::digest(&account.id),
    };
    app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(Outcome::Throttled);
        too_many(wait)
    })?;
    let id = account.id.clone();
    let stored = app.store.read(move |db| accounts::password(db, &id)).await?;
    let verified =
        app.hasher.verify(change.current_password, stored.clone(), Standing::Known).await.map_err(
            |error| {
                app.throttle.undecided(attempt, Instant::now());
                hash_problem(app, &error)
            },
        )?;
    let (Some(stored), Verdict::Right { .. }) = (stored, verified) else {
        note(Outcome::Refused);
        return Err(wrong_password());
    };
    app.throttle.succeeded(attempt);
    let fresh = app
        .hasher
        .hash(change.new_password, Standing::Known)
        .await
        .map_err(|error| hash_problem(app, &error))?;
    let now = clock::now();
    let Issue { new, device, cookies } =
        Issue::prepare(app, client, headers, account.clone(), session.remember, now)?;
    let (limit, table, id) =
        (app.config.sessions_per_account, app.sessions.clone(), account.id.clone());
    let renewed = new.clone();
    let changed = app
        .store
        .write(
            move |db| {
                if !accounts::replace_password(db, &id, &stored, &fresh)? {
                    return Ok(None);
                }
                let ended = sessions::delete_all(db, &id)?;
                sessions::insert(db, &new, now, limit)?;
                devices::forget_others(db, &id, Some(device))?;
                devices::remember(db, device, &id, now)?;
                Ok(Some(ended))
            },
            move |ended| {
                let Some(ended) = ended else { return };
                ended.iter().for_each(|token| table.remove(token));
                table.insert(renewed.token, renewed.session.clone(), now);
            },
        )
        .await?;
    if changed.is_none() {
        // Someone changed it in the meantime: what was current isn't any more.
        note(Outcome::Refused);
        return Err(wrong_password());
    }
    note(Outcome::Success);
    Ok(Entered { account, cookies })
}

fn wrong_password() -> Problem {
    Problem::forbidden("wrong_password", "current_password is not your password")
}

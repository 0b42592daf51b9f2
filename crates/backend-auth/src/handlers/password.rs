//! `POST /password`: a new password ends the account's other sessions and gives this one a new token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use service::Problem;
use wire::auth::ChangePassword;

use super::entry::{self, Entered, Issue, PASSWORD, hash_problem};
use super::reauth::check_password;
use super::{SignedIn, success};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::hasher::Standing;
use crate::password;
use crate::step_up;
use crate::store::{self, accounts, devices, sessions};

/// Change the own password, or set the first one of an account that OpenID Connect made.
#[utoipa::path(post, path = "/password", tag = "accounts", request_body = wire::auth::ChangePassword,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Changed; Set-Cookie renews this session, all others are over", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 303, description = "A form: to /"),
        (status = 400, description = "The new password is too short, too long or too common"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`wrong_password`: the current one is another, or missing; `reauth_required`: the account has none yet, and the sign-in is some minutes old"),
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
    let entry = Entry::new("password", client).by(&account);
    let note = |result| app.audit.note(entry.clone().result(result));
    password::check_new(&change.new_password, &account.name, app.policy)
        .map_err(|problem| app.audit.refuse(entry.clone(), problem))?;
    // An account that a provider vouches for may have none yet: then it is the recent sign-in that counts.
    let id = account.id.clone();
    let known = app.store.read(move |db| accounts::of(db, &id)).await?;
    let has_one = known.is_some_and(|(_, password)| password.is_some());
    let stored = match change.current_password.as_deref() {
        // A form sends the field empty.
        None | Some("") if !has_one => {
            step_up::fresh(session, clock::now(), app.config.step_up_after)?;
            None
        }
        None => {
            // Who doesn't show the password is refused as is who shows another one.
            let missing = Problem::forbidden(
                "wrong_password",
                "current_password is missing: this account has a password, show it",
            );
            return Err(app.audit.refuse(entry, missing));
        }
        Some(typed) => Some(check_password(app, client, caller, typed.to_owned(), &entry).await?),
    };
    let fresh = app
        .hasher
        .hash(change.new_password, Standing::Known)
        .await
        .map_err(|error| hash_problem(app, &error))?;
    let now = clock::now();
    let amr = match stored {
        Some(_) => entry::also(&session.amr, PASSWORD),
        None => session.amr.clone(),
    };
    let Issue { new, device, cookies } =
        Issue::prepare(app, client, headers, account.clone(), session.remember, amr, now)?;
    let (limit, table, id) =
        (app.config.sessions_per_account, app.sessions.clone(), account.id.clone());
    let (renewed, row) = (new.clone(), entry.clone());
    let changed = app
        .store
        .write(
            move |db| {
                if !accounts::replace_password(db, &id, stored.as_deref(), &fresh)? {
                    return Ok(None);
                }
                let ended = sessions::delete_all(db, &id, now)?;
                store::audit::insert(db, &row)?;
                sessions::insert(db, &new, now, limit)?;
                devices::forget_others(db, &id, Some(device))?;
                devices::remember(db, device, &id, now)?;
                Ok(Some(ended))
            },
            move |ended| {
                let Some(ended) = ended else { return };
                table.end(ended);
                table.insert(renewed.token, renewed.session.clone(), now);
            },
        )
        .await?;
    if changed.is_none() {
        // Someone changed it in the meantime: what was current isn't any more.
        note(audit::REFUSED);
        return Err(wrong_password());
    }
    entry.line();
    Ok(Entered { account, cookies })
}

pub(super) fn wrong_password() -> Problem {
    Problem::forbidden("wrong_password", "this is not your password")
}

//! `POST /reset`: a new password by a one-time link. The person chooses it; whoever made the link never sees it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use service::Problem;
use wire::auth::Reset;

use super::entry::{self, hash_problem, too_many};
use super::{Done, success};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::hasher::Standing;
use crate::password;
use crate::secret::SecretHash;
use crate::store::{accounts, devices, linked, resets, sessions};
use crate::throttle::Attempt;

/// Choose a new password by a link. All sessions of the account end, and so do its links with a provider (OpenID Connect): whoever had got hold
/// of the account may have linked it with themselves. Then sign in.
#[utoipa::path(post, path = "/reset", tag = "accounts", request_body = wire::auth::Reset,
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 303, description = "A form: to /login"),
        (status = 400, description = "`invalid_reset`: the code is unknown, used or over, not told apart; or the password doesn't do"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`busy` or `storage_unavailable`, with Retry-After")))]
pub async fn reset(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let done = match body::read::<Reset>(&app, request).await {
        Ok(reset) => replace(&app, &client, reset).await,
        Err(problem) => Err(problem),
    };
    match (done, reply) {
        (Ok(()), Reply::Json) => success(Done {}),
        (Ok(()), Reply::Redirect) => entry::see_other("/login"),
        (Err(problem), _) => problem.into_response(),
    }
}

async fn replace(app: &Arc<App>, client: &Client, reset: Reset) -> Result<(), Problem> {
    password::check_size(&reset.new_password, app.policy)?;
    let entry = Entry::new("reset", client);
    // Wrong codes count as wrong passwords of this address do.
    let attempt = Attempt { ip: client.ip, device: None, account: SecretHash::digest(&reset.code) };
    let note = |result| app.audit.note(entry.clone().result(result));
    app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(audit::THROTTLED);
        too_many(wait)
    })?;
    let code = SecretHash::of_code(&reset.code);
    let now = clock::now();
    let found = match code {
        Some(code) => app.store.read(move |db| resets::account_of(db, code, now)).await?,
        None => None,
    };
    let (Some(code), Some(account)) = (code, found) else {
        app.throttle.failed(attempt, Instant::now());
        note(audit::REFUSED);
        return Err(invalid());
    };
    app.throttle.undecided(attempt, Instant::now());
    // A password that won't do costs no link.
    let entry = entry.by(&account);
    password::check_new(&reset.new_password, &account.name, app.policy)
        .map_err(|problem| app.audit.refuse(entry.clone(), problem))?;
    let fresh = app.hasher.hash(reset.new_password, Standing::Unknown).await.map_err(|error| {
        app.audit.note(entry.clone().result(audit::ERROR));
        hash_problem(app, &error)
    })?;
    let table = app.sessions.clone();
    app.change(
        entry,
        move |db, entry| {
            // Someone else may have been quicker.
            let Some(account) = resets::account_of(db, code, now)? else {
                return Ok(Err(invalid()));
            };
            *entry = entry.clone().by(&account).about(&account);
            resets::use_up(db, &account.id)?;
            accounts::set_password(db, &account.id, &fresh)?;
            devices::forget_others(db, &account.id, None)?;
            if !linked::of_account(db, &account.id)?.is_empty() {
                linked::remove_all(db, &account.id)?;
                *entry = entry.clone().detail("unlinked");
            }
            sessions::delete_all(db, &account.id, now).map(Ok)
        },
        move |ended| table.end(ended),
    )
    .await
    .map(drop)
}

fn invalid() -> Problem {
    Problem::bad_request(
        "invalid_reset",
        "this link is unknown, used or over: ask an administrator for a new one",
    )
}

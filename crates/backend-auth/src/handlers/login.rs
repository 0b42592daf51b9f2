//! `POST /login`.
//!
//! An unknown name, a wrong password, a disabled account and a name that can't exist get the same answer after the
//! same work: the same look-ups, one hash with the same parameters from the same pool, the same counting.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use service::Problem;
use wire::PeerId;
use wire::auth::Login;

use super::entry::{self, Entered, Issue, hash_problem, too_many};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::hasher::{Standing, Verdict};
use crate::password;
use crate::secret::SecretHash;
use crate::store::{self, accounts, devices, sessions};
use crate::throttle::Attempt;

/// Sign in: sets the session's cookie. JSON gets JSON, a form gets a redirect.
#[utoipa::path(post, path = "/login", tag = "accounts", request_body = wire::auth::Login,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Signed in; Set-Cookie holds the session"),
        (status = 303, description = "A form: to `next`, or back to the page with `?error=CODE`"),
        (status = 401, description = "`wrong_credentials`: unknown name or wrong password, not told apart"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`busy` or `storage_unavailable`, with Retry-After")))]
pub async fn login(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let login = match body::read::<Login>(&app, request).await {
        Ok(login) => login,
        Err(problem) => return entry::answer(reply, "/login", "", None, Err(problem)),
    };
    let outcome = sign_in(&app, &client, &headers, &login).await;
    entry::answer(reply, "/login", &login.username, login.next.as_deref(), outcome)
}

async fn sign_in(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    login: &Login,
) -> Result<Entered, Problem> {
    // A second cookie of the name is refused before anything is done.
    let replaced = app.cookies.session(headers)?;
    password::check_size(&login.password, app.policy)?;
    let name = PeerId::parse(&login.username).ok();
    let device = app.cookies.device(headers);
    let found = app
        .store
        .read(move |db| {
            let Some(name) = name else { return Ok(None) };
            let Some((account, password)) = accounts::find(db, &name)? else { return Ok(None) };
            let known = match device {
                Some(mark) => devices::is_known(db, mark, &account.id)?,
                None => false,
            };
            Ok(Some((account, password, known)))
        })
        .await?;
    let (account, stored, known) = match found {
        Some((account, stored, known)) => (Some(account), stored, known),
        None => (None, None, false),
    };
    let attempt = Attempt {
        ip: client.ip,
        device: device.filter(|_| known),
        account: SecretHash::digest(&login.username.to_ascii_lowercase()),
    };
    let entry = match &account {
        Some(account) => Entry::new("login", client).by(account),
        // What was typed may be a password.
        None => Entry::new("login", client).by_name("(no such account)"),
    };
    let note = |result| {
        app.metrics.logins.with_label_values(&[result]).inc();
        app.audit.note(entry.clone().result(result));
    };
    let delay = app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(audit::THROTTLED);
        too_many(wait)
    })?;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let standing = if known { Standing::Known } else { Standing::Unknown };
    let verdict =
        app.hasher.verify(login.password.clone(), stored.clone(), standing).await.map_err(
            |error| {
                app.throttle.undecided(attempt, Instant::now());
                note(audit::ERROR);
                hash_problem(app, &error)
            },
        )?;
    let right = match (account, stored, verdict) {
        (Some(account), Some(stored), Verdict::Right { rehashed })
            if account.disabled_at.is_none() =>
        {
            Some((account, stored, rehashed))
        }
        _ => None,
    };
    let Some((account, stored, rehashed)) = right else {
        app.throttle.failed(attempt, Instant::now());
        note(audit::REFUSED);
        return Err(wrong_credentials());
    };
    let now = clock::now();
    let account = Arc::new(account);
    let Issue { new, device, cookies } =
        Issue::prepare(app, client, headers, account.clone(), login.remember, now)?;
    let (limit, table, id) =
        (app.config.sessions_per_account, app.sessions.clone(), account.id.clone());
    let (entered, checked, row) = (new.clone(), account.clone(), entry.clone());
    let issued = app
        .store
        .write(
            move |db| {
                if !accounts::is_unchanged(db, &checked, &stored)? {
                    return Ok(None);
                }
                if let Some(fresh) = rehashed {
                    accounts::replace_password(db, &id, &stored, &fresh)?;
                }
                let mut ended = sessions::insert(db, &new, now, limit)?;
                if let Some(replaced) = replaced {
                    ended.extend(sessions::delete(db, replaced, now)?);
                }
                devices::remember(db, device, &id, now)?;
                store::audit::insert(db, &row)?;
                Ok(Some(ended))
            },
            move |ended| {
                let Some(ended) = ended else { return };
                table.end(ended);
                table.insert(entered.token, entered.session.clone(), now);
            },
        )
        .await
        .inspect_err(|_| {
            app.throttle.undecided(attempt, Instant::now());
            note(audit::ERROR);
        })?;
    if issued.is_none() {
        app.throttle.failed(attempt, Instant::now());
        note(audit::REFUSED);
        return Err(wrong_credentials());
    }
    app.throttle.succeeded(attempt);
    app.metrics.logins.with_label_values(&[audit::SUCCESS]).inc();
    entry.line();
    Ok(Entered { account, cookies })
}

fn wrong_credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "wrong_credentials",
        "there is no account with this name and password",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

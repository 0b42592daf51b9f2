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
use wire::factors::SecondFactorNeeded;

use super::entry::{self, Entered, Issue, Outcome, PASSWORD, hash_problem, too_many};
use super::second;
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::half::{First, Half};
use crate::hasher::{Standing, Verdict};
use crate::next;
use crate::password;
use crate::secret::{Secret, SecretHash};
use crate::sessions::Ended;
use crate::store::factors::{self, Factors};
use crate::store::{self, accounts, devices, sessions};
use crate::throttle::Attempt;

/// How a sign-in stands whose password was right.
pub(super) const SECOND_FACTOR_NEEDED: &str = "second_factor_needed";

/// Sign in: sets the session's cookie. JSON gets JSON, a form gets a redirect.
#[utoipa::path(post, path = "/login", tag = "accounts", request_body = wire::auth::Login,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 403, body = SecondFactorNeeded, description = "`second_factor_needed`: the password is right; Set-Cookie holds a half session, good for showing one of `factors` within `expires_in` seconds and for nothing else", headers(("set-cookie" = String, description = "The half session"))),
        (status = 303, description = "A form: to its `next` or that of the address, to /login/code for the second factor, or back to the page with `?error=CODE`"),
        (status = 401, description = "`wrong_credentials`: unknown name or wrong password, not told apart"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`busy` or `storage_unavailable`, with Retry-After")))]
pub async fn login(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let way = next::of_address(request.uri());
    let login = match body::read::<Login>(&app, request).await {
        Ok(login) => Login { next: login.next.or(way), ..login },
        Err(problem) => return entry::answer(reply, "/login", "", way.as_deref(), Err(problem)),
    };
    let outcome = sign_in(&app, &client, &headers, &login).await;
    entry::answer(reply, "/login", &login.username, login.next.as_deref(), outcome)
}

async fn sign_in(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    login: &Login,
) -> Result<Outcome, Problem> {
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
    let (remember, brief) = (login.remember && !login.brief, login.brief);
    let amr = PASSWORD.to_owned();
    let issue = Issue::prepare(app, client, headers, account.clone(), remember, amr, now)?;
    let Issue { new, device, cookies } = if brief { issue.brief(now) } else { issue };
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
                let mut current = stored;
                if let Some(fresh) = rehashed {
                    accounts::replace_password(db, &id, Some(&current), &fresh)?;
                    current = fresh;
                }
                let factors = factors::of(db, &id)?;
                if factors.any() {
                    return Ok(Some(Passed::Half(factors, current)));
                }
                let mut ended = sessions::insert(db, &new, now, limit)?;
                if let Some(replaced) = replaced {
                    ended.extend(sessions::delete(db, replaced, now)?);
                }
                if !brief {
                    devices::remember(db, device, &id, now)?;
                }
                store::audit::insert(db, &row)?;
                Ok(Some(Passed::Entered(ended)))
            },
            move |passed| {
                let Some(Passed::Entered(ended)) = passed else { return };
                table.end(ended);
                table.insert(entered.token, entered.session.clone(), now);
            },
        )
        .await
        .inspect_err(|_| {
            app.throttle.undecided(attempt, Instant::now());
            note(audit::ERROR);
        })?;
    let Some(passed) = issued else {
        app.throttle.failed(attempt, Instant::now());
        note(audit::REFUSED);
        return Err(wrong_credentials());
    };
    app.throttle.succeeded(attempt);
    if let Passed::Half(factors, password) = passed {
        let half = Half {
            account,
            first: First::Password(password),
            remember,
            brief,
            next: login.next.clone(),
            device: attempt.device,
        };
        return half_way(app, client, half, factors, now)
            .await
            .inspect(|_| note(SECOND_FACTOR_NEEDED))
            .inspect_err(|_| note(audit::THROTTLED));
    }
    app.metrics.logins.with_label_values(&[audit::SUCCESS]).inc();
    entry.line();
    Ok(Outcome::Entered(Entered { account, cookies }))
}

/// The password was right, and nobody changed the account meanwhile.
enum Passed {
    /// A session is stored; these ended.
    Entered(Vec<Ended>),
    /// The account has second factors; the hash of its password.
    Half(Factors, String),
}

/// Begins a half session, for someone who showed the first thing.
///
/// # Errors
/// 429 when the account has too many, 503.
pub(super) async fn half_way(
    app: &App,
    client: &Client,
    half: Half,
    factors: Factors,
    now: i64,
) -> Result<Outcome, Problem> {
    let factors = second::shown_by(app, client, &half.account.id, factors).await?;
    let token = Secret::token().map_err(entry::random)?;
    let lifetime = app.halves.lifetime();
    app.halves.begin(token.hash, half, now).map_err(too_many)?;
    let needed = SecondFactorNeeded {
        status: "error".to_owned(),
        message: "this account also asks for a second factor: POST /login/code with a code of the app, or a recovery code; \
                  programs better use a personal access token"
            .to_owned(),
        code: SECOND_FACTOR_NEEDED.to_owned(),
        factors,
        expires_in: lifetime,
    };
    Ok(Outcome::Half { needed, cookie: app.cookies.set_half(&token.text, lifetime) })
}

fn wrong_credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "wrong_credentials",
        "there is no account with this name and password",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

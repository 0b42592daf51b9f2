//! `/login/passkey`: signing in by a passkey alone, and `/login/second/passkey`: showing one after the password.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use service::Problem;
use utoipa::ToSchema;
use webauthn_rp::response::auth::ser_relaxed::{
    DiscoverableAuthenticationRelaxed16, NonDiscoverableAuthenticationRelaxed16,
};

use super::entry::{self, Entered, Issue, too_many};
use super::passkeys::{Checked, Options, host, no_exchange};
use super::second::{self, Shown, Step, attempt, challenge};
use super::success;
use crate::App;
use crate::audit::{self, Entry};
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::passkeys::{Exchange, WITHIN};
use crate::secret::Secret;
use crate::store::{accounts, devices, passkeys, sessions};

/// That its owner was there (RFC 8176): the authenticator verified the person.
const USER: &str = "user";

/// `POST /login/passkey/finish`
#[derive(Deserialize, ToSchema)]
pub struct ShowPasskey {
    /// What `navigator.credentials.get` gave, by its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: DiscoverableAuthenticationRelaxed16,
    /// Stay signed in for longer (30 days idle, 90 in all) than a working day.
    #[serde(default)]
    pub remember: bool,
}

/// `POST /login/second/passkey/finish`
#[derive(Deserialize, ToSchema)]
pub struct ShowSecond {
    /// What `navigator.credentials.get` gave, by its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: NonDiscoverableAuthenticationRelaxed16,
}

/// Begin to sign in by a passkey alone, without a name.
#[utoipa::path(post, path = "/login/passkey", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<Options>, description = "For `navigator.credentials.get`; Set-Cookie names the exchange, which is good once and for 5 minutes", headers(("set-cookie" = String, description = "The exchange"))),
        (status = 409, description = "`passkeys_unavailable`: this host has no name, or it is plain http; the message says which"),
        (status = 429, description = "`too_many_requests`, with Retry-After: this address begins too many sign-ins")))]
pub async fn begin(State(app): State<Arc<App>>, client: Client) -> Response {
    match ask(&app, &client) {
        Ok((options, cookie)) => entry::with_cookies(success(Options { options }), cookie),
        Err(problem) => problem.into_response(),
    }
}

fn ask(app: &App, client: &Client) -> Result<(Value, Option<HeaderValue>), Problem> {
    let host = host(app, client)?;
    app.throttle.begin(client.ip, Instant::now()).map_err(too_many)?;
    let begun = host.ask_for_any();
    let (options, exchange) = begun.map_err(|error| Problem::internal(&error))?;
    let token = Secret::token().map_err(entry::random)?;
    app.passkeys.begin(token.hash, exchange, clock::now());
    Ok((options, app.cookies.set_passkey(&token.text, WITHIN)))
}

/// Sign in by a passkey. No other factor is asked for: it is one that the person has, and the authenticator verified the person.
#[utoipa::path(post, path = "/login/passkey/finish", tag = "accounts", request_body = ShowPasskey,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 401, description = "`unknown_passkey`: nobody's, removed, its account is disabled, or its answer is wrong; not told apart"),
        (status = 409, description = "`passkeys_unavailable`; `no_exchange`: POST /login/passkey first, or again"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`storage_unavailable`, with Retry-After")))]
pub async fn finish(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let headers = request.headers().clone();
    let entered = match body::read::<ShowPasskey>(&app, request).await {
        Ok(shown) => sign_in(&app, &client, &headers, shown).await,
        Err(problem) => Err(problem),
    };
    answer(entered)
}

fn answer(entered: Result<Entered, Problem>) -> Response {
    match entered {
        Ok(Entered { account, cookies }) => {
            entry::with_cookies(success(entry::account_answer(&account)), cookies)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn sign_in(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    ShowPasskey { credential, remember }: ShowPasskey,
) -> Result<Entered, Problem> {
    let host = host(app, client)?;
    let replaced = app.cookies.session(headers)?;
    let now = clock::now();
    let exchange = app.cookies.passkey(headers).and_then(|token| app.passkeys.take(&token, now));
    let Some(Exchange::SignIn(exchange)) = exchange else { return Err(no_exchange()) };
    let credential = credential.0;
    let id = credential.raw_id().as_ref().to_vec();
    let (name, device) = (URL_SAFE_NO_PAD.encode(&id), app.cookies.device(headers));
    let found = app
        .store
        .read(move |db| {
            let Some((account, kept)) = passkeys::find(db, &id)? else { return Ok(None) };
            let known = match device {
                Some(mark) => devices::is_known(db, mark, &account.id)?,
                None => false,
            };
            Ok(Some((account, kept, known)))
        })
        .await?;
    let known = found.as_ref().is_some_and(|(.., known)| *known);
    let attempt = attempt(client, &name, device.filter(|_| known));
    let entry = Entry::new("login", client).detail("passkey");
    let entry = match &found {
        Some((account, ..)) => entry.by(account),
        None => entry.by_name("(no such passkey)"),
    };
    let count = |result| app.metrics.logins.with_label_values(&[result]).inc();
    let note = |entry: &Entry, result| {
        count(result);
        app.audit.note(entry.clone().result(result));
    };
    app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
        note(&entry, audit::THROTTLED);
        too_many(wait)
    })?;
    let refuse = || {
        app.throttle.failed(attempt, Instant::now());
        note(&entry, audit::REFUSED);
        unknown_passkey()
    };
    let Some((account, kept, _)) = found.filter(|(account, ..)| account.disabled_at.is_none())
    else {
        return Err(refuse());
    };
    let used = host.check_any(exchange, &credential, (&account.id, &kept));
    let Some(checked) = Checked::of(kept, used)? else { return Err(refuse()) };
    let account = Arc::new(account);
    let amr = format!("{} {USER}", checked.amr());
    let Issue { new, device, cookies } =
        Issue::prepare(app, client, headers, account.clone(), remember, amr, now)?;
    let (limit, table) = (app.config.sessions_per_account, app.sessions.clone());
    let (entered, owner) = (new.clone(), account.clone());
    app.change(
        entry.clone(),
        move |db, _| {
            let there = accounts::of(db, &owner.id)?.is_some_and(|(account, _)| {
                account.disabled_at.is_none() && account.role == owner.role
            });
            if !there || !checked.use_up(db, &owner.id, now)? {
                return Ok(Err(unknown_passkey()));
            }
            let mut ended = sessions::insert(db, &new, now, limit)?;
            if let Some(replaced) = replaced {
                ended.extend(sessions::delete(db, replaced, now)?);
            }
            devices::remember(db, device, &owner.id, now)?;
            Ok(Ok(ended))
        },
        move |ended| {
            table.end(ended);
            table.insert(entered.token, entered.session.clone(), now);
        },
    )
    .await?;
    app.throttle.succeeded(attempt);
    count(audit::SUCCESS);
    let cookies = cookies.into_iter().chain(app.cookies.clear_passkey()).collect();
    Ok(Entered { account, cookies })
}

/// Begin to show a passkey after the password. Needs the cookie that `POST /login` set with `second_factor_needed`.
#[utoipa::path(post, path = "/login/second/passkey", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<Options>, description = "For `navigator.credentials.get`; good once"),
        (status = 401, description = "`sign_in_again`: the password is to be shown first, or again"),
        (status = 409, description = "`passkeys_unavailable`; `no_passkey`: the account has none")))]
pub async fn begin_second(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
) -> Response {
    match ask_second(&app, &client, &headers).await {
        Ok(options) => success(Options { options }),
        Err(problem) => problem.into_response(),
    }
}

async fn ask_second(app: &App, client: &Client, headers: &HeaderMap) -> Result<Value, Problem> {
    let (token, half) = second::find(app, headers)?;
    let host = host(app, client)?;
    let (account, name) = (half.account.id.clone(), host.name().to_owned());
    let known = app.store.read(move |db| passkeys::kept_of(db, &account, &name)).await?;
    let begun = host.ask_for_one_of(known).map_err(|error| Problem::internal(&error))?;
    let Some((options, exchange)) = begun else {
        return Err(Problem::new(
            http::StatusCode::CONFLICT,
            "no_passkey",
            "this account has no passkey for this host: show another factor",
        ));
    };
    app.passkeys.begin(token, exchange, clock::now());
    Ok(options)
}

/// Complete a sign-in with a passkey, after `POST /login` answered `second_factor_needed`.
#[utoipa::path(post, path = "/login/second/passkey/finish", tag = "second factors", request_body = ShowSecond,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 401, description = "`unknown_passkey`: not the account's, or its answer is wrong; `sign_in_again`: the password is to be shown first, or again"),
        (status = 409, description = "`passkeys_unavailable`; `no_exchange`: POST /login/second/passkey first, or again"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`storage_unavailable`, with Retry-After")))]
pub async fn finish_second(
    State(app): State<Arc<App>>,
    client: Client,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let entered = match body::read::<ShowSecond>(&app, request).await {
        Ok(ShowSecond { credential }) => complete(&app, &client, &headers, credential).await,
        Err(problem) => Err(problem),
    };
    answer(entered)
}

async fn complete(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    credential: NonDiscoverableAuthenticationRelaxed16,
) -> Result<Entered, Problem> {
    let (token, half) = second::find(app, headers)?;
    let host = host(app, client)?;
    let exchange = match app.passkeys.take(&token, clock::now()) {
        Some(Exchange::SecondFactor(exchange)) => exchange,
        _ => return Err(no_exchange()),
    };
    let step =
        Step { app, client, headers, half: (token, &half), way: "passkey", wrong: unknown_passkey };
    let account = half.account.id.clone();
    step.take(async |_| {
        let credential = credential.0;
        let id = credential.raw_id().as_ref().to_vec();
        let found = app.store.read(move |db| passkeys::find(db, &id)).await?;
        let Some((_, kept)) = found.filter(|(owner, _)| owner.id == account) else {
            return Ok(None);
        };
        let used = host.check_one_of(exchange, &credential, (&account, &kept));
        Ok(Checked::of(kept, used)?.map(Shown::Passkey))
    })
    .await
}

fn unknown_passkey() -> Problem {
    challenge(
        "unknown_passkey",
        "this passkey opens no account here: it was removed, or its answer is not the right one",
    )
}

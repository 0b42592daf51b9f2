//! `POST /register`: makes an account and signs it in at once.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use rusqlite::Transaction;
use service::Problem;
use wire::PeerId;
use wire::auth::Register;

use super::entry::{self, Entered, Issue, Outcome, PASSWORD, hash_problem, too_many};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::hasher::Standing;
use crate::next;
use crate::password;
use crate::secret::SecretHash;
use crate::store::accounts::{self, Account, Applicant, Refusal};
use crate::store::{self, devices, sessions};

/// Make an account and sign in. JSON gets JSON, a form gets a redirect.
#[utoipa::path(post, path = "/register", tag = "accounts", request_body = wire::auth::Register,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Made and signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 303, description = "A form: to its `next` or that of the address, or back to the page with `?error=CODE`"),
        (status = 400, description = "`invalid_username`, `password_too_short`, `password_too_long`, `password_too_common`, `invalid_invite`"),
        (status = 403, description = "`registration_closed` or `invite_required`"),
        (status = 409, description = "`username_taken`"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`busy` or `storage_unavailable`, with Retry-After")))]
pub async fn register(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let way = next::of_address(request.uri());
    let register = match body::read::<Register>(&app, request).await {
        Ok(register) => Register { next: register.next.or(way), ..register },
        Err(problem) => {
            return entry::answer(reply, "/register", "", way.as_deref(), Err(problem));
        }
    };
    let outcome = make(&app, &client, &headers, &register).await;
    note(&app, &client, &register.username, &outcome);
    entry::answer(
        reply,
        "/register",
        &register.username,
        register.next.as_deref(),
        outcome.map(Outcome::Entered),
    )
}

/// A registration that succeeded wrote its row with the account.
fn note(app: &App, client: &Client, username: &str, outcome: &Result<Entered, Problem>) {
    let result = outcome.as_ref().map_or_else(Problem::code, |_| audit::SUCCESS);
    app.metrics.registrations.with_label_values(&[result]).inc();
    let entry = Entry::new("register", client).result(match result {
        "too_many_requests" => audit::THROTTLED,
        other => other,
    });
    match outcome {
        Ok(entered) => entry.by(&entered.account).line(),
        Err(_) if result == "invalid_username" => app.audit.note(entry.by_name("(invalid)")),
        Err(_) => app.audit.note(entry.by_name(username.chars().take(64).collect::<String>())),
    }
}

async fn make(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    register: &Register,
) -> Result<Entered, Problem> {
    let replaced = app.cookies.session(headers)?;
    password::check_size(&register.password, app.policy)?;
    let name = PeerId::parse(&register.username)
        .map_err(|error| Problem::bad_request("invalid_username", format!("username {error}")))?;
    password::check_new(&register.password, name.as_str(), app.policy)?;
    app.throttle.register(client.ip, Instant::now()).map_err(too_many)?;
    let invite = register.invite.as_deref().map(SecretHash::of_code);
    let applicant = Applicant { name, invite };
    let mode = app.config.registration;
    // Those who won't get in anyway cost no hash. It is decided again when the account is made.
    let asked = applicant.clone();
    app.store
        .read(move |db| accounts::admit(db, &asked, mode, clock::now()))
        .await?
        .map_err(refused)?;
    let hash = app
        .hasher
        .hash(register.password.clone(), Standing::Unknown)
        .await
        .map_err(|error| hash_problem(app, &error))?;
    let shown = Shown { amr: PASSWORD, at: clock::now(), remember: false };
    let entry = Entry::new("register", client);
    welcome(app, (client, headers), replaced, shown, entry, move |db, now| {
        Ok(accounts::create(db, &applicant, mode, &hash, now)?.map_err(refused))
    })
    .await
}

/// By what someone who gets an account showed who it is, when, and whether to stay signed in.
pub(super) struct Shown {
    pub(super) amr: &'static str,
    pub(super) at: i64,
    pub(super) remember: bool,
}

/// Makes an account and signs it in, in one transaction; `replaced` is the session that the browser had so far.
///
/// # Errors
/// What `make` refuses, or 503.
pub(super) async fn welcome(
    app: &Arc<App>,
    (client, headers): (&Client, &HeaderMap),
    replaced: Option<SecretHash>,
    shown: Shown,
    entry: Entry,
    make: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<Result<Account, Problem>>
    + Send
    + 'static,
) -> Result<Entered, Problem> {
    let now = clock::now();
    let (limit, table) = (app.config.sessions_per_account, app.sessions.clone());
    let (server, client, headers) = (app.clone(), client.clone(), headers.clone());
    let made = app
        .store
        .write(
            move |db| {
                let account = match make(db, now)? {
                    Ok(account) => Arc::new(account),
                    Err(problem) => return Ok(Err(problem)),
                };
                // An error here, unlike a refusal, undoes the account.
                let Shown { amr, at, remember } = shown;
                let (amr, owner) = (amr.to_owned(), account.clone());
                let issue = Issue::prepare(&server, &client, &headers, owner, remember, amr, now)
                    .map_err(|problem| {
                        rusqlite::Error::ToSqlConversionFailure(problem.message().into())
                    })?
                    .shown_at(at);
                sessions::insert(db, &issue.new, now, limit)?;
                if let Some(replaced) = replaced {
                    sessions::delete(db, replaced, now)?;
                }
                devices::remember(db, issue.device, &account.id, now)?;
                store::audit::insert(db, &entry.by(&account))?;
                Ok(Ok((account, issue)))
            },
            move |made| {
                let Ok((_, issue)) = made else { return };
                if let Some(replaced) = replaced {
                    table.remove(&replaced);
                }
                table.insert(issue.new.token, issue.new.session.clone(), now);
            },
        )
        .await??;
    let (account, issue) = made;
    app.first_run.store(false, std::sync::atomic::Ordering::Relaxed);
    Ok(Entered { account, cookies: issue.cookies })
}

pub(super) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Closed => Problem::forbidden(
            "registration_closed",
            "no further accounts are made here: ask an administrator",
        ),
        Refusal::InviteNeeded => Problem::forbidden(
            "invite_required",
            "registration is by invite: ask an administrator for a link",
        ),
        Refusal::InviteInvalid => Problem::bad_request(
            "invalid_invite",
            "this invite is unknown, used up or over: ask for a new one",
        ),
        Refusal::NameTaken => Problem::new(
            StatusCode::CONFLICT,
            "username_taken",
            "username is taken: choose another",
        ),
    }
}

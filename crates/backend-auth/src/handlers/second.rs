//! `POST /login/code`, `/login/second/passkey`: the second step of a sign-in. The half session that the password opened is named by a
//! cookie of its own; what is shown makes it a session, with a new token.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use rusqlite::Connection;
use service::Problem;
use wire::factors::{EnterCode, Factor};

use super::entry::{self, CODE_PAGE, Entered, Issue, Outcome, too_many};
use super::passkeys::Checked;
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::half::Half;
use crate::next;
use crate::recovery;
use crate::secret::SecretHash;
use crate::store::factors::{self, Factors, Seed};
use crate::store::{devices, passkeys, sessions};
use crate::throttle::Attempt;
use crate::totp;

/// A one-time code (RFC 8176).
pub(super) const OTP: &str = "otp";
/// A recovery code: there is no word of its own for it.
const RECOVERY: &str = "mfa";

/// Complete a sign-in with a code, after `POST /login` answered `second_factor_needed`. Needs the cookie that that answer set.
#[utoipa::path(post, path = "/login/code", tag = "second factors", request_body = EnterCode,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 303, description = "A form: to `next` of the first step, or back to the page with `?error=CODE`"),
        (status = 400, description = "`invalid_recovery_code`: unknown or used, not told apart"),
        (status = 401, description = "`wrong_code`: not the app's code of now, or used already; `sign_in_again`: the password is to be shown first, or again"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`storage_unavailable`, with Retry-After")))]
pub async fn code(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let half = find(&app, &headers);
    // The address tells the way back to where the sign-in began, too, when that is over.
    let next = match &half {
        Ok((_, half)) => half.next.clone(),
        Err(_) => next::of_address(request.uri()),
    };
    let account = half.as_ref().ok().map(|(_, half)| half.account.id.clone());
    let entered = match (half, body::read::<EnterCode>(&app, request).await) {
        (Ok((token, half)), Ok(EnterCode { code })) => {
            complete(&app, &client, &headers, (token, &half), &code).await
        }
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    let page = match (&entered, reply, account) {
        (Err(problem), ..) if problem.code() == SIGN_IN_AGAIN => "/login".to_owned(),
        (Err(_), Reply::Redirect, Some(account)) => page_for(&app, &client, account).await,
        _ => CODE_PAGE.to_owned(),
    };
    entry::answer(reply, &page, "", next.as_deref(), entered.map(Outcome::Entered))
}

/// The page that asks an account for what it can show. Where that can't be found out just now, it asks for everything.
async fn page_for(app: &App, client: &Client, account: String) -> String {
    let id = account.clone();
    let shown = match app.store.read(move |db| factors::of(db, &id)).await {
        Ok(factors) => shown_by(app, client, &account, factors).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    entry::address(CODE_PAGE, &[("factors", &entry::names(&shown))])
}

/// The half session that a request's cookie names.
pub(super) fn find(app: &App, headers: &HeaderMap) -> Result<(SecretHash, Arc<Half>), Problem> {
    let token = app.cookies.half(headers).ok_or_else(sign_in_again)?;
    let half = app.halves.get(&token, clock::now()).ok_or_else(sign_in_again)?;
    Ok((token, half))
}

/// What an account with such factors can show at the host that the client asks: passkeys of another host are of no use there.
///
/// # Errors
/// 503.
pub(super) async fn shown_by(
    app: &App,
    client: &Client,
    account: &str,
    factors: Factors,
) -> Result<Vec<Factor>, Problem> {
    let passkey = match app.passkeys.host(client) {
        Ok(host) if factors.passkeys > 0 => {
            let (id, name) = (account.to_owned(), host.name().to_owned());
            !app.store.read(move |db| passkeys::kept_of(db, &id, &name)).await?.is_empty()
        }
        Ok(_) | Err(_) => false,
    };
    let codes = factors.recovery_codes > 0;
    // Nothing but passkeys of elsewhere: that is what there is to say.
    let stuck = factors.totp.is_none() && !codes;
    let shown = [
        factors.totp.map(|_| Factor::Totp),
        (passkey || stuck).then_some(Factor::Passkey),
        codes.then_some(Factor::RecoveryCode),
    ];
    Ok(shown.into_iter().flatten().collect())
}

/// What was shown, still to be used up.
pub(super) enum Shown {
    Step(Seed, i64),
    Recovery(SecretHash),
    Passkey(Checked),
}

impl Shown {
    fn amr(&self) -> &'static str {
        match self {
            Self::Step(..) => OTP,
            Self::Recovery(_) => RECOVERY,
            Self::Passkey(checked) => checked.amr(),
        }
    }

    /// Each works once, whoever else shows the same at the same moment.
    fn use_up(&self, db: &Connection, account: &str, now: i64) -> rusqlite::Result<bool> {
        match self {
            Self::Step(seed, step) => factors::use_step(db, account, seed, *step),
            Self::Recovery(code) => factors::use_recovery_code(db, account, *code),
            Self::Passkey(checked) => checked.use_up(db, account, now),
        }
    }
}

async fn complete(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    half: (SecretHash, &Half),
    typed: &str,
) -> Result<Entered, Problem> {
    let digits = totp::digits(typed);
    let (way, wrong): (_, fn() -> Problem) = match digits {
        Some(_) => ("one-time code", wrong_code),
        None => ("recovery code", invalid_recovery_code),
    };
    let step = Step { app, client, headers, half, way, wrong };
    let account = half.1.account.id.clone();
    step.take(async |now| match digits {
        Some(code) => check_totp(app, &account, &code, now).await,
        None => Ok(recovery::hash(typed).map(Shown::Recovery)),
    })
    .await
}

/// The second step of a sign-in.
pub(super) struct Step<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) client: &'a Client,
    pub(super) headers: &'a HeaderMap,
    pub(super) half: (SecretHash, &'a Half),
    /// What is shown, for the audit log.
    pub(super) way: &'static str,
    /// What is said when it is wrong.
    pub(super) wrong: fn() -> Problem,
}

impl Step<'_> {
    /// Takes it, if there are tries left and `check` finds that the right thing was shown.
    ///
    /// # Errors
    /// `wrong`, 401 `sign_in_again`, 429, 503.
    pub(super) async fn take(
        self,
        check: impl AsyncFnOnce(i64) -> Result<Option<Shown>, Problem>,
    ) -> Result<Entered, Problem> {
        let Self { app, client, headers, half: (token, half), way, wrong } = self;
        let replaced = app.cookies.session(headers)?;
        let account = half.account.clone();
        let entry = Entry::new("login", client).by(&account).detail(way);
        let count = |result| app.metrics.logins.with_label_values(&[result]).inc();
        let attempt = attempt(client, &account.id, half.device);
        let delay = app.throttle.admit(attempt, Instant::now()).map_err(|wait| {
            count(audit::THROTTLED);
            app.audit.note(entry.clone().result(audit::THROTTLED));
            too_many(wait)
        })?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let now = clock::now();
        // Others may have used up the tries while this one waited.
        if !app.halves.try_one(&token, now) {
            return Err(sign_in_again());
        }
        let Some(shown) = check(now).await? else {
            app.throttle.failed(attempt, Instant::now());
            count(audit::REFUSED);
            app.audit.note(entry.result(audit::REFUSED));
            return Err(wrong());
        };
        let amr = entry::also(half.first.amr(), shown.amr());
        let brief = half.brief;
        let issue = Issue::prepare(app, client, headers, account.clone(), half.remember, amr, now)?
            .shown_at(half.first.shown_at(now));
        let Issue { new, device, cookies } = if brief { issue.brief(now) } else { issue };
        let (limit, table) = (app.config.sessions_per_account, app.sessions.clone());
        let (entered, checked, first) = (new.clone(), account.clone(), half.first.clone());
        app.change(
            entry,
            move |db, _| {
                if !first.still_opens(db, &checked)? {
                    return Ok(Err(sign_in_again()));
                }
                if !shown.use_up(db, &checked.id, now)? {
                    return Ok(Err(wrong()));
                }
                first.used(db, now)?;
                let mut ended = sessions::insert(db, &new, now, limit)?;
                if let Some(replaced) = replaced {
                    ended.extend(sessions::delete(db, replaced, now)?);
                }
                if !brief {
                    devices::remember(db, device, &checked.id, now)?;
                }
                Ok(Ok(ended))
            },
            move |ended| {
                table.end(ended);
                table.insert(entered.token, entered.session.clone(), now);
            },
        )
        .await
        .inspect_err(|problem| {
            // Whoever comes second with a code guessed or saw it.
            if problem.status().is_client_error() {
                app.throttle.failed(attempt, Instant::now());
                count(audit::REFUSED);
            }
        })?;
        app.halves.end(&token, &account.id);
        app.throttle.succeeded(attempt);
        count(audit::SUCCESS);
        let cookies = cookies.into_iter().chain(app.cookies.clear_half()).collect();
        Ok(Entered { account, cookies })
    }
}

async fn check_totp(
    app: &App,
    account: &str,
    code: &str,
    now: i64,
) -> Result<Option<Shown>, Problem> {
    let id = account.to_owned();
    let Some(seed) = app.store.read(move |db| factors::confirmed(db, &id)).await? else {
        return Ok(None);
    };
    let opened = app.seal.open(account, &seed.sealed).map_err(|error| Problem::internal(&error))?;
    Ok(totp::step(&opened, code, now, seed.last_step).map(|step| Shown::Step(seed, step)))
}

/// Tries to show a second factor are counted apart from passwords.
pub(super) fn attempt(client: &Client, account: &str, device: Option<SecretHash>) -> Attempt {
    let account = SecretHash::digest(&format!("second factor of {account}"));
    Attempt { ip: client.ip, device, account }
}

const SIGN_IN_AGAIN: &str = "sign_in_again";

/// 401: there is no half session, or it is over.
pub(super) fn sign_in_again() -> Problem {
    challenge(
        SIGN_IN_AGAIN,
        "sign in first (POST /login), or again: that took too long, or too many tries",
    )
}

/// 401: the same for a wrong code and for one that was used.
pub(super) fn wrong_code() -> Problem {
    challenge(
        "wrong_code",
        "this isn't the code that your app shows now, or it was used already: wait for the next one",
    )
}

fn invalid_recovery_code() -> Problem {
    Problem::bad_request(
        "invalid_recovery_code",
        "this is neither a six-digit code nor one of your recovery codes that aren't used yet",
    )
}

pub(super) fn challenge(code: &'static str, message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, message)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

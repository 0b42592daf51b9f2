//! What registering and logging in share: a session is issued, its cookie set, and the answer is JSON or a
//! redirect.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, HeaderMap, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use service::Problem;
use wire::auth::Account as AccountAnswer;
use wire::factors::{Factor, SecondFactorNeeded};

use super::success;
use crate::App;
use crate::body::Reply;
use crate::client::Client;
use crate::clock;
use crate::hasher::HashError;
use crate::next;
use crate::secret::{Secret, SecretHash};
use crate::sessions::{Kind, Session};
use crate::store::accounts::Account;
use crate::store::sessions::{EVERYTHING, NewSession};
use crate::throttle::RetryAfter;

/// Where a browser goes on after the password.
pub const CODE_PAGE: &str = "/login/code";

/// What a query's value must not hold as it is.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'=')
    .add(b'?')
    .add(b'\'')
    .add(b'\\');

/// Seconds that a session lasts from which one token is wanted: as long as the token, which is asked for at once.
pub const BRIEF: i64 = wire::identity::DIRECT_LIFETIME + 60;
/// By what someone showed who it is (RFC 8176): the password.
pub const PASSWORD: &str = "pwd";

/// What was shown so far, and something else.
pub fn also(amr: &str, shown: &str) -> String {
    if amr.split(' ').any(|method| method == shown) {
        return amr.to_owned();
    }
    format!("{amr} {shown}")
}

/// What a sign-in comes to.
pub enum Outcome {
    /// Someone got in.
    Entered(Entered),
    /// The password was right, and a second factor is to be shown.
    Half {
        /// What is to be shown, and until when.
        needed: SecondFactorNeeded,
        /// The half session's cookie.
        cookie: Option<HeaderValue>,
    },
}

/// Someone who got in.
pub struct Entered {
    /// Whose account it is.
    pub account: Arc<Account>,
    /// The cookies to set.
    pub cookies: Vec<HeaderValue>,
}

/// A session about to be stored: its token goes to the client, the rest into the store.
pub struct Issue {
    /// What is stored.
    pub new: NewSession,
    /// The device's mark, when the client has none yet.
    pub device: SecretHash,
    /// The cookies to set once it is stored.
    pub cookies: Vec<HeaderValue>,
}

impl Issue {
    /// Prepares a session for an account, that showed who it is by `amr`.
    ///
    /// # Errors
    /// 500 without randomness.
    pub fn prepare(
        app: &App,
        client: &Client,
        headers: &HeaderMap,
        account: Arc<Account>,
        remember: bool,
        amr: String,
        now: i64,
    ) -> Result<Self, Problem> {
        let token = Secret::token().map_err(random)?;
        let lifetimes = if remember { app.config.remembered } else { app.config.session };
        let session = Session {
            account,
            sid: crate::secret::public_id().map_err(random)?,
            auth_time: now,
            idle: lifetimes.idle,
            ends_at: now.saturating_add(lifetimes.absolute),
            remember,
            amr,
            scope: EVERYTHING.to_owned(),
            kind: Kind::Cookie,
        };
        // Without "remember me" the cookie ends with the browser, the session at the latest with its limits.
        let seconds = remember.then_some(lifetimes.absolute);
        let mut cookies: Vec<HeaderValue> =
            app.cookies.set_session(&token.text, seconds).into_iter().collect();
        let device = match app.cookies.device(headers) {
            Some(device) => device,
            None => {
                let mark = Secret::token().map_err(random)?;
                cookies.extend(app.cookies.set_device(&mark.text));
                mark.hash
            }
        };
        let new = NewSession {
            token: token.hash,
            session: Arc::new(session),
            ip: client.ip.to_string(),
            user_agent: client.user_agent.clone(),
        };
        Ok(Self { new, device, cookies })
    }

    /// The same, for an account that showed who it is at another time than now: what asks for a recent sign-in asks according to that.
    #[must_use]
    pub fn shown_at(mut self, auth_time: i64) -> Self {
        if let Some(session) = Arc::get_mut(&mut self.new.session) {
            session.auth_time = auth_time;
        }
        self
    }

    /// The same, for a program that wants one token: it ends with that.
    #[must_use]
    pub fn brief(mut self, now: i64) -> Self {
        if let Some(session) = Arc::get_mut(&mut self.new.session) {
            session.idle = BRIEF;
            session.ends_at = now.saturating_add(BRIEF);
        }
        self
    }

    /// Prepares the same session under another token, for what changes how one signs in: it ends when it would have ended.
    /// `shown` is what the caller showed just now.
    ///
    /// # Errors
    /// 500 without randomness.
    pub fn renew(
        app: &App,
        client: &Client,
        headers: &HeaderMap,
        old: &Session,
        shown: Option<&str>,
        now: i64,
    ) -> Result<Self, Problem> {
        let amr = shown.map_or_else(|| old.amr.clone(), |shown| also(&old.amr, shown));
        let account = old.account.clone();
        let mut issue = Self::prepare(app, client, headers, account, old.remember, amr, now)?;
        if let Some(session) = Arc::get_mut(&mut issue.new.session) {
            session.ends_at = old.ends_at;
            if shown.is_none() {
                session.auth_time = old.auth_time;
            }
        }
        Ok(issue)
    }
}

/// Answers a registration or a login. A form goes to `next`, or back to its page with `?error=CODE`.
pub fn answer(
    reply: Reply,
    page: &str,
    username: &str,
    next: Option<&str>,
    outcome: Result<Outcome, Problem>,
) -> Response {
    use Outcome::{Entered, Half};
    match (reply, outcome) {
        (Reply::Json, Ok(Entered(entered))) => {
            with_cookies(success(account_answer(&entered.account)), entered.cookies)
        }
        (Reply::Redirect, Ok(Entered(entered))) => {
            with_cookies(see_other(next::safe_or_root(next)), entered.cookies)
        }
        (Reply::Json, Ok(Half { needed, cookie })) => {
            let mut response = (StatusCode::FORBIDDEN, Json(needed)).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            with_cookies(response, cookie)
        }
        (Reply::Redirect, Ok(Half { needed, cookie })) => {
            let factors = names(&needed.factors);
            let fields = [("factors", factors.as_str()), ("next", safe_or_none(next))];
            with_cookies(see_other(&address(CODE_PAGE, &fields)), cookie)
        }
        (Reply::Json, Err(problem)) => problem.into_response(),
        (Reply::Redirect, Err(problem)) => back(page, username, next, problem),
    }
}

/// Back to a page with `?error=CODE`.
pub fn back(page: &str, username: &str, next: Option<&str>, problem: Problem) -> Response {
    let username: String = username.chars().take(64).collect();
    let fields =
        [("error", problem.code()), ("username", username.as_str()), ("next", safe_or_none(next))];
    let location = address(page, &fields);
    let refused = problem.into_response();
    let mut response = see_other(&location);
    if let Some(seconds) = refused.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, seconds.clone());
    }
    response
}

/// The names of what can be shown, for the page that asks for it.
pub(super) fn names(factors: &[Factor]) -> String {
    let names = factors.iter().filter_map(|factor| serde_json::to_value(factor).ok());
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

pub(super) fn safe_or_none(next: Option<&str>) -> &str {
    next.filter(|path| next::is_safe(path)).unwrap_or_default()
}

/// A page's address with those fields that say something.
pub fn address(page: &str, fields: &[(&str, &str)]) -> String {
    let mut address = page.to_owned();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(name);
        address.push('=');
        address.extend(utf8_percent_encode(value, QUERY));
    }
    address
}

/// 303: ask for another page, with GET.
pub fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Adds cookies to an answer.
pub fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// An account as its owner sees it.
pub fn account_answer(account: &Account) -> AccountAnswer {
    AccountAnswer {
        username: account.name.clone(),
        user_id: account.id.clone(),
        roles: vec![account.role.as_str().to_owned()],
        created_at: clock::rfc3339(account.created_at),
    }
}

/// 500: the system gave no randomness.
pub fn random(error: getrandom::Error) -> Problem {
    Problem::internal(&error)
}

/// 429, the same words for every name.
pub fn too_many(RetryAfter(seconds): RetryAfter) -> Problem {
    Problem::too_many_requests(format!("too many tries: wait {seconds} s"), seconds)
}

/// 503 when too many passwords wait; a failure is ours.
pub fn hash_problem(app: &App, error: &HashError) -> Problem {
    match error {
        HashError::Busy => {
            app.metrics.hash_busy.inc();
            Problem::unavailable("busy", "too many people sign in right now: try again", 1)
        }
        HashError::Failed(_) => Problem::internal(error),
    }
}

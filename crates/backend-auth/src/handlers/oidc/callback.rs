//! `GET /auth/oidc/callback`: back from the provider.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Uri};
use serde::Deserialize;
use service::Problem;
use utoipa::IntoParams;
use wire::PeerId;

use super::link;
use super::name::{self, Welcome};
use super::{ACCOUNT_PAGE, WAY, failed, no_account, provider, rule};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::half::{First, Half};
use crate::handlers::entry::{self, Entered, Issue, Outcome, too_many};
use crate::handlers::login::{SECOND_FACTOR_NEEDED, half_way};
use crate::oidc::{Failure, Flow, Newcomer, OIDC, Person, Provider, Purpose, tame};
use crate::secret::{Secret, SecretHash};
use crate::sessions::Ended;
use crate::store::accounts::Account;
use crate::store::factors::{self, Factors};
use crate::store::linked::Identity;
use crate::store::{devices, linked, sessions};
use crate::throttle::Attempt;

/// What stands for someone in the audit log before the provider said who that is.
const NOBODY_YET: &str = "(nobody yet)";
/// The page on which someone chooses a name.
pub(super) const NAME_PAGE: &str = "/login/name";

/// Query of `GET /auth/oidc/callback` (RFC 6749 §4.1.2, RFC 9207)
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Back {
    /// What the sign-in began with.
    state: Option<String>,
    /// What is exchanged for an ID token.
    code: Option<String>,
    /// Which provider answers.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// What a sign-in comes to.
enum Came {
    /// Someone got in, or half-way.
    In(Outcome),
    /// Someone is new here, and is to choose a name: what to suggest, and the cookie.
    New(String, Option<HeaderValue>),
    /// Someone who is signed in did what it was for; the session's cookies.
    Done(Vec<HeaderValue>),
}

/// Where the provider sends browsers back to. What comes of it is a redirect in any case.
#[utoipa::path(get, path = "/auth/oidc/callback", tag = "accounts", params(Back),
    responses(
        (status = 303, description = "Signed in: to where it began, or to /login/code for the second factor, or to /login/name for a name. Otherwise back to /login, or to /account, with `?error=CODE`: `oidc_expired`, `oidc_denied`, `oidc_failed`, `oidc_unavailable`, `oidc_no_account`, `oidc_not_fresh`, `oidc_other_person`, `identity_taken`, `identity_exists`, `unauthenticated`, `too_many_requests`, `storage_unavailable`"),
        (status = 404, description = "`no_provider`: this server has none")))]
pub async fn callback(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let provider = match provider(&app) {
        Ok(provider) => provider,
        Err(problem) => return problem.into_response(),
    };
    // Nobody who follows the rules says something twice.
    let back: Back = body::query(&uri).unwrap_or_default();
    let visit = Visit { app: &app, provider, client: &client, headers: &headers };
    let (flow, came) = visit.receive(back).await;
    let next = flow.as_ref().and_then(|flow| flow.next.clone());
    let next = next.as_deref();
    let page = match flow.map(|flow| flow.purpose) {
        None | Some(Purpose::SignIn { .. }) => "/login",
        Some(Purpose::Link(_) | Purpose::Again(_)) => ACCOUNT_PAGE,
    };
    let response = match came {
        Ok(Came::In(outcome)) => entry::answer(Reply::Redirect, page, "", next, Ok(outcome)),
        Ok(Came::New(name, cookie)) => {
            let fields = [("username", name.as_str()), ("next", entry::safe_or_none(next))];
            entry::with_cookies(entry::see_other(&entry::address(NAME_PAGE, &fields)), cookie)
        }
        Ok(Came::Done(cookies)) => {
            let way = Some(entry::safe_or_none(next)).filter(|next| !next.is_empty());
            entry::with_cookies(entry::see_other(way.unwrap_or(ACCOUNT_PAGE)), cookies)
        }
        Err(problem) => entry::back(page, "", next, problem),
    };
    entry::with_cookies(response, app.cookies.clear_oidc())
}

/// One who came back.
struct Visit<'a> {
    app: &'a Arc<App>,
    provider: &'a Provider,
    client: &'a Client,
    headers: &'a HeaderMap,
}

impl Visit<'_> {
    async fn receive(&self, back: Back) -> (Option<Flow>, Result<Came, Problem>) {
        let Self { app, provider, client, headers } = self;
        let now = clock::now();
        let state = back.state.as_deref().unwrap_or_default();
        // Any site can send a browser here, so what fits no sign-in is held against nobody: state and cookie have 256 bits each, and there is
        // nothing to guess. Without the cookie, which other sites' images and frames don't bring, it isn't even noted.
        let Some(browser) = app.cookies.oidc(headers) else {
            self.count("login", audit::REFUSED);
            return (None, Err(expired()));
        };
        let Some(flow) = provider.take(state, browser, now) else {
            self.count("login", audit::REFUSED);
            let entry = Entry::new("login", client).by_name(NOBODY_YET);
            let detail = format!("{WAY}: nothing of this browser is under way");
            app.audit.note_now_and_then(entry.detail(detail).result(audit::REFUSED));
            return (None, Err(expired()));
        };
        let attempt = match self.attempt(state).await {
            Ok(attempt) => attempt,
            Err(problem) => return (Some(flow), Err(problem)),
        };
        if let Err(wait) = app.throttle.admit(attempt, Instant::now()) {
            self.note(event(&flow.purpose), audit::THROTTLED, "");
            return (Some(flow), Err(too_many(wait)));
        }
        let came = match self.person(&flow, &back, now).await {
            Ok(person) => {
                app.throttle.succeeded(attempt);
                self.go_on(&flow, person).await
            }
            Err((problem, guess)) => {
                if guess {
                    app.throttle.failed(attempt, Instant::now());
                } else {
                    app.throttle.undecided(attempt, Instant::now());
                }
                Err(problem)
            }
        };
        (Some(flow), came)
    }

    /// How it is counted. On a device on which someone signed in before, nobody else's failures matter: it has a count of its own for codes that
    /// were wrong. Elsewhere they count for the address, and each sign-in has a count of its own, since a class that shares an address comes
    /// back at once.
    async fn attempt(&self, state: &str) -> Result<Attempt, Problem> {
        let Self { app, client, headers, .. } = self;
        let device = match app.cookies.device(headers) {
            Some(mark) => {
                let known = app.store.read(move |db| devices::is_anyones(db, mark)).await?;
                Some(mark).filter(|_| known)
            }
            None => None,
        };
        let account = match device {
            Some(_) => SecretHash::digest(WAY),
            None => SecretHash::digest(&format!("{WAY} {state}")),
        };
        Ok(Attempt { ip: client.ip, device, account })
    }

    /// Who the provider says that this is; or why nobody, and whether that looks like guessing. A provider that is set up in a wrong way, or that
    /// lets someone not in, is not held against an address that many may share.
    async fn person(&self, flow: &Flow, back: &Back, now: i64) -> Result<Person, (Problem, bool)> {
        let asked = async {
            self.provider.is_of(back.iss.as_deref()).await?;
            match (&back.error, &back.code) {
                (None, Some(code)) => self.provider.person(flow, code, now).await.map(Ok),
                (error, _) => Ok(Err(error.as_deref().unwrap_or_default())),
            }
        };
        match asked.await {
            Ok(Ok(person)) => Ok(person),
            Ok(Err(error)) => {
                let why = format!("the provider said {}", tame(error));
                self.note(event(&flow.purpose), audit::REFUSED, &why);
                Err((denied(error), false))
            }
            Err(failure) => {
                let problem = failed(&failure);
                let ours = problem.code() == "oidc_unavailable";
                let result = if ours { audit::ERROR } else { audit::REFUSED };
                self.note(event(&flow.purpose), result, &failure.to_string());
                Err((problem, matches!(failure, Failure::Exchange(_) | Failure::Mixed)))
            }
        }
    }

    async fn go_on(&self, flow: &Flow, person: Person) -> Result<Came, Problem> {
        let issuer = self.provider.issuer().to_owned();
        let identity = Identity { issuer, subject: person.subject.clone() };
        let visit = (self.app, self.client, self.headers);
        match &flow.purpose {
            Purpose::SignIn { remember } => self.sign_in(flow, *remember, identity, person).await,
            Purpose::Link(account) => {
                let name = person.name.unwrap_or_default();
                link::add(visit, account, identity, name).await.map(Came::Done)
            }
            Purpose::Again(account) => {
                let shown_at = person.auth_time;
                link::again(visit, account, identity, shown_at, flow.begun_at).await.map(Came::Done)
            }
        }
    }

    async fn sign_in(
        &self,
        flow: &Flow,
        remember: bool,
        identity: Identity,
        person: Person,
    ) -> Result<Came, Problem> {
        let Self { app, client, headers, .. } = self;
        let device = app.cookies.device(headers);
        let asked = identity.clone();
        let found = app
            .store
            .read(move |db| {
                let Some(account) = linked::find(db, &asked)? else { return Ok(None) };
                let known = match device {
                    Some(mark) => devices::is_known(db, mark, &account.id)?,
                    None => false,
                };
                Ok(Some((account, device.filter(|_| known))))
            })
            .await?;
        // Where the provider doesn't say when, nothing counts as recent.
        let auth_time = person.auth_time.unwrap_or(0).clamp(0, clock::now());
        let Some((account, device)) = found else {
            let name = person.name.unwrap_or_default();
            let next = flow.next.clone();
            let newcomer = Newcomer { identity, name, auth_time, remember, next };
            return self.welcome(newcomer).await;
        };
        let entry = Entry::new("login", client).by(&account).detail(WAY);
        if account.disabled_at.is_some() {
            self.count("login", audit::REFUSED);
            app.audit.note(entry.result(audit::REFUSED));
            return Err(no_account());
        }
        let account = Arc::new(account);
        let passed = self.enter(&account, &identity, remember, auth_time, entry.clone()).await?;
        let outcome = match passed {
            Passed::Entered(entered) => Outcome::Entered(entered),
            Passed::Half(factors) => {
                let next = flow.next.clone();
                let half = Half {
                    account,
                    first: First::Linked(identity, auth_time),
                    remember,
                    brief: false,
                    next,
                    device,
                };
                half_way(app, client, half, factors, clock::now()).await.inspect_err(|_| {
                    self.count("login", audit::THROTTLED);
                    app.audit.note(entry.result(audit::THROTTLED));
                })?
            }
        };
        self.count(
            "login",
            match outcome {
                Outcome::Entered(_) => audit::SUCCESS,
                Outcome::Half { .. } => SECOND_FACTOR_NEEDED,
            },
        );
        Ok(Came::In(outcome))
    }

    /// Signs an account in, unless it has second factors.
    async fn enter(
        &self,
        account: &Arc<Account>,
        identity: &Identity,
        remember: bool,
        auth_time: i64,
        entry: Entry,
    ) -> Result<Passed, Problem> {
        let Self { app, client, headers, .. } = self;
        let replaced = app.cookies.session(headers)?;
        let now = clock::now();
        let amr = OIDC.to_owned();
        let Issue { new, device, cookies } =
            Issue::prepare(app, client, headers, account.clone(), remember, amr, now)?
                .shown_at(auth_time);
        let (limit, table) = (app.config.sessions_per_account, app.sessions.clone());
        let (entered, owner, identity) = (new.clone(), account.clone(), identity.clone());
        let passed = app
            .change(
                entry,
                move |db, entry| {
                    if !linked::still_opens(db, &identity, &owner)? {
                        return Ok(Err(no_account()));
                    }
                    let factors = factors::of(db, &owner.id)?;
                    if factors.any() {
                        entry.result = SECOND_FACTOR_NEEDED;
                        return Ok(Ok(Stored::Half(factors)));
                    }
                    linked::used(db, &identity, now)?;
                    let mut ended = sessions::insert(db, &new, now, limit)?;
                    if let Some(replaced) = replaced {
                        ended.extend(sessions::delete(db, replaced, now)?);
                    }
                    devices::remember(db, device, &owner.id, now)?;
                    Ok(Ok(Stored::Session(ended)))
                },
                move |stored| {
                    let Stored::Session(ended) = stored else { return };
                    table.end(ended);
                    table.insert(entered.token, entered.session.clone(), now);
                },
            )
            .await?;
        Ok(match passed {
            Stored::Session(_) => Passed::Entered(Entered { account: account.clone(), cookies }),
            Stored::Half(factors) => Passed::Half(factors),
        })
    }

    /// Makes an account for someone whom nobody knows here, if that is the rule: under the name that the provider tells, when that is one
    /// and nobody's; otherwise its owner is to choose one.
    async fn welcome(&self, newcomer: Newcomer) -> Result<Came, Problem> {
        let Self { app, provider, client, headers } = self;
        let welcome = Welcome { app, client, headers, rule: rule(app, provider) };
        welcome.may_come().await.inspect_err(|_| {
            self.note(
                "login",
                audit::REFUSED,
                "nobody here is this person, and no account is made",
            );
        })?;
        if let Ok(name) = PeerId::parse(&newcomer.name) {
            match welcome.make(&newcomer, name).await {
                Ok(entered) => return Ok(Came::In(Outcome::Entered(entered))),
                Err(problem) if problem.code() == "username_taken" => {}
                Err(problem) => return Err(problem),
            }
        }
        let token = Secret::token().map_err(entry::random)?;
        let name = newcomer.name.clone();
        provider.pending.welcome(token.hash, newcomer, clock::now());
        self.count("login", name::NAME_NEEDED);
        Ok(Came::New(name, app.cookies.set_newcomer(&token.text, crate::oidc::pending::WITHIN)))
    }

    fn count(&self, event: &str, result: &str) {
        if event == "login" {
            self.app.metrics.logins.with_label_values(&[result]).inc();
        }
        self.app.metrics.oidc.with_label_values(&[result]).inc();
    }

    fn note(&self, event: &'static str, result: &'static str, why: &str) {
        self.count(event, result);
        let detail = if why.is_empty() { WAY.to_owned() } else { format!("{WAY}: {why}") };
        let entry = Entry::new(event, self.client).by_name(NOBODY_YET);
        self.app.audit.note(entry.detail(detail).result(result));
    }
}

/// What someone who comes back is about, for the audit log.
fn event(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::SignIn { .. } => "login",
        Purpose::Link(_) => "link",
        Purpose::Again(_) => "reauth",
    }
}

/// What came of a sign-in, as it is stored.
enum Stored {
    /// A session; these ended.
    Session(Vec<Ended>),
    /// Nothing: the account has second factors.
    Half(Factors),
}

enum Passed {
    Entered(Entered),
    Half(Factors),
}

fn expired() -> Problem {
    Problem::bad_request(
        "oidc_expired",
        "this sign-in took too long, was finished before, or began in another browser: begin again",
    )
}

/// What the provider said instead of giving a code. `access_denied`: the person, or the provider, doesn't want to (RFC 6749 §4.1.2.1).
fn denied(error: &str) -> Problem {
    match error {
        "access_denied" => Problem::forbidden(
            "oidc_denied",
            "the provider didn't let you in here, or you cancelled: try again, or sign in another way",
        ),
        "temporarily_unavailable" | "server_error" => Problem::unavailable(
            "oidc_unavailable",
            "the provider can't do it now: try again in a while, or sign in another way",
            10,
        ),
        _ => Problem::forbidden(
            "oidc_failed",
            "the provider didn't let you in: the log says what it said",
        ),
    }
}

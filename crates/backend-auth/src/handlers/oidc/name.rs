//! `POST /login/name`: the name of the account that a first sign-in makes. Who that is at the provider is kept here meanwhile; the browser has a
//! cookie that names it and nothing else.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use service::Problem;
use wire::PeerId;
use wire::auth::{ChooseName, Registration};

use super::{WAY, no_account, provider, refused, rule};
use crate::App;
use crate::audit::{self, Entry};
use crate::body::{self, Reply};
use crate::client::Client;
use crate::clock;
use crate::handlers::entry::{self, Entered, Outcome, too_many};
use crate::handlers::register::{self, Shown, welcome};
use crate::handlers::second::sign_in_again;
use crate::oidc::{Newcomer, OIDC};
use crate::store::accounts;
use crate::store::linked::{self, New};

/// How a sign-in stands that lacks a name.
pub(super) const NAME_NEEDED: &str = "name_needed";

/// Choose the name of the account that a first sign-in by OpenID Connect makes. Needs the cookie that `GET /auth/oidc/callback` set.
#[utoipa::path(post, path = "/login/name", tag = "accounts", request_body = ChooseName,
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>, description = "Made and signed in; Set-Cookie holds the session", headers(("set-cookie" = String, description = "The session"))),
        (status = 303, description = "A form: to where the sign-in began, or back to the page with `?error=CODE`"),
        (status = 400, description = "`invalid_username`"),
        (status = 401, description = "`sign_in_again`: the sign-in at the provider is to be done first, or again"),
        (status = 403, description = "`oidc_no_account`: no accounts are made any more"),
        (status = 404, description = "`no_provider`: this server has none"),
        (status = 409, description = "`username_taken`; `identity_taken`: that was done in another window"),
        (status = 429, description = "`too_many_requests`, with Retry-After"),
        (status = 503, description = "`storage_unavailable`, with Retry-After")))]
pub async fn choose(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let reply = Reply::for_headers(request.headers());
    let headers = request.headers().clone();
    let (username, next, entered) = match body::read::<ChooseName>(&app, request).await {
        Ok(ChooseName { username }) => {
            let (next, entered) = enter(&app, &client, &headers, &username).await;
            (username, next, entered)
        }
        Err(problem) => (String::new(), None, Err(problem)),
    };
    let begin_again =
        entered.as_ref().is_err_and(|problem| problem.code() == sign_in_again().code());
    let page = if begin_again { "/login" } else { super::callback::NAME_PAGE };
    let entered = entered.map(Outcome::Entered);
    // What was typed is no name to sign in with.
    let username = if begin_again { "" } else { username.as_str() };
    entry::answer(reply, page, username, next.as_deref(), entered)
}

async fn enter(
    app: &Arc<App>,
    client: &Client,
    headers: &HeaderMap,
    username: &str,
) -> (Option<String>, Result<Entered, Problem>) {
    let provider = match provider(app) {
        Ok(provider) => provider,
        Err(problem) => return (None, Err(problem)),
    };
    let token = app.cookies.newcomer(headers);
    let found =
        token.and_then(|token| Some((token, provider.pending.newcomer(&token, clock::now())?)));
    let Some((token, newcomer)) = found else { return (None, Err(sign_in_again())) };
    let welcome = Welcome { app, client, headers, rule: rule(app, provider) };
    let entered = match PeerId::parse(username) {
        Ok(name) => welcome.make(&newcomer, name).await,
        Err(error) => Err(Problem::bad_request("invalid_username", format!("username {error}"))),
    };
    let entered = entered.map(|mut entered| {
        provider.pending.named(&token);
        entered.cookies.extend(app.cookies.clear_newcomer());
        entered
    });
    (newcomer.next, entered)
}

/// Makes accounts of people whom the provider vouches for.
pub(super) struct Welcome<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) client: &'a Client,
    pub(super) headers: &'a HeaderMap,
    /// By which rule; none when no account is made.
    pub(super) rule: Option<Registration>,
}

impl Welcome<'_> {
    /// Whether a stranger gets an account.
    ///
    /// # Errors
    /// 403 `oidc_no_account`, 503.
    pub(super) async fn may_come(&self) -> Result<(), Problem> {
        let Some(rule) = self.rule else { return Err(no_account()) };
        let may = self.app.store.read(move |db| accounts::takes_strangers(db, rule)).await?;
        if may { Ok(()) } else { Err(no_account()) }
    }

    /// Makes the account and signs it in.
    ///
    /// # Errors
    /// 403, 409 `username_taken`, `identity_taken`, 429, 503.
    pub(super) async fn make(&self, newcomer: &Newcomer, name: PeerId) -> Result<Entered, Problem> {
        let Self { app, client, .. } = self;
        let entry = Entry::new("register", client).detail(WAY);
        let typed = name.as_str().to_owned();
        let made = self.make_one(newcomer, name, entry.clone()).await;
        let result = made.as_ref().map_or_else(Problem::code, |_| audit::SUCCESS);
        app.metrics.registrations.with_label_values(&[result]).inc();
        app.metrics.oidc.with_label_values(&[result]).inc();
        match &made {
            // Its row was written with the account.
            Ok(entered) => entry.by(&entered.account).line(),
            Err(_) if result == "too_many_requests" => {
                app.audit.note(entry.by_name(typed).result(audit::THROTTLED));
            }
            Err(_) => app.audit.note(entry.by_name(typed).result(result)),
        }
        made
    }

    async fn make_one(
        &self,
        newcomer: &Newcomer,
        name: PeerId,
        entry: Entry,
    ) -> Result<Entered, Problem> {
        let Self { app, client, headers, rule } = self;
        let Some(rule) = *rule else { return Err(no_account()) };
        let replaced = app.cookies.session(headers)?;
        app.throttle.register(client.ip, Instant::now()).map_err(too_many)?;
        let Newcomer { identity, name: told, auth_time, remember, .. } = newcomer.clone();
        let id = crate::secret::public_id().map_err(entry::random)?;
        let new = New { id, identity, name: told };
        let shown = Shown { amr: OIDC, at: auth_time, remember };
        welcome(app, (client, headers), replaced, shown, entry, move |db, now| {
            // Decided before the account is made, since a refusal undoes nothing.
            if linked::find(db, &new.identity)?.is_some() {
                return Ok(Err(refused(linked::Refusal::OfAnother)));
            }
            let account = match accounts::create_linked(db, name, rule, now)? {
                Ok(account) => account,
                Err(accounts::Refusal::NameTaken) => {
                    return Ok(Err(register::refused(accounts::Refusal::NameTaken)));
                }
                Err(_) => return Ok(Err(no_account())),
            };
            Ok(match linked::add(db, &account.id, &new, now)? {
                Ok(()) => {
                    linked::used(db, &new.identity, now)?;
                    Ok(account)
                }
                Err(refusal) => Err(refused(refusal)),
            })
        })
        .await
    }
}

//! `/auth/tokens`: personal access tokens, for curl and for programs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use service::Problem;
use wire::account::{CreateToken, NewToken as Told, RevokeToken, Token, Tokens};
use wire::identity::{SCOPE_READ, SCOPE_WRITE};

use super::{Done, Fresh, SignedIn, entry, respond, success};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::secret::Secret;
use crate::sessions::{Kind, Session};
use crate::store::accounts::{Account, Role};
use crate::store::tokens::{self, Listed, NewToken, Refusal, TOKEN_AMR};

/// Reading the audit log.
pub const AUDIT_SCOPE: &str = "audit:read";
/// What a token may do at all; the tracker knows the first two.
const SCOPES: [&str; 3] = [SCOPE_READ, SCOPE_WRITE, AUDIT_SCOPE];
const NAME_CHARS: usize = 64;
const DAY: u64 = 86_400;

/// The caller's tokens.
#[utoipa::path(get, path = "/auth/tokens", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<Tokens>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn list(State(app): State<Arc<App>>, caller: SignedIn) -> Response {
    answer(&app, caller.session.account.id.clone()).await
}

/// The list of an account's tokens.
pub(super) async fn answer(app: &App, account: String) -> Response {
    match app.store.read(move |db| tokens::of_account(db, &account)).await {
        Ok(found) => success(Tokens { tokens: found.into_iter().map(shown).collect() }),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Make a token. It is told once; only its hash is kept.
#[utoipa::path(post, path = "/auth/tokens", tag = "accounts", request_body = CreateToken,
    responses(
        (status = 200, body = wire::Success<Told>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`; `not_an_admin`: the scope is for administrators"),
        (status = 409, description = "`too_many_tokens`, `account_changed`")))]
pub async fn create(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    request: Request,
) -> Response {
    let made = async {
        let wanted: CreateToken = body::read(&app, request).await?;
        make(&app, &client, &caller, &caller.session.account, wanted).await
    };
    respond(made.await)
}

/// Makes a token for an account, by a caller who may.
pub(super) async fn make(
    app: &App,
    client: &Client,
    caller: &SignedIn,
    owner: &Arc<Account>,
    wanted: CreateToken,
) -> Result<Told, Problem> {
    let noted = Entry::new("create_token", client).by(&caller.session.account).about(owner);
    let (name, scope, lifetime) =
        fields(&wanted, owner).map_err(|problem| app.audit.refuse(noted.clone(), problem))?;
    let secret = Secret::access_token().map_err(entry::random)?;
    let now = clock::now();
    let session = Session {
        account: owner.clone(),
        sid: crate::secret::public_id().map_err(entry::random)?,
        auth_time: now,
        idle: i64::MAX,
        ends_at: now + i64::try_from(lifetime).unwrap_or(0),
        remember: false,
        amr: TOKEN_AMR.to_owned(),
        scope,
        kind: Kind::Token,
    };
    let id = crate::secret::public_id().map_err(entry::random)?;
    let new = NewToken { hash: secret.hash, id, name, session: Arc::new(session) };
    let noted = noted.detail(format!("{}: {}", new.name, new.session.scope));
    let (table, limit, stored) = (app.sessions.clone(), app.config.tokens_per_account, new.clone());
    app.change(
        noted,
        move |db, _| {
            Ok(match tokens::create(db, &stored, now, limit)? {
                Ok(()) => Ok(stored),
                Err(Refusal::TooMany) => Err(Problem::new(
                    StatusCode::CONFLICT,
                    "too_many_tokens",
                    format!("an account has at most {limit} tokens: take one back first"),
                )),
                Err(Refusal::Changed) => Err(Problem::new(
                    StatusCode::CONFLICT,
                    "account_changed",
                    "the account was changed meanwhile: look at it again",
                )),
            })
        },
        move |stored| table.insert(stored.hash, stored.session.clone(), now),
    )
    .await?;
    let about = shown(Listed {
        id: new.id,
        name: new.name,
        scope: new.session.scope.clone(),
        created_at: now,
        expires_at: new.session.ends_at,
        last_used: None,
    });
    Ok(Told { token: secret.text, about })
}

/// What a token is called, what it may do, and for how many seconds.
fn fields(wanted: &CreateToken, owner: &Account) -> Result<(String, String, u64), Problem> {
    let wrong = |message: &str| Err(Problem::bad_request("invalid_field", message));
    let name = wanted.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return wrong("name: 1 to 64 characters");
    }
    let scope = scope(wanted.scopes.as_deref(), owner)?;
    let lifetime = wanted.expires_in.unwrap_or(90 * DAY);
    if !(60..=366 * DAY).contains(&lifetime) {
        return wrong("expires_in: from 60 seconds to 31622400 (366 days)");
    }
    Ok((name, scope, lifetime))
}

/// The scopes in the order in which they are documented, each once.
fn scope(wanted: Option<&[String]>, owner: &Account) -> Result<String, Problem> {
    let Some(wanted) = wanted else { return Ok(SCOPES[..2].join(" ")) };
    let known = wanted.iter().all(|scope| SCOPES.contains(&scope.as_str()));
    if !known || wanted.is_empty() {
        return Err(Problem::bad_request(
            "invalid_field",
            format!("scopes: one or more of {}", SCOPES.join(", ")),
        ));
    }
    let chosen = SCOPES.iter().filter(|scope| wanted.iter().any(|wanted| wanted == *scope));
    let chosen = chosen.copied().collect::<Vec<_>>();
    if chosen.contains(&AUDIT_SCOPE) && owner.role != Role::Admin {
        return Err(Problem::forbidden("not_an_admin", "scopes: audit:read is for administrators"));
    }
    Ok(chosen.join(" "))
}

fn shown(token: Listed) -> Token {
    Token {
        id: token.id,
        name: token.name,
        scopes: token.scope.split(' ').map(str::to_owned).collect(),
        created_at: clock::rfc3339(token.created_at),
        expires_at: clock::rfc3339(token.expires_at),
        last_used: token.last_used.map(clock::rfc3339),
    }
}

/// Take a token back. What is open with it ends.
#[utoipa::path(post, path = "/auth/tokens/revoke", tag = "accounts", request_body = RevokeToken,
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 401, description = "`unauthenticated`"),
        (status = 404, description = "`unknown_token`")))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    client: Client,
    caller: SignedIn,
    request: Request,
) -> Response {
    let ended = async {
        let RevokeToken { id } = body::read(&app, request).await?;
        end(&app, &client, &caller, caller.session.account.id.clone(), id).await
    };
    respond(ended.await.map(|()| Done {}))
}

/// Takes a token of an account back.
pub(super) async fn end(
    app: &App,
    client: &Client,
    caller: &SignedIn,
    account: String,
    id: String,
) -> Result<(), Problem> {
    let (now, table) = (clock::now(), app.sessions.clone());
    app.change(
        Entry::new("revoke_token", client).by(&caller.session.account),
        move |db, entry| {
            let Some((name, ended)) = tokens::delete(db, &account, &id, now)? else {
                return Ok(Err(Problem::not_found(
                    "unknown_token",
                    "there is no token with this id",
                )));
            };
            if let Some((owner, _)) = crate::store::accounts::of(db, &account)? {
                *entry = entry.clone().about(&owner).detail(name);
            }
            Ok(Ok(ended))
        },
        move |ended| table.end(std::slice::from_ref(ended)),
    )
    .await
    .map(drop)
}

//! Accounts: listed, and their roles, sessions and state changed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use rusqlite::Connection;
use service::Problem;
use wire::admin::{AboutUser, ChangedUser, ListUsers, SetRole, User, Users};

use super::{Admin, FreshAdmin};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::{SignedIn, doors, respond};
use crate::store::accounts::{Account, Role};
use crate::store::people::{self, Changed, Person, Refusal, Search};

const PAGE: usize = 100;
const PAGE_MAX: usize = 200;

/// Accounts, by name.
#[utoipa::path(get, path = "/auth/admin/users", tag = "administration", params(ListUsers),
    responses(
        (status = 200, body = wire::Success<Users>),
        (status = 400, description = "`invalid_query`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`")))]
pub async fn list(State(app): State<Arc<App>>, _: Admin, uri: Uri) -> Response {
    respond(find(&app, &uri).await)
}

async fn find(app: &App, uri: &Uri) -> Result<Users, Problem> {
    let wanted: ListUsers = body::query(uri)?;
    let role = wanted.role.as_deref().filter(|role| !role.is_empty()).map(role).transpose()?;
    let limit = body::page(wanted.limit, PAGE, PAGE_MAX)?;
    let search = Search {
        text: wanted.q,
        role,
        disabled: wanted.disabled,
        after: wanted.after,
        limit: limit + 1,
    };
    let mut people = app.store.read(move |db| people::list(db, &search)).await?;
    let more = people.len() > limit;
    people.truncate(limit);
    let next = people.last().filter(|_| more).map(|last| last.account.name.clone());
    Ok(Users { users: people.into_iter().map(shown).collect(), next })
}

fn shown(Person { account, sessions, linked, factors, last_seen }: Person) -> User {
    User {
        user_id: account.id,
        username: account.name,
        role: account.role.as_str().to_owned(),
        disabled: account.disabled_at.is_some(),
        created_at: clock::rfc3339(account.created_at),
        sessions,
        linked,
        factors,
        last_seen: last_seen.map(clock::rfc3339),
    }
}

fn role(text: &str) -> Result<Role, Problem> {
    Role::parse(text)
        .ok_or_else(|| Problem::bad_request("invalid_field", "role: admin, member or bot"))
}

/// Make someone an administrator, or a member again. Ends all sessions of the account.
#[utoipa::path(post, path = "/auth/admin/users/role", tag = "administration", request_body = SetRole,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`last_admin`, `other_kind_of_account`")))]
pub async fn set_role(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let changed = async {
        let wanted: SetRole = body::read(&app, request).await?;
        let entry = Entry::new("role", &client);
        let role = role(&wanted.role).map_err(|problem| {
            app.audit.refuse(entry.clone().by(&caller.session.account), problem)
        })?;
        let entry = entry.detail(role.as_str());
        let now = clock::now();
        let doors = doors(&app, &client);
        let set = move |db: &Connection| people::set_role(db, &wanted.user_id, role, &doors, now);
        change(&app, &caller, entry, set).await
    };
    answer(changed.await)
}

/// Disable an account: nobody gets in with it, and all that is open on it ends.
#[utoipa::path(post, path = "/auth/admin/users/disable", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`last_admin`")))]
pub async fn disable(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let (doors, now) = (doors(&app, &client), clock::now());
    let disable = move |db: &Connection, id: &str| people::disable(db, id, &doors, now);
    act(&app, &client, &caller, "disable", request, disable).await
}

/// Let a disabled account in again.
#[utoipa::path(post, path = "/auth/admin/users/enable", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`")))]
pub async fn enable(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let now = clock::now();
    act(&app, &client, &caller, "enable", request, move |db, id| people::enable(db, id, now)).await
}

/// End all sessions of an account.
#[utoipa::path(post, path = "/auth/admin/users/end-sessions", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`")))]
pub async fn end_sessions(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let now = clock::now();
    let end = move |db: &Connection, id: &str| people::end_sessions(db, id, now);
    act(&app, &client, &caller, "end_sessions", request, end).await
}

/// Remove an account with its sessions, tokens and invites. Its messages stay, and so nobody else gets its name.
#[utoipa::path(post, path = "/auth/admin/users/delete", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`last_admin`")))]
pub async fn delete(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let (doors, now) = (doors(&app, &client), clock::now());
    let remove = move |db: &Connection, id: &str| people::remove(db, id, &doors, now);
    act(&app, &client, &caller, "delete_user", request, remove).await
}

/// Reads whom a change is about, makes it and answers.
pub(super) async fn act(
    app: &Arc<App>,
    client: &Client,
    caller: &SignedIn,
    event: &'static str,
    request: Request,
    work: impl FnOnce(&Connection, &str) -> rusqlite::Result<Result<Changed, Refusal>> + Send + 'static,
) -> Response {
    let changed = async {
        let AboutUser { user_id } = body::read(app, request).await?;
        change(app, caller, Entry::new(event, client), move |db| work(db, &user_id)).await
    };
    answer(changed.await)
}

async fn change(
    app: &Arc<App>,
    caller: &SignedIn,
    entry: Entry,
    work: impl FnOnce(&Connection) -> rusqlite::Result<Result<Changed, Refusal>> + Send + 'static,
) -> Result<Changed, Problem> {
    let table = app.sessions.clone();
    app.change(
        entry.by(&caller.session.account),
        move |db, entry| {
            let changed = work(db)?;
            if let Ok(changed) = &changed {
                *entry = entry.clone().about(&changed.account);
            }
            Ok(changed.map_err(refused))
        },
        move |changed| {
            table.end(&changed.ended);
            table.extend(&changed.tokens);
        },
    )
    .await
}

fn answer(outcome: Result<Changed, Problem>) -> Response {
    respond(outcome.map(|Changed { account, ended, .. }| changed_user(account, ended.len())))
}

/// An account as a change left it.
pub(super) fn changed_user(account: Account, ended_sessions: usize) -> ChangedUser {
    ChangedUser {
        user_id: account.id,
        username: account.name,
        role: account.role.as_str().to_owned(),
        disabled: account.disabled_at.is_some(),
        ended_sessions,
    }
}

pub(super) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => unknown_user(),
        Refusal::LastAdmin => Problem::new(
            StatusCode::CONFLICT,
            "last_admin",
            "this is the only administrator who can sign in: make someone else one first",
        ),
        Refusal::OtherKind => Problem::new(
            StatusCode::CONFLICT,
            "other_kind_of_account",
            "a bot can't become a person, nor a person a bot: make another account",
        ),
    }
}

/// 404 `unknown_user`
pub(super) fn unknown_user() -> Problem {
    Problem::not_found("unknown_user", "there is no account with this user_id")
}

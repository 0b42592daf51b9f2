//! Second factors of someone who lost them, and links with a provider that are to end.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use rusqlite::Connection;
use wire::admin::{AboutUser, ChangedUser};

use super::FreshAdmin;
use super::users::act;
use crate::App;
use crate::client::Client;
use crate::clock;
use crate::handlers::doors;
use crate::store::people;

/// Take all second factors and recovery codes of an account away, for someone who lost them: the password alone is enough then. Ends all
/// sessions of the account.
#[utoipa::path(post, path = "/auth/admin/users/remove-factors", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`last_admin`: its owner, the only administrator, couldn't sign in any more")))]
pub async fn remove(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let (doors, now) = (doors(&app, &client), clock::now());
    let remove = move |db: &Connection, id: &str| people::remove_factors(db, id, &doors, now);
    act(&app, &client, &caller, "remove_factors", request, remove).await
}

/// Take the links of an account with providers (OpenID Connect) away. Ends all sessions of the account. Whoever has no password needs a reset
/// link afterwards.
#[utoipa::path(post, path = "/auth/admin/users/unlink", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`last_admin`: its owner, the only administrator, couldn't sign in any more")))]
pub async fn unlink(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let (doors, now) = (doors(&app, &client), clock::now());
    let unlink = move |db: &Connection, id: &str| people::unlink(db, id, &doors, now);
    act(&app, &client, &caller, "unlink", request, unlink).await
}

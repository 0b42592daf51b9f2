//! `GET /me`.

use axum::response::Response;

use super::{SignedIn, entry, success};

/// Who am I?
#[utoipa::path(get, path = "/me", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn me(caller: SignedIn) -> Response {
    success(entry::account_answer(&caller.session.account))
}

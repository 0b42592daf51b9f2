//! `GET /me`.

use axum::response::Response;

use super::{Known, entry, success};

/// Who am I? Also for a personal access token.
#[utoipa::path(get, path = "/me", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<wire::auth::Account>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn me(Known(caller): Known) -> Response {
    success(entry::account_answer(&caller.session.account))
}

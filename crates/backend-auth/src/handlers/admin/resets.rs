//! Links by which someone who forgot the password chooses a new one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use service::Problem;
use wire::admin::{AboutUser, ResetLink};

use super::FreshAdmin;
use super::users::{refused, unknown_user};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::{SignedIn, entry, respond};
use crate::secret::Secret;
use crate::store::accounts::{self, Role};
use crate::store::people::Refusal;
use crate::store::resets;

/// Make a link for someone who forgot the password: good once, for 15 minutes. An older one of the account ends.
#[utoipa::path(post, path = "/auth/admin/users/reset-link", tag = "administration", request_body = AboutUser,
    responses(
        (status = 200, body = wire::Success<ResetLink>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`other_kind_of_account`: a bot has no password")))]
pub async fn create(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    respond(make(&app, &client, &caller, request).await)
}

async fn make(
    app: &Arc<App>,
    client: &Client,
    caller: &SignedIn,
    request: Request,
) -> Result<ResetLink, Problem> {
    let AboutUser { user_id } = body::read(app, request).await?;
    let secret = Secret::code().map_err(entry::random)?;
    let (hash, now) = (secret.hash, clock::now());
    let username = app
        .change(
            Entry::new("reset_link", client).by(&caller.session.account),
            move |db, entry| {
                let Some((account, _)) = accounts::of(db, &user_id)? else {
                    return Ok(Err(unknown_user()));
                };
                *entry = entry.clone().about(&account);
                if account.role == Role::Bot {
                    return Ok(Err(refused(Refusal::OtherKind)));
                }
                resets::create(db, hash, &account.id, now)?;
                Ok(Ok(account.name))
            },
            |_| (),
        )
        .await?;
    Ok(ResetLink {
        username,
        path: path(&secret.text),
        code: secret.text,
        expires_at: clock::rfc3339(now + resets::LIFETIME),
    })
}

/// What a browser opens. The code is behind the `#`, so that no server's log has it.
pub fn path(code: &str) -> String {
    format!("/reset#code={code}")
}

//! Bots: accounts of programs, which have tokens and no password, and the tokens of any account.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Uri;
use service::Problem;
use wire::PeerId;
use wire::account::{NewToken, Tokens};
use wire::admin::{AboutUser, ChangedUser, CreateBot, CreateBotToken, RevokeUserToken};

use super::users::{changed_user, refused, unknown_user};
use super::{Admin, FreshAdmin};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::{Done, SignedIn, register, respond, tokens};
use crate::store::accounts::{self, Role};
use crate::store::people::Refusal;

/// Make the account of a program. It gets in with tokens only.
#[utoipa::path(post, path = "/auth/admin/bots", tag = "administration", request_body = CreateBot,
    responses(
        (status = 200, body = wire::Success<ChangedUser>),
        (status = 400, description = "`invalid_username`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 409, description = "`username_taken`")))]
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
) -> Result<ChangedUser, Problem> {
    let CreateBot { username } = body::read(app, request).await?;
    let entry = Entry::new("create_bot", client).by(&caller.session.account);
    let name = PeerId::parse(&username).map_err(|error| {
        let problem = Problem::bad_request("invalid_username", format!("username {error}"));
        app.audit.refuse(entry.clone(), problem)
    })?;
    let now = clock::now();
    let account = app
        .change(
            entry,
            move |db, entry| {
                let made = accounts::create_bot(db, &name, now)?;
                if let Ok(account) = &made {
                    *entry = entry.clone().about(account);
                }
                Ok(made.map_err(register::refused))
            },
            |_| (),
        )
        .await?;
    Ok(changed_user(account, 0))
}

/// The tokens of an account.
#[utoipa::path(get, path = "/auth/admin/tokens", tag = "administration",
    params(("user_id" = String, Query, description = "The account's id")),
    responses(
        (status = 200, body = wire::Success<Tokens>),
        (status = 400, description = "`invalid_query`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`")))]
pub async fn list_tokens(State(app): State<Arc<App>>, _: Admin, uri: Uri) -> Response {
    match body::query::<AboutUser>(&uri) {
        Ok(AboutUser { user_id }) => tokens::answer(&app, user_id).await,
        Err(problem) => problem.into_response(),
    }
}

/// Make a token for a bot. People make their own.
#[utoipa::path(post, path = "/auth/admin/tokens", tag = "administration", request_body = CreateBotToken,
    responses(
        (status = 200, body = wire::Success<NewToken>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_user`"),
        (status = 409, description = "`other_kind_of_account`, `too_many_tokens`")))]
pub async fn create_token(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let made = async {
        let CreateBotToken { user_id, token } = body::read(&app, request).await?;
        let known = app.store.read(move |db| accounts::of(db, &user_id)).await?;
        let entry = Entry::new("create_token", &client).by(&caller.session.account);
        let Some((bot, _)) = known else {
            return Err(app.audit.refuse(entry, unknown_user()));
        };
        if bot.role != Role::Bot || bot.disabled_at.is_some() {
            return Err(app.audit.refuse(entry.about(&bot), refused(Refusal::OtherKind)));
        }
        tokens::make(&app, &client, &caller, &Arc::new(bot), token).await
    };
    respond(made.await)
}

/// Take a token of any account back. What is open with it ends.
#[utoipa::path(post, path = "/auth/admin/tokens/revoke", tag = "administration", request_body = RevokeUserToken,
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `reauth_required`"),
        (status = 404, description = "`unknown_token`")))]
pub async fn revoke_token(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let revoked = async {
        let RevokeUserToken { user_id, id } = body::read(&app, request).await?;
        tokens::end(&app, &client, &caller, user_id, id).await
    };
    respond(revoked.await.map(|()| Done {}))
}

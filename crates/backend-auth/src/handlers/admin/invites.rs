//! Invites that are out, and taking them back. `POST /invites` makes them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use service::Problem;
use wire::admin::{Invites, OpenInvite, RevokeInvite};

use super::{Admin, FreshAdmin};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::{Done, respond, success};
use crate::store::invites::{self, Listed};

/// Invites that still let someone in, the newest first.
#[utoipa::path(get, path = "/auth/admin/invites", tag = "administration",
    responses(
        (status = 200, body = wire::Success<Invites>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`")))]
pub async fn list(State(app): State<Arc<App>>, _: Admin) -> Response {
    let now = clock::now();
    match app.store.read(move |db| invites::list(db, now)).await {
        Ok(found) => success(Invites { invites: found.into_iter().map(shown).collect() }),
        Err(error) => Problem::from(error).into_response(),
    }
}

fn shown(invite: Listed) -> OpenInvite {
    OpenInvite {
        id: invite.id,
        created_by: invite.created_by,
        created_at: clock::rfc3339(invite.created_at),
        expires_at: clock::rfc3339(invite.expires_at),
        uses: invite.uses,
        uses_left: invite.uses_left,
    }
}

/// Take an invite back.
#[utoipa::path(post, path = "/auth/admin/invites/revoke", tag = "administration", request_body = RevokeInvite,
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`; `reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`unknown_invite`")))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    let revoked = async {
        let RevokeInvite { id } = body::read(&app, request).await?;
        let entry = Entry::new("revoke_invite", &client).by(&caller.session.account);
        app.change(
            entry,
            move |db, _| {
                let found = invites::revoke(db, &id)?;
                Ok(found.then_some(()).ok_or_else(|| {
                    Problem::not_found("unknown_invite", "there is no invite with this id")
                }))
            },
            |()| (),
        )
        .await
    };
    respond(revoked.await.map(|()| Done {}))
}

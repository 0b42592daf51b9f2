//! `POST /token`: an identity token for a client that talks to the tracker itself (curl, a native peer).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use service::Problem;
use wire::auth::AccessToken;
use wire::identity::{DIRECT_LIFETIME, TRACKER_AUDIENCE};

use super::{Known, SignedIn, respond};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;

/// What the token is for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// The service that will read it: `chat-tracker`, also when left out.
    #[serde(default)]
    #[schema(pattern = "^chat-tracker$")]
    aud: Option<String>,
}

/// Get an identity token: `Authorization: Bearer …` for the tracker, for five minutes. Asked for with a session's cookie, or
/// with a personal access token, whose scopes it has.
#[utoipa::path(post, path = "/token", tag = "identity", request_body = TokenRequest,
    responses(
        (status = 200, body = wire::Success<wire::auth::AccessToken>),
        (status = 400, description = "`invalid_target`: there is no such service"),
        (status = 401, description = "`unauthenticated`, `invalid_token`")))]
pub async fn token(
    State(app): State<Arc<App>>,
    client: Client,
    Known(caller): Known,
    request: Request,
) -> Response {
    respond(issue(&app, &client, &caller, request).await)
}

async fn issue(
    app: &Arc<App>,
    client: &Client,
    caller: &SignedIn,
    request: Request,
) -> Result<AccessToken, Problem> {
    let wanted: TokenRequest = body::read_optional(app, request).await?;
    if wanted.aud.is_some_and(|aud| aud != TRACKER_AUDIENCE) {
        // RFC 8707 §2.
        let problem = Problem::bad_request(
            "invalid_target",
            format!("aud: the only service is {TRACKER_AUDIENCE}"),
        );
        let entry = Entry::new("token", client).by(&caller.session.account);
        return Err(app.audit.refuse(entry, problem));
    }
    let now = clock::now();
    let minted = app
        .mint
        .mint(&caller.session, now, DIRECT_LIFETIME)
        .map_err(|error| Problem::internal(&error))?;
    let text = minted.header.to_str().map_err(|error| Problem::internal(&error))?;
    app.audit.note(Entry::new("token", client).by(&caller.session.account));
    app.metrics.minted.inc();
    Ok(AccessToken {
        access_token: text.to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: minted.expires_at - now,
        username: caller.session.account.name.clone(),
    })
}

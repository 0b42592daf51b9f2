//! `POST /auth/password/strength`: tells someone who types a new password how good it would be.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use service::Problem;
use wire::auth::{AskStrength, Strength};

use super::entry::too_many;
use super::respond;
use crate::App;
use crate::body;
use crate::client::Client;
use crate::password;

/// How good would this password be? Open to all, since it is asked before there is an account; nothing is kept or logged.
#[utoipa::path(post, path = "/auth/password/strength", tag = "pages", request_body = wire::auth::AskStrength,
    responses(
        (status = 200, body = wire::Success<wire::auth::Strength>),
        (status = 400, description = "`invalid_field`"),
        (status = 429, description = "`too_many_requests`, with Retry-After")))]
pub async fn estimate(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    respond(ask(&app, &client, request).await)
}

async fn ask(app: &Arc<App>, client: &Client, request: Request) -> Result<Strength, Problem> {
    let AskStrength { password, username } = body::read(app, request).await?;
    app.throttle.estimate(client.ip, Instant::now()).map_err(too_many)?;
    let username: String = username.chars().take(64).collect();
    // A millisecond at worst: less than a thread's turn.
    Ok(password::strength(&password, &username, app.policy))
}

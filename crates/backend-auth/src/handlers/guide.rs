//! What leads people in: who may register, the address to open, and that address as a QR code.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::response::Response;
use service::Problem;
use wire::auth::{Addresses, AskQr, Info, OidcProvider, Qr};

use super::{SignedIn, respond, success};
use crate::App;
use crate::addresses;
use crate::body;
use crate::client::Client;
use crate::qr;

/// What the login and registration pages need to know.
#[utoipa::path(get, path = "/auth/info", tag = "pages",
    responses((status = 200, body = wire::Success<wire::auth::Info>)))]
pub async fn info(State(app): State<Arc<App>>, client: Client) -> Response {
    success(Info {
        registration: app.config.registration,
        first_run: app.first_run.load(Ordering::Relaxed),
        password_min: app.config.password_min,
        passkeys: app.passkeys.host(&client).is_ok(),
        oidc: app.oidc.as_ref().map(|provider| OidcProvider {
            name: provider.settings().name.clone(),
            register: super::oidc::takes_strangers(&app, provider),
        }),
    })
}

/// Where others can open this chat.
#[utoipa::path(get, path = "/auth/addresses", tag = "pages",
    responses(
        (status = 200, body = wire::Success<wire::auth::Addresses>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn addresses(State(app): State<Arc<App>>, _: SignedIn, client: Client) -> Response {
    let origin = app.config.origin.clone();
    // Listing interfaces asks the kernel: quick, but it isn't async.
    let found = tokio::task::spawn_blocking(move || {
        addresses::likely(origin.as_ref(), &client, &addresses::of_this_machine())
    })
    .await
    .unwrap_or_default();
    success(Addresses { addresses: found })
}

/// A text (an address, say) as a QR code in SVG.
#[utoipa::path(post, path = "/auth/qr", tag = "pages", request_body = wire::auth::AskQr,
    responses(
        (status = 200, body = wire::Success<wire::auth::Qr>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`")))]
pub async fn qr(State(app): State<Arc<App>>, _: SignedIn, request: Request) -> Response {
    respond(draw(&app, request).await)
}

async fn draw(app: &Arc<App>, request: Request) -> Result<Qr, Problem> {
    let AskQr { text } = body::read(app, request).await?;
    let svg = qr::svg(&text)
        .map_err(|reason| Problem::bad_request("invalid_field", format!("text: {reason}")))?;
    Ok(Qr { svg })
}

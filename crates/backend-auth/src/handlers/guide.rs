//! What leads people in: who may register, the address to open, and that address as a QR code.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use service::Problem;
use wire::auth::{Addresses, Info};

use super::{SignedIn, success};
use crate::App;
use crate::addresses;
use crate::client::Client;
use crate::qr;

/// What the login and registration pages need to know.
#[utoipa::path(get, path = "/auth/info", tag = "pages",
    responses((status = 200, body = wire::Success<wire::auth::Info>)))]
pub async fn info(State(app): State<Arc<App>>) -> Response {
    success(Info {
        registration: app.config.registration,
        first_run: app.first_run.load(Ordering::Relaxed),
        password_min: app.config.password_min,
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

/// `?text=`.
#[derive(Debug, Deserialize)]
pub struct QrQuery {
    text: String,
}

/// A text (an address, say) as a QR code in SVG.
#[utoipa::path(get, path = "/auth/qr.svg", tag = "pages",
    params(("text" = String, Query, description = "At most 512 bytes")),
    responses(
        (status = 200, content_type = "image/svg+xml", body = String),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`")))]
pub async fn qr_svg(_: SignedIn, query: Result<Query<QrQuery>, QueryRejection>) -> Response {
    let Ok(Query(QrQuery { text })) = query else {
        return Problem::bad_request("invalid_field", "text: give it once, as ?text=…")
            .into_response();
    };
    match qr::svg(&text) {
        Ok(svg) => {
            let mut response = svg.into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
            response
        }
        Err(reason) => {
            Problem::bad_request("invalid_field", format!("text: {reason}")).into_response()
        }
    }
}

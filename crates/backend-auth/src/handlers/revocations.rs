//! `GET /internal/revocations`: which sessions ended, for the tracker. It holds nothing secret (public ids of sessions that
//! are over), but is nobody else's business: what came by way of a proxy finds nothing here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, FORWARDED, HeaderValue};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use service::Problem;
use wire::identity::{DIRECT_LIFETIME, LEEWAY, Revocations};

use crate::App;
use crate::body;
use crate::clock;
use crate::store::revocations;

/// Query of `GET /internal/revocations`
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// The cursor of the last answer.
    #[serde(default)]
    since: Option<String>,
}

/// What ended since the cursor of the last answer; without one, what still matters to a verifier that starts.
#[utoipa::path(get, path = "/internal/revocations", tag = "identity", params(Since),
    responses(
        (status = 200, body = Revocations),
        (status = 400, description = "`invalid_query`"),
        (status = 404, description = "`not_found`, for whoever comes by way of a proxy")))]
pub async fn since(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    let forwarded = ["x-forwarded-for", "x-forwarded-host", FORWARDED.as_str()];
    let found = if forwarded.iter().any(|name| headers.contains_key(*name)) {
        Err(Problem::not_found("not_found", "there is no such page or call"))
    } else {
        find(&app, &uri).await
    };
    let mut response = found.map(Json).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn find(app: &App, uri: &Uri) -> Result<Revocations, Problem> {
    let Since { since } = body::query(uri)?;
    // Older tokens of those sessions are over by themselves.
    let now = clock::now();
    let recent = now - DIRECT_LIFETIME - 2 * LEEWAY;
    let page = app.store.read(move |db| revocations::since(db, since.as_deref(), recent)).await?;
    Ok(Revocations {
        cursor: page.cursor,
        reset: page.reset,
        sids: page.sids,
        more: page.more,
        keys: app.mint.key_ids(now),
    })
}

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

#[derive(Debug, Default, Deserialize)]
struct Since {
    #[serde(default)]
    since: Option<String>,
}

/// What ended since the cursor of the last answer; without one, what still matters to a verifier that starts.
pub async fn since(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    if ["x-forwarded-for", "x-forwarded-host", FORWARDED.as_str()]
        .iter()
        .any(|name| headers.contains_key(*name))
    {
        return Problem::not_found("not_found", "there is no such page or call").into_response();
    }
    match find(&app, &uri).await {
        Ok(found) => {
            let mut response = Json(found).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => problem.into_response(),
    }
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

//! Whether the tracker is alive and ready, and answers for paths and methods that there are not.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::ALLOW;
use serde_json::{Value, json};
use service::Problem;

use crate::tracker::Tracker;

/// Alive.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200)))]
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "success" }))
}

/// Alive, and able to answer calls.
#[utoipa::path(get, path = "/ready", tag = "service", responses((status = 200), (status = 503)))]
pub(crate) async fn ready(State(tracker): State<Tracker>) -> Result<Json<Value>, Problem> {
    tracker.ready().map(|()| Json(json!({ "status": "success" })))
}

/// 404 `no_such_path`
pub(crate) async fn no_such_path(request: Request) -> Problem {
    Problem::not_found(
        "no_such_path",
        format!("there is no {}: GET /chat/openapi.json lists all calls", request.uri().path()),
    )
}

/// Puts the router's own refusal of a method, which has an `Allow` and no body, into the envelope.
pub(crate) fn explain_method(response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(ALLOW).and_then(|allowed| allowed.to_str().ok());
    Problem::method_not_allowed(&allowed.unwrap_or_default().replace(',', ", ")).into_response()
}

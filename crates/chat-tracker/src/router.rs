//! The table of all routes.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use tower::ServiceExt;

use crate::api::{chat, links, openapi, original, service_calls};
use crate::tracker::Tracker;
use crate::{sse, ws};

/// All routes. A path works with and without a trailing slash.
pub fn router(tracker: Tracker) -> Router {
    let table = Router::new()
        // The original API.
        .route("/submit-info", post(original::submit_info))
        .route("/get-list", get(original::get_list))
        .route("/add-list", post(original::add_list))
        .route("/connect-peer", post(original::connect_peer))
        .route("/broadcast-peer", post(original::broadcast_peer))
        .route("/send-peer", post(original::send_peer))
        .route("/get-messages", get(original::get_messages).post(original::post_get_messages))
        .route("/hello", get(original::hello).post(original::hello).put(original::hello))
        .route("/login", post(original::login))
        // The newer API.
        .route("/chat/me", get(chat::me))
        .route("/chat/channels", get(chat::channels).post(chat::create))
        .route("/chat/channels/join", post(chat::join))
        .route("/chat/channels/leave", post(chat::leave))
        .route("/chat/members", get(chat::members))
        .route("/chat/peers", get(chat::peers))
        .route("/chat/messages", get(chat::messages))
        .route("/chat/read", post(chat::read))
        .route("/chat/mailbox", get(chat::mailbox))
        .route("/chat/mailbox/ack", post(chat::ack))
        .route("/chat/direct/status", post(chat::statuses))
        .route("/chat/devices", get(links::devices).post(links::register))
        .route("/chat/devices/remove", post(links::remove))
        .route("/chat/signal", post(links::signal))
        .route("/chat/ice", get(links::ice))
        .route("/chat/events", get(sse::events))
        .route("/chat/ws", get(ws::socket))
        .route("/chat/openapi.json", get(openapi::document))
        // Operation.
        .route("/health", get(service_calls::health))
        .route("/ready", get(service_calls::ready))
        .fallback(service_calls::no_such_path)
        .with_state(tracker);
    // The slash has to go before the table is asked, and a refused method gets its `Allow` after it was
    // asked: so the table is inside.
    Router::new().fallback(async move |request: Request<Body>| {
        table.oneshot(without_slash(request)).await.map(service_calls::explain_method)
    })
}

fn without_slash(mut request: Request<Body>) -> Request<Body> {
    if let Some(shorter) = shorter(request.uri()) {
        *request.uri_mut() = shorter;
    }
    request
}

/// The same URI without the path's trailing slashes; `None` when there are none to take.
fn shorter(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == path.len() {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{trimmed}?{query}")),
        None => PathAndQuery::try_from(trimmed),
    };
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_goes_and_the_query_stays() {
        let shorter = |uri: &str| shorter(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(shorter("/get-messages/?channel=a/").unwrap(), "/get-messages?channel=a/");
        assert_eq!(shorter("/get-list//").unwrap(), "/get-list");
        assert_eq!(shorter("/get-list"), None);
        assert_eq!(shorter("/"), None);
    }
}

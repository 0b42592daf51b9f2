//! The table of all routes.

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, get, post};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use tower::ServiceExt;

use crate::api::{chat, links, openapi, original, service_calls};
use crate::tracker::Tracker;
use crate::{sse, ws};

type Call = (&'static str, MethodRouter<Tracker>);

fn calls() -> [Call; 29] {
    [
        // The original API.
        ("/submit-info", post(original::submit_info)),
        ("/get-list", get(original::get_list)),
        ("/add-list", post(original::add_list)),
        ("/connect-peer", post(original::connect_peer)),
        ("/broadcast-peer", post(original::broadcast_peer)),
        ("/send-peer", post(original::send_peer)),
        ("/get-messages", get(original::get_messages).post(original::post_get_messages)),
        ("/hello", get(original::hello).post(original::hello).put(original::hello)),
        ("/login", post(original::login)),
        // The newer API.
        ("/chat/me", get(chat::me)),
        ("/chat/channels", get(chat::channels).post(chat::create)),
        ("/chat/channels/join", post(chat::join)),
        ("/chat/channels/leave", post(chat::leave)),
        ("/chat/members", get(chat::members)),
        ("/chat/peers", get(chat::peers)),
        ("/chat/messages", get(chat::messages)),
        ("/chat/read", post(chat::read)),
        ("/chat/mailbox", get(chat::mailbox)),
        ("/chat/mailbox/ack", post(chat::ack)),
        ("/chat/direct/status", post(chat::statuses)),
        ("/chat/devices", get(links::devices).post(links::register)),
        ("/chat/devices/remove", post(links::remove)),
        ("/chat/signal", post(links::signal)),
        ("/chat/ice", get(links::ice)),
        ("/chat/events", get(sse::events)),
        ("/chat/ws", get(ws::socket)),
        ("/chat/openapi.json", get(openapi::document)),
        // Operation.
        ("/health", get(service_calls::health)),
        ("/ready", get(service_calls::ready)),
    ]
}

/// The paths of all calls.
pub fn paths() -> impl Iterator<Item = &'static str> {
    calls().into_iter().map(|(path, _)| path)
}

/// All routes. A path works with and without a trailing slash.
pub fn router(tracker: Tracker) -> Router {
    let table = calls()
        .into_iter()
        .fold(Router::new(), |router, (path, call)| router.route(path, call))
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

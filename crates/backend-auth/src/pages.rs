//! The web client: which page whom, and what is said when there is none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, HeaderValue, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use service::Problem;

use crate::App;
use crate::client::{Client, Proto};
use crate::doors;
use crate::files::name_of;
use crate::handlers::SignedIn;
use crate::handlers::entry::see_other;

/// The chat page.
const CHAT: &str = "index.html";
/// Pages for a session only. Whether its account administers is a matter of the calls that the page makes.
const PRIVATE: [&str; 3] = [CHAT, "account.html", "admin.html"];

/// Any path that is no call: a page or another file of the web client.
pub async fn serve(
    State(app): State<Arc<App>>,
    client: Client,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = match uri.path() {
        "/" => Some(PathBuf::from(CHAT)),
        "/login" | "/login/" => Some(PathBuf::from("login.html")),
        "/login/code" | "/login/code/" => Some(PathBuf::from("login-code.html")),
        "/login/name" | "/login/name/" => Some(PathBuf::from("login-name.html")),
        "/register" | "/register/" => Some(PathBuf::from("register.html")),
        "/reset" | "/reset/" => Some(PathBuf::from("reset.html")),
        "/account" | "/account/" => Some(PathBuf::from("account.html")),
        "/admin" | "/admin/" => Some(PathBuf::from("admin.html")),
        path => name_of(path),
    };
    let Some(name) = name else { return not_found(&app, &headers).await };
    if method != Method::GET && method != Method::HEAD {
        return if app.files.has(&name).await {
            Problem::method_not_allowed("GET, HEAD").into_response()
        } else {
            not_found(&app, &headers).await
        };
    }
    if let Some(response) = to_https(&app, &client, &uri) {
        return response;
    }
    let private = PRIVATE.iter().any(|page| name == Path::new(page));
    if private {
        match SignedIn::find(&app, &headers) {
            Ok(Some(_)) => {}
            Ok(None) => return to_login(&uri, name == Path::new(CHAT)),
            Err(problem) => return problem.into_response(),
        }
    }
    if let Some(response) = doors::filled(&app, &uri, &name).await {
        return response;
    }
    match app.files.serve(&method, &headers, &name).await {
        Ok(Some(mut response)) => {
            if private {
                response
                    .headers_mut()
                    .insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            }
            response
        }
        Ok(None) => not_found(&app, &headers).await,
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// With an https origin, a page asked for over plain http is asked for again over https.
fn to_https(app: &App, client: &Client, uri: &Uri) -> Option<Response> {
    let origin = app.config.origin.as_ref().filter(|origin| origin.is_https())?;
    if client.forwarded_proto != Some(Proto::Http) {
        return None;
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    let location = HeaderValue::try_from(format!("{origin}{path}")).ok()?;
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

/// To the login page, and from there back. The chat page alone is where the login leads anyway.
fn to_login(uri: &Uri, chat: bool) -> Response {
    match uri.path_and_query() {
        Some(path) if !chat || (path.as_str() != "/" && path.path() == "/") => {
            let next = utf8_percent_encode(path.as_str(), NON_ALPHANUMERIC);
            see_other(&format!("/login?next={next}"))
        }
        _ => see_other("/login"),
    }
}

/// 404: a page for people, the envelope for programs.
async fn not_found(app: &Arc<App>, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return Problem::not_found("not_found", "there is nothing at this address").into_response();
    }
    let page = app.files.serve(&Method::GET, &HeaderMap::new(), Path::new("404.html")).await;
    let mut response = match page {
        Ok(Some(page)) => page,
        _ => Html(PLAIN_NOT_FOUND).into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

const PLAIN_NOT_FOUND: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Not found</title>\
    <h1>There is nothing here</h1><p><a href=\"/\">To the chat</a></p></html>";

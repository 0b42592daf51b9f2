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
use crate::files::name_of;
use crate::handlers::SignedIn;
use crate::handlers::entry::see_other;

/// The pages to which a form comes back.
const DOORS: [&str; 3] = ["login.html", "login-code.html", "register.html"];
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
    if let Some(response) = with_message(&app, &uri, &name).await {
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

/// The login, code or registration page that a form without JavaScript comes back to with `?error=CODE`: says what
/// was wrong where the page has its (empty) element with the id `error`.
async fn with_message(app: &Arc<App>, uri: &Uri, name: &Path) -> Option<Response> {
    if !DOORS.iter().any(|door| name == Path::new(door)) {
        return None;
    }
    let code = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("error="))?;
    let page = app.files.text(name).await?;
    let filled = fill(&page, &message(code, app.config.password_min))?;
    let mut response = Html(filled).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

fn fill(page: &str, text: &str) -> Option<String> {
    let element = page.find("id=\"error\"")?;
    let inside = element + page[element..].find("></")? + 1;
    Some(format!("{}{text}{}", &page[..inside], &page[inside..]))
}

/// Our own words only: nothing of the query gets into the page.
fn message(code: &str, password_min: usize) -> String {
    match code {
        "wrong_credentials" => "There is no account with this name and password.",
        "wrong_code" => "This isn't the code that your app shows now, or it was used already.",
        "invalid_recovery_code" => "This is neither a six-digit code nor an unused recovery code.",
        "sign_in_again" => "That took too long: sign in again.",
        "username_taken" => "This name is taken: choose another.",
        "invalid_username" => "A name has 1 to 64 ASCII letters, digits and - _ . @ : +",
        "password_too_short" => {
            return format!("A password has at least {password_min} characters.");
        }
        "password_too_common" => "This password is among the first that anyone would guess.",
        "invalid_invite" => "This invite is unknown, used up or over.",
        "invite_required" => "Registration is by invite: ask an administrator for a link.",
        "registration_closed" => "No further accounts are made here.",
        "too_many_requests" => "Too many tries: wait a little.",
        "busy" | "storage_unavailable" => "The server is busy: try again.",
        _ => "This did not work: check what you typed and try again.",
    }
    .to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_into_the_page_s_element_for_it() {
        let page = r#"<form><p id="error" class="error" role="alert"></p></form>"#;
        let filled = fill(page, "No.").unwrap();
        assert_eq!(filled, r#"<form><p id="error" class="error" role="alert">No.</p></form>"#);
        assert_eq!(fill("<p>nothing here</p>", "No."), None);
    }

    #[test]
    fn the_query_is_never_echoed() {
        assert!(!message("<script>", 12).contains('<'));
    }
}

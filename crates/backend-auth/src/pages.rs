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
use crate::handlers::entry::see_other;
use crate::handlers::{SignedIn, oidc};
use crate::next;

/// The pages to which a form comes back.
const DOORS: [&str; 4] = ["login.html", "login-code.html", "login-name.html", "register.html"];
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
    if let Some(response) = filled(&app, &uri, &name).await {
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

/// A page before the chat, with what only the server knows: what was wrong with a form that came back with `?error=CODE`, where the page has
/// its (empty) element with the id `error`, and the link to the provider in the one with the id `oidc`. Both work without JavaScript.
async fn filled(app: &Arc<App>, uri: &Uri, name: &Path) -> Option<Response> {
    let door = DOORS.iter().find(|door| name == Path::new(door))?;
    let code =
        uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("error="));
    let link = app.oidc.as_ref().filter(|provider| match *door {
        "login.html" => true,
        "register.html" => oidc::takes_strangers(app, provider),
        _ => false,
    });
    if code.is_none() && link.is_none() {
        return None;
    }
    let mut page = app.files.text(name).await?;
    if let Some(code) = code {
        let text = message(code, app.config.password_min);
        page = fill(&page, "error", &text).unwrap_or(page);
    }
    if let Some(provider) = link {
        let next = next::of_address(uri);
        let link = to_provider(&provider.settings().name, next.as_deref());
        page = fill(&page, "oidc", &link).unwrap_or(page);
    }
    let mut response = Html(page).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

fn fill(page: &str, id: &str, text: &str) -> Option<String> {
    let element = page.find(&format!("id=\"{id}\""))?;
    let inside = element + page[element..].find("></")? + 1;
    Some(format!("{}{text}{}", &page[..inside], &page[inside..]))
}

/// The link to the provider. Its name is of our own configuration, and may be any text.
fn to_provider(name: &str, next: Option<&str>) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    let query = next.map_or_else(String::new, |next| {
        format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC))
    });
    format!(
        "<a id=\"oidc-link\" class=\"button big\" href=\"/auth/oidc/login{query}\" data-name=\"{escaped}\">Sign in with {escaped}</a>"
    )
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
        "oidc_denied" => "The provider didn’t let you in, or you cancelled.",
        "oidc_expired" => "That took too long, or began in another browser: try again.",
        "oidc_failed" => "The provider’s answer was not as it has to be: try again.",
        "oidc_unavailable" => "The provider doesn’t answer: try again in a while.",
        "oidc_no_account" => "There is no account here that you may use: ask an administrator.",
        "identity_taken" => "Who you are at the provider belongs to another account here.",
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
        let filled = fill(page, "error", "No.").unwrap();
        assert_eq!(filled, r#"<form><p id="error" class="error" role="alert">No.</p></form>"#);
        assert_eq!(fill("<p>nothing here</p>", "error", "No."), None);
    }

    #[test]
    fn the_provider_s_name_is_text_and_the_way_back_goes_along() {
        let link = to_provider("<b>R&D</b>", Some("/?channel=a&b"));
        assert!(link.contains("&lt;b&gt;R&amp;D&lt;/b&gt;") && !link.contains("<b>"), "{link}");
        assert!(link.contains("?next=%2F%3Fchannel%3Da%26b\""), "{link}");
        assert!(to_provider("x", None).contains("href=\"/auth/oidc/login\" "));
    }

    #[test]
    fn the_query_is_never_echoed() {
        assert!(!message("<script>", 12).contains('<'));
    }
}

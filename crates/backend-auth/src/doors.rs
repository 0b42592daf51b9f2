//! The pages before the chat, with what only the server knows of this visit. It works without JavaScript.
//!
//! - What was wrong with a form that came back with `?error=CODE`, in the element with the id `error`.
//! - The link to the provider, in the one with the id `oidc`.
//! - The way on (`?next=`), in the links from one of these pages to another.
//! - Which codes an account can show (`?factors=`), in what the page for the code asks for.

use std::path::Path;
use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use http::Uri;
use http::header::{CACHE_CONTROL, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::App;
use crate::handlers::oidc;
use crate::markup::escape;
use crate::next;

const LOGIN: &str = "login.html";
const CODE: &str = "login-code.html";
const REGISTER: &str = "register.html";
/// The pages to which a form comes back.
const DOORS: [&str; 4] = [LOGIN, CODE, "login-name.html", REGISTER];
/// Where their links lead.
const LINKS: [&str; 2] = ["href=\"/login\"", "href=\"/register\""];

/// Such a page, if there is anything to be said in it. Otherwise it is a file like others.
pub async fn filled(app: &Arc<App>, uri: &Uri, name: &Path) -> Option<Response> {
    let door = DOORS.into_iter().find(|door| name == Path::new(door))?;
    let error = field(uri, "error").map(|code| message(code, app.config.password_min));
    let link = app.oidc.as_ref().filter(|provider| match door {
        LOGIN => true,
        REGISTER => oidc::takes_strangers(app, provider),
        _ => false,
    });
    let next = next::of_address(uri);
    let asked = field(uri, "factors").filter(|_| door == CODE).and_then(asked_for);
    if error.is_none() && link.is_none() && next.is_none() && asked.is_none() {
        return None;
    }
    let mut page = app.files.text(name).await?;
    if let Some(text) = error {
        page = fill(page, "error", &text);
    }
    if let Some(provider) = link {
        let link = to_provider(&provider.settings().name, next.as_deref());
        page = fill(page, "oidc", &link);
    }
    if let Some(next) = next {
        page = lead_on(page, &next);
    }
    if let Some((label, hint)) = asked {
        page = fill(fill(page, "code-label", label), "code-hint", hint);
    }
    let mut response = Html(page).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// A field of an address whose values are of our own making: plain words, with `+` or `%20` between them.
fn field<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Puts text into the element with this id, in the place of its own.
fn fill(page: String, id: &str, text: &str) -> String {
    let inside = page.find(&format!("id=\"{id}\"")).and_then(|element| {
        let from = element + page[element..].find('>')? + 1;
        Some((from, from + page[from..].find("</")?))
    });
    match inside {
        Some((from, to)) => format!("{}{text}{}", &page[..from], &page[to..]),
        None => page,
    }
}

/// The links of a page lead to where the visitor wants to go.
fn lead_on(page: String, next: &str) -> String {
    let query = query(next);
    LINKS.into_iter().fold(page, |page, link| {
        page.replace(link, &format!("{}{query}\"", link.trim_end_matches('"')))
    })
}

/// `?next=`, with nothing in it that means something in HTML or in an address.
fn query(next: &str) -> String {
    format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC))
}

/// The label and the hint of the field for the code, where the account can't show both kinds. Our own words only.
fn asked_for(factors: &str) -> Option<(&'static str, &'static str)> {
    let factors = factors.replace("%20", "+");
    let can = |factor| factors.split('+').any(|name| name == factor);
    match (can("totp"), can("recovery_code"), can("passkey")) {
        (true, false, _) => Some(("Code of your app", "The app shows six digits.")),
        (false, true, _) => {
            Some(("Recovery code", "It has 24 letters and digits, and works once."))
        }
        (false, false, true) => Some((
            "Passkey",
            "<noscript>This account has nothing but passkeys, which need JavaScript: turn it on.</noscript>",
        )),
        _ => None,
    }
}

/// The link to the provider. Its name is of our own configuration, and may be any text.
fn to_provider(name: &str, next: Option<&str>) -> String {
    let escaped = escape(name);
    let query = next.map_or_else(String::new, query);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_into_the_page_s_element_for_it_in_the_place_of_what_it_said() {
        let page = r#"<form><p id="error" class="error" role="alert"></p></form>"#;
        let filled = fill(page.to_owned(), "error", "No.");
        assert_eq!(filled, r#"<form><p id="error" class="error" role="alert">No.</p></form>"#);
        assert_eq!(fill(filled.clone(), "error", ""), page);
        assert_eq!(fill(filled.clone(), "oidc", "No."), filled);
    }

    #[test]
    fn the_way_on_goes_into_the_links_from_door_to_door_and_into_no_other() {
        let page = r#"<link href="/login.css"><a id="a" href="/login">in</a> <a href="/register" lang="en">new</a>"#;
        let led = lead_on(page.to_owned(), "/?channel=a&b=\"><b>");
        let way = "?next=%2F%3Fchannel%3Da%26b%3D%22%3E%3Cb%3E";
        assert_eq!(
            led,
            format!(
                r#"<link href="/login.css"><a id="a" href="/login{way}">in</a> <a href="/register{way}" lang="en">new</a>"#
            )
        );
    }

    #[test]
    fn only_what_the_account_can_show_is_asked_for() {
        for (factors, label) in [
            ("totp", Some("Code of your app")),
            ("totp%20passkey", Some("Code of your app")),
            ("recovery_code", Some("Recovery code")),
            ("passkey+recovery_code", Some("Recovery code")),
            ("passkey", Some("Passkey")),
            ("totp%20recovery_code", None),
            ("<b>", None),
            ("", None),
        ] {
            assert_eq!(asked_for(factors).map(|(label, _)| label), label, "{factors}");
        }
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

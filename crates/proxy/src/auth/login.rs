//! The way to the login page, for those whom a page helps more than an error.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Whether a browser asks for a page, so that a login page is of more use than an error.
pub(crate) fn wants_page(method: &Method, headers: &HeaderMap, upgrade: bool) -> bool {
    if *method != Method::GET || upgrade || headers.contains_key(AUTHORIZATION) {
        return false;
    }
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => headers.get_all(http::header::ACCEPT).iter().any(|accept| {
            accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
        }),
    }
}

/// Everything but what a query value may hold unescaped.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where a browser is sent to sign in; it comes back to `uri` afterwards.
pub(crate) fn login_location(login_page: &str, uri: &Uri) -> Option<HeaderValue> {
    let next = uri.path_and_query().map_or("/", |next| next.as_str());
    let joint = if login_page.contains('?') { '&' } else { '?' };
    let next = utf8_percent_encode(next, QUERY_VALUE);
    HeaderValue::from_str(&format!("{login_page}{joint}next={next}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_page_gets_the_whole_way_back_as_one_value() {
        let uri: Uri = "/chat/a?b=1&c=%20".parse().unwrap();
        assert_eq!(
            login_location("/login", &uri).unwrap(),
            "/login?next=/chat/a%3Fb%3D1%26c%3D%2520"
        );
        assert_eq!(login_location("/in?x=1", &Uri::from_static("/")).unwrap(), "/in?x=1&next=/");
    }

    #[test]
    fn only_page_navigation_is_worth_a_login_page() {
        let ask = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_static(value));
            }
            wants_page(&Method::GET, &map, false)
        };
        assert!(ask(&[("sec-fetch-mode", "navigate")]));
        assert!(ask(&[("accept", "text/html,*/*;q=0.8")]));
        assert!(!ask(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]));
        assert!(!ask(&[("accept", "*/*")]), "curl");
        assert!(!ask(&[("accept", "text/html"), ("authorization", "Bearer x")]));
        assert!(!wants_page(&Method::POST, &HeaderMap::new(), false));
    }
}

//! Where a form's sender goes after signing in: only ever a path on this site.
//!
//! Browsers read `//host` and `/\host` as another site and drop tabs and line ends inside an address,
//! so a path that holds any of these, plainly or percent-encoded, is refused as a whole.

use axum::extract::Query;
use http::Uri;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Bytes of a path at most.
const LONGEST: usize = 2048;

/// `next` when it is a safe path on this site, `/` otherwise.
pub fn safe_or_root(next: Option<&str>) -> &str {
    next.filter(|path| is_safe(path)).unwrap_or("/")
}

#[derive(Deserialize)]
struct Address {
    next: Option<String>,
}

/// What a page's address says in `?next=`. A form without an action is sent to that address, so that the way is kept
/// where no script ran, or not yet.
pub fn of_address(uri: &Uri) -> Option<String> {
    let Query(Address { next }) = Query::try_from_uri(uri).ok()?;
    next.filter(|path| is_safe(path))
}

/// Whether a redirect to this path stays on this site.
pub fn is_safe(path: &str) -> bool {
    if path.len() > LONGEST || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let Ok(decoded) = percent_decode_str(path).decode_utf8() else { return false };
    [path, decoded.as_ref()].into_iter().all(|text| {
        text.starts_with('/')
            && !text.starts_with("//")
            && !text.contains('\\')
            && !text.chars().any(char::is_control)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_on_this_site_are_kept() {
        for path in ["/", "/chat_client.html", "/?channel=general#last", "/a%20b"] {
            assert_eq!(safe_or_root(Some(path)), path);
        }
    }

    #[test]
    fn a_page_s_address_names_a_path_on_this_site_or_nothing() {
        let next = |uri: &'static str| of_address(&Uri::from_static(uri));
        let way = next("/login?error=x&next=%2F%3Fchannel%3Dx%23last");
        assert_eq!(way.as_deref(), Some("/?channel=x#last"));
        for uri in [
            "/login",
            "/login?next=",
            "/login?next=//evil",
            "/login?next=%2F%5Cevil",
            "/login?next=%252F%252Fevil",
            "/login?next=/a&next=/b",
        ] {
            assert_eq!(next(uri), None, "{uri}");
        }
    }

    #[test]
    fn other_sites_in_any_disguise_become_the_root() {
        for path in [
            "//evil",
            "/\\evil",
            "https://evil",
            "evil",
            "",
            "/%0d%0aSet-Cookie:x",
            "/\r\nx",
            "/\t/evil",
            "/%2f/evil",
            "/%5cevil",
            "/%2Fevil",
            "javascript:alert(1)",
            "/ő",
            "/%ff",
        ] {
            assert_eq!(safe_or_root(Some(path)), "/", "{path:?}");
        }
        assert_eq!(safe_or_root(None), "/");
        assert_eq!(safe_or_root(Some(&format!("/{}", "a".repeat(4000)))), "/");
    }
}

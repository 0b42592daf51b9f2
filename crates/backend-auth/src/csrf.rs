//! Protection of state-changing requests against other sites (login included).
//!
//! Without tokens, from what browsers tell: 1. safe methods pass; 2. an `Origin` that is our public one
//! passes; 3. `Sec-Fetch-Site` decides when it is there: only `same-origin` and `none` pass; 4. without it
//! (old browsers, plain http on a LAN address) an `Origin` must name the host that was asked; 5. a request
//! with neither comes from no browser's page and passes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method};
use service::Problem;

use crate::App;
use crate::origin::Origin;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what another site makes a browser send.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if allows(request.method(), request.headers(), app.config.origin.as_ref()) {
        return next.run(request).await;
    }
    app.metrics.cross_site.inc();
    Problem::forbidden(
        "cross_site",
        "this request comes from another site's page; behind a proxy, it must pass Host and Origin unchanged",
    )
    .into_response()
}

/// The decision.
pub fn allows(method: &Method, headers: &HeaderMap, public: Option<&Origin>) -> bool {
    if method.is_safe() {
        return true;
    }
    let origins: Vec<&[u8]> =
        headers.get_all(ORIGIN).iter().map(|value| value.as_bytes()).collect();
    let origin = match origins.as_slice() {
        [] => None,
        [origin] => Some(*origin),
        // No browser sends two; whoever does wants us to look at the wrong one.
        [_, _, ..] => return false,
    };
    if public.is_some_and(|public| origin == Some(public.as_str().as_bytes())) {
        return true;
    }
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = origin.and_then(|origin| std::str::from_utf8(origin).ok()) else {
        return origin.is_none();
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin
        .split_once("://")
        .zip(host)
        .is_some_and(|((scheme, authority), host)| same_authority(scheme, authority, host))
}

/// Hosts compare without case; a scheme's own port may be left out.
fn same_authority(scheme: &str, authority: &str, host: &str) -> bool {
    let default = if scheme == "https" { ":443" } else { ":80" };
    let strip = |text: &str| {
        let lower = text.to_ascii_lowercase();
        lower.strip_suffix(default).map(str::to_owned).unwrap_or(lower)
    };
    strip(authority) == strip(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        allows(&Method::POST, &map, Some(&Origin::parse("https://chat.example.org").unwrap()))
    }

    #[test]
    fn a_browser_that_names_the_site_is_believed() {
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN"] {
            assert!(!post(&[("sec-fetch-site", site), ("host", "a"), ("origin", "http://a")]));
        }
    }

    #[test]
    fn without_sec_fetch_the_origin_must_be_the_host_asked() {
        assert!(post(&[("host", "192.168.1.5:8080"), ("origin", "http://192.168.1.5:8080")]));
        assert!(post(&[("host", "Chat"), ("origin", "http://chat:80")]));
        for origin in ["http://evil", "null", "http://192.168.1.5:8081", "http://192.168.1.5"] {
            assert!(!post(&[("host", "192.168.1.5:8080"), ("origin", origin)]), "{origin}");
        }
        assert!(!post(&[("origin", "http://a")]), "no host at all");
        assert!(!post(&[("host", "a"), ("origin", "http://a"), ("origin", "http://evil")]));
    }

    #[test]
    fn our_public_origin_and_clients_that_are_no_browser_pass() {
        assert!(post(&[("host", "internal:9000"), ("origin", "https://chat.example.org")]));
        assert!(post(&[("host", "internal:9000")]));
        assert!(allows(&Method::GET, &HeaderMap::new(), None));
    }
}

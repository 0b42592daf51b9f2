//! What a request's headers ask for: another protocol on the connection; something on behalf of another site.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use super::members;
use crate::target::Refused;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request asks for another protocol on its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// It does not, or not in a way that has to be heeded (RFC 9110 §7.8: a server may ignore it).
    None,
    /// A WebSocket handshake that may be forwarded.
    WebSocket,
    /// A WebSocket handshake with a fault.
    Refused(Refused),
}

/// What a request asks its connection to become. Anything but `websocket` is ignored, so `h2c` and others go
/// on as ordinary requests without their `Upgrade`. To be asked before [`Rules::prepare_request`](super::Rules::prepare_request).
#[must_use]
pub fn upgrade_of(parts: &Parts) -> Upgrade {
    let headers = &parts.headers;
    if !headers.contains_key(UPGRADE)
        || parts.version != Version::HTTP_11
        || !members(headers, &CONNECTION).any(|member| member.eq_ignore_ascii_case(b"upgrade"))
    {
        return Upgrade::None;
    }
    let mut protocols = members(headers, &UPGRADE);
    let websocket = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"websocket");
    match (protocols.next(), protocols.next()) {
        (Some(only), None) if websocket(only) => {}
        _ => return Upgrade::None,
    }
    let fault = if parts.method != Method::GET {
        "a WebSocket handshake is a GET request"
    } else if has_body(headers) {
        "a WebSocket handshake has no body"
    } else {
        return Upgrade::WebSocket;
    };
    Upgrade::Refused(Refused::new(StatusCode::BAD_REQUEST, "bad_upgrade", fault))
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Whether a browser sent this request for another site's page, with a cookie and to change something or
/// to open a stream: such a request must be refused. Safe methods that don't upgrade always pass.
/// `allowed` are the origins of `[auth] allowed_origins`.
#[must_use]
pub fn cross_site(method: &Method, headers: &HeaderMap, upgrade: bool, allowed: &[String]) -> bool {
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if (safe && !upgrade) || !headers.contains_key(COOKIE) {
        return false;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return true;
    }
    let origin = match origin.map(HeaderValue::to_str) {
        None => None,
        Some(Ok(origin)) => Some(origin),
        Some(Err(_)) => return true,
    };
    if origin.is_some_and(|origin| allowed.iter().any(|one| one.eq_ignore_ascii_case(origin))) {
        return false;
    }
    // Browsers set this on trustworthy origins (https, localhost) and no script can.
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = origin else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    !same_authority(origin, host)
}

/// Whether the authority of an origin is a `Host`; the default port may be left out on either side.
fn same_authority(origin: &str, host: &str) -> bool {
    let (authority, port) = if let Some(authority) = origin.strip_prefix("http://") {
        (authority, ":80")
    } else if let Some(authority) = origin.strip_prefix("https://") {
        (authority, ":443")
    } else {
        return false;
    };
    let bare = |text: &'_ str| -> usize { text.strip_suffix(port).unwrap_or(text).len() };
    authority[..bare(authority)].eq_ignore_ascii_case(&host[..bare(host)])
}

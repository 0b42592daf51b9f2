//! Headers on their way through: what a gateway takes out and what it puts in (RFC 9110 §7.6).
//!
//! A request is looked at once, name by name. Out go: hop-by-hop headers with every name that any
//! `Connection` line lists; names with `_`, which many servers read as `-`; and whatever, with all
//! punctuation removed, spells a name that only the proxy may set. Ours are set after that, so nothing a
//! client sends can shadow them and no `Connection` line can remove them.
//!
//! Trailers are not passed on (`TE` and `Trailer` are removed, and without them no peer may send any).
//! `Expect: 100-continue` is answered here, when the body is first read; interim responses are not
//! passed on.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;

use http::header::{
    CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, ORIGIN,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::target::Refused;

/// The name in `Via`, by which a loop is recognised.
const PSEUDONYM: &str = "hybrid-chat";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a client connection adds to each of its requests; made once a connection.
#[derive(Debug)]
pub struct Client {
    address: HeaderValue,
    forwarded_for: String,
    scheme: &'static str,
    trusted: bool,
    /// `Forwarded` of the last request: it depends on `Host` alone, which rarely changes.
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

impl Client {
    /// A client at `peer`, who came by `scheme` (`http` or `https`). What a `trusted` one says of the
    /// client behind it is kept and added to; what others say is thrown away.
    #[must_use]
    pub fn new(peer: SocketAddr, scheme: &'static str, trusted: bool) -> Self {
        let ip = peer.ip().to_canonical();
        // RFC 7239 §6: an IPv6 address is bracketed, and quoted since `[` is no token character.
        let forwarded_for = if ip.is_ipv6() {
            format!("for=\"[{ip}]\";host=\"")
        } else {
            format!("for={ip};host=\"")
        };
        let address = HeaderValue::from_str(&ip.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { address, forwarded_for, scheme, trusted, last: RefCell::new(None) }
    }

    /// The client's address as text.
    #[must_use]
    pub fn address(&self) -> &HeaderValue {
        &self.address
    }

    fn forwarded(&self, host: &HeaderValue) -> HeaderValue {
        let mut last = self.last.borrow_mut();
        if let Some((known, value)) = &*last
            && known == host
        {
            return value.clone();
        }
        let mut text = self.forwarded_for.clone();
        // A checked Host has no quote and no backslash.
        let _ = write!(text, "{}\";proto={}", host.to_str().unwrap_or_default(), self.scheme);
        let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .unwrap_or_else(|_| HeaderValue::from_static("for=unknown"));
        *last = Some((host.clone(), value.clone()));
        value
    }
}

/// What a trusted proxy in front of this one says about the client behind it.
#[derive(Debug)]
struct Told {
    forwarded: Vec<HeaderValue>,
    addresses: Vec<HeaderValue>,
    proto: Option<HeaderValue>,
    host: Option<HeaderValue>,
}

impl Told {
    fn take(headers: &HeaderMap) -> Self {
        let all = |name: &HeaderName| headers.get_all(name).iter().cloned().collect();
        let proto =
            headers.get(X_FORWARDED_PROTO).filter(|proto| *proto == "http" || *proto == "https");
        Self {
            forwarded: all(&FORWARDED),
            addresses: all(&X_FORWARDED_FOR),
            proto: proto.cloned(),
            host: headers.get(X_FORWARDED_HOST).cloned(),
        }
    }

    /// Puts it in front of what this proxy said.
    fn restore(self, headers: &mut HeaderMap) {
        for (name, told) in [(FORWARDED, self.forwarded), (X_FORWARDED_FOR, self.addresses)] {
            let ours = headers.remove(&name);
            for value in told.into_iter().chain(ours) {
                headers.append(&name, value);
            }
        }
        for (name, told) in [(X_FORWARDED_PROTO, self.proto), (X_FORWARDED_HOST, self.host)] {
            if let Some(value) = told {
                headers.insert(name, value);
            }
        }
    }
}

/// Which headers are ours; made once a configuration.
#[derive(Debug, Clone)]
pub struct Rules {
    identity: HeaderName,
    /// The identity header in lower case without punctuation.
    identity_folded: Box<[u8]>,
}

/// What to do with a header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Drop,
    Connection,
    TransferEncoding,
    Expect,
    Via,
}

/// Marks of the headers that were seen and that are common enough to be removed by constant name.
#[derive(Debug, Default)]
struct Seen {
    connection: bool,
    transfer_encoding: bool,
    expect: bool,
    via: bool,
    /// Everything else that goes; almost always empty, so nothing is allocated.
    others: Vec<HeaderName>,
}

impl Rules {
    /// Rules that reserve `identity` besides the names that are always ours.
    #[must_use]
    pub fn new(identity: &HeaderName) -> Self {
        Self { identity: identity.clone(), identity_folded: fold(identity.as_str()).collect() }
    }

    /// Makes a request's headers fit to be forwarded. The identity header is deleted in every spelling:
    /// set the verified one afterwards. With `upgrade`, the request goes out as a WebSocket
    /// handshake. `Host` must already be the one that is forwarded.
    ///
    /// # Errors
    /// [`Refused`]: 417 for an expectation that is not `100-continue`, 501 for a transfer coding other than
    /// `chunked`, 508 if the request has been through this proxy before. `headers` are then undefined.
    pub fn prepare_request(
        &self,
        headers: &mut HeaderMap,
        client: &Client,
        version: Version,
        request_id: HeaderValue,
        upgrade: bool,
    ) -> Result<(), Refused> {
        let told = client.trusted.then(|| Told::take(headers));
        let mut seen = Seen::default();
        for name in headers.keys() {
            match self.fate(name.as_str()) {
                Fate::Keep => {}
                Fate::Connection => seen.connection = true,
                Fate::TransferEncoding => seen.transfer_encoding = true,
                Fate::Expect => seen.expect = true,
                Fate::Via => seen.via = true,
                Fate::Drop => seen.others.push(name.clone()),
            }
        }
        if seen.connection {
            remove_nominated(headers, |name| self.is_protected(name));
        }
        for name in seen.others {
            headers.remove(name);
        }
        if seen.transfer_encoding {
            check_transfer_encoding(headers)?;
            // One coding, ours: bodies are framed anew.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if seen.expect {
            check_expectation(headers)?;
            headers.remove(EXPECT);
        }
        if seen.via {
            check_loop(headers)?;
        }
        let host = headers.get(HOST).cloned().unwrap_or_else(|| HeaderValue::from_static(""));
        headers.insert(FORWARDED, client.forwarded(&host));
        headers.insert(X_FORWARDED_HOST, host);
        headers.insert(X_FORWARDED_FOR, client.address.clone());
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(client.scheme));
        headers.insert(X_REQUEST_ID, request_id);
        if let Some(told) = told {
            told.restore(headers);
        }
        let via = if version == Version::HTTP_10 {
            HeaderValue::from_static("1.0 hybrid-chat")
        } else {
            HeaderValue::from_static("1.1 hybrid-chat")
        };
        headers.append(VIA, via);
        if upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        Ok(())
    }

    /// Makes a response's headers fit to be passed back: hop-by-hop headers and the identity go. With
    /// `switching` (a 101 to an upgrade that was asked for) the upgrade is kept.
    pub fn prepare_response(&self, headers: &mut HeaderMap, switching: bool) {
        let mut connection = false;
        let mut others = Vec::new();
        for name in headers.keys() {
            match response_fate(name.as_str()) {
                Fate::Keep => {
                    if self.is_identity(name.as_str()) {
                        others.push(name.clone());
                    }
                }
                Fate::Connection => connection = true,
                _ => others.push(name.clone()),
            }
        }
        if connection {
            remove_nominated(headers, is_protected_in_response);
        }
        for name in others {
            headers.remove(name);
        }
        if switching {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
    }

    /// `name` is in lower case, as [`HeaderName`] always is.
    fn fate(&self, name: &str) -> Fate {
        let fate = match name {
            "connection" => Fate::Connection,
            "transfer-encoding" => Fate::TransferEncoding,
            "expect" => Fate::Expect,
            "via" => Fate::Via,
            "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "upgrade"
            | "http2-settings"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "proxy" => Fate::Drop,
            _ => Fate::Keep,
        };
        if fate == Fate::Keep && (name.bytes().any(|byte| byte == b'_') || self.is_reserved(name)) {
            return Fate::Drop;
        }
        fate
    }

    /// Whether a name, punctuation aside, spells one that only the proxy sets.
    fn is_reserved(&self, name: &str) -> bool {
        // Most names are told by their first letter or digit.
        let first = fold(name).next();
        let always = match first {
            Some(b'x') => {
                folded_starts(name, b"xforwarded")
                    || folded_starts(name, b"xoriginal")
                    || folded_is(name, b"xrealip")
                    || folded_is(name, b"xrequestid")
                    || folded_is(name, b"xremoteuser")
                    || folded_is(name, b"xclientip")
            }
            Some(b'f') => folded_is(name, b"forwarded"),
            Some(b'r') => folded_is(name, b"remoteuser"),
            Some(b'p') => folded_is(name, b"proxy"),
            // Nothing but punctuation.
            None => true,
            _ => false,
        };
        always || (first == self.identity_folded.first().copied() && self.is_identity(name))
    }

    fn is_identity(&self, name: &str) -> bool {
        name == self.identity.as_str() || folded_is(name, &self.identity_folded)
    }

    /// What no `Connection` line of a client may take away: what routing, framing, accounts and the
    /// cross-site check rest on (CVE-2022-31813, CVE-2024-45410).
    fn is_protected(&self, name: &str) -> bool {
        matches!(
            name,
            "host"
                | "content-length"
                | "content-type"
                | "content-encoding"
                | "transfer-encoding"
                | "authorization"
                | "cookie"
                | "origin"
                | "expect"
                | "via"
                | "connection"
        ) || name.starts_with("sec-")
            || self.is_reserved(name)
    }
}

/// What no `Connection` line of an upstream may take away.
fn is_protected_in_response(name: &str) -> bool {
    matches!(
        name,
        "content-length"
            | "content-type"
            | "content-encoding"
            | "transfer-encoding"
            | "set-cookie"
            | "connection"
            | "date"
            | "cache-control"
            | "vary"
            | "location"
            | "content-security-policy"
            | "x-content-type-options"
            | "x-frame-options"
            | "strict-transport-security"
    )
}

fn response_fate(name: &str) -> Fate {
    match name {
        "connection" => Fate::Connection,
        // Bodies are framed anew; the body knows its length.
        "transfer-encoding" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "upgrade"
        | "proxy-authenticate" => Fate::Drop,
        _ => Fate::Keep,
    }
}

/// Lower-case letters and digits of a name.
fn fold(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

fn folded_is(name: &str, folded: &[u8]) -> bool {
    fold(name).eq(folded.iter().copied())
}

fn folded_starts(name: &str, start: &[u8]) -> bool {
    let mut letters = fold(name);
    start.iter().all(|&byte| letters.next() == Some(byte))
}

/// The members of a comma-separated header, over all of its lines.
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|member| !member.is_empty())
}

/// Removes `Connection` and what all its lines list, except what `is_protected`.
fn remove_nominated(headers: &mut HeaderMap, is_protected: impl Fn(&str) -> bool) {
    // By far most lines say keep-alive, close or upgrade; those name nothing that is still there.
    let mut nominated: Vec<HeaderName> = Vec::new();
    for member in members(headers, &CONNECTION) {
        if member.eq_ignore_ascii_case("keep-alive")
            || member.eq_ignore_ascii_case("close")
            || member.eq_ignore_ascii_case("upgrade")
        {
            continue;
        }
        if let Ok(name) = HeaderName::from_bytes(member.as_bytes())
            && !is_protected(name.as_str())
        {
            nominated.push(name);
        }
    }
    headers.remove(CONNECTION);
    for name in nominated {
        headers.remove(name);
    }
}

fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    let only = lines.next().is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if only && lines.next().is_none() {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::NOT_IMPLEMENTED,
        "unsupported_transfer_coding",
        "the only transfer coding that is served is one `chunked`",
    ))
}

fn check_expectation(headers: &HeaderMap) -> Result<(), Refused> {
    let fine = |line: &HeaderValue| line.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(fine) {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::EXPECTATION_FAILED,
        "unknown_expectation",
        "the only expectation that is met is 100-continue",
    ))
}

fn check_loop(headers: &HeaderMap) -> Result<(), Refused> {
    // received-protocol SP received-by [ SP comment ]
    let ours = |member: &str| member.split_ascii_whitespace().nth(1) == Some(PSEUDONYM);
    if members(headers, &VIA).any(ours) {
        return Err(Refused::new(
            StatusCode::LOOP_DETECTED,
            "proxy_loop",
            "this request has been through this proxy before: an upstream points back at it",
        ));
    }
    Ok(())
}

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
/// on as ordinary requests without their `Upgrade`. To be asked before [`Rules::prepare_request`].
#[must_use]
pub fn upgrade_of(parts: &Parts) -> Upgrade {
    let headers = &parts.headers;
    if !headers.contains_key(UPGRADE)
        || parts.version != Version::HTTP_11
        || !members(headers, &CONNECTION).any(|member| member.eq_ignore_ascii_case("upgrade"))
    {
        return Upgrade::None;
    }
    let mut protocols = members(headers, &UPGRADE);
    let websocket = |protocol: &str| protocol.eq_ignore_ascii_case("websocket");
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
        || headers.get(http::header::CONTENT_LENGTH).is_some_and(|length| length != "0")
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

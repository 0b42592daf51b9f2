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

use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, StatusCode, Version};

use crate::target::Refused;

mod ask;
mod client;
mod hops;

pub use ask::{Upgrade, cross_site, upgrade_of};
pub use client::Client;
pub use hops::last_hop;

/// The name in `Via`, by which a loop is recognised.
const PSEUDONYM: &str = "hybrid-chat";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Tells an upstream which part of the path it doesn't see.
pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
        let told = client.told(headers);
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
        headers.insert(X_FORWARDED_FOR, client.address().clone());
        headers.insert(X_FORWARDED_PROTO, client.proto());
        headers.insert(X_REQUEST_ID, request_id);
        if let Some(told) = told {
            told.restore(headers);
        }
        let via = if version == Version::HTTP_10 {
            HeaderValue::from_static("1.0 hybrid-chat")
        } else if version == Version::HTTP_2 {
            HeaderValue::from_static("2.0 hybrid-chat")
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
        let mut seen = Seen::default();
        for name in headers.keys() {
            match response_fate(name.as_str()) {
                Fate::Keep if self.is_identity(name.as_str()) => seen.others.push(name.clone()),
                Fate::Connection => seen.connection = true,
                Fate::Drop => seen.others.push(name.clone()),
                _ => {}
            }
        }
        if seen.connection {
            remove_nominated(headers, is_protected_in_response);
        }
        for name in seen.others {
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

    /// Whether nobody but the proxy may set a header, in any spelling.
    pub(crate) fn reserves(&self, name: &str) -> bool {
        self.is_reserved(&name.to_ascii_lowercase())
    }

    /// Whether a name, punctuation aside, spells one that only the proxy sets.
    fn is_reserved(&self, name: &str) -> bool {
        // Most names are told by their first letter or digit.
        let first = fold(name).next();
        let always = match first {
            Some(b'x') => {
                folded_starts(name, b"xforwarded")
                    || folded_starts(name, b"xoriginal")
                    || folded_is(name, b"xchatidentity")
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
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Whether a member of `Connection` names nothing that is still there.
fn is_mere_option(member: &[u8]) -> bool {
    member.eq_ignore_ascii_case(b"keep-alive")
        || member.eq_ignore_ascii_case(b"close")
        || member.eq_ignore_ascii_case(b"upgrade")
}

/// Removes `Connection` and what all its lines list, except what `is_protected`.
fn remove_nominated(headers: &mut HeaderMap, is_protected: impl Fn(&str) -> bool) {
    // By far most messages have one such line with one word.
    let mut lines = headers.get_all(CONNECTION).iter();
    let plain = lines.next().is_none_or(|line| is_mere_option(line.as_bytes()));
    if plain && lines.next().is_none() {
        headers.remove(CONNECTION);
        return;
    }
    let nominated: Vec<HeaderName> = members(headers, &CONNECTION)
        .filter(|member| !is_mere_option(member))
        .filter_map(|member| HeaderName::from_bytes(member).ok())
        .filter(|name| !is_protected(name.as_str()))
        .collect();
    headers.remove(CONNECTION);
    for name in nominated {
        headers.remove(name);
    }
}

/// Whether `chunked` is the one and only transfer coding.
fn is_chunked_once(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    lines.next().is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && lines.next().is_none()
}

fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    if is_chunked_once(headers) {
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
    let ours = |member: &[u8]| {
        let mut words = member.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.nth(1) == Some(PSEUDONYM.as_bytes())
    };
    if members(headers, &VIA).any(ours) {
        return Err(Refused::new(
            StatusCode::LOOP_DETECTED,
            "proxy_loop",
            "this request has been through this proxy before: an upstream points back at it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

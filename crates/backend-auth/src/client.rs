//! Who sent a request: the address, and whether it came encrypted.
//!
//! `X-Forwarded-For` and `-Proto` are believed only from trusted neighbours. The address is searched from
//! the right: each hop appends, so only the part that trusted hops wrote can be trusted; reading from
//! the left would let any client name its own address.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Once};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::App;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a User-Agent or a request id that are kept.
const KEPT: usize = 200;

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address.
    pub ip: IpAddr,
    /// What a trusted neighbour says of the scheme that the client used.
    pub forwarded_proto: Option<Proto>,
    /// `Host` as the client sent it.
    pub host: Option<String>,
    /// `User-Agent`, cut to a sane length.
    pub user_agent: String,
    /// The proxy's id of this request, for the log.
    pub request_id: String,
}

/// How a request reached the first trusted hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proto {
    /// In the clear.
    Http,
    /// Encrypted.
    Https,
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        Ok(Self::of(&parts.headers, peer, &app.config.trusted_proxies))
    }
}

impl Client {
    /// Who sent such headers by a neighbour that says so.
    #[cfg(test)]
    pub(crate) fn of_headers(headers: &HeaderMap, forwarded_proto: Option<Proto>) -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { forwarded_proto, ..Self::of(headers, nobody, &[]) }
    }

    fn of(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Self {
        let text = |name: &HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value.chars().take(KEPT).collect::<String>()
        };
        let peer = peer.to_canonical();
        warn_of_stranger(headers, peer, trusted);
        let forwarded_proto = is_trusted(peer, trusted)
            .then(|| match headers.get(X_FORWARDED_PROTO).map(|value| value.as_bytes()) {
                Some(b"http") => Some(Proto::Http),
                Some(b"https") => Some(Proto::Https),
                _ => None,
            })
            .flatten();
        Self {
            ip: address(headers, peer, trusted),
            forwarded_proto,
            host: headers.get(HOST).and_then(|value| value.to_str().ok()).map(str::to_owned),
            user_agent: text(&USER_AGENT),
            request_id: text(&X_REQUEST_ID),
        }
    }
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// A proxy that isn't trusted makes all its clients look like one: said once, since anyone can send the header.
fn warn_of_stranger(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) {
    static SAID: Once = Once::new();
    if headers.contains_key(X_FORWARDED_FOR) && !is_trusted(peer, trusted) {
        SAID.call_once(|| {
            tracing::warn!(
                %peer,
                "X-Forwarded-For from a neighbour that is not trusted is ignored: if this is the proxy, name it \
                 in --trusted-proxies"
            );
        });
    }
}

/// The right-most address that no trusted hop has; the left-most one when all are trusted.
fn address(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let mut found = peer;
    let lines: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(found, trusted) {
            break;
        }
        let Some(ip) = parse_hop(hop.trim()) else { break };
        found = ip.to_canonical();
    }
    found
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(peer: &str, lines: &[&str]) -> String {
        let trusted = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        Client::of(&headers, peer.parse().unwrap(), &trusted).ip.to_string()
    }

    #[test]
    fn an_untrusted_peer_speaks_for_nobody() {
        assert_eq!(ip("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        assert_eq!(ip("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(ip("127.0.0.1", &["203.0.113.7, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(ip("127.0.0.1", &["203.0.113.7", "198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(ip("::ffff:127.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
    }

    #[test]
    fn nonsense_stops_the_search_at_what_is_known() {
        assert_eq!(ip("127.0.0.1", &["198.51.100.1, unknown"]), "127.0.0.1");
        assert_eq!(ip("127.0.0.1", &["10.0.0.1, 10.0.0.2"]), "10.0.0.1");
        assert_eq!(ip("127.0.0.1", &[]), "127.0.0.1");
    }
}

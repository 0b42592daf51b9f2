//! Keys spread over servers so that each stays where it is while others come and go.
//!
//! Rendezvous hashing: every server makes a bid for the key, and the highest wins. A server that leaves
//! takes only its own bids along, so only its keys move, each to whoever bid second; one that comes wins
//! its share from all others alike. There is no ring to build or to keep in step between workers.

use std::hash::Hasher as _;
use std::net::IpAddr;

use http::HeaderValue;
use http::header::{COOKIE, HeaderMap};
use siphasher::sip::SipHasher13;

use super::Server;
use crate::config::{HashBy, Policy};

/// What requests that belong together have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Key(u64);

impl Key {
    /// The key of a request; without the header or cookie, its client is the key.
    pub(crate) fn of(
        policy: &Policy,
        headers: &HeaderMap,
        client: impl FnOnce() -> IpAddr,
    ) -> Self {
        let Policy::Hash(by) = policy else { return Self::default() };
        Self(value(by, headers).map_or_else(|| address(client()), fingerprint))
    }
}

/// What a request has in the header or cookie that it is told apart by.
pub(crate) fn value<'h>(by: &HashBy, headers: &'h HeaderMap) -> Option<&'h [u8]> {
    match by {
        HashBy::Client => None,
        HashBy::Header(name) => headers.get(name).map(HeaderValue::as_bytes),
        HashBy::Cookie(name) => cookie(headers, name),
    }
}

/// The value of the first cookie of this name.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// A number for the address of a client.
pub(crate) fn address(client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(address) => fingerprint(&address.octets()),
        IpAddr::V6(address) => fingerprint(&address.octets()),
    }
}

/// A number for a text, the same in every worker and after every restart.
pub(crate) fn fingerprint(text: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text);
    hasher.finish()
}

/// The highest bidder.
pub(super) fn owner<'s, S: Server + 's>(
    candidates: impl Iterator<Item = &'s S>,
    key: Key,
) -> Option<&'s S> {
    candidates
        .map(|server| (server, bid(server, key)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(server, _)| server)
}

/// A server's bid. `share / -ln(chance)` makes the chance to win proportional to the share, and a change
/// of one share moves no key between two others.
fn bid<S: Server>(server: &S, Key(key): Key) -> f64 {
    let mut hasher = SipHasher13::new();
    hasher.write(&key.to_le_bytes());
    hasher.write(&server.fingerprint().to_le_bytes());
    // 53 bits make a number between 0 and 1, neither of them included.
    let chance = ((hasher.finish() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    f64::from(server.share()) / -chance.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(by: HashBy, headers: &[(&'static str, &'static str)]) -> u64 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Key::of(&Policy::Hash(by), &map, || IpAddr::from([10, 0, 0, 1])).0
    }

    #[test]
    fn the_key_is_the_header_or_the_cookie_and_else_the_client() {
        let client = address(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(key(HashBy::Client, &[("x-room", "7")]), client);
        let room = || HashBy::Header("x-room".parse().unwrap());
        assert_eq!(key(room(), &[("x-room", "7")]), fingerprint(b"7"));
        assert_eq!(key(room(), &[]), client);
        let session = || HashBy::Cookie("sid".into());
        for lines in [
            &[("cookie", "sid=7")][..],
            &[("cookie", "a=1; sid=7; b=2")],
            &[("cookie", "xsid=9"), ("cookie", "sid=7")],
        ] {
            assert_eq!(key(session(), lines), fingerprint(b"7"), "{lines:?}");
        }
        assert_eq!(key(session(), &[("cookie", "sidx=7")]), client);
    }

    #[test]
    fn fingerprints_stay_the_same_for_ever() {
        // SipHash-1-3 with keys of zero: another value would move every key of a running site.
        assert_eq!(fingerprint(b"chat"), 5_984_664_643_007_631_001);
    }
}

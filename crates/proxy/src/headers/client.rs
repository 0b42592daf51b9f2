//! The client of a connection, as upstreams are told of it.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};

use super::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

/// What a client connection adds to each of its requests; made once a connection.
#[derive(Debug)]
pub struct Client {
    ip: IpAddr,
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
        Self { ip, address, forwarded_for, scheme, trusted, last: RefCell::new(None) }
    }

    /// The client's address as text.
    #[must_use]
    pub fn address(&self) -> &HeaderValue {
        &self.address
    }

    /// Where a request comes from: the other end of its connection, or, if that is a trusted proxy, the
    /// last address that proxies tell before one that `trusts` doesn't know. Read from the right, since
    /// what stands further left may be anybody's invention.
    pub(crate) fn origin(&self, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
        let mut origin = self.ip;
        if !self.trusted {
            return origin;
        }
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        for told in lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',')) {
            let told = std::str::from_utf8(told).ok().map(str::trim);
            match told.and_then(told_address) {
                Some(address) => origin = address,
                None => return origin,
            }
            if !trusts(origin) {
                return origin;
            }
        }
        origin
    }

    /// How the client came: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// How the one who asked came, if a trusted proxy tells it; else how the connection did.
    pub(crate) fn told_scheme(&self, headers: &HeaderMap) -> &'static str {
        match headers.get(X_FORWARDED_PROTO).filter(|_| self.trusted).map(HeaderValue::as_bytes) {
            Some(b"https") => "https",
            Some(b"http") => "http",
            _ => self.scheme,
        }
    }

    /// [`origin`](Self::origin) as text.
    pub(crate) fn origin_text(
        &self,
        headers: &HeaderMap,
        trusts: impl Fn(IpAddr) -> bool,
    ) -> HeaderValue {
        let origin = self.origin(headers, trusts);
        if origin == self.ip {
            return self.address.clone();
        }
        HeaderValue::from_str(&origin.to_string()).unwrap_or_else(|_| self.address.clone())
    }

    pub(super) fn proto(&self) -> HeaderValue {
        HeaderValue::from_static(self.scheme)
    }

    /// What the client says of the one behind it, if that is believed.
    pub(super) fn told(&self, headers: &HeaderMap) -> Option<Told> {
        self.trusted.then(|| Told::take(headers))
    }

    /// `Forwarded` (RFC 7239) for a request to this host.
    pub(super) fn forwarded(&self, host: &HeaderValue) -> HeaderValue {
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
        // Copied, since the header is a slice of the connection's read buffer and would keep all of it.
        if let Ok(host) = HeaderValue::from_bytes(host.as_bytes()) {
            *last = Some((host, value.clone()));
        }
        value
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn told_address(text: &str) -> Option<IpAddr> {
    let ip = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()));
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    ip.or_else(bare).map(|ip| ip.to_canonical())
}

/// What a trusted proxy in front of this one says about the client behind it.
#[derive(Debug)]
pub(super) struct Told {
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
    pub(super) fn restore(self, headers: &mut HeaderMap) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_from_the_last_address_that_no_trusted_proxy_has() {
        let trusts = |ip: IpAddr| ip.to_string().starts_with("10.") || ip.is_loopback();
        let origin = |trusted: bool, lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let client = Client::new("10.0.0.1:5".parse().unwrap(), "http", trusted);
            client.origin(&headers, trusts).to_string()
        };
        for (lines, want) in [
            (&[][..], "10.0.0.1"),
            (&["9.9.9.9"], "9.9.9.9"),
            (&["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
            (&["6.6.6.6", "9.9.9.9 , 10.0.0.2"], "9.9.9.9"),
            (&["6.6.6.6, 9.9.9.9:1234,10.0.0.2:1"], "9.9.9.9"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:9.9.9.9"], "9.9.9.9"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["9.9.9.9, unknown"], "10.0.0.1"),
            (&["9.9.9.9, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["9.9.9.9,"], "10.0.0.1"),
        ] {
            assert_eq!(origin(true, lines), want, "{lines:?}");
            assert_eq!(origin(false, lines), "10.0.0.1", "{lines:?}");
        }
    }
}

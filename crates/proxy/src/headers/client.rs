//! The client of a connection, as upstreams are told of it.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};

use super::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

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

    /// How the client came: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
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

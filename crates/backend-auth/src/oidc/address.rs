//! An address of a provider: https, or plain http to this very machine.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};

/// An absolute URL without user name and fragment, to which secrets may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    authority: Authority,
    target: String,
    https: bool,
}

impl Address {
    /// Checks a text such as `https://login.example.org/token`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| Err(format!("{text:?} {reason}"));
        let Ok(uri) = text.parse::<Uri>() else { return wrong("is not a web address") };
        let Some(authority) = uri.authority().cloned() else { return wrong("names no host") };
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return wrong("has no https://"),
        };
        if authority.as_str().contains('@') || text.contains('#') {
            return wrong("has a user name or a fragment");
        }
        if !https && !is_loopback(authority.host()) {
            return wrong("is not encrypted: https only, or http to localhost");
        }
        let target = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { text: text.to_owned(), authority, target, https })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the way to it is encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it has a query.
    pub fn has_query(&self) -> bool {
        self.target.contains('?')
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and port as they are written.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        bare(self.authority.host())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.https { 443 } else { 80 })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    let host = bare(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_and_http_to_this_machine() {
        for (text, host, port, target) in [
            ("https://login.example.org", "login.example.org", 443, "/"),
            ("https://login.example.org:8443/a?b=c", "login.example.org", 8443, "/a?b=c"),
            ("http://127.0.0.1:8080/x", "127.0.0.1", 8080, "/x"),
            ("http://localhost/x", "localhost", 80, "/x"),
            ("http://[::1]:9/x", "::1", 9, "/x"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host(), address.port(), address.target()), (host, port, target));
        }
    }

    #[test]
    fn what_others_could_read_or_misread_is_refused() {
        for text in [
            "http://login.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://10.0.0.1",
            "ftp://login.example.org",
            "https://user@login.example.org",
            "https://login.example.org/#x",
            "login.example.org",
            "/token",
            "",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}

//! The server's address.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};

/// `http://host[:port]` or `https://host[:port]`: the proxy's address, or a tracker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    tls: bool,
    authority: Authority,
}

/// Why a text is no server's address. The text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no server's address: expected http://HOST[:PORT] or https://HOST[:PORT]")]
pub struct ServerError {
    text: String,
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let wrong = || ServerError { text: text.to_owned() };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        match uri.authority() {
            // A name and a password in the address would end in logs and shell histories.
            Some(authority)
                if !authority.as_str().contains('@') && !authority.host().is_empty() =>
            {
                Ok(Self { tls, authority: authority.clone() })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

impl Server {
    /// Whether connections to it are TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host as a resolver takes it: an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port; the scheme's own where none is named.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// What a `Host` header says.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// A name for a folder: the address without what a file system may not like.
    pub fn folder(&self) -> String {
        let host = self.host().to_ascii_lowercase();
        let host: String = host
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' })
            .collect();
        format!("{host}_{}", self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_the_schemes_own_port() {
        let server: Server = "http://localhost:8080/".parse().unwrap();
        assert_eq!((server.tls(), server.host(), server.port()), (false, "localhost", 8080));
        let server: Server = "https://chat.example.org".parse().unwrap();
        assert_eq!((server.tls(), server.port()), (true, 443));
        assert_eq!(server.to_string(), "https://chat.example.org");
        let server: Server = "http://[::1]:80".parse().unwrap();
        assert_eq!((server.host(), server.folder().as_str()), ("::1", "__1_80"));
    }

    #[test]
    fn anything_else_is_refused_with_what_would_be_right() {
        for text in [
            "",
            "localhost:8080",
            "ftp://a",
            "http://",
            "http://a/chat",
            "http://u:p@a",
            "http://a?x",
        ] {
            let error = text.parse::<Server>().unwrap_err().to_string();
            assert!(error.contains("http://HOST[:PORT]"), "{error}");
        }
    }
}

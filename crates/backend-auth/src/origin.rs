//! A web origin (RFC 6454): scheme, host and port, nothing else.

use std::fmt;

/// Where browsers find the chat, in the form in which browsers write `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    https: bool,
}

impl Origin {
    /// Checks a text such as `https://chat.example.org` (a final slash is forgiven).
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| {
            format!("{text:?} {reason}: write scheme and host only, e.g. https://chat.example.org")
        };
        let uri: http::Uri =
            text.trim_end_matches('/').parse().map_err(|_| wrong("is not a web address"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("has no http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("contains a user name"));
        }
        if uri.query().is_some() || uri.path().len() > 1 || text.contains('#') {
            return Err(wrong("has a path"));
        }
        let host = authority.host().to_ascii_lowercase();
        let (scheme, default_port) = if https { ("https", 443) } else { ("http", 80) };
        let text = match authority.port_u16() {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        Ok(Self { text, https })
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone, without the port; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        let authority = self.text.split_once("://").map_or("", |(_, authority)| authority);
        match authority.rfind(':') {
            Some(colon) if !authority.ends_with(']') => &authority[..colon],
            _ => authority,
        }
    }

    /// Whether the way to it is encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, written) in [
            ("https://Chat.Example.org/", "https://chat.example.org"),
            ("https://chat.example.org:443", "https://chat.example.org"),
            ("http://192.168.1.5:8080", "http://192.168.1.5:8080"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), written);
        }
    }

    #[test]
    fn the_host_has_no_port() {
        for (text, host) in [
            ("https://chat.example.org", "chat.example.org"),
            ("http://localhost:8080", "localhost"),
            ("http://[::1]", "[::1]"),
            ("http://[::1]:8080", "[::1]"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().host(), host);
        }
    }

    #[test]
    fn paths_users_and_other_schemes_are_refused_with_an_example() {
        for text in [
            "chat.example.org",
            "https://a/b",
            "ftp://a",
            "https://u@a",
            "",
            "https://a?b",
            "https://a#b",
        ] {
            let reason = Origin::parse(text).unwrap_err();
            assert!(reason.contains("https://chat.example.org"), "{reason}");
        }
    }
}

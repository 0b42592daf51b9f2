//! What a request asks for: one host and one path, the same for routing and for forwarding.
//!
//! A proxy that routes on one reading of a path and forwards another lets callers around its rules
//! (the advisories are many). So there is one canonical form: percent-encoded unreserved characters
//! are decoded, the others written in upper case (RFC 3986 §6.2.2), and what upstreams are known to read in
//! more than one way is refused: encoded slashes and backslashes, NUL, dot segments in any disguise,
//! empty segments. An ordinary path is recognised in one pass and borrowed as it is.
//!
//! A fragment (`#...`) never gets this far: the HTTP parser below cuts it off before routing, so
//! it is neither routed on nor forwarded.

use std::borrow::Cow;

use http::header::{ALLOW, HOST, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use service::Problem;

/// A request that goes no further, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable class: code of the answer, field of the log line, label of the counter.
    pub class: &'static str,
    /// What is wrong, for the caller.
    pub message: Cow<'static, str>,
}

impl Refused {
    /// A refusal of any status.
    pub(crate) fn new(
        status: StatusCode,
        class: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, class, message: message.into() }
    }

    fn bad_request(class: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, class, message)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let problem = Self::new(refused.status, refused.class, refused.message);
        // RFC 9110 §15.5.6: a 405 lists what is allowed.
        if refused.status == StatusCode::METHOD_NOT_ALLOWED {
            problem.with_header(
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            )
        } else {
            problem
        }
    }
}

/// Host and path of a request, checked and canonical; borrowed from it where that is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The host in lower case, without port and trailing dot; empty when HTTP/1.0 gave none.
    pub host: Cow<'a, str>,
    /// The canonical path: what is routed on is what is forwarded.
    pub path: Cow<'a, str>,
    uri: &'a Uri,
    host_header: Option<&'a str>,
}

/// What must be changed in a request so that it says what its [`Target`] says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewrite {
    /// The request target in origin-form.
    pub uri: Option<Uri>,
    /// The `Host` header.
    pub host: Option<HeaderValue>,
}

impl Rewrite {
    /// Applies it.
    pub fn apply(self, uri: &mut Uri, headers: &mut HeaderMap) {
        if let Some(new) = self.uri {
            *uri = new;
        }
        if let Some(host) = self.host {
            headers.insert(HOST, host);
        }
    }
}

impl<'a> Target<'a> {
    /// Reads the target of a request head (RFC 9112 §3.2).
    ///
    /// # Errors
    /// [`Refused`] with 400 or 405: methods and forms that a gateway does not serve, a missing, doubled
    /// or malformed host, a path that can be read in more than one way.
    pub fn parse(
        method: &Method,
        uri: &'a Uri,
        version: Version,
        headers: &'a HeaderMap,
    ) -> Result<Self, Refused> {
        if *method == Method::CONNECT || *method == Method::TRACE {
            return Err(Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "CONNECT and TRACE are not served here",
            ));
        }
        let host_header = host_header(version, headers)?;
        let authority = match (uri.scheme(), uri.authority()) {
            // origin-form or asterisk-form
            (None, None) => host_header,
            // absolute-form: its authority wins over Host (RFC 9112 §3.2.2)
            (Some(scheme), Some(authority)) => {
                if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
                    return Err(Refused::bad_request("bad_target", "only http is served here"));
                }
                Some(authority.as_str())
            }
            _ => return Err(Refused::bad_request("bad_target", "a request target starts with /")),
        };
        let host = match authority {
            Some(authority) => {
                let host = host_of(authority).ok_or_else(|| {
                    Refused::bad_request("bad_host", "the Host header is not a host and port")
                })?;
                normal_host(host)
            }
            None => Cow::Borrowed(""),
        };
        let path = uri.path();
        let path = if path == "*" {
            if *method != Method::OPTIONS {
                return Err(Refused::bad_request("bad_target", "the target * is for OPTIONS only"));
            }
            Cow::Borrowed(path)
        } else {
            canonical_path(path)?
        };
        Ok(Self { host, path, uri, host_header })
    }

    /// What has to change in the request before it is forwarded; nothing in the ordinary case.
    #[must_use]
    pub fn rewrite(&self) -> Rewrite {
        let mut rewrite = Rewrite::default();
        let absolute = self.uri.authority();
        if absolute.is_some() || matches!(self.path, Cow::Owned(_)) {
            rewrite.uri = origin_form(&self.path, self.uri.query());
        }
        match (absolute, self.host_header) {
            (Some(authority), header) => {
                if header != Some(authority.as_str()) {
                    rewrite.host = HeaderValue::from_str(authority.as_str()).ok();
                }
            }
            // HTTP/1.0 without Host is forwarded as HTTP/1.1, which needs one.
            (None, None) => rewrite.host = Some(HeaderValue::from_static("localhost")),
            (None, Some(_)) => {}
        }
        rewrite
    }
}

fn origin_form(path: &str, query: Option<&str>) -> Option<Uri> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).map(Uri::from).ok()
}

/// The only `Host` line; `None` when an HTTP/1.0 request has none.
fn host_header(version: Version, headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut lines = headers.get_all(HOST).iter();
    let Some(line) = lines.next() else {
        return if version == Version::HTTP_10 {
            Ok(None)
        } else {
            Err(Refused::bad_request("bad_host", "an HTTP/1.1 request needs a Host header"))
        };
    };
    if lines.next().is_some() {
        return Err(Refused::bad_request("bad_host", "there is more than one Host header"));
    }
    line.to_str()
        .map(Some)
        .map_err(|_| Refused::bad_request("bad_host", "the Host header is not a host and port"))
}

/// The host of `host[:port]`, still as written; `None` if it is not one. IPv6 keeps its brackets.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at(end);
        let inner = &host[1..end - 1];
        if inner.parse::<std::net::Ipv6Addr>().is_err() {
            return None;
        }
        (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))?)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        if host.len() > 255
            || !host.bytes().all(is_host_byte)
            || host.trim_end_matches('.').is_empty()
        {
            return None;
        }
        (host, port)
    };
    let port_is_fine = port.is_empty()
        || (port.len() <= 5
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok());
    port_is_fine.then_some(host)
}

/// Letters, digits, `-`, `.` and `_` (container names have it).
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// A host in the form that is matched: lower case, no port, no trailing dot.
pub(crate) fn normal_host(host: &str) -> Cow<'_, str> {
    let host = if host.starts_with('[') {
        host.find(']').map_or(host, |end| &host[..=end])
    } else {
        host.split_once(':').map_or(host, |(host, _)| host)
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Bytes that stand for themselves in a canonical path: unreserved, sub-delims, `:`, `@`, `/` and what
/// clients send unencoded without harm.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'%' | b'\\' | b'#' | b'?');
        byte += 1;
    }
    table
};

/// The canonical form of a path, borrowed if it already is canonical.
///
/// # Errors
/// [`Refused`] (400 `bad_path`) if upstreams could read the path in more than one way.
pub(crate) fn canonical_path(path: &str) -> Result<Cow<'_, str>, Refused> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let canonical = decode_unreserved(path)?;
    check_segments(&canonical)?;
    Ok(if canonical == path { Cow::Borrowed(path) } else { Cow::Owned(canonical) })
}

/// Whether there is nothing to decode and nothing to suspect. Segments that start with a dot are left to
/// the slow path.
fn is_plain(path: &str) -> bool {
    let mut after_slash = false;
    for (at, &byte) in path.as_bytes().iter().enumerate() {
        if !PLAIN[usize::from(byte)] || (after_slash && matches!(byte, b'/' | b'.')) {
            return false;
        }
        after_slash = byte == b'/';
        if at == 0 && !after_slash {
            return false;
        }
    }
    !path.is_empty()
}

fn bad_path(message: &'static str) -> Refused {
    Refused::bad_request("bad_path", message)
}

fn decode_unreserved(path: &str) -> Result<String, Refused> {
    if !path.starts_with('/') {
        return Err(Refused::bad_request("bad_target", "a request target starts with /"));
    }
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte != b'%' {
            if !PLAIN[usize::from(byte)] {
                return Err(bad_path(
                    "the path has a character that must be percent-encoded, or a backslash",
                ));
            }
            out.push(char::from(byte));
            at += 1;
            continue;
        }
        let decoded = hex_pair(&bytes[at + 1..]).ok_or_else(|| {
            bad_path("a % in the path must be followed by two hexadecimal digits")
        })?;
        match decoded {
            b'/' | b'\\' => return Err(bad_path("the path has an encoded slash or backslash")),
            0..0x20 | 0x7f => return Err(bad_path("the path has an encoded control character")),
            b'-' | b'.' | b'_' | b'~' => out.push(char::from(decoded)),
            _ if decoded.is_ascii_alphanumeric() => out.push(char::from(decoded)),
            _ => {
                out.push('%');
                out.push(char::from(bytes[at + 1].to_ascii_uppercase()));
                out.push(char::from(bytes[at + 2].to_ascii_uppercase()));
            }
        }
        at += 3;
    }
    Ok(out)
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let high = char::from(*bytes.first()?).to_digit(16)?;
    let low = char::from(*bytes.get(1)?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// Refuses empty segments and dot segments, also those that only a second decoding reveals.
fn check_segments(path: &str) -> Result<(), Refused> {
    if path.contains("//") {
        return Err(bad_path("the path has an empty segment (//)"));
    }
    for segment in path.split('/') {
        let mut text = Cow::Borrowed(segment.as_bytes());
        loop {
            let hidden = text.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| {
                // Some servers cut `;parameters` off before they look at dots.
                let name = part.split(|&byte| byte == b';').next().unwrap_or_default();
                name == b"." || name == b".."
            });
            if hidden {
                return Err(bad_path("the path has a dot segment"));
            }
            if text.contains(&0) {
                return Err(bad_path("the path has an encoded control character"));
            }
            match decode_once(&text) {
                Some(decoded) => text = Cow::Owned(decoded),
                None => break,
            }
        }
    }
    Ok(())
}

/// One round of decoding; `None` when nothing is encoded any more. Each round makes the text shorter.
fn decode_once(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex_pair(&text[at + 1..])) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    (out.len() < text.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(
        method: &str,
        uri: &str,
        version: Version,
        hosts: &[&str],
    ) -> Result<(String, String, Rewrite), Refused> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        let uri: Uri = uri.parse().unwrap();
        let method = method.parse().unwrap();
        let target = Target::parse(&method, &uri, version, &headers)?;
        Ok((target.host.to_string(), target.path.to_string(), target.rewrite()))
    }

    fn get(uri: &str) -> Result<(String, String, Rewrite), Refused> {
        parse("GET", uri, Version::HTTP_11, &["example.org"])
    }

    #[test]
    fn an_ordinary_request_is_forwarded_as_it_is() {
        for path in
            ["/", "/a", "/a/b/", "/a.b/c.html?x=/../y&z=%2f", "/@me;v=1/x=(1)", "/a~b_-!$&'*+,"]
        {
            let (host, seen, rewrite) = get(path).unwrap();
            assert_eq!(host, "example.org");
            assert_eq!(seen, path.split('?').next().unwrap());
            assert_eq!(rewrite, Rewrite::default(), "{path}");
        }
    }

    #[test]
    fn hosts_are_compared_without_case_port_and_trailing_dot() {
        for (sent, want) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("example.org:8080", "example.org"),
            ("EXAMPLE.org.:80", "example.org"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("[FE80::1]", "[fe80::1]"),
            ("chat_tracker:", "chat_tracker"),
        ] {
            assert_eq!(parse("GET", "/", Version::HTTP_11, &[sent]).unwrap().0, want, "{sent}");
        }
    }

    #[test]
    fn a_missing_doubled_or_malformed_host_is_refused() {
        for hosts in [
            &[][..],
            &["a", "b"],
            &["a", "a"],
            &[""],
            &["."],
            &["a b"],
            &["a/b"],
            &["user@a"],
            &["a:b"],
            &["a:80:80"],
            &["a:99999"],
            &["a:+80"],
            &["[::1"],
            &["[::1]x"],
            &["[zz]"],
            &["a,b"],
            &["h\u{e9}"],
            &["%61"],
        ] {
            let refused = parse("GET", "/", Version::HTTP_11, hosts).unwrap_err();
            assert_eq!(
                (refused.status, refused.class),
                (StatusCode::BAD_REQUEST, "bad_host"),
                "{hosts:?}"
            );
        }
    }

    #[test]
    fn http_10_may_come_without_a_host() {
        let (host, _, rewrite) = parse("GET", "/", Version::HTTP_10, &[]).unwrap();
        assert_eq!(host, "");
        assert_eq!(rewrite.host.unwrap(), "localhost");
        parse("GET", "/", Version::HTTP_10, &["a", "b"]).unwrap_err();
    }

    #[test]
    fn in_absolute_form_the_authority_replaces_host() {
        let (host, path, rewrite) =
            parse("GET", "http://Example.org:81/a%61?q", Version::HTTP_11, &["evil"]).unwrap();
        assert_eq!((host.as_str(), path.as_str()), ("example.org", "/aa"));
        assert_eq!(rewrite.uri.unwrap(), "/aa?q");
        assert_eq!(rewrite.host.unwrap(), "Example.org:81");
        let (_, path, rewrite) = get("http://example.org").unwrap();
        assert_eq!(path, "/");
        assert_eq!(rewrite, Rewrite { uri: Some("/".parse().unwrap()), host: None });
    }

    #[test]
    fn absolute_form_with_userinfo_or_another_scheme_is_refused() {
        for uri in ["http://user@example.org/", "http://u:p@example.org/", "ftp://example.org/"] {
            assert_eq!(get(uri).unwrap_err().status, StatusCode::BAD_REQUEST, "{uri}");
        }
    }

    #[test]
    fn other_forms_and_methods_are_refused() {
        assert_eq!(get("*").unwrap_err().class, "bad_target");
        assert_eq!(get("example.org:80").unwrap_err().class, "bad_target");
        assert_eq!(parse("OPTIONS", "*", Version::HTTP_11, &["a"]).unwrap().1, "*");
        for (method, uri) in [("CONNECT", "example.org:443"), ("TRACE", "/")] {
            let refused = parse(method, uri, Version::HTTP_11, &["a"]).unwrap_err();
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
            let answer = Problem::from(refused).into_response_with(|body| body);
            assert!(answer.headers().contains_key(ALLOW));
        }
    }

    #[test]
    fn unreserved_characters_are_decoded_and_others_upper_cased() {
        for (sent, want) in [
            ("/%61dmin", "/admin"),
            ("/%7euser/%2d%5F", "/~user/-_"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%2eb", "/a.b"),
            ("/100%25", "/100%25"),
            ("/x%3ay%40z", "/x%3Ay%40z"),
            ("/.well-known/jwks.json", "/.well-known/jwks.json"),
            ("/...", "/..."),
            ("/a%252fb", "/a%252fb"),
        ] {
            let (_, path, rewrite) = get(&format!("{sent}?q=%2e")).unwrap();
            assert_eq!(path, want);
            let forwarded = rewrite.uri.map_or(sent.to_owned(), |uri| uri.path().to_owned());
            assert_eq!(forwarded, want, "what is routed on is what is forwarded");
        }
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_refused() {
        for path in [
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/%0d%0aX:1",
            "/%7f",
            "/a%1",
            "/a%",
            "/a%zz",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/./a",
            "/../a",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/.%2e",
            "/%2e",
            "/a/%252e%252e/b",
            "/a/%25%32%65/b",
            "/a/.%252e/b",
            "/%25252e%25252e/b",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;/b",
            "/a/%2e%2e%3b/b",
            "/a/..%252f..%252fb",
            "/a/..%255cb",
            "/a%2500",
            "/h\u{e9}",
        ] {
            let refused = get(path).expect_err(path);
            assert_eq!(
                (refused.status, refused.class),
                (StatusCode::BAD_REQUEST, "bad_path"),
                "{path}"
            );
        }
    }

    #[test]
    fn a_fragment_is_neither_routed_on_nor_forwarded() {
        let (_, path, rewrite) = get("/public#/../private").unwrap();
        assert_eq!((path.as_str(), rewrite), ("/public", Rewrite::default()));
    }

    proptest! {
        #[test]
        fn the_fast_path_says_what_the_slow_path_says(path in "/[a-c/.%25eEfF;\\\\~:]{0,12}") {
            let slow = decode_unreserved(&path).and_then(|out| check_segments(&out).map(|()| out));
            prop_assert_eq!(canonical_path(&path).map(Cow::into_owned), slow);
        }

        #[test]
        fn canonical_paths_stay_as_they_are(path in "/[a-c/.%25eEfF;~:]{0,12}") {
            if let Ok(once) = canonical_path(&path) {
                let again = canonical_path(&once).expect("a canonical path is fine");
                prop_assert_eq!(&again, &once);
                prop_assert!(matches!(again, Cow::Borrowed(_)));
            }
        }
    }
}

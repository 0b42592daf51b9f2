//! What a request asks for: one host and one path, the same for routing and for forwarding.
//!
//! A proxy that routes on one reading of a path and forwards another lets callers around its rules
//! (the advisories are many). So there is one canonical form: percent-encoded unreserved characters
//! are decoded, the others written in upper case (RFC 3986 §6.2.2), and what upstreams are known to read in
//! more than one way is refused: encoded slashes and backslashes, NUL, dot segments in any disguise,
//! empty segments. An ordinary path is recognised in one pass and borrowed as it is.
//!
//! A fragment (`#...`) never gets this far: [`guard`](crate::guard) refuses it, and what parses targets
//! would cut it off.

use std::borrow::Cow;

use http::header::{ALLOW, HOST, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use service::Problem;

mod host;
mod path;

use host::host_of;
pub(crate) use host::normal_host;
pub(crate) use path::canonical_path;

/// The methods of `Allow` where no route says otherwise.
pub(crate) const ALLOWED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

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
            problem.with_header(ALLOW, HeaderValue::from_static(ALLOWED))
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
        let host_header = host_header(uri, version, headers)?;
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

/// A request target; `None` if it is too long.
pub(crate) fn origin_form(path: &str, query: Option<&str>) -> Option<Uri> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).map(Uri::from).ok()
}

/// The only `Host` line; `None` when an HTTP/1.0 request has none.
fn host_header<'h>(
    uri: &Uri,
    version: Version,
    headers: &'h HeaderMap,
) -> Result<Option<&'h str>, Refused> {
    let mut lines = headers.get_all(HOST).iter();
    let Some(line) = lines.next() else {
        // HTTP/2 has `:authority` (RFC 9113 §8.3.1).
        let named = version == Version::HTTP_2 && uri.authority().is_some();
        return if version == Version::HTTP_10 || named {
            Ok(None)
        } else {
            Err(Refused::bad_request("bad_host", "an HTTP/1.1 request needs a Host header"))
        };
    };
    if lines.next().is_some() {
        return Err(Refused::bad_request("bad_host", "there is more than one Host header"));
    }
    let host = line
        .to_str()
        .map_err(|_| Refused::bad_request("bad_host", "the Host header is not a host and port"))?;
    if version == Version::HTTP_2
        && let Some(authority) = uri.authority()
        && !authority.as_str().eq_ignore_ascii_case(host)
    {
        return Err(Refused::bad_request("bad_host", "Host and :authority differ"));
    }
    Ok(Some(host))
}

#[cfg(test)]
mod tests;

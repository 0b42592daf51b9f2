//! Answers that need no upstream: redirects, and one that is always the same.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};

/// An answer that needs no upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnAnswer {
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The same answer for everyone.
    Fixed(Fixed),
}

impl OwnAnswer {
    /// The answer to a request; `None` if a redirect leads to the host of a request that names none.
    pub(crate) fn response(&self, asked: &Asked<'_>) -> Option<Response<Bytes>> {
        match self {
            Self::Fixed(fixed) => Some(fixed.response()),
            Self::Redirect(redirect) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = redirect.status;
                response.headers_mut().insert(LOCATION, redirect.location(asked)?);
                Some(response)
            }
        }
    }
}

/// Sends the client elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// Where to, piece by piece.
    pub to: Vec<Part>,
    /// Length of the route's path without its `/*`.
    pub base: usize,
}

/// A piece of the place that a redirect leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands in the configuration.
    Text(Box<str>),
    /// `{scheme}`: how the client came, `http` or `https`.
    Scheme,
    /// `{host}`: the host that was asked, without port.
    Host,
    /// `{path}`: the whole path.
    Path,
    /// `{rest}`: what the route's `/*` stands for, from its slash on; may be empty.
    Rest,
    /// `{query}`: the query from its `?` on; empty if there is none.
    Query,
}

/// What was asked for, checked and canonical.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host without port; empty if there was none.
    pub host: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The query without its `?`.
    pub query: Option<&'a str>,
}

impl Redirect {
    /// The place for a request; `None` if it can't be told, since the request names no host.
    ///
    /// No line break gets into it: neither the configuration nor a canonical path nor a query has one,
    /// and [`HeaderValue`] takes none.
    #[must_use]
    pub fn location(&self, asked: &Asked<'_>) -> Option<HeaderValue> {
        let mut text = String::with_capacity(128);
        for part in &self.to {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Scheme => text.push_str(asked.scheme),
                Part::Host if asked.host.is_empty() => return None,
                Part::Host => text.push_str(asked.host),
                Part::Path => text.push_str(asked.path),
                Part::Rest => match asked.path.get(self.base..).unwrap_or_default() {
                    "" if text.is_empty() => text.push('/'),
                    rest => text.push_str(rest),
                },
                Part::Query => {
                    if let Some(query) = asked.query {
                        text.push('?');
                        text.push_str(query);
                    }
                }
            }
        }
        HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
    }
}

/// The same answer for everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The status.
    pub status: StatusCode,
    /// The type of the body; `None`: there is no body.
    pub content_type: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
}

impl Fixed {
    fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        if let Some(content_type) = &self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_placeholder_stands_for_its_part_of_the_request() {
        let redirect = Redirect {
            status: StatusCode::FOUND,
            to: vec![
                Part::Scheme,
                Part::Text("://".into()),
                Part::Host,
                Part::Text("/new".into()),
                Part::Rest,
                Part::Query,
            ],
            base: "/old".len(),
        };
        let asked = |host, path, query| Asked { scheme: "https", host, path, query };
        for (request, want) in [
            (asked("a.test", "/old/x", Some("y=1")), "https://a.test/new/x?y=1"),
            (asked("[::1]", "/old", None), "https://[::1]/new"),
            (asked("a", "/old/", Some("")), "https://a/new/?"),
        ] {
            assert_eq!(redirect.location(&request).unwrap(), want);
        }
        assert!(redirect.location(&asked("", "/old/x", None)).is_none(), "no host, no place");
        let whole = Redirect { to: vec![Part::Path], ..redirect };
        assert_eq!(whole.location(&asked("", "/old/x", None)).unwrap(), "/old/x");
    }

    #[test]
    fn a_line_break_never_gets_into_the_place() {
        let to = vec![Part::Text("/".into()), Part::Query];
        let redirect = Redirect { status: StatusCode::FOUND, to, base: 0 };
        for query in ["a\r\nset-cookie: x", "a\nb", "a\rb", "\0"] {
            let asked = Asked { scheme: "http", host: "a", path: "/", query: Some(query) };
            assert!(redirect.location(&asked).is_none(), "{query:?}");
        }
    }
}

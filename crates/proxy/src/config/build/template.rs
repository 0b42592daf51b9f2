//! Where a redirect leads: `https://{host}/new{rest}{query}`.
//!
//! A place is read front to back and each placeholder has one spot, so that nothing a client sends can
//! change what stands before it: `{host}` is all of a host, `{path}` and `{rest}` begin with their own slash
//! (never the second of two, which would name another host), `{query}` begins with its own `?`.

use crate::config::values::{self, Complaint};
use crate::route::Part;
use crate::target::canonical_path;

const REMEDY: &str = "write it as [http://host | https://host | {scheme}://{host}] /path [{path} | {rest}] [{query} | ?query], such as \"https://{host}/new{rest}{query}\"";

/// Reads the place. `base`: the length of a prefix route's path, for `{rest}`.
pub(super) fn redirect_to(text: &str, base: Option<usize>) -> Result<Vec<Part>, Complaint> {
    let mut reader = Reader { text, rest: text, parts: Vec::new() };
    let elsewhere = reader.origin()?;
    let whole = reader.path(base)?;
    if whole && !elsewhere {
        return reader.complain("leads to the same address again, for ever");
    }
    if reader.parts.is_empty() {
        return reader.complain("is no place");
    }
    reader.query()?;
    reader.end()?;
    Ok(reader.parts)
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn complain<T>(&self, problem: &str) -> Result<T, Complaint> {
        Err((format!("\"{}\" {problem}", self.text), REMEDY.to_owned()))
    }

    fn takes(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the first of these characters.
    fn until(&mut self, ends: &[char]) -> String {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn push(&mut self, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::Text(text.into()));
        }
    }

    /// Scheme and host, if they are there. Gives whether they may differ from those of the request.
    fn origin(&mut self) -> Result<bool, Complaint> {
        let mut elsewhere = true;
        if self.takes("{scheme}://") {
            self.parts.push(Part::Scheme);
            self.push("://");
            elsewhere = false;
        } else if self.takes("https://") {
            self.push("https://");
        } else if self.takes("http://") {
            self.push("http://");
        } else {
            return Ok(false);
        }
        if self.takes("{host}") {
            self.parts.push(Part::Host);
            let port = self.until(&['/', '?', '#', '{']);
            let digits = port.strip_prefix(':');
            let fine = digits.is_some_and(|digits| {
                digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
            });
            if !port.is_empty() && !fine {
                return self.complain("has something behind {host} that is no port");
            }
            self.push(&port);
            return Ok(elsewhere || !port.is_empty());
        }
        let host = self.until(&['/', '?', '#', '{']);
        if values::origin(&format!("http://{host}")).is_err() {
            return self.complain("has no host behind its ://");
        }
        self.push(&host);
        Ok(true)
    }

    /// The path. Gives whether it is the whole path of the request and nothing else.
    fn path(&mut self, base: Option<usize>) -> Result<bool, Complaint> {
        let own = self.until(&['?', '#', '{']);
        let fine = is_plain(&own) && canonical_path(&own).is_ok_and(|canonical| canonical == own);
        if !own.is_empty() && !fine {
            return self.complain("has a path that is not canonical");
        }
        self.push(&own);
        let part = if self.takes("{path}") {
            Part::Path
        } else if self.takes("{rest}") {
            if base.is_none() {
                return self.complain("has {rest}, and the route's path has no /* for it");
            }
            Part::Rest
        } else {
            return Ok(false);
        };
        if own.ends_with('/') {
            return self.complain("has a slash before {path} or {rest}, which bring their own");
        }
        let whole = own.is_empty() && (part == Part::Path || base == Some(0));
        self.parts.push(part);
        Ok(whole)
    }

    fn query(&mut self) -> Result<(), Complaint> {
        if self.takes("{query}") {
            self.parts.push(Part::Query);
            return Ok(());
        }
        if self.rest.starts_with('?') {
            let own = self.until(&['#', '{']);
            if !is_plain(&own) {
                return self.complain("has a query with characters that must be percent-encoded");
            }
            self.push(&own);
        }
        Ok(())
    }

    /// A fragment, and nothing behind it.
    fn end(&mut self) -> Result<(), Complaint> {
        if self.rest.starts_with('#') {
            let own = self.until(&['{']);
            if !is_plain(&own) {
                return self
                    .complain("has a fragment with characters that must be percent-encoded");
            }
            self.push(&own);
        }
        let Some(inside) = self.rest.strip_prefix('{') else {
            return if self.rest.is_empty() {
                Ok(())
            } else {
                let problem = format!("goes on with \"{}\", which can't stand there", self.rest);
                self.complain(&problem)
            };
        };
        let name = inside.split('}').next().unwrap_or_default();
        let problem = match name {
            "scheme" | "host" | "path" | "rest" | "query" => {
                format!("has {{{name}}} where it can't stand")
            }
            _ => format!(
                "has {{{name}}}, and the placeholders are {{scheme}}, {{host}}, {{path}}, {{rest}} and {{query}}"
            ),
        };
        self.complain(&problem)
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x21..0x7f).contains(&byte) && !b"\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;
    use crate::route::{Asked, Redirect};

    fn text(part: &str) -> Part {
        Part::Text(part.into())
    }

    #[test]
    fn places_are_read_piece_by_piece() {
        let prefix = Some("/old".len());
        for (place, want) in [
            ("/new", vec![text("/new")]),
            ("/new?a=b#c", vec![text("/new"), text("?a=b"), text("#c")]),
            ("/new{rest}{query}", vec![text("/new"), Part::Rest, Part::Query]),
            ("{rest}", vec![Part::Rest]),
            ("https://{host}{path}", vec![text("https://"), Part::Host, Part::Path]),
            (
                "https://{host}:8443/a{path}",
                vec![text("https://"), Part::Host, text(":8443"), text("/a"), Part::Path],
            ),
            (
                "{scheme}://{host}/new{query}",
                vec![Part::Scheme, text("://"), Part::Host, text("/new"), Part::Query],
            ),
            ("http://a.test:80", vec![text("http://"), text("a.test:80")]),
            ("https://[::1]{rest}", vec![text("https://"), text("[::1]"), Part::Rest]),
        ] {
            assert_eq!(redirect_to(place, prefix), Ok(want), "{place}");
        }
    }

    #[test]
    fn what_could_lead_astray_is_refused() {
        for place in [
            "",
            "new",
            "//evil.test",
            "/{rest}",
            "/new/{path}",
            "https://{rest}",
            "https:///a",
            "https://{path}",
            "https://a{host}",
            "https://{host}a",
            "https://{host}:x/",
            "https://{host}:99999/",
            "https://u@a/",
            "https://a{rest}.test",
            "{host}/a",
            "{scheme}:/a",
            "ftp://a",
            "javascript:alert(1)",
            "{path}",
            "{path}{query}",
            "{scheme}://{host}{path}",
            "{rest}{path}",
            "{path}{rest}",
            "/a{rest}/b",
            "/a?next={path}",
            "/a?b{query}",
            "/a{query}?b",
            "/a{query}{query}",
            "/a#b{query}",
            "/a{port}",
            "/a{",
            "/a}",
            "/a/../b",
            "/a b",
            "/a\r\nset-cookie: b",
            "/a?b\r\nc",
            "/a\\b",
        ] {
            assert!(redirect_to(place, Some(4)).is_err(), "{place}");
        }
        let (problem, _) = redirect_to("/new{rest}", None).unwrap_err();
        assert!(problem.contains("no /* for it"), "{problem}");
        assert!(redirect_to("{rest}", Some(0)).is_err(), "all of the path once more");
        assert!(
            redirect_to("/a{port}", None).unwrap_err().0.contains("{port}, and the placeholders")
        );
    }

    proptest! {
        /// Whatever path is asked for, the client lands on the host that the operator named.
        #[test]
        fn no_request_chooses_the_host(
            place in "(/[a{}]{0,2}|https://a\\.test|\\{scheme\\}://\\{host\\})?(/n)?(\\{path\\}|\\{rest\\}){0,2}(\\{query\\})?",
            path in "/old(/[a./@:;]{0,6})?",
            query in proptest::option::of("[a/:@?.]{0,6}"),
        ) {
            if let (Ok(to), Ok(path)) = (redirect_to(&place, Some(4)), canonical_path(&path)) {
                let redirect = Redirect { status: StatusCode::FOUND, to, base: 4 };
                let asked =
                    Asked { scheme: "http", host: "here.test", path: &path, query: query.as_deref() };
                let location = redirect.location(&asked).expect("a place");
                let location = location.to_str().expect("ASCII");
                let host = match location.split_once("://") {
                    Some((_, rest)) if !location.starts_with('/') => {
                        rest.split(['/', '?', '#']).next().unwrap_or_default()
                    }
                    _ => {
                        prop_assert!(location.starts_with('/'), "{}", location);
                        prop_assert!(!location.starts_with("//"), "{}", location);
                        "here.test"
                    }
                };
                prop_assert!(host == "here.test" || host == "a.test", "{}", location);
            }
        }
    }
}

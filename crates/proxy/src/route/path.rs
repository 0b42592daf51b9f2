//! Another path on the way to the upstream.
//!
//! What is rewritten is the canonical path that the request was routed on, and what comes out is canonical
//! again: a part of the old path always begins with a slash or is empty, and what is put before it never
//! ends with one. So no spelling of a request gets out of the place that the operator named.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode, Uri};

use crate::target::{Refused, origin_form};

/// How the path changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRewrite {
    /// Length of what is cut off at the front; `None`: everything.
    cut: Option<usize>,
    /// What is put there instead.
    to: Box<str>,
    /// What was stripped, told to the upstream as `X-Forwarded-Prefix`.
    stripped: Option<HeaderValue>,
}

impl PathRewrite {
    /// Takes a prefix such as `/api` away.
    pub(crate) fn strip(prefix: &str) -> Self {
        Self {
            cut: Some(prefix.len()),
            to: Box::default(),
            stripped: HeaderValue::from_str(prefix).ok().filter(|prefix| !prefix.is_empty()),
        }
    }

    /// Puts `to` in the place of `prefix`; both without a slash at the end.
    pub(crate) fn replace(prefix: &str, to: &str) -> Self {
        if to.is_empty() {
            return Self::strip(prefix);
        }
        Self { cut: Some(prefix.len()), to: to.into(), stripped: None }
    }

    /// The same path for every request.
    pub(crate) fn fixed(path: &str) -> Self {
        Self { cut: None, to: path.into(), stripped: None }
    }

    /// The prefix that the upstream doesn't see.
    #[must_use]
    pub fn stripped(&self) -> Option<&HeaderValue> {
        self.stripped.as_ref()
    }

    /// The path that the upstream gets for a canonical path of the route.
    #[must_use]
    pub fn path<'p>(&'p self, path: &'p str) -> Cow<'p, str> {
        let rest = self.cut.and_then(|cut| path.get(cut..)).unwrap_or_default();
        match (&*self.to, rest) {
            ("", "") => Cow::Borrowed("/"),
            (to, "") => Cow::Borrowed(to),
            ("", rest) => Cow::Borrowed(rest),
            (to, rest) => Cow::Owned([to, rest].concat()),
        }
    }

    /// Changes a request target whose path is canonical; its query stays.
    ///
    /// # Errors
    /// [`Refused`]: 414 if the new one is too long.
    pub(crate) fn apply(&self, uri: &mut Uri) -> Result<(), Refused> {
        *uri = origin_form(&self.path(uri.path()), uri.query()).ok_or_else(|| {
            Refused::new(
                StatusCode::URI_TOO_LONG,
                "target_too_long",
                "the request target is too long for the path that this route forwards to",
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::target::canonical_path;

    #[test]
    fn prefixes_are_stripped_or_replaced_and_what_follows_stays() {
        let strip = PathRewrite::strip("/api");
        let replace = PathRewrite::replace("/old", "/new/v1");
        let fixed = PathRewrite::fixed("/one");
        let under = PathRewrite::replace("", "/under");
        for (rewrite, path, want) in [
            (&strip, "/api", "/"),
            (&strip, "/api/", "/"),
            (&strip, "/api/a/b", "/a/b"),
            (&replace, "/old", "/new/v1"),
            (&replace, "/old/", "/new/v1/"),
            (&replace, "/old/a", "/new/v1/a"),
            (&fixed, "/any/thing", "/one"),
            (&under, "/", "/under/"),
            (&under, "/a", "/under/a"),
        ] {
            assert_eq!(rewrite.path(path), want, "{path}");
        }
        assert_eq!(strip.stripped().unwrap(), "/api");
        assert_eq!(PathRewrite::replace("/old", "").stripped().unwrap(), "/old");
        assert!(replace.stripped().is_none() && under.stripped().is_none());
    }

    #[test]
    fn the_query_stays() {
        let mut uri: Uri = "/api/a?b=/../c".parse().unwrap();
        PathRewrite::strip("/api").apply(&mut uri).unwrap();
        assert_eq!(uri, "/a?b=/../c");
        let mut long: Uri = format!("/a?{}", "b".repeat(65_000)).parse().unwrap();
        let refused = PathRewrite::replace("", &"/new".repeat(200)).apply(&mut long).unwrap_err();
        assert_eq!(refused.status, 414);
    }

    proptest! {
        /// Whatever a client writes: refused, or a canonical path below the place that was named.
        #[test]
        fn what_comes_out_is_canonical_and_stays_below_its_place(
            base in "(/[ab.]{1,2}){0,2}",
            rest in "(/[ab.%25eEfF;]{0,4}){0,3}",
            to in "(/[xy]{1,2}){0,2}",
        ) {
            let asked = format!("{base}{rest}");
            if let (Ok(_), Ok(path)) = (canonical_path(&format!("{base}/")), canonical_path(&asked)) {
                let rewritten = PathRewrite::replace(&base, &to).path(&path).into_owned();
                let again = canonical_path(&rewritten).expect("a canonical path");
                prop_assert!(matches!(again, Cow::Borrowed(_)), "{}", rewritten);
                prop_assert!(
                    rewritten == to || rewritten.starts_with(&format!("{to}/")),
                    "{} is not below {}", rewritten, to
                );
            }
        }
    }
}

//! Paths: those that routes match, and those that the proxy itself uses.

use super::{Complaint, complain};
use crate::target::canonical_path;

/// A route's path as it is matched: canonical, `/*` only at the end.
///
/// Only what has one spelling may be matched on. `/a:b` may arrive as `/a%3Ab`, which is another path to
/// the proxy and the same one to many servers: a rule for it could be passed by.
pub(in crate::config) fn route_path(text: &str) -> Result<String, Complaint> {
    if !text.starts_with('/') {
        return complain(
            format!("the path \"{text}\" does not start with /"),
            "write \"/hello\" for one path, or \"/chat/*\" for all below it",
        );
    }
    let (base, prefix) = match text.strip_suffix("/*") {
        Some(base) => (base, "/*"),
        None => (text, ""),
    };
    if base.contains('*') {
        return complain(
            format!("the path \"{text}\" has a * that is not its last segment"),
            "write /* at the end for everything below a path; there are no other patterns",
        );
    }
    if let Some(odd) =
        base.chars().find(|&c| c.is_ascii() && !c.is_ascii_alphanumeric() && !"-._~/%".contains(c))
    {
        return complain(
            format!("the path \"{text}\" has the character {odd:?}"),
            "routes match on letters, digits, - . _ ~ and / only: anything else may arrive in more than one spelling; match a shorter prefix",
        );
    }
    let mut encoded = String::new();
    for c in base.chars() {
        if c.is_ascii() {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    // The base of `/*` is empty; that of `/a/*` must not end in a slash, or it would be `/a//*`.
    if base.is_empty() && !prefix.is_empty() {
        return Ok(text.to_owned());
    }
    if !prefix.is_empty() && base.ends_with('/') {
        return complain(format!("the path \"{text}\" has an empty segment (//)"), "remove it");
    }
    match canonical_path(&encoded) {
        Ok(canonical) => {
            let is_ascii = canonical.match_indices('%').all(|(at, _)| {
                // What stays encoded and is ASCII has two spellings.
                u8::from_str_radix(&canonical[at + 1..at + 3], 16).is_ok_and(|byte| byte >= 0x80)
            });
            if is_ascii {
                Ok(format!("{canonical}{prefix}"))
            } else {
                complain(
                    format!("the path \"{text}\" has an encoded reserved character"),
                    "routes match on letters, digits, - . _ ~ and / only; match a shorter prefix",
                )
            }
        }
        Err(refused) => complain(
            format!("no request can have the path \"{text}\": {}", refused.message),
            "write the path without it",
        ),
    }
}

/// A path that a route forwards to: canonical, `/*` only at the end.
pub(in crate::config) fn forwarded_path(text: &str) -> Result<String, Complaint> {
    let base = text.strip_suffix("/*").unwrap_or(text);
    let is_root = base.is_empty() && !text.is_empty();
    let slash = base.len() < text.len() && base.ends_with('/');
    let fine = canonical_path(base).is_ok_and(|canonical| canonical == base);
    if (is_root || fine) && !slash && !base.contains('*') {
        Ok(text.to_owned())
    } else {
        complain(
            format!("\"{text}\" is not a path to forward to"),
            "write \"/new/*\" (the * stands for what the route's own * stands for) or \"/new\", percent-encoded where needed",
        )
    }
}

/// A path that the proxy itself asks for or redirects to; a query is allowed.
pub(in crate::config) fn own_path(text: &str) -> Result<String, Complaint> {
    let path = text.split('?').next().unwrap_or_default();
    let fine = canonical_path(path).is_ok_and(|canonical| canonical == path)
        && text.bytes().all(|byte| (0x21..0x7f).contains(&byte) && !b"#\"<>\\".contains(&byte));
    if fine {
        Ok(text.to_owned())
    } else {
        complain(
            format!("\"{text}\" is not a path"),
            "write it from its / on, percent-encoded where needed, such as \"/auth/verify\"",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_paths_have_one_spelling() {
        for (text, want) in [
            ("/", "/"),
            ("/*", "/*"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a/b.c/*", "/a/b.c/*"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/caf%c3%a9/*", "/caf%C3%A9/*"),
            ("/%61", "/a"),
        ] {
            assert_eq!(route_path(text).as_deref(), Ok(want));
        }
        for text in [
            "",
            "a",
            "*",
            "/a*",
            "/*/b",
            "/a/*/",
            "/a//b",
            "//*",
            "/a//*",
            "/../a",
            "/a/./*",
            "/a%2fb",
            "/a:b",
            "/a?b",
            "/a b",
            "/a%3Ab",
            "/a%",
            "/a\\b",
            "/%2e%2e/*",
            "/@me",
        ] {
            assert!(route_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forwarded_paths_are_canonical() {
        for text in ["/", "/*", "/a", "/a/", "/a/*", "/a:b/%20/*"] {
            assert_eq!(forwarded_path(text).as_deref(), Ok(text));
        }
        for text in ["", "*", "a", "/a*", "/*/a", "//*", "/a//*", "/a/../b", "/%61", "/a?b", "/a b"]
        {
            assert!(forwarded_path(text).is_err(), "{text}");
        }
    }
}

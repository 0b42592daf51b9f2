//! The small languages inside values: durations, sizes, endpoints, host patterns, route paths.
//!
//! Each reader returns what is wrong and what to write instead.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Endpoint, Place};
use crate::target::{canonical_path, normal_host};

/// What is wrong with a value, and the remedy.
pub(super) type Complaint = (String, String);

fn complain<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Complaint> {
    Err((problem.into(), remedy.into()))
}

/// The longest duration that is taken: ten years, far from any overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// `250ms`, `5s`, `2m`, `1h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, Complaint> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds: Option<u64> = match unit.trim_start() {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let remedy = "write a whole number and ms, s, m, h or d, such as \"5s\"";
    let (Ok(number), Some(unit)) = (number.parse::<u64>(), milliseconds) else {
        return complain(format!("\"{text}\" is not a duration"), remedy);
    };
    match number.checked_mul(unit).map(Duration::from_millis) {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => complain(format!("\"{text}\" is too long"), "the longest is ten years"),
    }
}

/// `512`, `64KiB`, `10MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Result<u64, Complaint> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let bytes: Option<u64> = match unit.trim_start() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    match (number.parse::<u64>().ok(), bytes) {
        (Some(number), Some(unit)) if number.checked_mul(unit).is_some() => Ok(number * unit),
        _ => complain(
            format!("\"{text}\" is not a size"),
            "write a number of bytes, or a string such as \"64KiB\", \"10MiB\" or \"1GiB\"",
        ),
    }
}

/// `50%`.
pub(super) fn percent(text: &str) -> Result<u8, Complaint> {
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<u8>().ok());
    match number {
        Some(number @ 0..=100) => Ok(number),
        _ => complain(
            format!("\"{text}\" is not a part of a whole"),
            "write a whole number from 0 to 100 and %, such as \"50%\"",
        ),
    }
}

/// `0%` to `100%`, with up to four places: how many of 2^32.
pub(super) fn share(text: &str) -> Result<u64, Complaint> {
    let number = text.strip_suffix('%').map(str::trim_end);
    let plain = |number: &&str| {
        let places = number.split_once('.').map_or(0, |(_, places)| places.len());
        places <= 4 && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    match number.filter(plain).and_then(|number| number.parse::<f64>().ok()) {
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            Ok((percent / 100.0 * (1_u64 << 32) as f64).round() as u64)
        }
        _ => complain(
            format!("\"{text}\" is not a share"),
            "write a number from 0 to 100 and %, such as \"5%\" or \"0.1%\"",
        ),
    }
}

/// `unix:/path`, or a host and a port.
pub(super) fn place(text: &str) -> Result<Place, Complaint> {
    let Some(path) = text.strip_prefix("unix:") else { return endpoint(text).map(Place::Net) };
    // The system takes no longer path, and a relative one would depend on where the proxy was started.
    if path.starts_with('/') && path.len() <= 107 && !path.contains('\0') {
        Ok(Place::Unix(path.into()))
    } else {
        complain(
            format!("\"{text}\" is not the path of a socket"),
            "write it from the root on, such as \"unix:/run/app.sock\", in at most 107 bytes",
        )
    }
}

/// What a certificate may be for: a name or an IP address.
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>, Complaint> {
    ServerName::try_from(text.to_owned()).or_else(|_| {
        complain(
            format!("\"{text}\" can't be the name in a certificate"),
            "write a host name or an IP address, such as \"backend.internal\"",
        )
    })
}

/// `name:port`, `127.0.0.1:port` or `[::1]:port`.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, Complaint> {
    let remedy = "write host:port without a scheme, such as \"backend:9000\", \"127.0.0.1:9000\" or \"[::1]:9000\"";
    let wrong = || (format!("\"{text}\" is not a server"), remedy.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let inner = rest.strip_suffix(']').ok_or_else(wrong)?;
            inner.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            inner
        }
        None if is_name(host) => host,
        None => return Err(wrong()),
    };
    Ok(Endpoint { host: host.to_ascii_lowercase(), port })
}

/// Whether a text may be a DNS name or an IPv4 address.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.trim_end_matches('.').split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
}

/// A host name, `*.suffix` or `*`, in the form that is matched.
pub(super) fn host_pattern(text: &str) -> Result<String, Complaint> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let remedy = "write \"example.org\", \"*.example.org\", an IP address (IPv6 in brackets), or \"*\" for every host";
    let (star, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    if let Some(inner) = name.strip_prefix('[') {
        let ip = inner.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        if ip && star.is_empty() {
            return Ok(text.to_ascii_lowercase());
        }
    } else if is_name(name) {
        return Ok(format!("{star}{}", normal_host(name)));
    } else if is_name(name.split(':').next().unwrap_or_default()) {
        return complain(format!("\"{text}\" has a port"), "leave the port out: it is ignored");
    }
    complain(format!("\"{text}\" is not a host name"), remedy)
}

/// A route's path as it is matched: canonical, `/*` only at the end.
///
/// Only what has one spelling may be matched on. `/a:b` may arrive as `/a%3Ab`, which is another path to
/// the proxy and the same one to many servers: a rule for it could be passed by.
pub(super) fn route_path(text: &str) -> Result<String, Complaint> {
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
pub(super) fn forwarded_path(text: &str) -> Result<String, Complaint> {
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
pub(super) fn own_path(text: &str) -> Result<String, Complaint> {
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

/// `https://chat.example.org` or `http://127.0.0.1:8080`: scheme and authority, nothing more.
pub(super) fn origin(text: &str) -> Result<String, Complaint> {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fine = authority.is_some_and(|authority| {
        endpoint(authority).is_ok() || host_pattern(authority).is_ok_and(|host| !host.contains('*'))
    });
    if fine {
        Ok(text.to_ascii_lowercase())
    } else {
        complain(
            format!("\"{text}\" is not an origin"),
            "write scheme and host as a browser sends them, without a path, such as \"https://chat.example.org\"",
        )
    }
}

/// `10.0.0.0/8`, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, Complaint> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).or_else(|_| {
        complain(
            format!("\"{text}\" is not a network"),
            "write an address with the length of its prefix, such as \"10.0.0.0/8\", or one address",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("1 s", 1000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1.5s", "5 sec", "99999999999999999999s", "9999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in
            [("512", 512), ("64KiB", 65_536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "64k", "64KB", "-1", "99999999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_are_percentages() {
        assert_eq!([percent("0%"), percent("50 %"), percent("100%")], [Ok(0), Ok(50), Ok(100)]);
        for text in ["", "%", "50", "101%", "-1%", "1.5%", "300%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        for (text, parts) in [
            ("0%", 0),
            ("100%", 1 << 32),
            ("50 %", 1 << 31),
            ("0.1%", 4_294_967),
            ("12.5%", 1 << 29),
        ] {
            assert_eq!(share(text), Ok(parts), "{text}");
        }
        for text in ["", "%", "5", "101%", "-1%", "1e1%", "NaN%", "0.00001%", "1.%.", "."] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn servers_are_host_and_port() {
        let ok = |text: &str| endpoint(text).map(|e| (e.host, e.port)).unwrap();
        assert_eq!(ok("Backend-auth:9000"), ("backend-auth".to_owned(), 9000));
        assert_eq!(ok("[::1]:80"), ("::1".to_owned(), 80));
        assert_eq!(ok("chat_tracker.internal.:1"), ("chat_tracker.internal.".to_owned(), 1));
        for text in [
            "",
            "a",
            "a:",
            ":80",
            "a:0",
            "a:70000",
            "http://a:80",
            "::1:80",
            "a b:80",
            "a..b:1",
            "[x]:1",
        ] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_may_be_a_socket_in_the_file_system() {
        assert_eq!(place("unix:/run/app.sock"), Ok(Place::Unix("/run/app.sock".into())));
        assert!(matches!(place("app:80"), Ok(Place::Net(_))));
        for text in ["unix:", "unix:80", "unix:app.sock", &format!("unix:/{}", "a".repeat(107))] {
            assert!(place(text).is_err(), "{text}");
        }
        assert!(origin("https://unix:/run/app.sock").is_err());
    }

    #[test]
    fn host_patterns_are_normalised() {
        for (text, want) in [
            ("*", "*"),
            ("Example.ORG.", "example.org"),
            ("*.Example.org", "*.example.org"),
            ("127.0.0.1", "127.0.0.1"),
            ("[FE80::1]", "[fe80::1]"),
        ] {
            assert_eq!(host_pattern(text).as_deref(), Ok(want));
        }
        for text in
            ["", "*.", "a.*", "*a.org", "a:80", "http://a", "a/b", "[::1]:80", "*.[::1]", "a b"]
        {
            assert!(host_pattern(text).is_err(), "{text}");
        }
    }

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

    #[test]
    fn origins_have_scheme_and_host_only() {
        for text in ["https://chat.example.org", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for text in
            ["chat.example.org", "https://a/", "ftp://a", "https://*", "null", "https://u@a"]
        {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}

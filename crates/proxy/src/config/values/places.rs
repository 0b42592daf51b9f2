//! Where something is: servers, hosts, origins, networks.

use std::net::IpAddr;

use ipnet::IpNet;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Complaint, complain};
use crate::config::{Endpoint, Place};
use crate::target::normal_host;

/// `unix:/path`, or a host and a port.
pub(in crate::config) fn place(text: &str) -> Result<Place, Complaint> {
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
pub(in crate::config) fn server_name(text: &str) -> Result<ServerName<'static>, Complaint> {
    ServerName::try_from(text.to_owned()).or_else(|_| {
        complain(
            format!("\"{text}\" can't be the name in a certificate"),
            "write a host name or an IP address, such as \"backend.internal\"",
        )
    })
}

/// `name:port`, `127.0.0.1:port` or `[::1]:port`.
pub(in crate::config) fn endpoint(text: &str) -> Result<Endpoint, Complaint> {
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
pub(in crate::config) fn host_pattern(text: &str) -> Result<String, Complaint> {
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

/// `https://chat.example.org` or `http://127.0.0.1:8080`: scheme and authority, nothing more.
pub(in crate::config) fn origin(text: &str) -> Result<String, Complaint> {
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
pub(in crate::config) fn network(text: &str) -> Result<IpNet, Complaint> {
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

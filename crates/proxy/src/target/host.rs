//! Hosts, as `Host` and an authority give them.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The host of `host[:port]`, still as written; `None` if it is not one. IPv6 keeps its brackets.
pub(super) fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at(end);
        if host[1..end - 1].parse::<Ipv6Addr>().is_err() {
            return None;
        }
        (host, rest)
    } else {
        let end = authority.bytes().position(|byte| byte == b':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        if !is_name(host.as_bytes()) {
            return None;
        }
        (host, port)
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(host),
        Some(digits) => {
            let fine = digits.len() <= 5
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.is_empty() || digits.parse::<u16>().is_ok());
            fine.then_some(host)
        }
    }
}

/// Labels of letters, digits, `-` and `_` (container names have it), with a dot between them, and
/// perhaps one at the end.
fn is_name(host: &[u8]) -> bool {
    let mut after_dot = true;
    for &byte in host {
        match byte {
            b'.' if after_dot => return false,
            b'.' => after_dot = true,
            b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => after_dot = false,
            _ => return false,
        }
    }
    !host.is_empty() && host.len() <= 255
}

/// A host in the form that is matched: lower case, no port, no trailing dot.
pub(crate) fn normal_host(host: &str) -> Cow<'_, str> {
    let odd = |byte: u8| byte == b':' || byte.is_ascii_uppercase();
    if !host.bytes().any(odd) && !host.ends_with('.') {
        return Cow::Borrowed(host);
    }
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

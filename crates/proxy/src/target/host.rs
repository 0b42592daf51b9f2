//! Hosts, as `Host` and an authority give them.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The host of `host[:port]`, still as written; `None` if it is not one. IPv6 keeps its brackets.
pub(super) fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at(end);
        let inner = &host[1..end - 1];
        if inner.parse::<Ipv6Addr>().is_err() {
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

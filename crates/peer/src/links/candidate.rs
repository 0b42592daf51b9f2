//! Candidates of the other side (RFC 8839 §5.1): which of them this device can do something with.

use std::net::{IpAddr, SocketAddr};

use str0m::Candidate;
use str0m::net::Protocol;

/// Reads a candidate line. `None` for those that are no use here: other transports than UDP, names instead of
/// addresses (a browser hides its own behind mDNS names; it finds us, and its checks tell us where it is), and
/// addresses that can't be one device's.
pub(super) fn parse(line: &str) -> Option<Candidate> {
    let line = line.trim();
    let candidate = Candidate::from_sdp_string(line.strip_prefix("a=").unwrap_or(line)).ok()?;
    (candidate.proto() == Protocol::Udp && is_usable(candidate.addr())).then_some(candidate)
}

fn is_usable(addr: SocketAddr) -> bool {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => !(ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast()),
        // A link-local address means nothing without the interface; a mapped one belongs to no IPv6 socket.
        IpAddr::V6(ip) => {
            !(ip.is_multicast()
                || ip.is_unspecified()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some())
        }
    };
    ip && addr.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use str0m::CandidateKind;

    #[test]
    fn what_browsers_send_is_read() {
        let host = "candidate:3684617590 1 udp 2122260223 192.0.2.9 50028 typ host generation 0 ufrag jYV5 network-id 1 network-cost 900";
        let relay =
            "a=candidate:1 1 UDP 41885439 192.0.2.1 3480 typ relay raddr 192.0.2.9 rport 50028";
        assert_eq!(parse(host).unwrap().addr(), "192.0.2.9:50028".parse().unwrap());
        assert_eq!(parse(relay).unwrap().kind(), CandidateKind::Relayed);
        let six = "candidate:1 1 udp 2122260223 2001:db8::9 50028 typ host";
        assert_eq!(parse(six).unwrap().addr(), "[2001:db8::9]:50028".parse().unwrap());
    }

    #[test]
    fn what_is_no_use_is_passed_over() {
        for wrong in [
            "candidate:1 1 udp 2113937151 4c4e5fa0-3a8a-4a2b-9a2f-1c3b0a7f5a55.local 53299 typ host",
            "candidate:1 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
            "candidate:1 1 udp 1 224.0.0.251 5353 typ host",
            "candidate:1 1 udp 1 255.255.255.255 5353 typ host",
            "candidate:1 1 udp 1 0.0.0.0 5353 typ host",
            "candidate:1 1 udp 1 192.0.2.9 0 typ host",
            "candidate:1 1 udp 1 fe80::1 5353 typ host",
            "candidate:1 1 udp 1 ::ffff:192.0.2.9 5353 typ host",
            "candidate:1 1 udp 1 192.0.2.9 99999 typ host",
            "candidate:",
            "",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in ".{0,200}",
            words in "candidate:[0-9]{1,12} [0-9]{1,6} [a-z]{2,4} [0-9]{1,11} [0-9a-f.:]{1,40} [0-9]{1,6} typ [a-z]{2,5}( [ -~]{0,40})?",
        ) {
            let _ = parse(&text);
            let _ = parse(&words);
        }
    }
}

//! Which of the machine's addresses others can be given.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses in use at most.
const MOST: usize = 16;
/// Addresses that no machine has (RFC 5737, RFC 3849): the way there is the way to everywhere.
const ELSEWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The machine's usable addresses now, the most useful for others first; or the one that was asked for.
///
/// # Errors
/// When the system can't tell them, or the one that was asked for isn't the machine's.
pub(super) fn usable(asked: Option<IpAddr>) -> io::Result<Vec<IpAddr>> {
    let all: Vec<_> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(if_addrs::Interface::is_oper_up)
        .map(|interface| interface.ip())
        .collect();
    match asked {
        Some(ip) if ip.is_loopback() || all.contains(&ip) => Ok(vec![ip]),
        Some(ip) => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!("{ip} is none of this machine's addresses"),
        )),
        None => Ok(chosen(all, &ELSEWHERE.map(source).into_iter().flatten().collect::<Vec<_>>())),
    }
}

/// From which address the system would send to another: a question to its routing table; nothing is sent.
pub(super) fn source(destination: IpAddr) -> Option<IpAddr> {
    let unspecified: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(unspecified, 0)).ok()?;
    socket.connect(SocketAddr::new(destination, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Sorts out and sorts. `preferred` are those with a way to everywhere.
fn chosen(mut all: Vec<IpAddr>, preferred: &[IpAddr]) -> Vec<IpAddr> {
    all.retain(|ip| is_reachable(*ip));
    if all.iter().any(|ip| !ip.is_loopback()) {
        all.retain(|ip| !ip.is_loopback());
    }
    all.sort_by_key(|ip| (!preferred.contains(ip), ip.is_ipv6(), *ip));
    all.dedup();
    all.truncate(MOST);
    if all.is_empty() {
        // A machine without any network may still run two peers.
        all.push(Ipv4Addr::LOCALHOST.into());
    }
    all
}

/// Whether an address alone tells where it is: a link-local one needs an interface's name, too.
fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_link_local() || ip.is_unspecified() || ip.is_multicast()),
        IpAddr::V6(ip) => !(ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_for_machines_without_anything_else() {
        let loopback = ips(&["127.0.0.1", "::1", "fe80::1", "169.254.1.1"]);
        assert_eq!(chosen(loopback.clone(), &[]), ips(&["127.0.0.1", "::1"]));
        assert_eq!(chosen([loopback, ips(&["10.0.0.1"])].concat(), &[]), ips(&["10.0.0.1"]));
        assert_eq!(chosen(Vec::new(), &[]), ips(&["127.0.0.1"]));
    }

    #[test]
    fn the_way_to_everywhere_comes_first() {
        let all = ips(&["172.17.0.1", "2001:db8::7", "192.168.1.5", "172.17.0.1"]);
        let preferred = ips(&["192.168.1.5", "2001:db8::7"]);
        assert_eq!(chosen(all, &preferred), ips(&["192.168.1.5", "2001:db8::7", "172.17.0.1"]));
    }

    #[test]
    fn there_are_only_so_many() {
        let all = (0..100).map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))).collect();
        assert_eq!(chosen(all, &[]).len(), MOST);
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_that_names_it() {
        let error = usable(Some(ELSEWHERE[0])).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
        assert_eq!(usable(Some(Ipv4Addr::LOCALHOST.into())).unwrap(), ips(&["127.0.0.1"]));
    }

    #[test]
    fn the_routing_table_is_asked() {
        assert_eq!(source(Ipv4Addr::LOCALHOST.into()), Some(Ipv4Addr::LOCALHOST.into()));
    }
}

//! Where others can open this chat: guesses, best first.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::client::{Client, Proto};
use crate::origin::Origin;

/// Likely addresses: the configured origin; else the host that the asker used, unless it is "this
/// machine"; else the machine's own addresses with the asker's port.
pub fn likely(origin: Option<&Origin>, client: &Client, machine: &[Ipv4Addr]) -> Vec<String> {
    if let Some(origin) = origin {
        return vec![origin.to_string()];
    }
    let Some(authority) = client.host.as_deref().and_then(|host| host.parse().ok()) else {
        return Vec::new();
    };
    let authority: http::uri::Authority = authority;
    let scheme = if client.forwarded_proto == Some(Proto::Https) { "https" } else { "http" };
    if !is_loopback(authority.host()) {
        return vec![format!("{scheme}://{authority}")];
    }
    let port = authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    machine.iter().map(|ip| format!("{scheme}://{ip}{port}")).collect()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// This machine's addresses on real networks, private ones first. None inside a container: those are
/// known to nobody outside.
pub fn of_this_machine() -> Vec<Ipv4Addr> {
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        return Vec::new();
    }
    let mut found: Vec<Ipv4Addr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !is_virtual(&interface.name))
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) if !ip.is_link_local() => Some(ip),
            _ => None,
        })
        .collect();
    found.sort_by_key(|ip| (!ip.is_private(), *ip));
    found.dedup();
    found
}

/// Bridges of container and virtual-machine managers: their addresses mean nothing outside.
fn is_virtual(name: &str) -> bool {
    ["docker", "br-", "veth", "virbr", "cni", "podman", "vmnet", "lxc", "lxd"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str, proto: Option<Proto>) -> Client {
        Client {
            ip: Ipv4Addr::LOCALHOST.into(),
            forwarded_proto: proto,
            host: Some(host.to_owned()),
            user_agent: String::new(),
            request_id: String::new(),
        }
    }

    const LAN: [Ipv4Addr; 1] = [Ipv4Addr::new(192, 168, 1, 5)];

    #[test]
    fn the_public_origin_is_the_address() {
        let origin = Origin::parse("https://chat.example.org").unwrap();
        let found = likely(Some(&origin), &asked("localhost:8080", None), &LAN);
        assert_eq!(found, ["https://chat.example.org"]);
    }

    #[test]
    fn a_host_that_worked_for_the_asker_works_for_others() {
        assert_eq!(likely(None, &asked("10.1.2.3:8080", None), &LAN), ["http://10.1.2.3:8080"]);
        let proxied = asked("chat.lan", Some(Proto::Https));
        assert_eq!(likely(None, &proxied, &LAN), ["https://chat.lan"]);
    }

    #[test]
    fn localhost_becomes_the_machine_s_address_with_the_same_port() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "chat.localhost:8080"] {
            assert_eq!(
                likely(None, &asked(host, None), &LAN),
                ["http://192.168.1.5:8080"],
                "{host}"
            );
        }
        assert!(likely(None, &asked("localhost", None), &[]).is_empty());
        assert!(likely(None, &asked("not a host", None), &LAN).is_empty());
    }
}

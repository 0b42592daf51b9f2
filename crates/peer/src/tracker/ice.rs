//! STUN and TURN servers: from what the tracker tells to addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use wire::signal::Ice;

use crate::links::{IceServers, TurnServer};

/// The port of STUN and TURN (RFC 8489 §18.6, RFC 8656 §4).
const PORT: u16 = 3478;
/// Addresses of one name that are used.
const ADDRESSES: usize = 4;
/// How long until the servers are asked for again when nothing of them ends.
const LASTING: Duration = Duration::from_secs(30 * 60);
/// The soonest that they are asked for again.
const SOONEST: Duration = Duration::from_secs(10);

/// A server's name and port; `None` for a URL of another kind: TLS, or TURN over TCP.
fn place<'a>(url: &'a str, scheme: &str) -> Option<(&'a str, u16)> {
    let rest = url.strip_prefix(scheme)?.strip_prefix(':')?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !matches!(query, "" | "transport=udp") {
        return None;
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then_some((host, port))
}

/// Resolves the servers' names. `host` is where the tracker was reached; those that can't be resolved are left out.
pub async fn resolve(ice: &Ice, host: &str) -> IceServers {
    let mut servers = IceServers::default();
    let own = ice.stun_port.map(|port| (host, port));
    for (host, port) in own.into_iter().chain(ice.stun.iter().filter_map(|url| place(url, "stun")))
    {
        servers.stun.extend(look_up(host, port).await);
    }
    for turn in ice.turn.iter() {
        for (host, port) in turn.urls.iter().filter_map(|url| place(url, "turn")) {
            servers.turn.extend(look_up(host, port).await.into_iter().map(|addr| TurnServer {
                addr,
                username: turn.username.clone(),
                credential: turn.credential.clone(),
            }));
        }
    }
    servers
}

async fn look_up(host: &str, port: u16) -> Vec<SocketAddr> {
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.take(ADDRESSES).map(unmapped).collect(),
        Err(error) => {
            tracing::debug!(host, %error, "this STUN or TURN server can't be found");
            Vec::new()
        }
    }
}

fn unmapped(addr: SocketAddr) -> SocketAddr {
    let ip: IpAddr = addr.ip().to_canonical();
    SocketAddr::new(ip, addr.port())
}

/// How long these servers are good for: credentials are renewed after four fifths of their time.
pub fn good_for(ice: &Ice, now: Timestamp) -> Duration {
    let Some(turn) = &ice.turn else { return LASTING };
    let Ok(ends) = turn.expires_at.parse::<Timestamp>() else { return SOONEST };
    let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
    left.mul_f64(0.8).clamp(SOONEST, LASTING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::signal::Turn;

    fn ice(urls: &[&str]) -> Ice {
        let turn = Turn {
            urls: urls.iter().map(ToString::to_string).collect(),
            username: "1:alice".to_owned(),
            credential: "c".to_owned(),
            expires_at: "2026-01-01T01:00:00.000Z".to_owned(),
        };
        Ice { stun_port: Some(3479), stun: vec!["stun:127.0.0.2".to_owned()], turn: Some(turn) }
    }

    #[test]
    fn urls_over_udp_are_understood_and_others_are_left_out() {
        assert_eq!(place("turn:a:1?transport=udp", "turn"), Some(("a", 1)));
        assert_eq!(place("stun:a", "stun"), Some(("a", 3478)));
        assert_eq!(place("stun:[::1]:5", "stun"), Some(("::1", 5)));
        assert_eq!(place("stun:[::1]", "stun"), Some(("::1", 3478)));
        for url in ["turn:a?transport=tcp", "turns:a", "turn:", "turn:a:b", "stun:a", "turn:[::1"] {
            assert_eq!(place(url, "turn"), None, "{url}");
        }
    }

    #[tokio::test]
    async fn the_trackers_own_server_is_where_the_tracker_is() {
        let servers = resolve(&ice(&["turn:127.0.0.3:9?transport=udp"]), "127.0.0.1").await;
        let stun: Vec<String> = servers.stun.iter().map(ToString::to_string).collect();
        assert_eq!(stun, ["127.0.0.1:3479", "127.0.0.2:3478"]);
        assert_eq!(servers.turn[0].addr.to_string(), "127.0.0.3:9");
    }

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let ice = ice(&[]);
        assert_eq!(good_for(&ice, at("2026-01-01T00:50:00Z")), Duration::from_secs(480));
        assert_eq!(good_for(&ice, at("2026-01-01T02:00:00Z")), SOONEST);
        assert_eq!(good_for(&Ice { turn: None, ..ice }, at("2026-01-01T00:00:00Z")), LASTING);
    }
}

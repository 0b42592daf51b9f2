//! The servers that help two devices to find a way to each other (RFC 8445), and the credentials for them.
//!
//! TURN credentials are good for a while and need no talk with the TURN server, which shares a secret with
//! the tracker (coturn's `use-auth-secret`): the user name is the time of its end in seconds since 1970, a colon
//! and the peer id; the password is the Base64 of HMAC-SHA1 over the user name, keyed with the secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha1::Sha1;
use wire::signal::{Ice, Turn};

use crate::clock::rfc3339;
use crate::peers::PeerKey;
use crate::settings::{LinkArgs, Secret};

/// What clients are told.
#[derive(Debug, Clone)]
pub struct Servers {
    stun_port: Option<u16>,
    stun: Vec<String>,
    turn: Option<TurnServers>,
}

/// TURN servers that share one secret.
#[derive(Debug, Clone)]
struct TurnServers {
    urls: Vec<String>,
    secret: Secret,
    ttl: SignedDuration,
}

/// The flags contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--turn-url needs --turn-secret (TURN_SECRET), which the TURN server knows too")]
pub struct NoSecret;

impl Servers {
    /// What the flags come to.
    ///
    /// # Errors
    /// TURN servers without a secret.
    pub fn new(args: &LinkArgs) -> Result<Self, NoSecret> {
        let urls = texts(&args.turn_url);
        let secret = args.turn_secret.clone().filter(|secret| !secret.reveal().is_empty());
        let turn = match secret {
            _ if urls.is_empty() => None,
            None => return Err(NoSecret),
            Some(secret) => {
                let ttl = SignedDuration::from_secs(i64::from(args.turn_ttl));
                Some(TurnServers { urls, secret, ttl })
            }
        };
        Ok(Self { stun_port: None, stun: texts(&args.stun_url), turn })
    }

    /// The tracker's own STUN server listens on this port. Clients are told of it unless STUN servers were
    /// named.
    #[must_use]
    pub(crate) fn with_stun_port(mut self, port: Option<u16>) -> Self {
        self.stun_port = port.filter(|_| self.stun.is_empty());
        self
    }

    /// What a peer is told.
    pub fn servers(&self, peer: &PeerKey, now: Timestamp) -> Ice {
        Ice {
            stun_port: self.stun_port,
            stun: self.stun.clone(),
            turn: self.turn.as_ref().map(|turn| turn.credentials(peer, now)),
        }
    }
}

impl TurnServers {
    fn credentials(&self, peer: &PeerKey, now: Timestamp) -> Turn {
        let expires = now.checked_add(self.ttl).unwrap_or(Timestamp::MAX).as_second();
        let username = format!("{expires}:{}", peer.id());
        Turn {
            urls: self.urls.clone(),
            credential: credential(self.secret.reveal(), &username),
            username,
            expires_at: rfc3339(Timestamp::from_second(expires).unwrap_or(Timestamp::MAX)),
        }
    }
}

/// The password that belongs to a user name.
fn credential(secret: &str, username: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn texts(urls: &[IceUrl]) -> Vec<String> {
    urls.iter().filter(|url| !url.is_empty()).map(ToString::to_string).collect()
}

/// The URL of a STUN server (RFC 7064) or a TURN server (RFC 7065); or nothing, as an empty variable has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUrl(Box<str>);

/// A text is no such URL. The text says what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a STUN URL.
    #[error("must be like stun:HOST:PORT or stuns:HOST:PORT")]
    Stun,
    /// Not a TURN URL.
    #[error("must be like turn:HOST:PORT?transport=udp or turns:HOST:PORT?transport=tcp")]
    Turn,
}

impl IceUrl {
    /// Checks the URL of a STUN server.
    ///
    /// # Errors
    /// When it is none.
    pub fn stun(text: &str) -> Result<Self, UrlError> {
        let place = text.strip_prefix("stun:").or_else(|| text.strip_prefix("stuns:"));
        let fits = text.is_empty() || place.is_some_and(is_place);
        fits.then(|| Self(text.into())).ok_or(UrlError::Stun)
    }

    /// Checks the URL of a TURN server.
    ///
    /// # Errors
    /// When it is none.
    pub fn turn(text: &str) -> Result<Self, UrlError> {
        let place = text.strip_prefix("turn:").or_else(|| text.strip_prefix("turns:"));
        let fits = |place: &str| match place.split_once('?') {
            None => is_place(place),
            Some((place, query)) => {
                is_place(place) && ["transport=udp", "transport=tcp"].contains(&query)
            }
        };
        let fits = text.is_empty() || place.is_some_and(fits);
        fits.then(|| Self(text.into())).ok_or(UrlError::Turn)
    }

    /// Whether nothing was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`
fn is_place(text: &str) -> bool {
    if text.contains(['@', '/', '?', '#']) {
        return false;
    }
    let Ok(authority) = text.parse::<http::uri::Authority>() else { return false };
    let rest = text.strip_prefix(authority.host()).unwrap_or(text);
    !authority.host().is_empty() && (rest.is_empty() || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use wire::PeerId;

    #[derive(Parser)]
    struct Sample {
        #[command(flatten)]
        links: LinkArgs,
    }

    fn servers(flags: &[&str]) -> Result<Servers, NoSecret> {
        let line = ["sample"].iter().chain(flags);
        Servers::new(&Sample::try_parse_from(line).unwrap().links)
    }

    fn told(servers: &Servers) -> Ice {
        let alice = PeerKey::of(PeerId::parse("alice").unwrap());
        servers.servers(&alice, "2026-01-02T03:04:05.678Z".parse().unwrap())
    }

    #[test]
    fn hmac_sha1_gives_the_digests_of_rfc_2202() {
        for (key, data, hex) in [
            ("\x0b".repeat(20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                "Jefe".to_owned(),
                "what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
        ] {
            let bytes = STANDARD.decode(credential(&key, data)).unwrap();
            let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(shown, hex);
        }
    }

    /// `printf %s 1767326645:alice | openssl dgst -sha1 -hmac north -binary | base64`
    #[test]
    fn turn_credentials_are_what_coturn_computes_for_the_same_secret() {
        let flags = ["--turn-url", "turn:a.example:3478?transport=udp,turns:a.example"];
        let turn = servers(&[&flags[..], &["--turn-secret", "north"]].concat()).unwrap();
        let turn = told(&turn).turn.unwrap();
        assert_eq!(turn.username, "1767326645:alice");
        assert_eq!(turn.credential, "SGuYfYlrPyFttcIku/1iU/JhnSY=");
        assert_eq!(turn.expires_at, "2026-01-02T04:04:05.000Z");
        assert_eq!(turn.urls, ["turn:a.example:3478?transport=udp", "turns:a.example"]);
    }

    #[test]
    fn named_stun_servers_take_the_place_of_the_own_one() {
        let own = servers(&[]).unwrap().with_stun_port(Some(3478));
        let expected = Ice { stun_port: Some(3478), stun: Vec::new(), turn: None };
        assert_eq!(told(&own), expected);
        let named = servers(&["--stun-url", "stun:a.example"]).unwrap().with_stun_port(Some(3478));
        let stun = vec!["stun:a.example".to_owned()];
        assert_eq!(told(&named), Ice { stun_port: None, stun, turn: None });
    }

    #[test]
    fn turn_servers_need_a_secret_and_a_secret_alone_does_nothing() {
        assert_eq!(servers(&["--turn-url", "turn:a.example"]).unwrap_err(), NoSecret);
        let empty = ["--turn-url", "turn:a.example", "--turn-secret", ""];
        assert_eq!(servers(&empty).unwrap_err(), NoSecret);
        assert_eq!(told(&servers(&["--turn-secret", "x"]).unwrap()).turn, None);
    }

    #[test]
    fn urls_are_checked() {
        for good in ["stun:a", "stun:a.example:3478", "stuns:10.0.0.1", "stun:[::1]:9", ""] {
            assert!(IceUrl::stun(good).is_ok(), "{good}");
        }
        for wrong in ["stun:", "stun:a:", "stun:a:port", "stun:a b", "http://a", "stun://a", "a"] {
            assert_eq!(IceUrl::stun(wrong), Err(UrlError::Stun), "{wrong}");
        }
        for good in ["turn:a", "turns:a:443?transport=tcp", "turn:[::1]?transport=udp"] {
            assert!(IceUrl::turn(good).is_ok(), "{good}");
        }
        for wrong in ["turn:a?x=y", "turn:?transport=udp", "turn:u@a", "turn:a/b"] {
            assert_eq!(IceUrl::turn(wrong), Err(UrlError::Turn), "{wrong}");
        }
    }
}

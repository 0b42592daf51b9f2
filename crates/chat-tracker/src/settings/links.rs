//! The flags of direct links: devices, signals, STUN and TURN.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use clap::{Args as Flags, ValueEnum};

use crate::ice::IceUrl;

/// Direct links between peers.
#[derive(Debug, Clone, Flags)]
#[command(next_help_heading = "Direct links")]
pub struct LinkArgs {
    /// Devices of one peer; a further one takes the place of the one not seen for longest.
    #[arg(long, env = "DEVICES_PER_PEER", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub devices_per_peer: u32,
    /// Signals a second that one peer may send on average; 0 for no limit.
    #[arg(long, env = "SIGNAL_RATE", default_value_t = 50)]
    pub signal_rate: u32,
    /// Signals that one peer may send at once, after a pause.
    #[arg(long, env = "SIGNAL_BURST", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub signal_burst: u32,
    /// The tracker's own STUN server, by which devices learn their addresses: `on` or `off`.
    #[arg(long, env = "STUN", value_enum, default_value_t = Switch::On)]
    pub stun: Switch,
    /// The address of the STUN server; :: for all, IPv4 included.
    #[arg(long, env = "STUN_IP", default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    pub stun_ip: IpAddr,
    /// The UDP port of the STUN server; 0 for any free one.
    #[arg(long, env = "STUN_PORT", default_value_t = 3478)]
    pub stun_port: u16,
    /// Questions a second that one address may ask the STUN server on average; 0 for no limit.
    #[arg(long, env = "STUN_RATE", default_value_t = 200)]
    pub stun_rate: u32,
    /// Questions that one address may ask the STUN server at once: many people may share it.
    #[arg(long, env = "STUN_BURST", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub stun_burst: u32,
    /// STUN servers that clients are told of in place of the tracker's own, such as
    /// `stun:chat.example.org:3478`. Repeat it, or separate them by commas.
    #[arg(long, env = "STUN_URL", value_name = "URL", value_delimiter = ',', value_parser = IceUrl::stun)]
    pub stun_url: Vec<IceUrl>,
    /// TURN servers, which relay where no direct way can be had, such as
    /// `turn:chat.example.org:3478?transport=udp`. Repeat it, or separate them by commas.
    #[arg(long, env = "TURN_URL", value_name = "URL", value_delimiter = ',', value_parser = IceUrl::turn)]
    pub turn_url: Vec<IceUrl>,
    /// The secret that the TURN servers share with the tracker (coturn: `static-auth-secret`). Better given
    /// by its variable: a command line can be seen by others.
    #[arg(long, env = "TURN_SECRET", hide_env_values = true)]
    pub turn_secret: Option<Secret>,
    /// Seconds that the credentials for the TURN servers are good for.
    #[arg(long, env = "TURN_TTL", default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(60..=604_800))]
    pub turn_ttl: u32,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is there.
    On,
    /// It is not.
    Off,
}

impl LinkArgs {
    /// Where the STUN server is to listen; `None` for nowhere.
    pub(crate) fn stun_addr(&self) -> Option<SocketAddr> {
        (self.stun == Switch::On).then(|| SocketAddr::new(self.stun_ip, self.stun_port))
    }
}

/// A text that no log and no help shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Sample {
        #[command(flatten)]
        links: LinkArgs,
    }

    #[test]
    fn a_secret_shows_nowhere() {
        let line = ["sample", "--turn-secret", "north", "--turn-url", "turn:a.example"];
        let args = Sample::try_parse_from(line).unwrap();
        assert!(!format!("{args:?}").contains("north"));
        assert_eq!(args.links.turn_secret.unwrap().reveal(), "north");
    }

    #[test]
    fn a_url_that_is_none_is_refused_with_its_flag_and_an_empty_one_is_none() {
        for (flag, url) in [
            ("--stun-url", "chat.example.org"),
            ("--stun-url", "turn:chat.example.org"),
            ("--turn-url", "stun:chat.example.org"),
        ] {
            let error = Sample::try_parse_from(["sample", flag, url]).unwrap_err().to_string();
            assert!(error.contains(flag), "{error}");
        }
        let line = ["sample", "--turn-url", "", "--stun-url", "stun:a.example,stun:b.example:1"];
        let args = Sample::try_parse_from(line).unwrap().links;
        assert_eq!(args.stun_url.len(), 2);
        assert!(args.turn_url.iter().all(IceUrl::is_empty));
    }
}

//! proxy.conf as serde reads it: every key optional that has a default, unknown keys refused, each value
//! with its position. What the values mean is decided in [`build`](super::build).

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use toml::Spanned;

mod listen;
mod route;

pub(super) use listen::{
    CertificateSection, ListenEntry, ListenSection, RedirectToHttps, TlsSection,
};
pub(super) use route::{
    EditsSection, RateLimitSection, RedirectSection, RespondSection, RouteSection, ShareTable,
    Shares,
};

/// Text at a place.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) server: ServerSection,
    pub(super) tls: Option<TlsSection>,
    pub(super) auth: Option<Spanned<AuthSection>>,
    pub(super) tracing: Option<TracingSection>,
    #[serde(default)]
    pub(super) upstreams: BTreeMap<Text, Spanned<UpstreamSection>>,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<HostSection>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSection {
    pub(super) listen: Option<Spanned<Vec<Spanned<ListenEntry>>>>,
    pub(super) workers: Option<Spanned<Amount>>,
    pub(super) header_timeout: Option<Text>,
    pub(super) body_idle_timeout: Option<Text>,
    pub(super) request_body_timeout: Option<Text>,
    pub(super) min_rate: Option<Spanned<Amount>>,
    pub(super) max_body: Option<Spanned<Amount>>,
    pub(super) keep_alive: Option<Text>,
    pub(super) drain_timeout: Option<Text>,
    pub(super) reload_timeout: Option<Text>,
    pub(super) max_connections: Option<Spanned<Amount>>,
    pub(super) max_connections_per_client: Option<Spanned<Amount>>,
    pub(super) proxy_protocol_timeout: Option<Text>,
    pub(super) http2_max_streams: Option<Spanned<Amount>>,
    pub(super) http2_max_head_bytes: Option<Spanned<Amount>>,
    pub(super) http2_max_control_frames: Option<Spanned<Amount>>,
    pub(super) http2_stream_window: Option<Spanned<Amount>>,
    pub(super) http2_connection_window: Option<Spanned<Amount>>,
    pub(super) http2_ping_interval: Option<Text>,
    pub(super) http2_ping_timeout: Option<Text>,
    pub(super) max_head_bytes: Option<Spanned<Amount>>,
    pub(super) access_log: Option<Text>,
    pub(super) access_log_format: Option<Text>,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthSection {
    pub(super) upstream: Text,
    pub(super) path: Option<Text>,
    pub(super) login_page: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) cache: Option<Text>,
    pub(super) allowed_origins: Option<Vec<Text>>,
    pub(super) identity_header: Option<Text>,
    pub(super) cookies: Option<Spanned<Vec<Text>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TracingSection {
    pub(super) sample: Option<Text>,
    pub(super) from_clients: Option<bool>,
    pub(super) export: Option<Text>,
    pub(super) service: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamSection {
    pub(super) servers: Spanned<Vec<Spanned<ServerEntry>>>,
    pub(super) tls: Option<Spanned<TlsEntry>>,
    pub(super) protocol: Option<Text>,
    pub(super) max_streams: Option<Spanned<Amount>>,
    pub(super) policy: Option<Text>,
    pub(super) hash_by: Option<Text>,
    pub(super) resolve: Option<Text>,
    pub(super) connect_timeout: Option<Text>,
    pub(super) response_timeout: Option<Text>,
    pub(super) body_idle_timeout: Option<Text>,
    pub(super) idle_timeout: Option<Text>,
    pub(super) max_connections: Option<Spanned<Amount>>,
    pub(super) queue: Option<Spanned<Amount>>,
    pub(super) queue_timeout: Option<Text>,
    pub(super) retry_budget: Option<Text>,
    pub(super) tunnel_idle: Option<Text>,
    pub(super) health: Option<HealthSection>,
    pub(super) eject: Option<EjectSection>,
    pub(super) slow_start: Option<Text>,
}

/// A server: its address, or a table with the address and more.
#[derive(Debug)]
pub(super) enum ServerEntry {
    Address(String),
    Table(ServerTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    pub(super) address: Text,
    pub(super) weight: Option<Spanned<Amount>>,
    #[serde(default)]
    pub(super) backup: bool,
}

impl<'de> Deserialize<'de> for ServerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ServerEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"host:port\", or a table such as { address = \"host:port\", weight = 2 }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ServerEntry, E> {
                Ok(ServerEntry::Address(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServerEntry, A::Error> {
                ServerTable::deserialize(MapAccessDeserializer::new(map)).map(ServerEntry::Table)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// TLS towards servers: whether, or a table with more.
#[derive(Debug)]
pub(super) enum TlsEntry {
    Flag(bool),
    Table(TlsTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    pub(super) server_name: Option<Text>,
    pub(super) ca: Option<Text>,
    #[serde(default)]
    pub(super) insecure: bool,
}

impl<'de> Deserialize<'de> for TlsEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TlsEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "true, false, or a table such as { server_name = \"backend.internal\" }",
                )
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<TlsEntry, E> {
                Ok(TlsEntry::Flag(flag))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TlsEntry, A::Error> {
                TlsTable::deserialize(MapAccessDeserializer::new(map)).map(TlsEntry::Table)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthSection {
    pub(super) path: Text,
    pub(super) interval: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) unhealthy_after: Option<Spanned<Amount>>,
    pub(super) healthy_after: Option<Spanned<Amount>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EjectSection {
    pub(super) failures: Option<Spanned<Amount>>,
    pub(super) within: Option<Text>,
    #[serde(rename = "for")]
    pub(super) duration: Option<Text>,
    pub(super) at_most: Option<Text>,
    pub(super) statuses: Option<Vec<Spanned<Amount>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostSection {
    pub(super) names: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) routes: Vec<Spanned<RouteSection>>,
}

/// A count or a size: a number, or a string (`"64KiB"`, or digits that came out of `${NAME}`).
#[derive(Debug)]
pub(super) enum Amount {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a string such as \"64KiB\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount::Number(number))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

//! Where clients connect: an entry of `listen` is an address, or a table with one; and `[tls]`.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::Text;

/// `"0.0.0.0:8080"` or `{ address = "0.0.0.0:8080", ... }`.
#[derive(Debug)]
pub(in crate::config) enum ListenEntry {
    Address(String),
    Section(Box<ListenSection>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ListenSection {
    pub(in crate::config) address: Text,
    pub(in crate::config) tls: Option<Text>,
    pub(in crate::config) redirect_to_https: Option<Spanned<RedirectToHttps>>,
    pub(in crate::config) proxy_protocol: Option<Spanned<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TlsSection {
    pub(in crate::config) dir: Option<Text>,
    #[serde(default)]
    pub(in crate::config) local_names: Vec<Text>,
    pub(in crate::config) handshake_timeout: Option<Text>,
    #[serde(default)]
    pub(in crate::config) certificates: Vec<Spanned<CertificateSection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CertificateSection {
    #[serde(default)]
    pub(in crate::config) names: Vec<Text>,
    pub(in crate::config) cert: Text,
    pub(in crate::config) key: Text,
}

/// `true`, `false`, or the port that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum RedirectToHttps {
    Flag(bool),
    Port(u16),
}

impl<'de> Deserialize<'de> for RedirectToHttps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = RedirectToHttps;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a port")
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<RedirectToHttps, E> {
                Ok(RedirectToHttps::Flag(flag))
            }
            fn visit_i64<E: de::Error>(self, port: i64) -> Result<RedirectToHttps, E> {
                let fine = u16::try_from(port).ok().filter(|port| *port != 0);
                fine.map(RedirectToHttps::Port)
                    .ok_or_else(|| E::custom(format!("{port} is not a port")))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for ListenEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ListenEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an address such as \"0.0.0.0:8080\", or { address = \"0.0.0.0:8080\" }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ListenEntry, E> {
                Ok(ListenEntry::Address(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListenEntry, A::Error> {
                let section = ListenSection::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ListenEntry::Section(Box::new(section)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

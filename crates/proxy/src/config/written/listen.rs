//! An entry of `listen`: an address, or a table with one.

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
    pub(in crate::config) proxy_protocol: Option<Spanned<bool>>,
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

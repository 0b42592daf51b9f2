//! One route as serde reads it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::{Amount, Text};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RouteSection {
    pub(in crate::config) path: Text,
    pub(in crate::config) upstream: Option<Spanned<Shares>>,
    pub(in crate::config) split_by: Option<Text>,
    pub(in crate::config) redirect: Option<Spanned<RedirectSection>>,
    pub(in crate::config) respond: Option<Spanned<RespondSection>>,
    pub(in crate::config) auth: Option<Text>,
    pub(in crate::config) methods: Option<Spanned<Vec<Text>>>,
    pub(in crate::config) rate_limit: Option<RateLimitSection>,
    pub(in crate::config) strip_prefix: Option<Text>,
    pub(in crate::config) rewrite: Option<Text>,
    pub(in crate::config) max_body: Option<Spanned<Amount>>,
    pub(in crate::config) request_body_timeout: Option<Text>,
    pub(in crate::config) request_body_idle_timeout: Option<Text>,
    pub(in crate::config) min_rate: Option<Spanned<Amount>>,
    pub(in crate::config) response_timeout: Option<Text>,
    pub(in crate::config) body_idle_timeout: Option<Text>,
    pub(in crate::config) request_headers: Option<Spanned<EditsSection>>,
    pub(in crate::config) response_headers: Option<Spanned<EditsSection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RateLimitSection {
    pub(in crate::config) requests: Spanned<Amount>,
    pub(in crate::config) per: Text,
    pub(in crate::config) burst: Option<Spanned<Amount>>,
    pub(in crate::config) by: Option<Text>,
    pub(in crate::config) clients: Option<Spanned<Amount>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct EditsSection {
    #[serde(default)]
    pub(in crate::config) set: BTreeMap<Text, Text>,
    #[serde(default)]
    pub(in crate::config) add: BTreeMap<Text, Text>,
    #[serde(default)]
    pub(in crate::config) remove: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RedirectSection {
    pub(in crate::config) to: Text,
    pub(in crate::config) status: Option<Spanned<Amount>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RespondSection {
    pub(in crate::config) status: Spanned<Amount>,
    pub(in crate::config) body: Option<Text>,
    pub(in crate::config) content_type: Option<Text>,
}

/// Where requests go: the name of an upstream, or several with their weights.
#[derive(Debug)]
pub(in crate::config) enum Shares {
    One(String),
    Several(Vec<Spanned<ShareTable>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ShareTable {
    pub(in crate::config) name: Text,
    pub(in crate::config) weight: Spanned<Amount>,
}

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shares;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of an upstream, or a list of { name = \"...\", weight = ... }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Shares, E> {
                Ok(Shares::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shares, A::Error> {
                let mut shares = Vec::new();
                while let Some(share) = list.next_element()? {
                    shares.push(share);
                }
                Ok(Shares::Several(shares))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

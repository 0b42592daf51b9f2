//! `request_headers` and `response_headers` of a route.

use http::{HeaderName, HeaderValue};
use toml::Spanned;

use super::Builder;
use crate::config::values::{self, Complaint};
use crate::config::written::{EditsSection, Text};
use crate::headers::Rules;
use crate::route::Edits;

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Request,
    Response,
}

/// What is to be done with a header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Set,
    Add,
    Remove,
}

impl Builder<'_> {
    /// The changes that one table asks for; `identity` is the name that carries who it is.
    pub(super) fn edits(
        &mut self,
        section: Option<Spanned<EditsSection>>,
        way: Way,
        identity: &HeaderName,
    ) -> Option<Edits> {
        let section = section?;
        let at = section.span();
        let section = section.into_inner();
        let rules = Rules::new(identity);
        let mut edits = Edits::default();
        for text in section.remove {
            edits.remove.extend(self.read(&text, |name| header(name, way, Deed::Remove, &rules)));
        }
        for (deed, pairs, list) in
            [(Deed::Set, section.set, &mut edits.set), (Deed::Add, section.add, &mut edits.add)]
        {
            for (name, value) in pairs {
                list.extend(self.pair(&name, &value, way, deed, &rules));
            }
        }
        if edits == Edits::default() && self.errors.is_empty() {
            self.error(
                at,
                "the table changes nothing",
                "add set, add or remove, or remove the table",
            );
        }
        Some(edits)
    }

    fn pair(
        &mut self,
        name: &Text,
        value: &Text,
        way: Way,
        deed: Deed,
        rules: &Rules,
    ) -> Option<(HeaderName, HeaderValue)> {
        let name = self.read(name, |name| header(name, way, deed, rules));
        let is_host = name.as_ref() == Some(&http::header::HOST);
        let value = self.read(value, |text| {
            if is_host && values::origin(&format!("http://{text}")).is_err() {
                let remedy = "write a host, with a port if need be, such as \"inner.test:8080\"";
                return Err((format!("\"{text}\" is not a host"), remedy.to_owned()));
            }
            let plain =
                text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text == text.trim();
            HeaderValue::from_str(text).ok().filter(|_| plain).ok_or_else(|| {
                (
                    format!("{text:?} is not the value of a header"),
                    "write visible ASCII characters, with spaces only between them".to_owned(),
                )
            })
        });
        Some((name?, value?))
    }
}

/// A header that may be changed.
fn header(text: &str, way: Way, deed: Deed, rules: &Rules) -> Result<HeaderName, Complaint> {
    let name: HeaderName = text.parse().map_err(|_| {
        (format!("\"{text}\" is not the name of a header"), "write it as in \"x-team\"".to_owned())
    })?;
    let why = match name.as_str() {
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "upgrade"
        | "http2-settings"
        | "proxy-authorization"
        | "proxy-authenticate" => {
            "is about one connection, and the proxy sets it for each of its own"
        }
        "content-length" | "transfer-encoding" | "expect" => {
            "says where the body ends, and a wrong one lets requests be smuggled"
        }
        "via" => "is how the proxy sees loops",
        name if name.starts_with("sec-websocket-") => "belongs to the handshake of a WebSocket",
        "host" if way == Way::Response => "belongs to requests",
        "host" if deed != Deed::Set => "is needed once; it can be set, not added or removed",
        name if rules.reserves(name) => "is the proxy's own: what it says, servers believe",
        _ => return Ok(name),
    };
    let remedy = match deed {
        Deed::Remove => {
            "leave it out; what clients send under the proxy's own names is removed anyway"
        }
        Deed::Set | Deed::Add => "leave it out, or use another name",
    };
    Err((format!("{name} {why}"), remedy.to_owned()))
}

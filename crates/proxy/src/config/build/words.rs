//! Values that are one word of a few.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, Method, Uri};

use crate::config::TlsKind;
use crate::config::values::Complaint;
use crate::config::{HashBy, Policy, Protocol};
use crate::log::Format;
use crate::route::{AuthRule, RateBy};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse().map_err(|_| {
        (
            format!("\"{text}\" is not an address to listen on"),
            "write ip:port, such as \"0.0.0.0:8080\" for all, \"127.0.0.1:8080\" for this machine, or \"[::]:8080\"".to_owned(),
        )
    })
}

pub(super) fn tls_kind(text: &str) -> Result<TlsKind, Complaint> {
    match text {
        "certificates" => Ok(TlsKind::Certificates),
        "local" => Ok(TlsKind::Local),
        _ => Err((
            format!("\"{text}\" is no source of certificates"),
            "write \"certificates\" for those of [[tls.certificates]], or \"local\" for an automatic CA".to_owned(),
        )),
    }
}

pub(super) fn policy(text: &str) -> Result<Policy, Complaint> {
    match text {
        "round_robin" => Ok(Policy::RoundRobin),
        "least_connections" => Ok(Policy::LeastConnections),
        "random_two" => Ok(Policy::RandomTwo),
        "hash" => Ok(Policy::Hash(HashBy::Client)),
        _ => Err((
            format!("there is no policy \"{text}\""),
            "the policies are \"round_robin\", \"least_connections\", \"random_two\" and \"hash\""
                .to_owned(),
        )),
    }
}

/// The certificates in a file.
pub(super) fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, Complaint> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err((
            format!("there is no certificate in {path}"),
            "name a file in PEM format (-----BEGIN CERTIFICATE-----)".to_owned(),
        )),
        Err(error) => Err((
            format!("the certificates in {path} can't be read: {error}"),
            "name a file in PEM format (-----BEGIN CERTIFICATE-----) that the proxy may read"
                .to_owned(),
        )),
    }
}

pub(super) fn protocol(text: &str) -> Result<Protocol, Complaint> {
    match text {
        "http1" => Ok(Protocol::Http1),
        "h2" => Ok(Protocol::Http2),
        "h2c" => Ok(Protocol::Http2Clear),
        _ => Err((
            format!("there is no protocol \"{text}\""),
            "write \"http1\", \"h2\" (with TLS) or \"h2c\" (without)".to_owned(),
        )),
    }
}

pub(super) fn hash_by(text: &str) -> Result<HashBy, Complaint> {
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    let wrong = || {
        (
            format!("\"{text}\" is nothing to hash by"),
            "write \"client\", \"header:NAME\" or \"cookie:NAME\"".to_owned(),
        )
    };
    match kind {
        "client" if text == "client" => Ok(HashBy::Client),
        "header" => name.parse().map(HashBy::Header).map_err(|_| wrong()),
        "cookie" => cookie_name(name).map(HashBy::Cookie).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

pub(super) fn rate_by(text: &str) -> Result<RateBy, Complaint> {
    match (text, text.strip_prefix("header:").map(str::parse)) {
        ("client", _) => Ok(RateBy::Client),
        ("route", _) => Ok(RateBy::Route),
        (_, Some(Ok(name))) => Ok(RateBy::Header(name)),
        _ => Err((
            format!("\"{text}\" is nothing to count by"),
            "write \"client\", \"route\" or \"header:NAME\"".to_owned(),
        )),
    }
}

pub(super) fn collector(text: &str) -> Result<Uri, Complaint> {
    let url = text.parse::<Uri>().ok().filter(|url| {
        url.scheme_str() == Some("http")
            && url.host().is_some_and(|host| !host.is_empty())
            && !text.contains('@')
    });
    url.ok_or_else(|| {
        (
            format!("\"{text}\" is not the address of a collector"),
            "write where it takes OTLP over HTTP, such as \"http://127.0.0.1:4318/v1/traces\""
                .to_owned(),
        )
    })
}

pub(super) fn log_format(text: &str) -> Result<Format, Complaint> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        "combined" => Ok(Format::Combined),
        _ => Err((
            format!("there is no format \"{text}\""),
            "the formats are \"text\", \"json\" and \"combined\"".to_owned(),
        )),
    }
}

pub(super) fn auth_rule(text: &str) -> Result<AuthRule, Complaint> {
    match text {
        "required" => Ok(AuthRule::Required),
        "optional" => Ok(AuthRule::Optional),
        "none" => Ok(AuthRule::None),
        _ => Err((
            format!("\"{text}\" is no rule"),
            "write \"required\", \"optional\" or \"none\"".to_owned(),
        )),
    }
}

pub(super) fn identity_header(text: &str) -> Result<HeaderName, Complaint> {
    let name: Option<HeaderName> = text.parse().ok();
    name.filter(|name| name.as_str().starts_with("x-") && !name.as_str().contains('_')).ok_or_else(
        || {
            (
                format!("\"{text}\" can't be the identity header"),
                "write a name that starts with x- and has no _, such as \"x-chat-identity\""
                    .to_owned(),
            )
        },
    )
}

pub(super) fn cookie_name(text: &str) -> Result<String, Complaint> {
    // RFC 6265 §4.1.1: a token, as header names are.
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err((
            format!("\"{text}\" is not the name of a cookie"),
            "write it as in Set-Cookie, before the =".to_owned(),
        )),
    }
}

pub(super) fn method(text: &str) -> Result<Method, Complaint> {
    let complain = |problem: String, remedy: &str| Err((problem, remedy.to_owned()));
    match text.parse::<Method>() {
        Ok(Method::CONNECT | Method::TRACE) => {
            complain(format!("{text} is never served"), "remove it")
        }
        Ok(method) if text.bytes().all(|byte| !byte.is_ascii_lowercase()) => Ok(method),
        _ => complain(
            format!("\"{text}\" is not a method"),
            "write methods in upper case, such as \"GET\" or \"POST\"",
        ),
    }
}

pub(super) fn content_type(text: &str) -> Result<HeaderValue, Complaint> {
    let plain = text.contains('/') && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    HeaderValue::from_str(text).ok().filter(|_| plain).ok_or_else(|| {
        (
            format!("\"{text}\" is not a type"),
            "write it as in Content-Type, such as \"application/json\"".to_owned(),
        )
    })
}

//! Values that are one word of a few.

use std::net::SocketAddr;

use http::HeaderName;

use crate::config::Policy;
use crate::config::values::Complaint;
use crate::routes::AuthRule;

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse().map_err(|_| {
        (
            format!("\"{text}\" is not an address to listen on"),
            "write ip:port, such as \"0.0.0.0:8080\" for all, \"127.0.0.1:8080\" for this machine, or \"[::]:8080\"".to_owned(),
        )
    })
}

pub(super) fn policy(text: &str) -> Result<Policy, Complaint> {
    match text {
        "round_robin" => Ok(Policy::RoundRobin),
        "least_connections" => Ok(Policy::LeastConnections),
        _ => Err((
            format!("there is no policy \"{text}\""),
            "the policies are \"round_robin\" and \"least_connections\"".to_owned(),
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

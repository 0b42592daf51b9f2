//! A place where clients connect, as one worker serves it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::tls::{Keyring, Secure, Tls};
use crate::config::{Config, Redirect};
use crate::target::Refused;

/// Where the certificate of the local CA is found.
const CA_PATH: &str = "/.well-known/hybrid-chat/ca.crt";
/// Below this, public CAs look for proofs; they begin with plain HTTP (RFC 8555 §8.3).
const ACME_PATH: &str = "/.well-known/acme-challenge/";

/// A place where clients connect.
#[derive(Debug)]
pub(crate) struct Door {
    /// As configured.
    address: SocketAddr,
    /// A PROXY header comes first.
    pub(crate) proxy_protocol: bool,
    /// TLS comes before HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Requests are sent on to https at this port.
    https_port: Option<u16>,
    /// The certificate of the local CA, for whoever asks.
    ca: Option<Bytes>,
}

impl Door {
    /// The doors of a configuration.
    pub(crate) fn all(config: &Config, keyring: &Keyring) -> Vec<Rc<Self>> {
        let listen = &config.server.listen;
        let first = listen.iter().find(|one| one.tls.is_some()).map(|one| one.address.port());
        let door = |one: &crate::config::Listen| Self {
            address: one.address,
            proxy_protocol: one.proxy_protocol,
            tls: one.tls.and_then(|kind| keyring.tls(kind)).cloned(),
            https_port: match one.redirect_to_https {
                None => None,
                Some(Redirect::Listener) => first,
                Some(Redirect::Port(port)) => Some(port),
            },
            ca: keyring.ca(),
        };
        listen.iter().map(|one| Rc::new(door(one))).collect()
    }

    /// Whether it is the one at this address, as configured.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == address
    }

    /// Whether something comes before the first request.
    pub(crate) fn has_more(&self) -> bool {
        self.proxy_protocol || self.tls.is_some()
    }

    /// Whether any request is answered here.
    pub(crate) fn answers(&self, secure: Option<&Secure>) -> bool {
        self.https_port.is_some() || self.ca.is_some() || secure.is_some()
    }

    /// The answer to a request that goes no further, if it is one. Its target is checked; `host` is in
    /// the form that is matched.
    pub(crate) fn answer(
        &self,
        parts: &Parts,
        host: &str,
        path: &str,
        secure: Option<&Secure>,
    ) -> Result<Option<Response<Bytes>>, Refused> {
        if secure.is_some_and(|secure| secure.is_misdirected(host)) {
            // RFC 9110 §15.5.20: a browser asks again, on a connection of its own.
            return Err(Refused::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected_request",
                "this connection shows the certificate of another host",
            ));
        }
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if let Some(ca) = &self.ca
            && path == CA_PATH
            && reads
        {
            let mut response = Response::new(ca.clone());
            let kind = HeaderValue::from_static("application/x-x509-ca-cert");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Ok(Some(response));
        }
        match self.https_port {
            Some(port) if !path.starts_with(ACME_PATH) => redirect(parts, host, port).map(Some),
            _ => Ok(None),
        }
    }
}

/// Sends a client on to the same place by https.
fn redirect(parts: &Parts, host: &str, port: u16) -> Result<Response<Bytes>, Refused> {
    let named = parts.uri.authority().is_some() || parts.headers.contains_key(HOST);
    let rest = parts.uri.path_and_query().map_or("/", |rest| rest.as_str());
    let location = match port {
        443 => format!("https://{host}{rest}"),
        port => format!("https://{host}:{port}{rest}"),
    };
    match HeaderValue::from_str(&location) {
        Ok(location) if named => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(LOCATION, location);
            Ok(response)
        }
        _ => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "https_required",
            "this address is served by https only",
        )),
    }
}

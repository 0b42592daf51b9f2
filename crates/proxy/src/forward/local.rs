//! Answers that a route gives by itself.

use bytes::Bytes;
use http::header::{HOST, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::Visit;
use super::admit::Passport;
use crate::error::Failure;
use crate::route::{Asked, OwnAnswer, Route};
use crate::target::{Refused, normal_host};

/// The answer to a request whose target is canonical. `has_host`: whether the client named one.
pub(super) fn answer(
    route: &Route,
    own: &OwnAnswer,
    visit: &Visit,
    parts: &Parts,
    has_host: bool,
    passport: Passport,
) -> Result<Response<Bytes>, Failure> {
    let host = parts.headers.get(HOST).filter(|_| has_host);
    let host = normal_host(host.and_then(|host| host.to_str().ok()).unwrap_or_default());
    let asked = Asked {
        scheme: visit.client.told_scheme(&parts.headers),
        host: &host,
        path: parts.uri.path(),
        query: parts.uri.query(),
    };
    let mut response = own.response(&asked).ok_or_else(|| {
        Failure::Rejected(Refused::new(
            StatusCode::BAD_REQUEST,
            "bad_host",
            "this address is redirected to one with the same host, and the request names none",
        ))
    })?;
    if let Some(edits) = &route.response_headers {
        edits.apply(response.headers_mut());
    }
    for cookie in passport.set_cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

//! The door of a protected route.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::Visit;
use crate::auth::{self, Verdict};
use crate::error::Failure;
use crate::headers;
use crate::log::Record;
use crate::route::AuthRule;
use crate::site::Site;

/// What a client was given for its credential.
#[derive(Default)]
pub(super) struct Passport {
    /// Who it is, for the upstream.
    pub(super) identity: Option<HeaderValue>,
    /// Cookies for the client.
    pub(super) set_cookie: Vec<HeaderValue>,
}

/// Whether a request may use a protected route.
pub(super) enum Admitted {
    /// It may go on.
    Pass(Passport),
    /// A page is asked for: sign in first.
    Redirect(Response<Bytes>),
}

/// Who sent a request for a protected route, and whether it may pass.
pub(super) async fn admit(
    visit: &Visit,
    site: &Rc<Site>,
    parts: &Parts,
    upgrade: bool,
    rule: AuthRule,
    record: &Record,
) -> Result<Admitted, Failure> {
    // A protected route without anyone to ask stays closed.
    let gate = site.gate.as_ref().ok_or(Failure::AuthUnavailable)?;
    if headers::cross_site(&parts.method, &parts.headers, upgrade, &gate.config().allowed_origins) {
        return Err(Failure::CrossSite);
    }
    let mut set_cookie = Vec::new();
    if let Some(credential) = gate.credential(&parts.headers)? {
        // A browser names the origin in every handshake (RFC 6455 §4.1): without it nobody knows whose page asks.
        if upgrade && credential.is_cookie() && !parts.headers.contains_key(ORIGIN) {
            return Err(Failure::WithoutOrigin);
        }
        let decision = gate
            .decide(site, record.stats(), credential, parts, &visit.client, record.id())
            .await?;
        set_cookie.clone_from(&decision.set_cookie);
        match &decision.verdict {
            Verdict::Pass(identity) => {
                let identity = Some(identity.clone());
                return Ok(Admitted::Pass(Passport { identity, set_cookie }));
            }
            Verdict::Forbidden => return Err(Failure::Forbidden),
            Verdict::Unauthenticated => {}
        }
    }
    if rule == AuthRule::Optional {
        return Ok(Admitted::Pass(Passport { identity: None, set_cookie }));
    }
    if auth::wants_page(&parts.method, &parts.headers, upgrade)
        && let Some(location) = auth::login_location(&gate.config().login_page, &parts.uri)
    {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        headers.insert(LOCATION, location);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for cookie in set_cookie {
            headers.append(SET_COOKIE, cookie);
        }
        return Ok(Admitted::Redirect(response));
    }
    Err(Failure::Unauthenticated)
}

//! The way of one request to its upstream, as the route and the upstream lay it down.

use http::request::Parts;

use crate::error::Failure;
use crate::headers::X_FORWARDED_PREFIX;
use crate::route::{Forward, Route};
use crate::site::Site;
use crate::upstream::Upstream;
use crate::watch::millis;

/// Where a request goes, and the limits on the way.
#[derive(Clone, Copy)]
pub(super) struct Way<'s> {
    pub(super) upstream: &'s Upstream,
    /// Longest request body.
    pub(super) max_body: Option<u64>,
    /// Longest wait for the response head.
    pub(super) response_ms: u64,
    /// Longest silence inside the response body.
    pub(super) idle_ms: u64,
}

impl<'s> Way<'s> {
    pub(super) fn of(site: &'s Site, route: &Route, forward: &Forward) -> Result<Self, Failure> {
        let upstream = site.upstreams.get(forward.upstream).ok_or(Failure::NoRoute)?;
        let own = &upstream.config;
        Ok(Self {
            upstream,
            max_body: route.max_body,
            response_ms: millis(forward.response_timeout.unwrap_or(own.response_timeout)),
            idle_ms: millis(forward.body_idle_timeout.unwrap_or(own.body_idle_timeout)),
        })
    }
}

/// Changes in a request what its route wants changed; the proxy's own headers are set.
pub(super) fn change(parts: &mut Parts, forward: &Forward) -> Result<(), Failure> {
    if let Some(path) = &forward.path {
        path.apply(&mut parts.uri).map_err(Failure::Rejected)?;
        if let Some(prefix) = path.stripped() {
            parts.headers.insert(X_FORWARDED_PREFIX, prefix.clone());
        }
    }
    if let Some(edits) = &forward.request_headers {
        edits.apply(&mut parts.headers);
    }
    Ok(())
}

//! The way of one request to its upstream, as the route and the upstream lay it down.

use std::time::Instant;

use http::HeaderMap;
use http::request::Parts;

use super::Visit;
use crate::balance::{self, Key};
use crate::error::Failure;
use crate::headers::X_FORWARDED_PREFIX;
use crate::rate::Who;
use crate::route::{Destination, Forward, Patience, RateBy, Route, Split};
use crate::site::Site;
use crate::upstream::Upstream;
use crate::watch::millis;

/// Where a request goes, and the limits on the way.
#[derive(Clone, Copy)]
pub(super) struct Way<'s> {
    pub(super) upstream: &'s Upstream,
    /// By which a server of it is chosen; of the request as it came, before the route changes its headers.
    pub(super) key: Key,
    /// Longest request body.
    pub(super) max_body: Option<u64>,
    /// How long the request body may take.
    pub(super) patience: Patience,
    /// Longest wait for the response head.
    pub(super) response_ms: u64,
    /// Longest silence inside the response body.
    pub(super) idle_ms: u64,
}

impl<'s> Way<'s> {
    pub(super) fn of(
        visit: &Visit,
        site: &'s Site,
        route: &Route,
        forward: &Forward,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        let place = match &forward.to {
            Destination::One(place) => *place,
            Destination::Split(split) => split.at(point(split, visit, site, headers)),
        };
        let upstream = site.upstreams.get(place).ok_or(Failure::NoRoute)?;
        let own = &upstream.config;
        Ok(Self {
            upstream,
            key: upstream
                .key(headers, || visit.client.origin(headers, |ip| site.config.server.trusts(ip))),
            patience: route.patience,
            max_body: route.max_body,
            response_ms: millis(forward.response_timeout.unwrap_or(own.response_timeout)),
            idle_ms: millis(forward.body_idle_timeout.unwrap_or(own.body_idle_timeout)),
        })
    }
}

/// Where a request stands among all that are spread: the same for all that belong together.
fn point(split: &Split, visit: &Visit, site: &Site, headers: &HeaderMap) -> u64 {
    let Some(by) = &split.by else { return site.dice.throw() };
    if let Some(value) = balance::value(by, headers) {
        return balance::fingerprint(value);
    }
    let origin = visit.client.origin(headers, |ip| site.config.server.trusts(ip));
    balance::address(origin)
}

/// Counts a request against the limit of its route, if it has one.
pub(super) fn check_rate(
    visit: &Visit,
    site: &Site,
    route: &Route,
    headers: &HeaderMap,
    now: Instant,
) -> Result<(), Failure> {
    let Some(Some(limiter)) = site.limiters.get(route.index) else { return Ok(()) };
    let address = || Who::Address(visit.client.origin(headers, |ip| site.config.server.trusts(ip)));
    let who = match &limiter.limit.by {
        RateBy::Route => Who::Everyone,
        RateBy::Client => address(),
        RateBy::Header(name) => {
            headers.get(name).map_or_else(address, |value| Who::Value(value.as_bytes()))
        }
    };
    limiter.admit(who, now).map_err(|after| Failure::RateLimited { after })
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

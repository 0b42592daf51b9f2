//! A configuration as one worker serves it: the routes, and the upstreams with the worker's own pools.
//!
//! A request takes hold of one site and keeps it until its answer begins, so a reload puts another one in
//! the place of this one without touching what is under way. An upstream whose settings stayed the same is
//! carried over with its connections.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::auth::Gate;
use crate::balance::Dice;
use crate::config::Config;
use crate::front::crowd::Crowd;
use crate::front::door::Door;
use crate::headers::Rules;
use crate::plan::Plan;
use crate::pool::Endpoint;
use crate::rate::Limiter;
use crate::route::Route;
use crate::stats::{RouteStats, Stats};
use crate::upstream::Upstream;

/// What one worker needs to serve a configuration.
pub(crate) struct Site {
    /// What proxy.conf says.
    pub(crate) config: Arc<Config>,
    /// Which headers are the proxy's own.
    pub(crate) rules: Rules,
    /// The upstreams, in the order of the configuration.
    pub(crate) upstreams: Vec<Rc<Upstream>>,
    /// Who decides about sessions.
    pub(crate) gate: Option<Rc<Gate>>,
    /// The connections of each client, at this worker and the others.
    pub(crate) crowd: Arc<Crowd>,
    /// Who asked how often, by the position of the route.
    pub(crate) limiters: Arc<[Option<Arc<Limiter>>]>,
    /// Spreads requests over upstreams.
    pub(crate) dice: Dice,
    /// Where clients connect.
    doors: Vec<Rc<Door>>,
    books: Vec<Rc<RouteBook>>,
}

/// What is remembered of a route after its request has left the site.
pub(crate) struct RouteBook {
    /// The path as configured.
    pub(crate) path: Arc<str>,
    /// What is counted of it.
    pub(crate) stats: Arc<RouteStats>,
}

impl Site {
    /// `worker` is the worker's number; it decides where its turns begin. `before` is what the worker
    /// served until now.
    pub(crate) fn new(plan: &Plan, stats: &Stats, worker: usize, before: Option<&Self>) -> Self {
        let config = plan.config.clone();
        let upstreams: Vec<Rc<Upstream>> = plan
            .upstreams
            .iter()
            .map(|tended| {
                let kept = before.and_then(|site| {
                    site.upstreams.iter().find(|upstream| upstream.is_same(tended))
                });
                kept.cloned().unwrap_or_else(|| {
                    let stats = stats.upstream(&tended.config.name);
                    Rc::new(Upstream::new(tended, stats, config.server.workers, worker))
                })
            })
            .collect();
        let gate = config.auth.as_ref().map(|auth| {
            let kept = before.and_then(|site| {
                let gate = site.gate.as_ref().filter(|gate| gate.config() == auth)?;
                // Decisions of one service are worth nothing when another one is asked.
                let same =
                    Rc::ptr_eq(site.upstreams.get(auth.upstream)?, upstreams.get(auth.upstream)?);
                same.then(|| gate.clone())
            });
            kept.unwrap_or_else(|| Rc::new(Gate::new(auth.clone())))
        });
        let identity =
            config.auth.as_ref().map_or(HeaderName::from_static("x-chat-identity"), |auth| {
                auth.identity_header.clone()
            });
        let books = config
            .routes
            .iter()
            .map(|route| {
                let stats = stats.route(config.routes.host_of(route), &route.path);
                Rc::new(RouteBook { path: route.path.clone(), stats })
            })
            .collect();
        Self {
            rules: Rules::new(&identity),
            gate,
            upstreams,
            crowd: plan.crowd.clone(),
            limiters: plan.limiters.clone(),
            dice: Dice::new(RandomState::new().hash_one(worker)),
            doors: Door::all(&config, &plan.keyring),
            books,
            config,
        }
    }

    /// The door at an address, as configured.
    pub(crate) fn door(&self, address: SocketAddr) -> Option<Rc<Door>> {
        self.doors.iter().find(|door| door.is_at(address)).cloned()
    }

    /// The books of a route.
    pub(crate) fn book(&self, route: &Route) -> Option<Rc<RouteBook>> {
        self.books.get(route.index).cloned()
    }

    /// Closes the idle connections that `next` has not taken over; those in use close when they are free.
    pub(crate) fn retire(&self, next: &Self) {
        for upstream in &self.upstreams {
            if !next.upstreams.iter().any(|kept| Rc::ptr_eq(kept, upstream)) {
                upstream.retire();
            }
        }
    }

    /// The servers that `next` doesn't name any more.
    pub(crate) fn beyond(&self, next: &Self) -> Vec<Rc<Endpoint>> {
        self.upstreams.iter().flat_map(|upstream| upstream.beyond(&next.config)).collect()
    }

    /// Housekeeping, now and then.
    pub(crate) fn sweep(&self) {
        for upstream in &self.upstreams {
            upstream.sweep();
        }
        if let Some(gate) = &self.gate {
            gate.sweep();
        }
    }

    /// How long open requests may take at the end.
    pub(crate) fn drain_timeout(&self) -> Duration {
        self.config.server.drain_timeout
    }
}

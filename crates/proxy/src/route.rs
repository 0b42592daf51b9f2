//! One route: what it asks of a request, and what becomes of the request. Pure.
//!
//! - [`PathRewrite`]: another path on the way to the upstream.
//! - [`OwnAnswer`]: a redirect, or an answer that is always the same.
//! - [`Edits`]: headers that it changes.
//! - [`Methods`]: which methods are served.
//! - [`Patience`]: how long a request body may take.
//! - [`RateLimit`], [`Pace`]: how often.
//! - [`Split`]: several upstreams by weight.

use std::sync::Arc;
use std::time::Duration;

mod answers;
mod edits;
mod methods;
mod pace;
mod path;
mod patience;
mod split;

pub use answers::{Asked, Fixed, OwnAnswer, Part, Redirect};
pub use edits::Edits;
pub use methods::Methods;
pub use pace::{Pace, RateBy, RateLimit};
pub use path::PathRewrite;
pub use patience::Patience;
pub use split::Split;

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthRule {
    /// A session is needed; without one the request goes no further.
    Required,
    /// The identity is added when there is a session; without one the request goes on as it is.
    Optional,
    /// Nobody is asked. The identity header is still deleted.
    #[default]
    None,
}

/// What the requests of one host and path are asked, and where they go. What few routes have is boxed, so
/// that looking at a route touches little memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Position among all routes of the configuration, for counters.
    pub index: usize,
    /// The path as configured: `/hello` (exact) or `/chat/*` (prefix).
    pub path: Arc<str>,
    /// What becomes of a request.
    pub action: Action,
    /// Who may pass.
    pub auth: AuthRule,
    /// The methods that are served; `None`: all.
    pub methods: Option<Box<Methods>>,
    /// How often a request may come; `None`: as often as it likes.
    pub rate_limit: Option<Box<RateLimit>>,
    /// Longest request body in bytes; `None`: no limit.
    pub max_body: Option<u64>,
    /// How long the request body may take.
    pub patience: Patience,
    /// Headers of the answer that are changed; the proxy's refusals stay as they are.
    pub response_headers: Option<Box<Edits>>,
}

/// What becomes of a request that a route lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It goes to an upstream.
    Forward(Forward),
    /// The route answers by itself.
    Answer(Box<OwnAnswer>),
}

/// How a request goes to its upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where to.
    pub to: Destination,
    /// Longest wait for the response head; `None`: as the upstream says.
    pub response_timeout: Option<Duration>,
    /// Longest silence inside a response body; `None`: as the upstream says.
    pub body_idle_timeout: Option<Duration>,
    /// Another path than the one that was asked for.
    pub path: Option<Box<PathRewrite>>,
    /// Headers of the request that are changed.
    pub request_headers: Option<Box<Edits>>,
}

/// Where a request goes. Upstreams are named by their position in
/// [`Config::upstreams`](crate::config::Config::upstreams).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To this upstream.
    One(usize),
    /// To one of several.
    Split(Box<Split>),
}

impl Destination {
    /// The upstreams that get requests.
    #[must_use]
    pub fn upstreams(&self) -> Vec<usize> {
        match self {
            Self::One(upstream) => vec![*upstream],
            Self::Split(split) => split
                .weights()
                .filter(|(_, weight)| *weight > 0)
                .map(|(upstream, _)| upstream)
                .collect(),
        }
    }
}

impl Route {
    /// The upstream, if it has one.
    #[must_use]
    pub fn forward(&self) -> Option<&Forward> {
        match &self.action {
            Action::Forward(forward) => Some(forward),
            Action::Answer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_fits_into_three_cache_lines() {
        assert!(size_of::<Route>() <= 3 * 64, "{}", size_of::<Route>());
    }
}

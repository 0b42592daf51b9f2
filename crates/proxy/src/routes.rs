//! Which route a request takes: by host, then by path; pure.
//!
//! A host is matched exactly, else by its longest `*.suffix`, else by `*`. Within the host that was
//! found, an exact path wins over a prefix and a longer prefix over a shorter one. There is no falling
//! through to another host: a host that has no route for a path answers 404.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

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

/// Where the requests of one host and path go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Position among all routes of the configuration, for counters.
    pub index: usize,
    /// The path as configured: `/hello` (exact) or `/chat/*` (prefix).
    pub path: Arc<str>,
    /// Position in [`Config::upstreams`](crate::config::Config::upstreams).
    pub upstream: usize,
    /// Who may pass.
    pub auth: AuthRule,
    /// Longest request body in bytes; `None`: no limit.
    pub max_body: Option<u64>,
    /// Longest wait for the response head; the upstream's setting unless the route has its own.
    pub response_timeout: Duration,
    /// Longest silence inside a response body; the upstream's setting unless the route has its own.
    pub body_idle_timeout: Duration,
}

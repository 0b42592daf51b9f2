//! A configuration as one worker serves it: the routes, and the upstreams with the worker's own pools.
//!
//! A request takes hold of one site and keeps it to its end, so another configuration could take the
//! place of this one without touching what is under way.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::auth::Gate;
use crate::config::Config;
use crate::headers::Rules;
use crate::resolve::Directory;
use crate::upstream::Upstream;

/// What one worker needs to serve a configuration.
pub(crate) struct Site {
    /// What proxy.conf says.
    pub(crate) config: Arc<Config>,
    /// Which headers are the proxy's own.
    pub(crate) rules: Rules,
    /// The upstreams, in the order of the configuration.
    pub(crate) upstreams: Vec<Upstream>,
    /// Who decides about sessions.
    pub(crate) gate: Option<Gate>,
    paths: Vec<Arc<str>>,
}

impl Site {
    /// `worker` is the worker's number; it decides where its turns begin.
    pub(crate) fn new(config: Arc<Config>, directories: &[Arc<Directory>], worker: usize) -> Self {
        let workers = config.server.workers;
        let upstreams = config
            .upstreams
            .iter()
            .zip(directories)
            .map(|(upstream, directory)| {
                Upstream::new(upstream.clone(), directory.clone(), workers, worker)
            })
            .collect();
        let identity =
            config.auth.as_ref().map_or(HeaderName::from_static("x-chat-identity"), |auth| {
                auth.identity_header.clone()
            });
        let mut paths = vec![Arc::from(""); config.routes.len()];
        for route in config.routes.iter() {
            if let Some(path) = paths.get_mut(route.index) {
                *path = route.path.clone();
            }
        }
        Self {
            rules: Rules::new(&identity),
            gate: config.auth.clone().map(Gate::new),
            upstreams,
            paths,
            config,
        }
    }

    /// The path of a route as configured.
    pub(crate) fn route_path(&self, index: usize) -> &str {
        self.paths.get(index).map_or("", |path| path)
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

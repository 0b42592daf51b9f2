//! A configuration together with what all workers share of it. A reload makes a new one; what did not
//! change is carried over from the one before.

use std::sync::Arc;

use service::Shutdown;

use crate::config::{self, Config};
use crate::front::crowd::Crowd;
use crate::front::tls::Keyring;
use crate::log::Sink;
use crate::rate::Limiter;
use crate::resolve::Directory;

/// What is to be served.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What proxy.conf says.
    pub(crate) config: Arc<Config>,
    /// The upstreams, in the order of the configuration.
    pub(crate) upstreams: Vec<Arc<Tended>>,
    /// Who asked how often, by the position of the route.
    pub(crate) limiters: Arc<[Option<Arc<Limiter>>]>,
    /// Where the access log goes.
    pub(crate) sink: Option<Sink>,
    /// The connections of each client.
    pub(crate) crowd: Arc<Crowd>,
    /// What TLS needs.
    pub(crate) keyring: Arc<Keyring>,
}

/// An upstream that the background looks after: its names are resolved, its servers are checked.
#[derive(Debug)]
pub(crate) struct Tended {
    /// What proxy.conf says about it.
    pub(crate) config: config::Upstream,
    /// Its addresses.
    pub(crate) directory: Arc<Directory>,
    /// Cancelled when nobody needs it any more.
    pub(crate) stop: Shutdown,
}

impl Plan {
    /// Lays out a configuration. An upstream whose settings are those of `before` stays as it is; of one
    /// that changed the addresses are kept until its names are resolved again.
    pub(crate) fn new(
        config: Config,
        sink: Option<Sink>,
        keyring: Keyring,
        before: Option<&Self>,
    ) -> Self {
        let upstreams = config
            .upstreams
            .iter()
            .map(|upstream| {
                let old = before.and_then(|plan| plan.named(&upstream.name));
                if let Some(old) = old
                    && old.config == *upstream
                {
                    return old.clone();
                }
                let old = old.filter(|old| old.config.servers == upstream.servers);
                let directory = match old {
                    Some(old) => old.directory.copy(),
                    None => Directory::new(&upstream.servers),
                };
                Arc::new(Tended {
                    config: upstream.clone(),
                    directory: Arc::new(directory),
                    stop: Shutdown::new(),
                })
            })
            .collect();
        // Who is connected stays connected, and counted.
        let crowd = before.map_or_else(Crowd::new, |plan| plan.crowd.clone());
        crowd.allow(config.server.max_connections_per_client);
        let limiters = Limiter::all(&config, before.map_or(&[][..], |plan| &plan.limiters)).into();
        let (config, keyring) = (Arc::new(config), Arc::new(keyring));
        Self { config, upstreams, limiters, sink, crowd, keyring }
    }

    fn named(&self, name: &str) -> Option<&Arc<Tended>> {
        self.upstreams.iter().find(|tended| &*tended.config.name == name)
    }

    /// The upstreams that `other` does not have.
    pub(crate) fn beyond<'p>(
        &'p self,
        other: Option<&'p Self>,
    ) -> impl Iterator<Item = &'p Arc<Tended>> {
        self.upstreams.iter().filter(move |tended| {
            !other.is_some_and(|other| other.upstreams.iter().any(|one| Arc::ptr_eq(one, tended)))
        })
    }

    /// What isn't ready: the upstreams without a healthy server.
    pub(crate) fn missing(&self) -> Vec<&str> {
        self.upstreams
            .iter()
            .filter(|tended| !tended.directory.known().iter().any(|known| known.is_healthy()))
            .map(|tended| &*tended.config.name)
            .collect()
    }
}

//! What becomes of a server that a reload removed.

use super::Endpoint;
use crate::config::{Config, Place};
use crate::resolve::Addr;

impl Endpoint {
    /// Closes all idle connections, and from now on each one as soon as its use is over.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        self.clear();
    }

    /// Has whatever is under way with it end, as soon as that is looked at.
    pub(crate) fn cut_off(&self) {
        self.cut.set(true);
    }

    /// Whether what is under way with it has to end.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut.get()
    }

    /// Whether the configuration still names it.
    pub(crate) fn is_named(&self, config: &Config) -> bool {
        let mut members = config.upstreams.iter().flat_map(|upstream| &upstream.servers);
        members.any(|member| match (&self.addr, &member.at) {
            (Addr::Tcp(addr), Place::Net(named)) => {
                *self.known.host == *named.host && addr.port() == named.port
            }
            (Addr::Unix(path), Place::Unix(named)) => **path == **named,
            _ => false,
        })
    }
}

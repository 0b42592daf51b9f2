//! Which route a request takes: by host, then by path; pure.
//!
//! A host is matched exactly, else by its longest `*.suffix`, else by `*`. Within the host that was
//! found, an exact path wins over a prefix and a longer prefix over a shorter one. There is no falling
//! through to another host: a host that has no route for a path answers 404.
//!
//! Trailing slashes: `/hello` also serves `/hello/`, unless `/hello/` or `/hello/*` is a route of its own;
//! `/chat/*` also serves `/chat`, unless `/chat` is a route of its own.
//!
//! Look-ups cost one hash per label of the host and one per segment of the path that the table
//! knows, however many hosts and routes there are, and allocate nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::route::Route;
use crate::target::normal_host;

/// All routes of all hosts.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    exact: Names,
    /// Keyed without the `*.`.
    suffixes: Names,
    any: Option<usize>,
    hosts: Vec<Paths>,
    /// The host of each route.
    owners: Vec<usize>,
}

/// Hosts or segments to positions.
type Names = HashMap<Box<str>, usize, BuildHasherDefault<Fnv>>;

/// FNV-1a: short keys hash in a few nanoseconds. The keys come from the operator and stay, so nobody can
/// fill the tables with collisions.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The paths of one host: a tree with one node a segment, the first being the root `/`.
#[derive(Debug)]
struct Paths {
    nodes: Vec<Node>,
    /// The names and patterns of the host.
    names: Vec<Box<str>>,
}

#[derive(Debug, Default)]
struct Node {
    children: Names,
    /// `/a`
    exact: Option<usize>,
    /// `/a/`
    slash: Option<usize>,
    /// `/a/*`
    prefix: Option<usize>,
}

/// A host or path that is already taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken;

/// A host of the table, to add paths to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostId(usize);

impl Routes {
    /// The route for a host (any case, with or without port) and a canonical path.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Route> {
        let host = self.host(&normal_host(host))?;
        self.hosts[host].find(path).map(|route| &self.routes[route])
    }

    /// The routes that a path takes on each of the hosts.
    pub(crate) fn find_all<'r>(&'r self, path: &'r str) -> impl Iterator<Item = &'r Route> {
        self.hosts.iter().filter_map(move |host| host.find(path)).map(|route| &self.routes[route])
    }

    /// Every route, in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.routes.iter()
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// How many host names and patterns there are.
    #[must_use]
    pub fn host_count(&self) -> usize {
        self.exact.len() + self.suffixes.len() + usize::from(self.any.is_some())
    }

    /// What the host of a route is called by: the first of its names.
    #[must_use]
    pub fn host_of(&self, route: &Route) -> &str {
        let host = self.owners.get(route.index).and_then(|&host| self.hosts.get(host));
        host.and_then(|host| host.names.first()).map_or("", |name| name)
    }

    /// The names of hosts that are no pattern.
    pub(crate) fn host_names(&self) -> impl Iterator<Item = String> {
        self.exact.keys().map(|name| name.to_string())
    }

    fn host(&self, host: &str) -> Option<usize> {
        if let Some(&id) = self.exact.get(host) {
            return Some(id);
        }
        if !self.suffixes.is_empty() {
            // From the left, so that the longest suffix is met first. A label must stand before it.
            for (dot, _) in host.match_indices('.') {
                if dot > 0
                    && let Some(&id) = self.suffixes.get(&host[dot + 1..])
                {
                    return Some(id);
                }
            }
        }
        self.any
    }

    /// Adds a set of paths that one or more names share.
    pub(crate) fn add_host(&mut self) -> HostId {
        self.hosts.push(Paths { nodes: vec![Node::default()], names: Vec::new() });
        HostId(self.hosts.len() - 1)
    }

    /// Gives a host a name: `example.org`, `*.example.org` or `*`, normalised.
    pub(crate) fn name_host(&mut self, host: HostId, pattern: &str) -> Result<(), Taken> {
        let before = if pattern == "*" {
            self.any.replace(host.0)
        } else if let Some(suffix) = pattern.strip_prefix("*.") {
            self.suffixes.insert(suffix.into(), host.0)
        } else {
            self.exact.insert(pattern.into(), host.0)
        };
        self.hosts[host.0].names.push(pattern.into());
        if before.is_some() { Err(Taken) } else { Ok(()) }
    }

    /// Adds a route; its `index` is set here. The path is canonical, with `/*` at its end for a prefix.
    pub(crate) fn add_route(&mut self, host: HostId, mut route: Route) -> Result<(), Taken> {
        let index = self.routes.len();
        let place = self.hosts[host.0].place(&route.path);
        if place.is_some() {
            return Err(Taken);
        }
        *place = Some(index);
        route.index = index;
        self.routes.push(route);
        self.owners.push(host.0);
        Ok(())
    }
}

impl Paths {
    fn find(&self, path: &str) -> Option<usize> {
        let mut rest = path.strip_prefix('/')?;
        let mut node = &self.nodes[0];
        let mut best = node.prefix;
        loop {
            // `node` stands for everything before `rest`, which followed a slash.
            if rest.is_empty() {
                return node.slash.or(node.prefix).or(node.exact).or(best);
            }
            let (segment, more) = match rest.split_once('/') {
                Some((segment, more)) => (segment, Some(more)),
                None => (rest, None),
            };
            let Some(&child) = node.children.get(segment) else { return best };
            node = &self.nodes[child];
            match more {
                None => return node.exact.or(node.prefix).or(best),
                Some(more) => rest = more,
            }
            best = node.prefix.or(best);
        }
    }

    /// Where the route of a configured path belongs; makes the nodes on the way.
    fn place(&mut self, path: &str) -> &mut Option<usize> {
        let mut node = 0;
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            if last && segment == "*" {
                return &mut self.nodes[node].prefix;
            }
            if last && segment.is_empty() {
                return &mut self.nodes[node].slash;
            }
            node = match self.nodes[node].children.get(segment) {
                Some(&child) => child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[node].children.insert(segment.into(), child);
                    child
                }
            };
        }
        &mut self.nodes[node].exact
    }
}

mod explain;

pub use explain::Explanation;

#[cfg(test)]
mod tests;

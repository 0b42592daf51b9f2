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
use std::sync::Arc;
use std::time::Duration;

use crate::target::normal_host;

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

/// All routes of all hosts.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    exact: Names,
    /// Keyed without the `*.`.
    suffixes: Names,
    any: Option<usize>,
    hosts: Vec<Paths>,
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
        self.hosts.push(Paths { nodes: vec![Node::default()] });
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(path: &str) -> Route {
        Route {
            index: 0,
            path: path.into(),
            upstream: 0,
            auth: AuthRule::None,
            max_body: None,
            response_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(300),
        }
    }

    fn table(hosts: &[(&[&str], &[&str])]) -> Routes {
        let mut routes = Routes::default();
        for (names, paths) in hosts {
            let host = routes.add_host();
            for name in *names {
                routes.name_host(host, name).unwrap();
            }
            for path in *paths {
                routes.add_route(host, route(path)).unwrap();
            }
        }
        routes
    }

    fn found<'a>(routes: &'a Routes, host: &str, path: &str) -> Option<&'a str> {
        routes.find(host, path).map(|route| &*route.path)
    }

    #[test]
    fn the_most_specific_path_wins_whatever_the_order() {
        let routes = table(&[(&["*"], &["/*", "/chat/*", "/chat/ws", "/chat/files/*", "/hello"])]);
        for (path, want) in [
            ("/", "/*"),
            ("/x/y", "/*"),
            ("/chat", "/chat/*"),
            ("/chat/", "/chat/*"),
            ("/chat/ws", "/chat/ws"),
            ("/chat/ws/", "/chat/ws"),
            ("/chat/ws/x", "/chat/*"),
            ("/chat/files", "/chat/files/*"),
            ("/chat/files/a/b", "/chat/files/*"),
            ("/chatter", "/*"),
            ("/hello", "/hello"),
            ("/hello/", "/hello"),
            ("/hello/x", "/*"),
            ("/Hello", "/*"),
        ] {
            assert_eq!(found(&routes, "h", path), Some(want), "{path}");
        }
        assert_eq!(found(&routes, "h", "*"), None, "OPTIONS * belongs to no route");
    }

    #[test]
    fn a_trailing_slash_may_have_a_route_of_its_own() {
        let routes = table(&[(&["*"], &["/a", "/a/", "/b", "/b/*", "/c/"])]);
        for (path, want) in [
            ("/a", Some("/a")),
            ("/a/", Some("/a/")),
            ("/b", Some("/b")),
            ("/b/", Some("/b/*")),
            ("/c/", Some("/c/")),
            ("/c", None),
            ("/", None),
        ] {
            assert_eq!(found(&routes, "h", path), want, "{path}");
        }
    }

    #[test]
    fn exact_host_before_longest_suffix_before_any() {
        let routes = table(&[
            (&["*"], &["/any"]),
            (&["*.example.org"], &["/suffix"]),
            (&["*.b.example.org"], &["/longer"]),
            (&["a.example.org", "[::1]"], &["/exact"]),
        ]);
        for (host, want) in [
            ("a.example.org", "/exact"),
            ("A.Example.ORG.:8080", "/exact"),
            ("[::1]:80", "/exact"),
            ("x.example.org", "/suffix"),
            ("x.a.example.org", "/suffix"),
            ("x.b.example.org", "/longer"),
            ("b.example.org", "/suffix"),
            ("example.org", "/any"),
            (".example.org", "/any"),
            ("xexample.org", "/any"),
            ("", "/any"),
        ] {
            assert_eq!(found(&routes, host, want), Some(want), "{host}");
        }
    }

    #[test]
    fn a_host_without_a_route_for_the_path_does_not_fall_through() {
        let routes = table(&[(&["*"], &["/*"]), (&["a"], &["/only"])]);
        assert_eq!(found(&routes, "a", "/other"), None);
        assert_eq!(found(&routes, "b", "/other"), Some("/*"));
    }

    #[test]
    fn a_name_or_path_can_be_given_once() {
        let mut routes = table(&[(&["*", "a", "*.a"], &["/x", "/x/", "/x/*"])]);
        let host = HostId(0);
        for name in ["*", "a", "*.a"] {
            assert_eq!(routes.name_host(host, name), Err(Taken));
        }
        for path in ["/x", "/x/", "/x/*"] {
            assert_eq!(routes.add_route(host, route(path)), Err(Taken));
        }
    }

    /// The rules once more, as a list that is searched from end to end.
    fn model<'a>(hosts: &'a [(String, Vec<String>)], host: &str, path: &str) -> Option<&'a str> {
        let (_, paths) = hosts
            .iter()
            .filter(|(name, _)| match name.strip_prefix('*') {
                Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
                None => name == host,
            })
            .max_by_key(|(name, _)| (!name.starts_with('*'), name.len()))?;
        let score = |route: &str| -> Option<(usize, u8)> {
            if route == path {
                return Some((usize::MAX, 0));
            }
            if let Some(base) = route.strip_suffix("/*") {
                // `/a/*` serves `/a` too; a root prefix serves everything.
                return (path == base || path.starts_with(&format!("{base}/")))
                    .then_some((base.len(), 1));
            }
            (path.strip_suffix('/') == Some(route)).then_some((route.len(), 0))
        };
        paths
            .iter()
            .filter_map(|route| Some((score(route)?, route)))
            .max_by_key(|(score, _)| *score)
            .map(|(_, route)| route.as_str())
    }

    fn some_path() -> impl Strategy<Value = String> {
        "(/[ab]{1,2}){0,3}/?".prop_map(|path| if path.is_empty() { "/".to_owned() } else { path })
    }

    fn some_routes() -> impl Strategy<Value = Vec<String>> {
        let pattern = (some_path(), any::<bool>()).prop_map(|(path, prefix)| {
            if prefix { format!("{}/*", path.trim_end_matches('/')) } else { path }
        });
        proptest::collection::btree_set(pattern, 1..8).prop_map(|set| set.into_iter().collect())
    }

    /// The given host first, then as many others as it takes to have `count`.
    fn crowd(first: (String, Vec<String>), count: usize) -> Vec<(String, Vec<String>)> {
        let others = (1..count).map(|n| match n % 3 {
            0 => (format!("h{n}.test"), vec!["/*".to_owned()]),
            1 => (format!("*.s{n}.test"), vec![format!("/{n}")]),
            _ => (format!("*.a{n}.b.test"), vec!["/a/*".to_owned()]),
        });
        std::iter::once(first).chain(others).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn the_table_agrees_with_the_rules_at_1_and_1000_hosts(
            name in "(\\*\\.)?[ab]{1,2}(\\.[ab]){0,2}|\\*",
            paths in some_routes(),
            host in "([ab]{1,2}\\.){0,3}[ab]{1,2}",
            path in some_path(),
        ) {
            for count in [1, 1000] {
                let hosts = crowd((name.clone(), paths.clone()), count);
                let mut routes = Routes::default();
                for (name, paths) in &hosts {
                    let id = routes.add_host();
                    routes.name_host(id, name).expect("names differ");
                    for path in paths {
                        routes.add_route(id, route(path)).expect("paths differ");
                    }
                }
                prop_assert_eq!(found(&routes, &host, &path), model(&hosts, &host, &path));
            }
        }
    }
}

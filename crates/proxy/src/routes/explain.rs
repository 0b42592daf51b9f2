//! Which route a request takes, and why: for people who wonder.

use super::{Route, Routes};
use crate::target::normal_host;

/// How a host and a path find their route.
#[derive(Debug, PartialEq, Eq)]
pub struct Explanation<'r> {
    /// The name or pattern that the host fits, if any.
    pub host: Option<&'r str>,
    /// Patterns that the host fits too and that are less specific, the more specific first.
    pub other_hosts: Vec<&'r str>,
    /// The route that is taken.
    pub route: Option<&'r Route>,
    /// Routes of the host that the path fits too, the more specific first.
    pub other_routes: Vec<&'r Route>,
    /// How many routes the host has.
    pub routes: usize,
}

impl Routes {
    /// Explains what [`find`](Self::find) does.
    #[must_use]
    pub fn explain<'r>(&'r self, host: &str, path: &str) -> Explanation<'r> {
        let host = normal_host(host);
        let mut fitting: Vec<(usize, &str)> = self
            .hosts
            .iter()
            .enumerate()
            .flat_map(|(id, paths)| paths.names.iter().map(move |name| (id, &**name)))
            .filter(|(_, pattern)| host_fits(pattern, &host))
            .collect();
        // An exact name first, then suffixes from the longest on, then `*`.
        fitting.sort_by_key(|(_, pattern)| {
            (pattern.starts_with('*'), std::cmp::Reverse(pattern.len()))
        });
        let mut hosts = fitting.into_iter();
        let (id, pattern) = match hosts.next() {
            Some((id, pattern)) => (Some(id), Some(pattern)),
            None => (None, None),
        };
        let route = self.find(&host, path);
        let mine = || {
            self.routes
                .iter()
                .filter(|route| id.is_some() && self.owners.get(route.index).copied() == id)
        };
        let mut other_routes: Vec<&Route> = mine()
            .filter(|one| route.is_none_or(|route| route.index != one.index))
            .filter(|one| path_fits(&one.path, path))
            .collect();
        other_routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
        Explanation {
            host: pattern,
            other_hosts: hosts.map(|(_, pattern)| pattern).collect(),
            route,
            other_routes,
            routes: mine().count(),
        }
    }
}

fn host_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some("") => true,
        // A label must stand before the dot.
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

/// Whether a route could serve a path, if no other one had it.
fn path_fits(route: &str, path: &str) -> bool {
    match route.strip_suffix("/*") {
        Some(base) => {
            path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        None => path == route || path.strip_suffix('/') == Some(route),
    }
}

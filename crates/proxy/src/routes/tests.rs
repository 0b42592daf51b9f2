use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::route::{Action, AuthRule, Destination, Forward, Patience};

fn route(path: &str) -> Route {
    let forward = Forward {
        to: Destination::One(0),
        response_timeout: None,
        body_idle_timeout: None,
        path: None,
        request_headers: None,
    };
    Route {
        index: 0,
        path: path.into(),
        action: Action::Forward(forward),
        auth: AuthRule::None,
        methods: None,
        rate_limit: None,
        max_body: None,
        patience: Patience { idle: Duration::from_secs(30), total: None, min_rate: 0 },
        response_headers: None,
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn the_table_agrees_with_the_rules_among_10000_routes(
        paths in some_routes(),
        asked in proptest::collection::vec(some_path(), 20),
    ) {
        let mut all = paths;
        all.extend((0..10_000).map(|n| match n % 3 {
            0 => format!("/c{}/{n}", n % 7),
            1 => format!("/c{}/{n}/*", n % 7),
            _ => format!("/a/c{n}/b/*"),
        }));
        let hosts = vec![("*".to_owned(), all)];
        let mut routes = Routes::default();
        let id = routes.add_host();
        routes.name_host(id, "*").expect("the first");
        for path in &hosts[0].1 {
            routes.add_route(id, route(path)).expect("paths differ");
        }
        for path in asked.iter().map(String::as_str).chain(["/c1/1", "/c1/1/x", "/a/c2/b", "/a/c2"]) {
            prop_assert_eq!(found(&routes, "a.test", path), model(&hosts, "a.test", path), "{}", path);
        }
    }
}

#[test]
fn a_route_is_explained_with_those_that_lost() {
    let routes = table(&[
        (&["*"], &["/*"]),
        (&["a.example.org", "b.org"], &["/x", "/x/*", "/*"]),
        (&["*.org"], &["/y"]),
        (&["*.example.org"], &["/z"]),
    ]);
    let told = routes.explain("A.example.org:80", "/x/");
    assert_eq!(told.host, Some("a.example.org"));
    assert_eq!(told.other_hosts, ["*.example.org", "*.org", "*"]);
    assert_eq!(told.route.map(|route| &*route.path), Some("/x/*"));
    let others: Vec<&str> = told.other_routes.iter().map(|route| &*route.path).collect();
    assert_eq!((others, told.routes), (vec!["/x", "/*"], 3));
    assert_eq!(told.route.map(|route| routes.host_of(route)), Some("a.example.org"));
    let none = routes.explain("c.org", "/x");
    assert_eq!((none.host, none.route, none.routes), (Some("*.org"), None, 1));
    assert_eq!(none.other_hosts, ["*"]);
}

proptest! {
    /// No route can be hidden by others: whatever the table, each wins for some request. That is why
    /// `proxy check` has nothing to say of it.
    #[test]
    fn every_route_of_a_table_can_win(
        hosts in prop::collection::btree_map(
            prop::sample::select(vec!["*", "*.org", "*.a.org", "a.org", "b.a.org"]),
            prop::collection::btree_set("(/[ab]){0,3}(/|/\\*)", 1..6),
            1..5,
        ),
    ) {
        let mut routes = Routes::default();
        for (name, paths) in &hosts {
            let host = routes.add_host();
            routes.name_host(host, name).unwrap();
            for path in paths {
                routes.add_route(host, route(path)).unwrap();
            }
        }
        for route in routes.iter() {
            let host = routes.host_of(route).replace('*', "other");
            let path = route.path.replace('*', "other");
            let found = routes.explain(&host, &path);
            prop_assert_eq!(found.route, Some(route), "{} {}", host, path);
            prop_assert_eq!(found.host, Some(routes.host_of(route)));
        }
    }
}

use proptest::prelude::*;

use super::*;
use crate::route::{Action, AuthRule, Destination, Forward};

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
        host: "h".into(),
        path: path.into(),
        action: Action::Forward(forward),
        auth: AuthRule::None,
        methods: None,
        rate_limit: None,
        max_body: None,
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

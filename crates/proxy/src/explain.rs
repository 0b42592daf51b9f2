//! What `proxy routes` says.

use std::fmt::Write as _;

use crate::config::{Config, Endpoint, Member, Place, Upstream};
use crate::route::{
    Action, Asked, AuthRule, Destination, Forward, OwnAnswer, RateBy, RateLimit, Route, Split,
};
use crate::routes::Explanation;
use crate::target::{canonical_path, normal_host};

/// Why a request takes the route that it takes, as text for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Several lines.
    pub text: String,
    /// Whether there is a route.
    pub found: bool,
}

/// Explains where a request for `path` at `host` goes. The path may have a query, which decides nothing.
#[must_use]
pub fn report(config: &Config, host: &str, path: &str) -> Report {
    let (asked, query) = match path.split_once('?') {
        Some((asked, query)) => (asked, Some(query)),
        None => (path, None),
    };
    let path = match canonical_path(asked) {
        Ok(path) => path,
        Err(refused) => {
            let text = format!("{host} {asked}: refused with 400: {}\n", refused.message);
            return Report { text, found: false };
        }
    };
    let found = config.routes.explain(host, &path);
    let mut text = String::new();
    let mut line = |name: &str, words: &str| {
        let _ = writeln!(text, "  {name:<9} {words}");
    };
    if path != asked {
        line("path", &format!("{asked} is read as {path}, and sent so"));
    }
    line("host", &host_words(&found));
    if let Some(route) = found.route {
        let kind = if route.path.ends_with("/*") {
            "the longest prefix that fits"
        } else {
            "exactly this path"
        };
        line("route", &format!("{}: {kind}", route.path));
        for other in &found.other_routes {
            line("", &format!("less specific: {} -> {}", other.path, target(config, other)));
        }
        line("auth", &auth_words(config, route));
        if let Some(methods) = &route.methods {
            let allow = methods.allow().to_str().unwrap_or_default();
            line("methods", &format!("{allow}; others are answered 405"));
        }
        let body =
            route.max_body.map_or("any length".to_owned(), |most| format!("at most {most} bytes"));
        line("body", &format!("of the request: {body}"));
        if let Some(limit) = &route.rate_limit {
            line("rate", &rate_words(limit));
        }
        if let Action::Answer(own) = &route.action
            && let OwnAnswer::Redirect(redirect) = &**own
        {
            let host = normal_host(host);
            let asked = Asked { scheme: "http", host: &host, path: &path, query };
            let location = redirect.location(&asked);
            let place =
                location.as_ref().and_then(|place| place.to_str().ok()).unwrap_or("nowhere");
            line("redirect", &format!("{} to {place}", redirect.status.as_u16()));
        }
        if let Some(forward) = route.forward() {
            if let Some(rewrite) = &forward.path {
                line("rewrite", &format!("the server gets {}", rewrite.path(&path)));
            }
            if let Destination::Split(split) = &forward.to {
                line("split", &split_words(config, split));
            }
            for upstream in forward.to.upstreams() {
                let Some(upstream) = config.upstreams.get(upstream) else { continue };
                line("upstream", &servers(upstream));
                line("limits", &limits(forward, upstream));
            }
        }
    }
    let outcome = match (found.route, found.host) {
        (Some(route), _) => format!("{host} {path} -> {}", target(config, route)),
        (None, Some(name)) => format!(
            "{host} {path}: 404: none of the {} routes of \"{name}\" fits, and no other host is asked",
            found.routes
        ),
        (None, None) => format!("{host} {path}: 404: no host fits"),
    };
    Report { text: format!("{outcome}\n{text}"), found: found.route.is_some() }
}

fn host_words(found: &Explanation<'_>) -> String {
    let Some(name) = found.host else {
        return "neither a name nor a pattern fits".to_owned();
    };
    let why = match name.strip_prefix("*.") {
        Some(_) => "the longest suffix that fits",
        None if name == "*" => "every host that has no block of its own",
        None => "exactly this name",
    };
    let others = match &found.other_hosts[..] {
        [] => String::new(),
        others => format!("; would fit too: {}", others.join(", ")),
    };
    format!("{name}: {why}{others}")
}

fn target(config: &Config, route: &Route) -> String {
    match &route.action {
        Action::Forward(forward) => {
            let upstreams = forward.to.upstreams();
            let names = upstreams.iter().filter_map(|&upstream| config.upstreams.get(upstream));
            names.map(|upstream| &*upstream.name).collect::<Vec<_>>().join(" or ")
        }
        Action::Answer(own) => match **own {
            OwnAnswer::Redirect(_) => "a redirect".to_owned(),
            OwnAnswer::Fixed(_) => "an answer of its own".to_owned(),
        },
    }
}

fn auth_words(config: &Config, route: &Route) -> String {
    let by = config.auth.as_ref().map_or_else(String::new, |auth| {
        let name = config.upstreams.get(auth.upstream).map_or("", |upstream| &*upstream.name);
        format!("{name} is asked at {}", auth.path)
    });
    match route.auth {
        AuthRule::Required => format!("required: {by}; without a session 401, or the login page"),
        AuthRule::Optional => format!("optional: {by} if there is a session"),
        AuthRule::None => "none: nobody is asked".to_owned(),
    }
}

fn rate_words(limit: &RateLimit) -> String {
    let whom = match &limit.by {
        RateBy::Client => "each client".to_owned(),
        RateBy::Route => "all together".to_owned(),
        RateBy::Header(name) => format!("each value of {name}"),
    };
    format!("{whom} one request every {:?}; 429 beyond the burst", limit.pace.interval())
}

fn split_words(config: &Config, split: &Split) -> String {
    let name = |upstream: usize| config.upstreams.get(upstream).map_or("", |it| &*it.name);
    let shares: Vec<String> = split
        .weights()
        .map(|(upstream, weight)| format!("{weight} to {}", name(upstream)))
        .collect();
    format!("of {} requests {}", split.total(), shares.join(", "))
}

fn servers(upstream: &Upstream) -> String {
    let label = |member: &Member| match &member.at {
        Place::Net(Endpoint { host, port }) if host.contains(':') => format!("[{host}]:{port}"),
        Place::Net(Endpoint { host, port }) => format!("{host}:{port}"),
        Place::Unix(path) => format!("unix:{}", path.display()),
    };
    let servers: Vec<String> = upstream.servers.iter().map(label).collect();
    format!("{}: {}", upstream.name, servers.join(", "))
}

fn limits(forward: &Forward, upstream: &Upstream) -> String {
    format!(
        "response head within {:?}, pauses in its body {:?}",
        forward.response_timeout.unwrap_or(upstream.response_timeout),
        forward.body_idle_timeout.unwrap_or(upstream.body_idle_timeout),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[auth]
upstream = "sessions"
[upstreams.sessions]
servers = ["127.0.0.1:1"]
[upstreams.chat]
servers = ["127.0.0.1:2", "chat:3"]
[[hosts]]
names = ["*.example.org"]
routes = [
    { path = "/chat/*", upstream = "chat", max_body = "1KiB" },
    { path = "/chat/files/*", upstream = "chat", auth = "none" },
    { path = "/*", upstream = "sessions", auth = "none" },
]
[[hosts]]
names = ["*"]
[[hosts.routes]]
path = "/hello"
upstream = "sessions"
auth = "optional"
[[hosts.routes]]
path = "/api/*"
upstream = [{ name = "chat", weight = 9 }, { name = "sessions", weight = 1 }]
strip_prefix = "/api"
rate_limit = { requests = 100, per = "1m" }
auth = "none"
[[hosts.routes]]
path = "/old/*"
redirect = { to = "https://{host}/new{rest}{query}" }
auth = "none"
"#;

    fn told(host: &str, path: &str) -> String {
        let config = Config::parse(TEXT, "proxy.conf").unwrap().config;
        let report = report(&config, host, path);
        assert_eq!(report.found, !report.text.contains(": 404") && !report.text.contains("400"));
        report.text
    }

    #[test]
    fn the_winner_is_told_with_its_reasons_and_those_that_lost() {
        let text = told("www.Example.org:8080", "/chat/%72ooms?x=/hello");
        assert_eq!(
            text,
            "www.Example.org:8080 /chat/rooms -> chat\n  \
             path      /chat/%72ooms is read as /chat/rooms, and sent so\n  \
             host      *.example.org: the longest suffix that fits; would fit too: *\n  \
             route     /chat/*: the longest prefix that fits\n            \
             less specific: /* -> sessions\n  \
             auth      required: sessions is asked at /auth/verify; without a session 401, or the login page\n  \
             body      of the request: at most 1024 bytes\n  \
             upstream  chat: 127.0.0.1:2, chat:3\n  \
             limits    response head within 60s, pauses in its body 300s\n"
        );
    }

    #[test]
    fn what_a_route_makes_of_a_request_is_told() {
        let text = told("localhost:8080", "/api/a?b");
        for line in [
            "localhost:8080 /api/a -> chat or sessions\n",
            "  rewrite   the server gets /a\n",
            "  split     of 10 requests 9 to chat, 1 to sessions\n",
            "  rate      each client one request every 600ms; 429 beyond the burst\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let text = told("Localhost:8080", "/old/a?b");
        assert!(text.contains("  redirect  308 to https://localhost/new/a?b\n"), "{text}");
    }

    #[test]
    fn what_finds_no_route_says_why() {
        let text = told("localhost", "/chat");
        assert!(text.contains("404: none of the 3 routes of \"*\" fits"), "{text}");
        let text = told("a.example.org", "/a%2fb");
        assert!(text.contains("refused with 400"), "{text}");
        let text = told("localhost", "/hello/");
        assert!(text.contains("/hello: exactly this path") && text.contains("optional"), "{text}");
    }
}

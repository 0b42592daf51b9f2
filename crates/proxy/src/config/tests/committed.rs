//! The `proxy.conf` of the repository.

use super::*;

#[test]
fn the_committed_file_serves_both_set_ups() {
    let Loaded { config, warnings } = parse(COMMITTED).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let server_of = |config: &Config, path: &str| {
        let route = config.routes.find("localhost:8080", path).unwrap();
        let Place::Net(server) =
            &config.upstreams[route.forward().unwrap().to.upstreams()[0]].servers[0].at
        else {
            panic!("not on the network")
        };
        (format!("{}:{}", server.host, server.port), route.auth)
    };
    for path in [
        "/submit-info",
        "/get-list/",
        "/add-list",
        "/connect-peer",
        "/broadcast-peer",
        "/send-peer",
        "/get-messages",
        "/hello",
        "/chat",
        "/chat/events",
        "/chat/ws",
    ] {
        assert_eq!(
            server_of(&config, path),
            ("127.0.0.1:8001".to_owned(), AuthRule::Required),
            "{path}"
        );
    }
    for path in ["/", "/login", "/register", "/auth/verify", "/chat.js", "/.well-known/jwks.json"] {
        assert_eq!(
            server_of(&config, path),
            ("127.0.0.1:9000".to_owned(), AuthRule::None),
            "{path}"
        );
    }
    let compose = |name: &str| match name {
        "BACKEND_AUTH" => Some("backend-auth:9000".to_owned()),
        "CHAT_TRACKER" => Some("chat-tracker:8001".to_owned()),
        _ => None,
    };
    let config = Config::parse_with(COMMITTED, "proxy.conf", &compose).unwrap().config;
    assert_eq!(server_of(&config, "/").0, "backend-auth:9000");
    assert_eq!(server_of(&config, "/hello").0, "chat-tracker:8001");
}

/// What is commented out shows the default, so uncommenting it changes nothing.
#[test]
fn the_commented_keys_of_the_committed_file_are_the_defaults() {
    let uncommented: String = COMMITTED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            // Those without a default show an example.
            Some(rest)
                if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[')
                    && ![
                        "workers",
                        "access_log_format",
                        "health",
                        "eject",
                        "request_body_timeout",
                        "reload_timeout",
                        "max_body",
                    ]
                    .iter()
                    .any(|key| rest.starts_with(key)) =>
            {
                rest
            }
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(uncommented.lines().filter(|line| !line.starts_with('#')).count() > 60);
    let debug = |text: &str| {
        let config = parse(text).unwrap().config;
        format!("{:?}{:?}{:?}{:?}", config.server, config.tls, config.auth, config.upstreams)
    };
    assert_eq!(debug(&uncommented), debug(COMMITTED));
}

//! What a route may say.

use super::*;
use crate::route::Patience;

#[test]
fn limits_of_bodies_are_the_servers_unless_a_route_has_its_own() {
    let text = format!(
        "[server]\nmax_body = \"1KiB\"\nmin_rate = 7\nbody_idle_timeout = \"3s\"\nrequest_body_timeout = \"1m\"\n{}",
        WITH_AUTH.replace(
            "response_timeout",
            "min_rate = 0\nrequest_body_idle_timeout = \"4s\"\nresponse_timeout"
        )
    );
    let config = parse(&text).unwrap().config;
    let seconds = Duration::from_secs;
    let root = config.routes.find("h", "/").unwrap();
    assert_eq!(root.max_body, Some(1024));
    let total = Some(seconds(60));
    assert_eq!(root.patience, Patience { idle: seconds(3), total, min_rate: 7 });
    let chat = config.routes.find("h", "/chat").unwrap();
    assert_eq!(chat.max_body, Some(1 << 20));
    assert_eq!(chat.patience, Patience { idle: seconds(4), total, min_rate: 0 });
    let plain = parse(SMALL).unwrap().config;
    let route = plain.routes.find("h", "/").unwrap();
    assert_eq!(route.patience, Patience { idle: seconds(30), total: None, min_rate: 240 });
}

/// What is said of one route, given its lines.
fn route_errors(lines: &str) -> String {
    errors(&format!(
        "[upstreams.web]\nservers = [\"127.0.0.1:9000\"]\n[[hosts]]\nnames = [\"*\"]\n[[hosts.routes]]\n{lines}\n"
    ))
}

#[test]
fn a_route_goes_one_way_and_has_no_key_that_does_nothing() {
    for (lines, wants) in [
        ("path = \"/a\"", "6:8: key `hosts.routes.path`: the route goes nowhere"),
        (
            "path = \"/a\"\nupstream = \"web\"\nredirect = { to = \"/b\" }",
            "8:12: key `hosts.routes.redirect`: the route has upstream already",
        ),
        (
            "path = \"/a\"\nrespond = { status = 204 }\nredirect = { to = \"/b\" }",
            "the route has redirect already; remove redirect or respond",
        ),
        (
            "path = \"/a/*\"\nredirect = { to = \"/b\" }\nstrip_prefix = \"/a\"",
            "8:16: key `hosts.routes.strip_prefix`: strip_prefix is for routes with an upstream",
        ),
        (
            "path = \"/a/*\"\nupstream = \"web\"\nstrip_prefix = \"/a\"\nrewrite = \"/*\"",
            "9:11: key `hosts.routes.rewrite`: the route has strip_prefix already",
        ),
        (
            "path = \"/ab/*\"\nupstream = \"web\"\nstrip_prefix = \"/a\"",
            "the route's path is not below \"/a\"",
        ),
        (
            "path = \"/a/*\"\nupstream = \"web\"\nstrip_prefix = \"/\"",
            "\"/\" is not a prefix to strip",
        ),
        (
            "path = \"/a\"\nupstream = \"web\"\nrewrite = \"/b/*\"",
            "\"/b/*\" ends with /*, and the route's path doesn't",
        ),
        (
            "path = \"/a\"\nupstream = \"web\"\nrewrite = \"/../b\"",
            "\"/../b\" is not a path to forward to",
        ),
        (
            "path = \"/a\"\nredirect = { to = \"/b{rest}\" }",
            "7:19: key `hosts.routes.redirect.to`: \"/b{rest}\" has {rest}, and the route's path has no /* for it",
        ),
        (
            "path = \"/a\"\nredirect = { to = \"/b\", status = 304 }",
            "304 is not the status of a redirect",
        ),
        (
            "path = \"/a\"\nrespond = { status = 204, body = \"x\" }",
            "an answer with status 204 has no body",
        ),
        ("path = \"/a\"\nrespond = { status = 101 }", "101 is out of range"),
        (
            "path = \"/a\"\nrespond = { status = 200, content_type = \"html\" }",
            "\"html\" is not a type",
        ),
        ("path = \"/a\"\nupstream = \"web\"\nmethods = [\"get\"]", "\"get\" is not a method"),
        ("path = \"/a\"\nupstream = \"web\"\nmethods = []", "name at least one method"),
        ("path = \"/a\"\nupstream = \"web\"\nmethods = [\"TRACE\"]", "TRACE is never served"),
    ] {
        let error = route_errors(lines);
        assert!(error.contains(wants), "{error}");
    }
}

#[test]
fn a_route_can_not_change_headers_that_are_the_proxys_business() {
    for name in [
        "Connection",
        "keep-alive",
        "transfer-encoding",
        "Content-Length",
        "upgrade",
        "te",
        "via",
        "expect",
        "sec-websocket-key",
        "x-forwarded-for",
        "X_Forwarded_For",
        "Forwarded",
        "x-real-ip",
        "X-Chat-Identity",
        "x.chat.identity",
        "x-request-id",
        "a b",
    ] {
        for table in ["request_headers", "response_headers"] {
            for lines in [
                format!("{table} = {{ set = {{ {name:?} = \"1\" }} }}"),
                format!("{table} = {{ add = {{ {name:?} = \"1\" }} }}"),
                format!("{table} = {{ remove = [{name:?}] }}"),
            ] {
                let error = route_errors(&format!("path = \"/\"\nupstream = \"web\"\n{lines}"));
                assert!(error.starts_with("proxy.conf:8:"), "{lines}: {error}");
                assert!(!error.contains('\n'), "{lines}: {error}");
            }
        }
    }
    for (lines, wants) in [
        ("request_headers.add = { host = \"a\" }", "host is needed once"),
        ("request_headers.remove = [\"host\"]", "host is needed once"),
        ("request_headers.set = { host = \"a/b\" }", "\"a/b\" is not a host"),
        ("response_headers.set = { host = \"a\" }", "host belongs to requests"),
        ("request_headers.set = { x-a = \"b\\r\\nx-c: d\" }", "is not the value of a header"),
        ("request_headers.set = { x-a = \" b\" }", "is not the value of a header"),
        ("request_headers = {}", "the table changes nothing"),
        ("request_headers.set = { x-chat-identity = \"root\" }", "is the proxy's own"),
    ] {
        let error = route_errors(&format!("path = \"/\"\nupstream = \"web\"\n{lines}"));
        assert!(error.contains(wants), "{lines}: {error}");
    }
    let custom = WITH_AUTH
        .replace("upstream = \"web\"\n[up", "upstream = \"web\"\nidentity_header = \"x-who\"\n[up")
        .replace("max_body", "request_headers.set = { x_who = \"root\" }\nmax_body");
    assert!(errors(&custom).contains("x_who is the proxy's own"));
}

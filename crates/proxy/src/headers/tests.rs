use http::Method;
use http::header::{CONTENT_LENGTH, COOKIE, ORIGIN, SET_COOKIE};
use http::request::Parts;
use proptest::prelude::*;

use super::*;

const IDENTITY: HeaderName = HeaderName::from_static("x-chat-identity");

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

fn client(address: &str, trusted: bool) -> Client {
    Client::new(format!("{address}:5000").parse().unwrap(), "http", trusted)
}

fn prepare_for(client: &Client, lines: &[(&str, &str)]) -> Result<HeaderMap, Refused> {
    let mut headers = map(lines);
    let id = HeaderValue::from_static("id-1");
    Rules::new(&IDENTITY).prepare_request(&mut headers, client, Version::HTTP_11, id, false)?;
    Ok(headers)
}

fn prepared(lines: &[(&str, &str)]) -> HeaderMap {
    prepare_for(&client("192.0.2.7", false), lines).unwrap()
}

fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn an_ordinary_request_keeps_its_headers_and_gets_ours() {
    let headers = prepared(&[
        ("host", "chat.example.org:8080"),
        ("user-agent", "curl/8"),
        ("accept", "*/*"),
        ("cookie", "session=a"),
        ("origin", "http://chat.example.org:8080"),
        ("sec-fetch-site", "same-origin"),
        ("authorization", "Bearer b"),
        ("content-length", "3"),
    ]);
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "authorization: Bearer b",
            "content-length: 3",
            "cookie: session=a",
            "forwarded: for=192.0.2.7;host=\"chat.example.org:8080\";proto=http",
            "host: chat.example.org:8080",
            "origin: http://chat.example.org:8080",
            "sec-fetch-site: same-origin",
            "user-agent: curl/8",
            "via: 1.1 hybrid-chat",
            "x-forwarded-for: 192.0.2.7",
            "x-forwarded-host: chat.example.org:8080",
            "x-forwarded-proto: http",
            "x-request-id: id-1",
        ]
    );
}

#[test]
fn hop_by_hop_headers_and_what_every_connection_line_lists_are_removed() {
    let headers = prepared(&[
        ("host", "a"),
        ("connection", "keep-alive, X-One"),
        ("connection", "x-two ,, close, \u{e9}"),
        ("x-one", "1"),
        ("x-two", "2"),
        ("x-three", "3"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x-sum"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
        ("proxy-authorization", "Basic x"),
        ("proxy-authenticate", "Basic"),
    ]);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "forwarded",
            "host",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-request-id",
            "x-three"
        ]
    );
}

#[test]
fn a_connection_line_cannot_take_away_what_decisions_rest_on() {
    let kept = [
        ("host", "a"),
        ("content-length", "3"),
        ("authorization", "Bearer b"),
        ("cookie", "session=a"),
        ("origin", "http://a"),
        ("sec-fetch-site", "cross-site"),
        ("content-type", "application/json"),
    ];
    let ours = [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
        "x-request-id",
        "via",
    ];
    let list = kept.iter().map(|(name, _)| *name).chain(ours).chain(["x-chat-identity"]);
    let nominating = list.collect::<Vec<_>>().join(", ");
    let mut lines = kept.to_vec();
    lines.push(("connection", &nominating));
    let headers = prepared(&lines);
    for (name, value) in kept {
        assert_eq!(headers[name], value, "{name}");
    }
    for name in ours {
        assert!(headers.contains_key(name), "{name}");
    }
}

#[test]
fn names_that_only_the_proxy_sets_are_removed_in_every_spelling() {
    for name in [
        "x-chat-identity",
        "X-Chat-Identity",
        "x_chat_identity",
        "x.chat.identity",
        "xchatidentity",
        "x-chatidentity",
        "x--chat-identity",
        "x-chat-identity-",
        "-x-chat-identity",
        "x~chat!identity",
        "x-forwarded-prefix",
        "x-forwarded-port",
        "x.forwarded.for",
        "x_forwarded_for",
        "xforwardedfor",
        "x-forwarded",
        "x-real-ip",
        "x.real.ip",
        "x-original-url",
        "x-original-uri",
        "x-originating-ip_",
        "remote-user",
        "remote_user",
        "remote.user",
        "x-remote-user",
        "proxy",
        "x_anything",
        "_",
        "-",
        "forwarded-",
        "for-warded",
    ] {
        let headers = prepared(&[("host", "a"), (name, "evil"), (name, "evil too")]);
        assert!(headers.iter().all(|(_, value)| !value.as_bytes().starts_with(b"evil")), "{name}");
    }
    for name in
        ["x-chat-identity2", "x-chat", "proxy-x", "x-requested-with", "remote", "x-custom.name"]
    {
        assert_eq!(all(&prepared(&[("host", "a"), (name, "fine")]), name), ["fine"], "{name}");
    }
}

#[test]
fn another_identity_header_is_reserved_when_it_is_configured() {
    let rules = Rules::new(&HeaderName::from_static("x-user"));
    let mut headers =
        map(&[("host", "a"), ("x-user", "evil"), ("x.user", "evil"), ("x-chat-identity", "evil")]);
    let id = HeaderValue::from_static("id");
    rules
        .prepare_request(&mut headers, &client("[::1]", false), Version::HTTP_11, id, false)
        .unwrap();
    assert!(!headers.contains_key("x-user") && !headers.contains_key("x.user"));
    assert!(!headers.contains_key("x-chat-identity"), "the default name stays reserved");
}

#[test]
fn a_stranger_cannot_say_where_it_comes_from() {
    let headers = prepared(&[
        ("host", "a"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil"),
        ("forwarded", "for=1.1.1.1"),
        ("x-request-id", "evil"),
    ]);
    assert_eq!(all(&headers, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(all(&headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(all(&headers, "x-forwarded-host"), ["a"]);
    assert_eq!(all(&headers, "forwarded"), ["for=192.0.2.7;host=\"a\";proto=http"]);
    assert_eq!(all(&headers, "x-request-id"), ["id-1"]);
}

#[test]
fn a_trusted_proxy_in_front_is_believed_and_added_to() {
    let headers = prepare_for(
        &client("10.0.0.1", true),
        &[
            ("host", "a"),
            ("x-forwarded-for", "1.1.1.1, 2.2.2.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "chat.example.org"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-prefix", "/evil"),
            ("x-chat-identity", "evil"),
        ],
    )
    .unwrap();
    assert_eq!(all(&headers, "x-forwarded-for"), ["1.1.1.1, 2.2.2.2", "10.0.0.1"]);
    assert_eq!(all(&headers, "x-forwarded-proto"), ["https"]);
    assert_eq!(all(&headers, "x-forwarded-host"), ["chat.example.org"]);
    assert_eq!(all(&headers, "forwarded"), ["for=1.1.1.1", "for=10.0.0.1;host=\"a\";proto=http"]);
    assert!(
        !headers.contains_key("x-forwarded-prefix") && !headers.contains_key("x-chat-identity")
    );
}

#[test]
fn ipv6_is_bracketed_and_quoted_in_forwarded_and_mapped_ipv4_is_ipv4() {
    let host = [("host", "[::1]:80")];
    let headers = prepare_for(&client("[2001:db8::1]", false), &host).unwrap();
    assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=http");
    assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
    let headers = prepare_for(&client("[::ffff:192.0.2.1]", false), &host).unwrap();
    assert_eq!(headers["x-forwarded-for"], "192.0.2.1");
}

#[test]
fn forwarded_follows_the_host_on_one_connection() {
    let client = client("192.0.2.7", false);
    for host in ["a", "a", "b", "a"] {
        let headers = prepare_for(&client, &[("host", host)]).unwrap();
        assert_eq!(headers["forwarded"], format!("for=192.0.2.7;host=\"{host}\";proto=http"));
    }
}

#[test]
fn via_is_added_to_and_a_loop_is_noticed() {
    assert_eq!(
        all(&prepared(&[("host", "a"), ("via", "1.0 fred, 1.1 p.example.net")]), "via"),
        ["1.0 fred, 1.1 p.example.net", "1.1 hybrid-chat"]
    );
    let stranger = client("192.0.2.7", false);
    for via in ["1.1 hybrid-chat", "1.1 fred, 1.0 hybrid-chat (again)"] {
        let refused = prepare_for(&stranger, &[("host", "a"), ("via", via)]).unwrap_err();
        assert_eq!((refused.status, refused.class), (StatusCode::LOOP_DETECTED, "proxy_loop"));
    }
    let mut old = map(&[]);
    let id = HeaderValue::from_static("id");
    Rules::new(&IDENTITY)
        .prepare_request(&mut old, &stranger, Version::HTTP_10, id, false)
        .unwrap();
    assert_eq!(old["via"], "1.0 hybrid-chat");
}

#[test]
fn the_only_transfer_coding_is_one_chunked() {
    assert_eq!(
        all(&prepared(&[("host", "a"), ("transfer-encoding", "Chunked")]), "transfer-encoding"),
        ["chunked"]
    );
    let stranger = client("192.0.2.7", false);
    for lines in [
        &[("transfer-encoding", "gzip, chunked")][..],
        &[("transfer-encoding", "chunked, chunked")],
        &[("transfer-encoding", "xchunked")],
        &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        &[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
        &[("transfer-encoding", "")],
        &[
            ("transfer-encoding", "chunked"),
            ("connection", "transfer-encoding"),
            ("transfer-encoding", "x"),
        ],
    ] {
        let refused = prepare_for(&stranger, lines).unwrap_err();
        assert_eq!(refused.status, StatusCode::NOT_IMPLEMENTED, "{lines:?}");
    }
}

#[test]
fn a_known_expectation_is_met_here_and_an_unknown_one_refused() {
    assert!(!prepared(&[("host", "a"), ("expect", "100-Continue")]).contains_key(EXPECT));
    let stranger = client("192.0.2.7", false);
    for lines in [
        &[("expect", "200-ok")][..],
        &[("expect", "100-continue"), ("expect", "x")],
        &[("expect", "x"), ("connection", "expect")],
    ] {
        let refused = prepare_for(&stranger, lines).unwrap_err();
        assert_eq!(
            (refused.status, refused.class),
            (StatusCode::EXPECTATION_FAILED, "unknown_expectation")
        );
    }
}

#[test]
fn an_upgrade_goes_out_with_its_two_headers() {
    let mut headers = map(&[
        ("host", "a"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-key", "k"),
    ]);
    let id = HeaderValue::from_static("id");
    Rules::new(&IDENTITY)
        .prepare_request(&mut headers, &client("[::1]", false), Version::HTTP_11, id, true)
        .unwrap();
    assert_eq!(all(&headers, "connection"), ["upgrade"]);
    assert_eq!(all(&headers, "upgrade"), ["websocket"]);
    assert_eq!(headers["sec-websocket-key"], "k");
}

#[test]
fn a_response_loses_hop_by_hop_headers_and_the_identity() {
    let lines = [
        ("connection", "keep-alive, x-hop, set-cookie, content-length"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("trailer", "x"),
        ("upgrade", "h2c"),
        ("x-chat-identity", "secret"),
        ("x.chat.identity", "secret"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x_underscore", "fine"),
    ];
    let mut headers = map(&lines);
    Rules::new(&IDENTITY).prepare_response(&mut headers, false);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["set-cookie", "x_underscore"]);
    assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
    let mut switching =
        map(&[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "k")]);
    Rules::new(&IDENTITY).prepare_response(&mut switching, true);
    assert_eq!(all(&switching, "connection"), ["upgrade"]);
    assert_eq!(all(&switching, "upgrade"), ["websocket"]);
    assert_eq!(switching["sec-websocket-accept"], "k");
}

#[test]
fn no_connection_line_of_an_upstream_takes_the_length_away() {
    let mut length = map(&[("content-length", "5"), ("connection", "content-length")]);
    Rules::new(&IDENTITY).prepare_response(&mut length, false);
    assert_eq!(length["content-length"], "5");
}

#[test]
fn max_forwards_is_counted_for_options_alone() {
    let hop = |method, lines: &[(&str, &str)]| {
        let mut parts = parts(method, Version::HTTP_11, lines);
        let answer = last_hop(&mut parts);
        (answer.map(|answer| answer.map(|answer| answer.status().as_u16())), parts.headers)
    };
    for (sent, left) in [("1", "0"), ("010", "9"), ("4294967295", "4294967294")] {
        let (answer, headers) = hop(Method::OPTIONS, &[("max-forwards", sent)]);
        assert_eq!((answer, &headers["max-forwards"]), (Ok(None), &HeaderValue::from_static(left)));
    }
    assert_eq!(hop(Method::OPTIONS, &[("max-forwards", "0")]).0, Ok(Some(200)));
    assert_eq!(hop(Method::OPTIONS, &[]).0, Ok(None));
    let (answer, headers) = hop(Method::GET, &[("max-forwards", "0")]);
    assert_eq!((answer, all(&headers, "max-forwards")), (Ok(None), vec!["0"]));
    for lines in [
        &[("max-forwards", "")][..],
        &[("max-forwards", "-1")],
        &[("max-forwards", "+1")],
        &[("max-forwards", "4294967296")],
        &[("max-forwards", "1"), ("max-forwards", "1")],
    ] {
        let refused = hop(Method::OPTIONS, lines).0.unwrap_err();
        assert_eq!(refused.class, "bad_max_forwards", "{lines:?}");
    }
}

fn parts(method: Method, version: Version, lines: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::new(());
    *request.method_mut() = method;
    *request.version_mut() = version;
    *request.headers_mut() = map(lines);
    request.into_parts().0
}

#[test]
fn only_a_complete_websocket_handshake_is_an_upgrade() {
    let good = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
    let ask = |method, version, lines: &[(&str, &str)]| upgrade_of(&parts(method, version, lines));
    assert_eq!(ask(Method::GET, Version::HTTP_11, &good), Upgrade::WebSocket);
    assert_eq!(ask(Method::GET, Version::HTTP_10, &good), Upgrade::None);
    for lines in [
        &[("upgrade", "websocket")][..],
        &[("connection", "upgrade")],
        &[("connection", "close"), ("upgrade", "websocket")],
        &[("connection", "upgrade"), ("upgrade", "h2c")],
        &[("connection", "upgrade"), ("upgrade", "websocket, h2c")],
        &[("connection", "upgrade"), ("upgrade", "h2c"), ("upgrade", "websocket")],
        &[("connection", "upgrade"), ("upgrade", "websocket/13")],
    ] {
        assert_eq!(ask(Method::GET, Version::HTTP_11, lines), Upgrade::None, "{lines:?}");
    }
    assert!(matches!(ask(Method::POST, Version::HTTP_11, &good), Upgrade::Refused(_)));
    for body in [(CONTENT_LENGTH.as_str(), "5"), (TRANSFER_ENCODING.as_str(), "chunked")] {
        let lines = [good[0], good[1], body];
        assert!(
            matches!(ask(Method::GET, Version::HTTP_11, &lines), Upgrade::Refused(_)),
            "{body:?}"
        );
    }
    let empty = [good[0], good[1], ("content-length", "0")];
    assert_eq!(ask(Method::GET, Version::HTTP_11, &empty), Upgrade::WebSocket);
}

#[test]
fn calls_on_behalf_of_another_site_are_told_from_our_own() {
    let allowed = ["https://friend.example".to_owned()];
    let cookie = (COOKIE.as_str(), "session=a");
    let host = (HOST.as_str(), "chat.example:8080");
    let origin = |origin| (ORIGIN.as_str(), origin);
    let site = |site| ("sec-fetch-site", site);
    let check = |method: Method, upgrade, lines: &[(&str, &str)]| {
        cross_site(&method, &map(lines), upgrade, &allowed)
    };
    for (refused, lines) in [
        (false, vec![]),
        (false, vec![site("same-origin")]),
        (false, vec![site("none")]),
        (true, vec![site("same-site")]),
        (true, vec![site("cross-site")]),
        (true, vec![site("cross-site"), origin("http://chat.example:8080")]),
        (false, vec![site("same-origin"), origin("http://odd.example")]),
        (false, vec![origin("http://chat.example:8080")]),
        (false, vec![origin("http://CHAT.example:8080")]),
        (true, vec![origin("http://chat.example")]),
        (true, vec![origin("http://chat.example:80801")]),
        (true, vec![origin("http://evil.example")]),
        (true, vec![origin("null")]),
        (true, vec![origin("")]),
        (true, vec![origin("file://chat.example:8080")]),
        (true, vec![origin("http://chat.example:8080"), origin("http://evil.example")]),
        (false, vec![origin("https://friend.example")]),
        (false, vec![origin("https://friend.example"), site("cross-site")]),
    ] {
        let mut with = lines.clone();
        with.extend([host, cookie]);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(check(method, false, &with), refused, "{lines:?}");
        }
        assert_eq!(check(Method::GET, true, &with), refused, "an upgrade with {lines:?}");
        assert!(!check(Method::GET, false, &with), "a safe method with {lines:?}");
        let mut without = lines.clone();
        without.push(host);
        assert!(!check(Method::POST, false, &without), "without cookie: {lines:?}");
    }
}

#[test]
fn the_default_port_may_be_left_out() {
    for (origin, host, refused) in [
        ("https://chat.example", "chat.example:443", false),
        ("https://chat.example", "chat.example", false),
        ("http://chat.example", "chat.example:80", false),
        ("https://chat.example", "chat.example:80", true),
        ("http://chat.example:443", "chat.example", true),
    ] {
        let headers = map(&[("cookie", "session=a"), ("host", host), ("origin", origin)]);
        assert_eq!(cross_site(&Method::POST, &headers, false, &[]), refused, "{origin} {host}");
    }
}

proptest! {
    /// Any mixture of case and punctuation around the letters of a reserved name.
    #[test]
    fn no_alias_of_a_reserved_name_survives(
        which in 0..6_usize,
        seed in proptest::collection::vec((any::<bool>(), "[-_.!#$%&'*+^`|~]{0,2}"), 24),
        nominated in any::<bool>(),
    ) {
        let name = ["xchatidentity", "xforwardedfor", "forwarded", "xrealip", "xoriginalurl", "remoteuser"][which];
        let mut alias = String::new();
        for (letter, (upper, junk)) in name.chars().zip(&seed) {
            alias.push_str(junk);
            alias.push(if *upper { letter.to_ascii_uppercase() } else { letter });
        }
        alias.push_str(&seed[23].1);
        let mut lines = vec![("host", "a"), (alias.as_str(), "evil"), ("x-other", "fine")];
        if nominated {
            lines.push(("connection", &alias));
        }
        let headers = prepared(&lines);
        prop_assert!(headers.values().all(|value| value != "evil"), "{}", alias);
        prop_assert_eq!(&headers["x-other"], "fine");
    }
}

use super::*;

fn parse(
    method: &str,
    uri: &str,
    version: Version,
    hosts: &[&str],
) -> Result<(String, String, Rewrite), Refused> {
    let mut headers = HeaderMap::new();
    for host in hosts {
        headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
    }
    let uri: Uri = uri.parse().unwrap();
    let method = method.parse().unwrap();
    let target = Target::parse(&method, &uri, version, &headers)?;
    Ok((target.host.to_string(), target.path.to_string(), target.rewrite()))
}

fn get(uri: &str) -> Result<(String, String, Rewrite), Refused> {
    parse("GET", uri, Version::HTTP_11, &["example.org"])
}

#[test]
fn an_ordinary_request_is_forwarded_as_it_is() {
    for path in ["/", "/a", "/a/b/", "/a.b/c.html?x=/../y&z=%2f", "/@me;v=1/x=(1)", "/a~b_-!$&'*+,"]
    {
        let (host, seen, rewrite) = get(path).unwrap();
        assert_eq!(host, "example.org");
        assert_eq!(seen, path.split('?').next().unwrap());
        assert_eq!(rewrite, Rewrite::default(), "{path}");
    }
}

#[test]
fn hosts_are_compared_without_case_port_and_trailing_dot() {
    for (sent, want) in [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("example.org:8080", "example.org"),
        ("EXAMPLE.org.:80", "example.org"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "[::1]"),
        ("[FE80::1]", "[fe80::1]"),
        ("chat_tracker:", "chat_tracker"),
    ] {
        assert_eq!(parse("GET", "/", Version::HTTP_11, &[sent]).unwrap().0, want, "{sent}");
    }
}

#[test]
fn a_missing_doubled_or_malformed_host_is_refused() {
    for hosts in [
        &[][..],
        &["a", "b"],
        &["a", "a"],
        &[""],
        &["."],
        &[".a"],
        &["a..b"],
        &["a.."],
        &[":80"],
        &["a b"],
        &["a/b"],
        &["user@a"],
        &["a:b"],
        &["a:80:80"],
        &["a:99999"],
        &["a:+80"],
        &["[::1"],
        &["[::1]x"],
        &["[zz]"],
        &["a,b"],
        &["h\u{e9}"],
        &["%61"],
    ] {
        let refused = parse("GET", "/", Version::HTTP_11, hosts).unwrap_err();
        assert_eq!(
            (refused.status, refused.class),
            (StatusCode::BAD_REQUEST, "bad_host"),
            "{hosts:?}"
        );
    }
}

#[test]
fn http_10_may_come_without_a_host() {
    let (host, _, rewrite) = parse("GET", "/", Version::HTTP_10, &[]).unwrap();
    assert_eq!(host, "");
    assert_eq!(rewrite.host.unwrap(), "localhost");
    parse("GET", "/", Version::HTTP_10, &["a", "b"]).unwrap_err();
}

#[test]
fn in_absolute_form_the_authority_replaces_host() {
    let (host, path, rewrite) =
        parse("GET", "http://Example.org:81/a%61?q", Version::HTTP_11, &["evil"]).unwrap();
    assert_eq!((host.as_str(), path.as_str()), ("example.org", "/aa"));
    assert_eq!(rewrite.uri.unwrap(), "/aa?q");
    assert_eq!(rewrite.host.unwrap(), "Example.org:81");
    let (_, path, rewrite) = get("http://example.org").unwrap();
    assert_eq!(path, "/");
    assert_eq!(rewrite, Rewrite { uri: Some("/".parse().unwrap()), host: None });
}

#[test]
fn absolute_form_with_userinfo_or_another_scheme_is_refused() {
    for uri in ["http://user@example.org/", "http://u:p@example.org/", "ftp://example.org/"] {
        assert_eq!(get(uri).unwrap_err().status, StatusCode::BAD_REQUEST, "{uri}");
    }
}

#[test]
fn other_forms_and_methods_are_refused() {
    assert_eq!(get("*").unwrap_err().class, "bad_target");
    assert_eq!(get("example.org:80").unwrap_err().class, "bad_target");
    assert_eq!(parse("OPTIONS", "*", Version::HTTP_11, &["a"]).unwrap().1, "*");
    for (method, uri) in [("CONNECT", "example.org:443"), ("TRACE", "/")] {
        let refused = parse(method, uri, Version::HTTP_11, &["a"]).unwrap_err();
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
        let answer = Problem::from(refused).into_response_with(|body| body);
        assert!(answer.headers().contains_key(ALLOW));
    }
}

#[test]
fn unreserved_characters_are_decoded_and_others_upper_cased() {
    for (sent, want) in [
        ("/%61dmin", "/admin"),
        ("/%7euser/%2d%5F", "/~user/-_"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%2eb", "/a.b"),
        ("/100%25", "/100%25"),
        ("/x%3ay%40z", "/x%3Ay%40z"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/...", "/..."),
        ("/a%252fb", "/a%252fb"),
    ] {
        let (_, path, rewrite) = get(&format!("{sent}?q=%2e")).unwrap();
        assert_eq!(path, want);
        let forwarded = rewrite.uri.map_or(sent.to_owned(), |uri| uri.path().to_owned());
        assert_eq!(forwarded, want, "what is routed on is what is forwarded");
    }
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    for path in [
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/a%00",
        "/%0d%0aX:1",
        "/%7f",
        "/a%1",
        "/a%",
        "/a%zz",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/.",
        "/..",
        "/./a",
        "/../a",
        "/a/.",
        "/a/..",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/.%2e",
        "/%2e",
        "/a/%252e%252e/b",
        "/a/%25%32%65/b",
        "/a/.%252e/b",
        "/%25252e%25252e/b",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/a/.;/b",
        "/a/%2e%2e%3b/b",
        "/a/..%252f..%252fb",
        "/a/..%255cb",
        "/a%2500",
        "/h\u{e9}",
    ] {
        let refused = get(path).expect_err(path);
        assert_eq!(
            (refused.status, refused.class),
            (StatusCode::BAD_REQUEST, "bad_path"),
            "{path}"
        );
    }
}

#[test]
fn a_fragment_is_neither_routed_on_nor_forwarded() {
    let (_, path, rewrite) = get("/public#/../private").unwrap();
    assert_eq!((path.as_str(), rewrite), ("/public", Rewrite::default()));
}

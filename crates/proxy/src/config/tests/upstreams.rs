//! Upstreams and their servers.

use super::*;

#[test]
fn servers_have_weights_and_backups() {
    let text = SMALL.replace(
        "servers = [\"127.0.0.1:9000\"]",
        "servers = [{ address = \"a:1\", weight = 3 }, \"b:2\", { address = \"c:3\", backup = true }]\n\
         policy = \"hash\"\nhash_by = \"cookie:room\"",
    );
    let web = &parse(&text).unwrap().config.upstreams[0];
    let servers: Vec<_> = web.servers.iter().map(|one| (&one.at, one.weight, one.backup)).collect();
    let at = |host: &str, port| Place::Net(Endpoint { host: host.to_owned(), port });
    let [a, b, c] = [at("a", 1), at("b", 2), at("c", 3)];
    assert_eq!(servers, [(&a, 3, false), (&b, 1, false), (&c, 1, true)]);
    assert_eq!(web.policy, Policy::Hash(HashBy::Cookie("room".to_owned())));
    for (from, to, want) in [
        (
            "weight = 3",
            "weight = 0",
            "3:40: key `upstreams.web.servers[0].weight`: 0 is out of range",
        ),
        (
            "weight = 3",
            "wieght = 3",
            "3:31: key `upstreams.web.servers[0].wieght`: unknown key; did you mean `weight`?",
        ),
        ("\"b:2\"", "\"a:1\"", "\"a:1\" is there twice; remove one"),
        ("\"b:2\"", "7", "expected \"host:port\", or a table"),
        ("cookie:room", "cookie:", "\"cookie:\" is nothing to hash by; write \"client\""),
        ("\"hash\"", "\"random_two\"", "hash_by has a meaning only with the policy \"hash\""),
    ] {
        let error = errors(&text.replace(from, to));
        assert!(error.contains(want), "{error}\n{want}");
    }
    let backup = SMALL.replace("\"127.0.0.1:9000\"", "{ address = \"a:1\", backup = true }");
    assert!(warnings(&backup)[0].contains("every server is a backup"));
}

#[test]
fn a_server_that_fails_may_be_left_out() {
    let with = |lines: &str| SMALL.replace("[[hosts]]", &format!("{lines}\n[[hosts]]"));
    assert_eq!(parse(SMALL).unwrap().config.upstreams[0].eject, None);
    let web = &parse(&with("eject = {}\nslow_start = \"20s\"")).unwrap().config.upstreams[0];
    assert_eq!((web.eject.as_ref(), web.slow_start.as_secs()), (Some(&Eject::default()), 20));
    let all = "eject = { failures = 3, within = \"1s\", for = \"2s\", at_most = \"34%\", statuses = [500] }";
    let (second, two) = (Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!(
        parse(&with(all)).unwrap().config.upstreams[0].eject,
        Some(Eject {
            failures: 3,
            within: second,
            duration: two,
            at_most: 34,
            statuses: vec![500]
        })
    );
    for (from, to, want) in [
        ("\"34%\"", "\"34\"", "key `upstreams.web.eject.at_most`: \"34\" is not a part of a whole"),
        ("[500]", "[200]", "200 is out of range; the range is 400 to 599"),
        ("failures = 3", "failures = 0", "0 is out of range"),
        ("\"2s\"", "\"0s\"", "the duration is zero"),
    ] {
        let error = errors(&with(&all.replace(from, to)));
        assert!(error.contains(want), "{error}\n{want}");
    }
    let health = "health = { path = \"/h\", unhealthy_after = 3, healthy_after = 2 }";
    let health = parse(&with(health)).unwrap().config.upstreams[0].health.clone().unwrap();
    assert_eq!((health.unhealthy_after, health.healthy_after), (3, 2));
}

#[test]
fn requests_may_wait_and_be_repeated_within_limits() {
    let web = &parse(SMALL).unwrap().config.upstreams[0];
    assert_eq!((web.queue, web.queue_timeout.as_secs(), web.retry_budget), (100, 5, 20));
    let lines = "queue = 0\nqueue_timeout = \"1s\"\nretry_budget = \"0%\"\n[[hosts]]";
    let web = &parse(&SMALL.replace("[[hosts]]", lines)).unwrap().config.upstreams[0];
    assert_eq!((web.queue, web.queue_timeout.as_secs(), web.retry_budget), (0, 1, 0));
    let error = errors(&SMALL.replace("[[hosts]]", "retry_budget = \"2\"\n[[hosts]]"));
    assert!(error.contains("key `upstreams.web.retry_budget`: \"2\" is not a part"), "{error}");
}

#[test]
fn servers_may_be_reached_by_tls() {
    let with = |lines: &str| SMALL.replace("[[hosts]]", &format!("{lines}\n[[hosts]]"));
    let tls = |lines: &str| parse(&with(lines)).unwrap().config.upstreams[0].tls.clone();
    assert_eq!(tls("tls = false"), None);
    let open = tls("tls = { insecure = true, server_name = \"web.internal\" }").unwrap();
    assert_eq!(open.trust, Trust::Anyone);
    assert_eq!(open.server_name.unwrap().to_str(), "web.internal");
    assert!(
        warnings(&with("tls = { insecure = true }"))[0].contains("certificates are not checked")
    );

    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(["web".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, own.pem()).unwrap();
    let file = file.display();
    let trusting = tls(&format!("tls = {{ ca = \"{file}\" }}")).unwrap();
    assert_eq!(trusting.trust, Trust::These(vec![own.der().clone()]));
    for (lines, want) in [
        (format!("tls = {{ ca = \"{file}\", insecure = true }}"), "insecure makes ca useless"),
        (
            "tls = { ca = \"/nowhere.pem\" }".to_owned(),
            "key `upstreams.web.tls.ca`: the certificates in /nowhere.pem",
        ),
        (
            "tls = { server_name = \"a b\" }".to_owned(),
            "\"a b\" can't be the name in a certificate",
        ),
        ("tls = 5".to_owned(), "expected true, false, or a table"),
    ] {
        let error = errors(&with(&lines));
        assert!(error.contains(want), "{error}\n{want}");
    }
    let socket = with("tls = { insecure = true }").replace("127.0.0.1:9000", "unix:/run/web.sock");
    assert!(errors(&socket).contains("add server_name to tls"));
}

#[test]
fn http2_is_spoken_with_tls_or_without_as_written() {
    let with = |lines: &str| SMALL.replace("[[hosts]]", &format!("{lines}\n[[hosts]]"));
    let web = |lines: &str| parse(&with(lines)).unwrap().config.upstreams[0].clone();
    assert_eq!((web("").protocol, web("").max_streams), (Protocol::Http1, 100));
    let clear = web("protocol = \"h2c\"\nmax_streams = 7");
    assert_eq!((clear.protocol, clear.max_streams), (Protocol::Http2Clear, 7));
    let secured = web("protocol = \"h2\"\ntls = { insecure = true }");
    assert_eq!(secured.protocol, Protocol::Http2);
    for (lines, want) in [
        ("protocol = \"h2\"", "key `upstreams.web.protocol`: \"h2\" needs TLS; write tls = true"),
        ("protocol = \"h2c\"\ntls = { insecure = true }", "\"h2c\" goes without TLS"),
        ("protocol = \"http2\"", "there is no protocol \"http2\"; write \"http1\""),
        ("max_streams = 0", "0 is out of range; the range is 1 to 1000"),
    ] {
        let error = errors(&with(lines));
        assert!(error.contains(want), "{error}\n{want}");
    }
}

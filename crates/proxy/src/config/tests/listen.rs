//! Where clients connect.

use super::{SMALL, errors, parse};

fn listen(entries: &str) -> String {
    format!("[server]\nlisten = [{entries}]\n{SMALL}")
}

#[test]
fn an_entry_is_an_address_or_a_table() {
    let text = listen("\"127.0.0.1:80\", { address = \"127.0.0.1:81\", proxy_protocol = true }")
        .replace("[server]\n", "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n");
    let server = parse(&text).unwrap().config.server;
    let told: Vec<_> =
        server.listen.iter().map(|one| (one.address.port(), one.proxy_protocol)).collect();
    assert_eq!(told, [(80, false), (81, true)]);
    assert_eq!(server.max_connections_per_client, 1024);
    assert_eq!(server.proxy_protocol_timeout.as_secs(), 5);
}

#[test]
fn what_is_wrong_in_an_entry_is_said_with_its_place() {
    for (entries, place, words) in [
        ("5", "2:11: key `server.listen`", "expected an address such as"),
        (
            "{ adress = \"127.0.0.1:80\" }",
            "2:13: key `server.listen.adress`",
            "did you mean `address`?",
        ),
        ("{ proxy_protocol = true }", "2:11: key `server.listen`", "`address` is missing"),
        (
            "{ address = \"80\" }",
            "2:23: key `server.listen.address`",
            "not an address to listen on",
        ),
        (
            "\"127.0.0.1:80\", { address = \"127.0.0.1:80\" }",
            "2:27: key `server.listen[1]`",
            "is there twice",
        ),
        (
            "{ address = \"127.0.0.1:80\", proxy_protocol = true }",
            "2:56: key `server.listen.proxy_protocol`",
            "trusted_proxies",
        ),
    ] {
        let text = errors(&listen(entries));
        assert!(text.starts_with(&format!("proxy.conf:{place}")), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn tls_needs_certificates_that_are_shown_and_redirects_lead_somewhere() {
    let tls = "{ address = \"127.0.0.1:443\", tls = \"certificates\" }";
    let certificate = "[[tls.certificates]]\ncert = \"a\"\nkey = \"b\"\n";
    for (entries, sections, words) in [
        (tls, "", "tls = \"certificates\", and there are none"),
        ("{ address = \"127.0.0.1:443\", tls = \"x\" }", "", "no source of certificates"),
        (tls, &*format!("{certificate}{certificate}"), "would never be shown"),
        (tls, &*format!("{certificate}names = [\"*\"]"), "for every other host already"),
        (tls, "[[tls.certificates]]\ncert = \"\"\nkey = \"b\"\n", "the value is empty"),
        ("{ address = \"127.0.0.1:80\", redirect_to_https = true }", "", "leads nowhere"),
        ("{ address = \"127.0.0.1:80\", redirect_to_https = 70000 }", "", "is not a port"),
        (
            "{ address = \"127.0.0.1:80\", tls = \"local\", redirect_to_https = 1 }",
            "",
            "https already",
        ),
        (
            "{ address = \"127.0.0.1:80\", tls = \"local\" }",
            "[tls]\nlocal_names = [\"*.a\"]",
            "one name",
        ),
    ] {
        let text = errors(&format!("{}{sections}", listen(entries)));
        assert!(text.contains(words), "{entries} {sections}: {text}");
    }
    let fine = format!("{}{certificate}names = [\"a.test\", \"*.a.test\"]", listen(tls));
    let tls = parse(&fine).unwrap().config.tls;
    assert_eq!(tls.certificates[0].names, ["a.test", "*.a.test"]);
    assert_eq!(tls.handshake_timeout.as_secs(), 10);
    assert_eq!(tls.dir.to_str(), Some("data/proxy"));
}

//! What parsers are fed that strangers write: a corpus, each entry as it is and with bytes changed. The streams in
//! `tests/corpus/streams.txt` are for the guard, whose tests read them.

use std::path::Path;

use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri, Version};
use proxy::Config;
use proxy::headers::{Client, Rules};
use proxy::target::Target;

use super::support::Chance;

fn corpus(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What becomes of a target, in the words of `targets.txt`. What is taken must be its own canonical form.
fn target(method: &Method, target: &[u8], version: Version, host: &str) -> String {
    let Ok(mut uri) = Uri::try_from(target) else { return "unread".into() };
    let mut headers = HeaderMap::new();
    if host != "-" {
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    }
    let seen = match Target::parse(method, &uri, version, &headers) {
        Err(refused) => return format!("{} {}", refused.status.as_u16(), refused.class),
        Ok(target) => target,
    };
    let (host, path) = (seen.host.to_string(), seen.path.to_string());
    seen.rewrite().apply(&mut uri, &mut headers);
    let again = Target::parse(method, &uri, Version::HTTP_11, &headers).unwrap();
    assert_eq!(again.path, path, "what is forwarded is what was routed on");
    assert_eq!(again.host, if host.is_empty() { "localhost" } else { &host });
    assert!(uri.authority().is_none() && uri.scheme().is_none(), "{uri}");
    assert!(!path.contains("//") && !path.contains('\\') && !path.contains('#'), "{path}");
    assert!(path.split('/').all(|part| part != "." && part != ".."), "{path}");
    assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase()), "{host}");
    format!("{} {path}", if host.is_empty() { "\"\"" } else { &host })
}

#[test]
fn targets() {
    let text = corpus("targets.txt");
    let mut chance = Chance::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (asked, outcome) = line.split_once(" => ").unwrap();
        let [method, path, version, host] = asked.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let method: Method = method.parse().unwrap();
        let version = if version == "1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
        assert_eq!(target(&method, path.as_bytes(), version, host), outcome, "{line}");
        for _ in 0..500 {
            let bent = chance.bend(path.as_bytes(), b"/.%25eEfF;\\:@#?a*[]\x80");
            target(&method, &bent, version, host);
            let bent = chance.bend(host.as_bytes(), b".:[]aZ-_0@/ ");
            target(&method, path.as_bytes(), version, std::str::from_utf8(&bent).unwrap());
        }
    }
}

/// Prepares a block of header lines; what comes out must be fit for any server.
fn fields(block: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("a"));
    for line in block.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        else {
            continue;
        };
        if name != HOST {
            headers.append(name, value);
        }
    }
    let sent = format!("{headers:?}");
    let identity = HeaderName::from_static("x-chat-identity");
    let client = Client::new("192.0.2.7:1".parse().unwrap(), "http", false);
    let id = HeaderValue::from_static("id");
    let prepared =
        Rules::new(&identity).prepare_request(&mut headers, &client, Version::HTTP_11, id, false);
    if let Err(refused) = prepared {
        assert!(matches!(refused.status.as_u16(), 417 | 501 | 508), "{sent}: {refused:?}");
        return;
    }
    for name in headers.keys().map(HeaderName::as_str) {
        assert!(!name.contains('_'), "{sent}: {name}");
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        assert_ne!(folded, "xchatidentity", "{sent}");
        assert!(
            !matches!(name, "connection" | "keep-alive" | "te" | "trailer" | "upgrade" | "proxy"),
            "{sent}: {name}"
        );
    }
    for (name, value) in [
        ("host", "a"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "a"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "id"),
    ] {
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(lines, [value], "{sent}: {name}");
    }
    let coding: Vec<_> = headers.get_all("transfer-encoding").iter().collect();
    assert!(coding.is_empty() || coding == ["chunked"], "{sent}");
    assert_eq!(headers.get_all("via").iter().next_back().unwrap(), "1.1 hybrid-chat", "{sent}");
}

#[test]
fn header_fields() {
    let text = corpus("fields.txt");
    let mut chance = Chance::new();
    for block in text.split("\n\n").skip(1) {
        fields(block.as_bytes());
        for _ in 0..500 {
            fields(&chance.bend(block.as_bytes(), b"-_.:, \nxX;=\"chunkedvia"));
        }
    }
}

/// Whether a text is a configuration; if not, the complaint must say where.
fn is_config(text: &str) -> bool {
    match Config::parse(text, "some.conf") {
        Ok(_) => true,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("some.conf:"), "{told}");
            false
        }
    }
}

#[test]
fn configurations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![
        "# good\n".to_owned() + &std::fs::read_to_string(root.join("../../proxy.conf")).unwrap(),
    ];
    for entry in std::fs::read_dir(root.join("tests/corpus/config")).unwrap() {
        texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert!(texts.len() > 10);
    let mut chance = Chance::new();
    for text in texts {
        assert_eq!(is_config(&text), text.starts_with("# good"), "{text}");
        for _ in 0..100 {
            let bent = chance.bend(text.as_bytes(), b"\"[]{}=#\n.,$0-_ \\'\xc3");
            is_config(&String::from_utf8_lossy(&bent));
        }
    }
}

#[test]
fn a_configuration_that_is_nested_without_end_is_only_wrong() {
    for (open, count) in [("a=[", 1), ("[", 100_000), ("a={b=", 100_000), ("a.", 100_000)] {
        assert!(!is_config(&format!("x={}", open.repeat(count))));
        assert!(!is_config(&open.repeat(count)));
    }
}

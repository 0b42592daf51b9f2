//! The header lines of a request, on their way to a server.

use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Version};
use proxy::headers::{Client, Rules};

/// Prepares a block of header lines; what comes out must be fit for any server.
pub fn run(block: &[u8]) {
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
    let client = Client::new(([192, 0, 2, 7], 1).into(), "http", false);
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
    let via = headers.get_all("via").iter().next_back();
    assert_eq!(via, Some(&HeaderValue::from_static("1.1 hybrid-chat")), "{sent}");
}

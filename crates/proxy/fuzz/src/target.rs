//! The target of a request, and the host that it is for.

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use proxy::target::Target;

/// `METHOD TARGET VERSION HOST`, as the lines of `targets.txt` begin.
pub fn run(bytes: &[u8]) {
    let mut words = bytes.splitn(4, |&byte| byte == b' ');
    let mut next = || words.next().unwrap_or_default();
    let (method, target, version, host) = (next(), next(), next(), next());
    let Ok(method) = Method::from_bytes(method) else { return };
    let version = if version == b"1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
    outcome(&method, target, version, host);
}

/// What becomes of a target, in the words of `targets.txt`. What is taken must be its own canonical form.
pub fn outcome(method: &Method, target: &[u8], version: Version, host: &[u8]) -> String {
    let Ok(mut uri) = Uri::try_from(target) else { return "unread".into() };
    let mut headers = HeaderMap::new();
    if host != b"-" {
        let Ok(host) = HeaderValue::from_bytes(host) else { return "unread".into() };
        headers.insert(HOST, host);
    }
    let seen = match Target::parse(method, &uri, version, &headers) {
        Err(refused) => return format!("{} {}", refused.status.as_u16(), refused.class),
        Ok(target) => target,
    };
    let (host, path) = (seen.host.to_string(), seen.path.to_string());
    seen.rewrite().apply(&mut uri, &mut headers);
    let again = Target::parse(method, &uri, Version::HTTP_11, &headers)
        .unwrap_or_else(|refused| panic!("{uri} is refused when it comes again: {refused:?}"));
    assert_eq!(again.path, path, "what is forwarded is what was routed on");
    assert_eq!(again.host, if host.is_empty() { "localhost" } else { &host });
    assert!(uri.authority().is_none() && uri.scheme().is_none(), "{uri}");
    assert!(!path.contains("//") && !path.contains('\\') && !path.contains('#'), "{path}");
    assert!(path.split('/').all(|part| part != "." && part != ".."), "{path}");
    assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase()), "{host}");
    format!("{} {path}", if host.is_empty() { "\"\"" } else { &host })
}

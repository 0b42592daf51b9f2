//! A request made again of the bytes that were written of it. That is seldom needed, and copying each request
//! for it would cost all of them.

use http::header::{HeaderName, HeaderValue};
use hyper::Request;

use crate::body::RequestBody;

/// A request without a body, from the bytes that hyper made of it.
pub(super) fn parse(written: &[u8]) -> Option<Request<RequestBody>> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut lines);
    if head.parse(written).ok()? != httparse::Status::Complete(written.len()) {
        return None;
    }
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = head.method?.parse().ok()?;
    *request.uri_mut() = head.path?.parse().ok()?;
    for line in &*head.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line.value).ok()?);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_recalled_from_what_was_written() {
        let written =
            b"GET /a?b=c HTTP/1.1\r\nhost: chat.test\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n";
        let request = parse(written).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("GET", "/a?b=c")
        );
        assert_eq!(request.headers()["host"], "chat.test");
        assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
        assert!(parse(&written[..written.len() - 1]).is_none(), "half a head");
        assert!(
            parse(b"POST / HTTP/1.1\r\nhost: a\r\n\r\nbody").is_none(),
            "a body can't be recalled"
        );
    }
}

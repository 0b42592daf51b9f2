use futures_util::FutureExt as _;
use tokio::io::AsyncReadExt as _;

use super::*;

/// What a request without a body looks like on the wire.
async fn written(method: Method, lines: &[(&'static str, &str)]) -> String {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = method;
    *request.uri_mut() = "/a?b".parse().unwrap();
    for (name, value) in lines {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let (mut near, mut far) = tokio::io::duplex(64);
    let mut outgoing = Outgoing::default();
    outgoing.start(&mut request);
    let send = async {
        std::future::poll_fn(|cx| outgoing.poll(&mut near, cx)).await.unwrap();
        drop(near);
    };
    let mut text = String::new();
    let (_, read) = tokio::join!(send, far.read_to_string(&mut text));
    read.unwrap();
    assert!(outgoing.is_done());
    assert_eq!(outgoing.head(), text.as_bytes(), "it can be written again");
    text
}

#[tokio::test]
async fn a_request_is_framed_anew() {
    let lines = [
        ("host", "chat.test"),
        ("x-long", "a value that does not fit into the pipe at once, which holds 64 bytes"),
        ("transfer-encoding", "chunked"),
        ("x-long", "another"),
    ];
    let text = written(Method::GET, &lines).await;
    assert!(text.starts_with("GET /a?b HTTP/1.1\r\nhost: chat.test\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n") && text.contains("x-long: another\r\n"), "{text}");
    assert!(!text.contains("transfer-encoding"), "{text}");
    for (method, lines, has_length) in [
        (Method::GET, &[][..], false),
        (Method::DELETE, &[("content-length", "0")], true),
        (Method::POST, &[], true),
        (Method::OPTIONS, &[], false),
    ] {
        let text = written(method, lines).await;
        assert_eq!(text.contains("content-length: 0\r\n"), has_length, "{text}");
    }
}

#[tokio::test]
async fn a_body_is_given_back_as_long_as_nothing_is_written() {
    let mut request = Request::new(RequestBody::Empty);
    let (mut near, far) = tokio::io::duplex(4);
    let mut outgoing = Outgoing::default();
    outgoing.start(&mut request);
    assert!(outgoing.take_back().is_some());
    outgoing.start(&mut request);
    assert!(std::future::poll_fn(|cx| outgoing.poll(&mut near, cx)).now_or_never().is_none());
    assert!(outgoing.has_begun() && outgoing.take_back().is_none());
    drop(far);
    // As if it were written: the answer, or the end, is still to be read.
    std::future::poll_fn(|cx| outgoing.poll(&mut near, cx)).await.unwrap();
    assert!(!outgoing.is_done(), "the connection is of no use any more");
}

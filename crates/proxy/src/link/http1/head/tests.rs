use super::*;

const CHUNKED: &str = "chunked";
const CLOSE: &str = "until close";

/// How a response is framed, and whether its connection may be used again.
fn framed(head: &str, to_head: bool) -> Result<(String, bool), Malformed> {
    let mut bytes = Bytes::from([head, "\r\n"].concat());
    let head = parse(&mut bytes, &mut HeaderMap::new(), to_head)?.ok_or("it is not whole")?;
    let framing = match head.framing {
        Framing::Sized(length) => length.to_string(),
        Framing::Chunked(_) => CHUNKED.to_owned(),
        Framing::UntilClose => CLOSE.to_owned(),
    };
    Ok((framing, head.keeps_alive))
}

#[test]
fn the_length_of_a_body_follows_from_the_head() {
    for (head, framing, keeps_alive) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "5", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n", "5", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n", CHUNKED, true),
        ("HTTP/1.1 200 OK\r\n", CLOSE, false),
        ("HTTP/1.1 204 No Content\r\n", "0", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n", "0", true),
        ("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n", "0", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, close\r\n", "5", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n", "5", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n", "5", true),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n", "0", true),
    ] {
        assert_eq!(framed(head, false), Ok((framing.to_owned(), keeps_alive)), "{head}");
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n";
    assert_eq!(framed(head, true), Ok(("0".to_owned(), true)), "an answer to HEAD has no body");
}

#[test]
fn a_head_that_frames_its_body_badly_is_malformed() {
    for lines in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 5\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "x: a\r\n folded\r\n",
        "no colon\r\n",
    ] {
        let head = ["HTTP/1.1 200 OK\r\n", lines].concat();
        assert!(framed(&head, false).is_err(), "{lines}");
    }
    for head in ["HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n", "ICY 200 OK\r\n", "hello\r\n"]
    {
        assert!(framed(head, false).is_err(), "{head}");
    }
}

#[test]
fn of_two_framings_the_length_goes_and_the_connection_with_it() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n";
    let head = parse(&mut Bytes::from(text), &mut HeaderMap::new(), false).unwrap().unwrap();
    assert!(matches!(head.framing, Framing::Chunked(_)) && !head.keeps_alive);
    assert!(!head.response.headers().contains_key(CONTENT_LENGTH));
}

#[test]
fn what_is_behind_a_head_is_left_and_a_part_of_one_is_left_whole() {
    let mut bytes = Bytes::from("HTTP/1.1 200 Fine\r\ncontent-length: 2\r\nx: a\r\nx: b\r\n\r\nok");
    let part = bytes.slice(..20);
    assert!(parse(&mut part.clone(), &mut HeaderMap::new(), false).unwrap().is_none());
    let head = parse(&mut bytes, &mut HeaderMap::new(), false).unwrap().unwrap();
    assert_eq!(&*bytes, b"ok");
    assert_eq!(head.response.headers().get_all("x").iter().count(), 2);
    let reason = head.response.extensions().get::<ReasonPhrase>().unwrap();
    assert_eq!(reason.as_bytes(), b"Fine");
}

#[test]
fn headers_without_end_are_malformed() {
    let lines = "x: y\r\n".repeat(LINES + 1);
    assert!(framed(&["HTTP/1.1 200 OK\r\n", &lines].concat(), false).is_err());
}

//! The head of a server's answer.

use proxy::answer::{Body, Told, told};

/// Reads the head at the beginning of these bytes, as an answer to GET and to HEAD.
pub fn run(bytes: &[u8]) {
    for to_head in [false, true] {
        let whole = told(bytes, to_head);
        match &whole {
            Ok(Some(head)) => {
                assert!(head.length <= bytes.len());
                let alone = told(&bytes[..head.length], to_head);
                assert_eq!(alone.as_ref(), Ok(&Some(told_again(head))), "what is behind it counts");
                says_one_thing(head, to_head);
                is_unfinished(bytes, head.length, to_head);
            }
            Ok(None) => is_unfinished(bytes, bytes.len(), to_head),
            Err(_) => {
                let more = [bytes, b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"].concat();
                assert!(told(&more, to_head).is_err(), "what was refused can't become good");
            }
        }
    }
}

fn told_again(head: &Told) -> Told {
    Told { headers: head.headers.clone(), ..*head }
}

/// However much of it is there: it is no head before its end.
fn is_unfinished(bytes: &[u8], end: usize, to_head: bool) {
    for end in (0..end).rev().take(600) {
        assert_eq!(told(&bytes[..end], to_head), Ok(None), "with {end} bytes");
    }
}

/// What goes on to the client can't be read in two ways.
fn says_one_thing(head: &Told, to_head: bool) {
    assert!((100..1000).contains(&head.status), "{head:?}");
    assert!(!head.headers.contains_key("transfer-encoding"), "{head:?}");
    let lengths: Vec<_> = head.headers.get_all("content-length").iter().collect();
    assert!(lengths.len() <= 1, "{head:?}");
    let length = lengths.first().map(|length| length.to_str().unwrap().parse::<u64>().unwrap());
    let never = to_head || matches!(head.status, 100..200 | 204 | 205 | 304);
    match head.body {
        Body::Sized(0) if never => {}
        Body::Sized(size) => assert_eq!(length, Some(size), "{head:?}"),
        Body::Chunked | Body::UntilClose => assert!(!never && length.is_none(), "{head:?}"),
    }
    assert!(!(head.keeps_alive && head.body == Body::UntilClose), "{head:?}");
    let bytes = head.headers.values().flat_map(|value| value.as_bytes());
    assert!(!bytes.copied().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{head:?}");
}

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Where messages end, and why no more follow, when the bytes come in pieces of these sizes.
fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<usize>, Option<Reason>) {
    let mut guard = Guard::default();
    let mut ends = Vec::new();
    let mut sizes = pieces.iter().copied().cycle();
    let mut at = 0;
    let mut open = false;
    while at < bytes.len() {
        let piece = sizes.next().unwrap_or(bytes.len()).clamp(1, bytes.len() - at);
        let mut rest = &bytes[at..at + piece];
        while !rest.is_empty() {
            let passed = guard.pass(rest);
            at += passed;
            rest = &rest[passed..];
            open |= guard.claim();
            if guard.refused().is_some() {
                return (ends, guard.refused());
            }
            if open && matches!(guard.state, State::Head(_)) {
                ends.push(at);
                open = false;
            }
        }
    }
    (ends, None)
}

fn whole(bytes: &str) -> (Vec<usize>, Option<Reason>) {
    read(bytes.as_bytes(), &[])
}

#[test]
fn messages_end_where_their_framing_says() {
    for message in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length:\t003 \r\nCONTENT-LENGTH: 3\r\n\r\n\r\n\r",
        "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip,\t chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA;x=\"1\"\r\n0123456789\r\n000\t ;y\r\na: b\r\nc: d\r\n\r\n",
        "POST / HTTP/1.1\r\nx-content-length: 9\r\ncontent-lengths: 9\r\ncontent-length : 9\r\n\r\n",
    ] {
        let twice = format!("{message}{message}");
        let ends = vec![message.len(), twice.len()];
        assert_eq!(whole(&twice), (ends.clone(), None), "{message:?}");
        assert_eq!(read(twice.as_bytes(), &[1]), (ends, None), "{message:?} byte by byte");
        let cut = &message[..message.len() - 1];
        assert_eq!(whole(cut), (vec![], None), "{cut:?}");
    }
}

#[test]
fn what_the_parser_would_let_through_is_refused() {
    use Reason::*;
    let long = format!("transfer-encoding: {}chunked", "x, ".repeat(200));
    let fields = [
        ("content-length: 3\r\ntransfer-encoding: chunked", TwoFramings),
        ("transfer-encoding: chunked\r\ncontent-length: 3", TwoFramings),
        ("content-length: 0\r\nx: y\r\nTRANSFER-ENCODING:", TwoFramings),
        ("content-length: 3\r\ncontent-length: 4", BadLength),
        ("content-length: +3", BadLength),
        ("content-length:", BadLength),
        ("content-length: 3, 3", BadLength),
        ("content-length: 18446744073709551616", BadLength),
        ("transfer-encoding: chunked, identity", BadCoding),
        ("transfer-encoding: xchunked", BadCoding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: gzip", BadCoding),
        ("x: y\r\n continued", Folded),
        ("x: y\nz: w", BareLf),
    ];
    for (lines, reason) in fields {
        let request = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n");
        assert_eq!(whole(&request), (vec![], Some(reason)), "{lines:?}");
        assert_eq!(
            read(request.as_bytes(), &[1]),
            (vec![], Some(reason)),
            "{lines:?} byte by byte"
        );
    }
    for (request, reason) in [
        ("GET /a#b HTTP/1.1\r\n\r\n", Fragment),
        ("GET / HTTP/1.1\n\r\n", BareLf),
        ("\nGET / HTTP/1.1\r\n\r\n", BareLf),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n", BareLf),
    ] {
        assert_eq!(whole(request), (vec![], Some(reason)), "{request:?}");
        assert_eq!(read(request.as_bytes(), &[1]), (vec![], Some(reason)), "{request:?}");
    }
    let request = format!("POST / HTTP/1.1\r\n{long}\r\n\r\n");
    assert_eq!(read(request.as_bytes(), &[100]), (vec![], Some(LongFraming)));
}

#[test]
fn chunks_that_can_be_read_in_two_ways_are_refused() {
    for body in [
        "\r\n",
        ";x\r\n",
        " 3\r\nabc\r\n",
        "-3\r\n",
        "0x3\r\nabc\r\n",
        "3\nabc\r\n",
        "3\rabc\r\n",
        "3;x\nabc\r\n",
        "3 4\r\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc0\r\n",
        "3\r\nabc\n0\r\n",
        "00000000000000003\r\n",
        "11111111111111111\r\n",
        "0\r\na: b\n\r\n",
        "0\r\n\n",
        "0\r\na: b\rc",
    ] {
        let request = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        assert_eq!(whole(&request).1, Some(Reason::BadChunk), "{body:?}");
        assert_eq!(read(request.as_bytes(), &[1]).1, Some(Reason::BadChunk), "{body:?}");
    }
}

#[test]
fn one_message_passes_at_a_time_and_nothing_behind_a_refusal() {
    let good = b"GET / HTTP/1.1\r\n\r\n";
    let bad = b"GET /#x HTTP/1.1\r\n\r\n";
    let both = [&good[..], bad].concat();
    let mut guard = Guard::default();
    assert_eq!(guard.pass(&both), good.len());
    assert_eq!(guard.refused(), None);
    assert!(guard.claim());
    assert!(!guard.claim(), "one head is one request");
    assert_eq!(guard.pass(bad), 0);
    assert_eq!(guard.refused(), Some(Reason::Fragment));
    assert_eq!([guard.spoiler(2), guard.spoiler(9), guard.spoiler(9)].concat(), SPOILER);
    assert_eq!(guard.pass(good), 0);
}

#[test]
fn a_second_head_does_not_pass_before_the_first_became_a_request() {
    let head = b"GET / HTTP/1.1\r\n\r\n";
    let mut guard = Guard::default();
    guard.pass(head);
    guard.pass(head);
    assert_eq!(guard.refused(), Some(Reason::OutOfStep));
}

/// The requests that hyper makes of these bytes, with their whole bodies.
fn parsed(bytes: &[u8]) -> Vec<(String, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let uri = request.uri().to_string();
            let mut body = request.into_body();
            let mut length = 0;
            let complete = loop {
                match std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
                {
                    None => break true,
                    Some(Err(_)) => break false,
                    Some(Ok(frame)) => length += frame.data_ref().map_or(0, bytes::Bytes::len),
                }
            };
            if complete {
                seen.borrow_mut().push((uri, length));
            }
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let serving = http1::Builder::new()
            .half_close(true)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(server), service);
        let mut answers = Vec::new();
        let _ = tokio::join!(serving, client.read_to_end(&mut answers));
    });
    seen.take()
}

/// Requests as they should be, and how they are bent.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        Just("host: a"),
        Just("x: y"),
        Just("X-Long: 0123456789012345678901234567890123456789"),
        Just("connection: keep-alive"),
        Just("Content-Type: text/plain"),
        Just("te: trailers"),
        Just("content-length : 3"),
        Just("content_length: 3"),
        Just("upgrade: websocket"),
        Just("expect: 100-continue"),
    ];
    let framed = prop_oneof![
        4 => Just(("", "")),
        3 => Just(("content-length: 5\r\n", "ab\r\nc")),
        1 => Just(("Content-Length: 0\r\n", "")),
        1 => Just(("content-length: 2\r\ncontent-length: 2\r\n", "xy")),
        3 => Just(("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")),
        1 => Just(("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        1 => Just(("transfer-encoding: chunked\r\n", "a ;x=y\r\n0\r\n\r\n67890\r\n00\r\nt: u\r\n\r\n")),
        1 => Just(("transfer-encoding: chunked\r\ncontent-length: 3\r\n", "0\r\n\r\n")),
    ];
    (
        prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("DELETE")],
        prop_oneof![Just("/"), Just("/a?b"), Just("http://h/p"), Just("*"), Just("/a#b")],
        prop_oneof![9 => Just("1.1"), 1 => Just("1.0")],
        proptest::collection::vec(field, 0..4),
        framed,
        any::<bool>(),
    )
        .prop_map(|(method, target, version, fields, (framing, body), first)| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let (one, two) = if first { (framing, &*fields) } else { (&*fields, framing) };
            format!("{method} {target} HTTP/{version}\r\n{one}{two}\r\n{body}").into_bytes()
        })
}

/// The streams of the corpus.
fn corpus() -> Vec<Vec<u8>> {
    let lines = include_str!("../../tests/corpus/streams.txt").lines();
    lines.filter(|line| !line.starts_with("# ")).map(unescaped).collect()
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let (byte, length) = match after.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'0' => (0, 1),
            b'x' => (u8::from_str_radix(&after[1..3], 16).unwrap(), 3),
            other => panic!("\\{} in {line}", char::from(other)),
        };
        out.push(byte);
        rest = &after[length..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn bent(bytes: Vec<u8>, bends: Vec<Bend>) -> Vec<u8> {
    let mut bytes = bytes;
    for (kind, place, byte) in bends {
        let at = place.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        if bytes.is_empty() {
            bytes.push(byte);
        }
    }
    bytes
}

type Bend = (u8, prop::sample::Index, u8);

fn bends() -> impl Strategy<Value = Vec<Bend>> {
    let byte = prop::sample::select(&b"\r\n 0aA:;#,\t\0\x80-9"[..]);
    proptest::collection::vec((0..3_u8, any::<prop::sample::Index>(), byte), 0..3)
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let good = prop_oneof![
        2 => proptest::collection::vec(message(), 1..4).prop_map(|messages| messages.concat()),
        1 => prop::sample::select(corpus()),
    ];
    (good, bends()).prop_map(|(bytes, bends)| bent(bytes, bends))
}

#[test]
fn guard_and_parser_agree_on_the_corpus() {
    let corpus = corpus();
    assert!(corpus.len() > 50);
    for bytes in corpus {
        let told = String::from_utf8_lossy(&bytes);
        agree(&bytes).unwrap_or_else(|error| panic!("{told:?}: {error}"));
        let (ends, refused) = read(&bytes, &[]);
        for piece in 1..8 {
            let (same, reason) = read(&bytes, &[piece]);
            assert_eq!((&same, reason.is_some()), (&ends, refused.is_some()), "{told:?}");
        }
    }
}

/// Guard and parser must say the same of where each request ends, as far as both go.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (ends, refused) = read(bytes, &[]);
    let all = parsed(bytes);
    for (index, &end) in ends.iter().take(all.len()).enumerate() {
        let upto = parsed(&bytes[..end]);
        prop_assert_eq!(&upto[..], &all[..=index], "up to {}", end);
        let short = parsed(&bytes[..end - 1]);
        prop_assert_eq!(&short[..], &all[..index], "one byte less than {}", end);
    }
    if refused.is_none() {
        prop_assert!(ends.len() >= all.len(), "the guard missed a request: {:?} {:?}", ends, all);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn guard_and_parser_agree_where_requests_end(bytes in stream()) {
        agree(&bytes)?;
    }

    #[test]
    fn pieces_make_no_difference(
        bytes in stream(),
        pieces in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let (ends, refused) = read(&bytes, &pieces);
        let (same, reason) = read(&bytes, &[]);
        prop_assert_eq!(ends, same);
        // Of two faults in one line either may be named.
        prop_assert_eq!(refused.is_some(), reason.is_some());
    }
}

//! R28: what a request over HTTP/2 may not say or be, and how each is refused.

use tokio::net::TcpStream;

use super::support::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, RST_STREAM, begin,
    block, frame, get_block,
};
use super::support::{Client, Upstream, eventually, ok, proxy};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// An answer with this status.
    Status(u16),
    /// The stream ends, with this code (RFC 9113 §7).
    Stream(u32),
    /// The connection does.
    Connection(u32),
}

use Refusal::{Connection, Status, Stream};

const PROTOCOL_ERROR: u32 = 1;

impl Refusal {
    fn of(frame: &Frame) -> Self {
        let code = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
        match frame.kind {
            HEADERS => Status(status(&frame.payload)),
            RST_STREAM => Stream(code(0)),
            GOAWAY => Connection(code(4)),
            _ => panic!("{frame:?}"),
        }
    }
}

/// The status at the beginning of a block of headers: one of the static table, or three digits in Huffman's code
/// (RFC 7541 §5.2, appendices A and B).
fn status(block: &[u8]) -> u16 {
    match *block {
        [0x8c, ..] => return 400,
        [0x8d, ..] => return 404,
        [0x48, 0x83, ..] => {}
        _ => panic!("{block:?}"),
    }
    let mut bits = block[2..5].iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut take =
        |count: usize| bits.by_ref().take(count).fold(0, |all, bit| all << 1 | u16::from(bit));
    (0..3).fold(0, |number, _| {
        // 0, 1 and 2 have five bits, the other digits six.
        let short = take(5);
        let digit = if short < 3 { short } else { (short << 1 | take(1)) - 0b01_1001 + 3 };
        number * 10 + digit
    })
}

async fn refusal(client: &mut Client<TcpStream>) -> Refusal {
    Refusal::of(&frames::next(client).await)
}

#[tokio::test]
async fn r28_what_has_no_place_in_http_2_goes_nowhere() {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let long = "x".repeat(20_000);
    let path = |path| {
        block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", path)])
    };
    let method = |method| {
        block(&[(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", "/")])
    };
    for (want, name, headers) in [
        (Stream(PROTOCOL_ERROR), "te", get_block(&[("te", "gzip")])),
        (Stream(PROTOCOL_ERROR), "connection", get_block(&[("connection", "close")])),
        (Stream(PROTOCOL_ERROR), "keep-alive", get_block(&[("keep-alive", "1")])),
        (Stream(PROTOCOL_ERROR), "proxy-connection", get_block(&[("proxy-connection", "close")])),
        (
            Stream(PROTOCOL_ERROR),
            "transfer-encoding",
            get_block(&[("transfer-encoding", "chunked")]),
        ),
        (Stream(PROTOCOL_ERROR), "upgrade", get_block(&[("upgrade", "websocket")])),
        (Connection(PROTOCOL_ERROR), "upper case", get_block(&[("X-Upper", "1")])),
        (Connection(PROTOCOL_ERROR), "space in name", get_block(&[("x y", "1")])),
        (Connection(PROTOCOL_ERROR), "colon in name", get_block(&[("x:y", "1")])),
        (Connection(PROTOCOL_ERROR), "empty name", get_block(&[("", "1")])),
        (Connection(PROTOCOL_ERROR), "CR LF in value", get_block(&[("x", "1\r\ny: 2")])),
        (Connection(PROTOCOL_ERROR), "NUL in value", get_block(&[("x", "1\x002")])),
        (Stream(PROTOCOL_ERROR), "space in path", path("/a b HTTP/1.1\r\nx: y")),
        (Status(400), "dot segments", path("/a/../b")),
        (Stream(PROTOCOL_ERROR), "no slash", path("a")),
        (Stream(PROTOCOL_ERROR), "empty path", path("")),
        (Connection(PROTOCOL_ERROR), "space in method", method("GET / HTTP/1.1\r\nx:")),
        (Stream(PROTOCOL_ERROR), "connect", method("CONNECT")),
        (Status(405), "trace", method("TRACE")),
        (Stream(PROTOCOL_ERROR), "pseudo-header again", get_block(&[(":path", "/b")])),
        (
            Stream(PROTOCOL_ERROR),
            "late pseudo-header",
            get_block(&[("x", "1"), (":authority", "b.test")]),
        ),
        (Connection(PROTOCOL_ERROR), "unknown pseudo-header", get_block(&[(":x", "1")])),
        (Status(400), "another host", get_block(&[("host", "b.test")])),
        (
            Stream(PROTOCOL_ERROR),
            "length of a body that isn't there",
            get_block(&[("content-length", "5")]),
        ),
        (
            Stream(PROTOCOL_ERROR),
            "two lengths",
            get_block(&[("content-length", "0"), ("content-length", "5")]),
        ),
        (Status(400), "no host", block(&[(":method", "GET"), (":scheme", "http"), (":path", "/")])),
        (
            Status(400),
            "user in authority",
            block(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "u@a.test"),
                (":path", "/"),
            ]),
        ),
        (Status(431), "a head too long", get_block(&[("x", &long)])),
    ] {
        let mut client = begin(running.addr, &[]).await;
        for (nth, piece) in headers.chunks(16_000).enumerate() {
            let kind = if nth == 0 { HEADERS } else { CONTINUATION };
            let last = (nth + 1) * 16_000 >= headers.len();
            let flags = if last { END_HEADERS } else { 0 } | if nth == 0 { END_STREAM } else { 0 };
            client.send(frame(kind, flags, 1, piece)).await;
        }
        assert_eq!(refusal(&mut client).await, want, "{name}");
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
}

/// A POST whose body has a length that isn't that of its data.
#[tokio::test]
async fn r28_a_body_that_is_not_as_long_as_it_said_never_looks_complete() {
    let upstream = Upstream::scripted(|mut conn| async move {
        let whole = conn.message().await.is_some();
        conn.note(if whole { "complete" } else { "broke off" });
        conn.send(ok("hello")).await;
    })
    .await;
    let running = proxy().to(&upstream).start();
    let data = |text: &str, flags| frame(DATA, flags, 1, text.as_bytes());
    for (name, pieces) in [
        ("shorter", vec![data("abc", END_STREAM)]),
        ("shorter, in two", vec![data("ab", 0), data("c", END_STREAM)]),
        ("nothing", vec![data("", END_STREAM)]),
        ("longer", vec![data("abcdef", END_STREAM)]),
        ("longer, in two", vec![data("abc", 0), data("def", END_STREAM)]),
    ] {
        let before = upstream.requests().len();
        let mut client = begin(running.addr, &[]).await;
        let head = block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a.test"),
            (":path", "/"),
            ("content-length", "5"),
        ]);
        client.send(frame(HEADERS, END_HEADERS, 1, &head)).await;
        eventually("its head", || upstream.requests().len() > before).await;
        client.send(pieces.concat()).await;
        assert_eq!(refusal(&mut client).await, Stream(PROTOCOL_ERROR), "{name}");
        eventually("its end", || upstream.requests().len() > before + 1).await;
        assert_eq!(upstream.requests()[before + 1], "broke off", "{name}");
    }
}

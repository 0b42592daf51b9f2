//! Streams of bytes that readers are known to take in different ways.

use super::super::support::Chance;

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";

/// Streams as they are.
pub(super) fn odd() -> Vec<Vec<u8>> {
    let length = HIDDEN.len();
    let chunked = "transfer-encoding: chunked";
    let hidden_chunk = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    let post =
        |fields: &str, rest: &str| format!("POST /p HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{rest}");
    let get =
        |fields: &str, rest: &str| format!("GET /g HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{rest}");
    let streams = [
        // Two framings.
        post("content-length: 5\r\ntransfer-encoding: chunked", &format!("0\r\n\r\n{HIDDEN}")),
        post(
            &format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
            &format!("0\r\n\r\n{HIDDEN}"),
        ),
        post(&format!("content-length: {length}\r\ntransfer-encoding: identity"), HIDDEN),
        post(&format!("content-length: {length}\r\ntransfer_encoding: chunked"), HIDDEN),
        post(&format!("content-length: {length}\r\ntransfer-encoding : chunked"), HIDDEN),
        post(&format!("content-length: {length}\r\nx: y\ntransfer-encoding: chunked"), HIDDEN),
        post(&format!("content-length: {length}\r\nx: y\rtransfer-encoding: chunked"), HIDDEN),
        post(&format!("content-length: {length}\r\n transfer-encoding: chunked"), HIDDEN),
        post(&format!("content-length: {length}\r\nconnection: content-length"), HIDDEN),
        post(&format!("content-length: {length}\r\nconnection: transfer-encoding, host"), HIDDEN),
        // Lengths.
        post(&format!("content-length: 0{length}"), HIDDEN),
        post(&format!("content-length:{length}\r\ncontent-length: {length}"), HIDDEN),
        post(&format!("content-length: 0\r\ncontent-length: {length}"), HIDDEN),
        post(&format!("content-length: {length}, {length}"), HIDDEN),
        post(&format!("content-length: +{length}"), HIDDEN),
        post(&format!("content-length: {length} "), HIDDEN),
        post(&format!("content_length: {length}"), HIDDEN),
        post("content-length: 0", HIDDEN),
        post("x: y", HIDDEN),
        // Codings.
        post(chunked, &hidden_chunk),
        post("Transfer-Encoding:\tchunked ", &hidden_chunk),
        post("transfer-encoding: CHUNKED", &hidden_chunk),
        post("transfer-encoding: x\r\ntransfer-encoding: chunked", &hidden_chunk),
        post("transfer-encoding: gzip, chunked", &hidden_chunk),
        post("transfer-encoding: xchunked", &hidden_chunk),
        post("transfer-encoding: \"chunked\"", &hidden_chunk),
        post("transfer-encoding: chunked\r\nte: trailers, chunked", &hidden_chunk),
        format!(
            "POST /p HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"
        ),
        format!(
            "POST /p HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n{chunked}\r\n\r\n{hidden_chunk}"
        ),
        // Chunks.
        post(chunked, &format!("1;x=y\r\na\r\n0;{}\r\n\r\n{HIDDEN}", "z".repeat(100))),
        post(chunked, &format!("1;\"\r\na\r\n0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("1;x\na\r\n0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("1 \r\na\r\n0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0001\r\na\r\n00000\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0x1\r\na\r\n0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("1\r\nab\r\n0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("1\r\na0\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("1\na\n0\n\n{HIDDEN}")),
        post(chunked, &format!("10000000000000001\r\na\r\n0\r\n\r\n{HIDDEN}")),
        // Trailers.
        post(chunked, &format!("0\r\nx: y\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0\r\ncontent-length: {length}\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0\r\ntransfer-encoding: chunked\r\nhost: b\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0\r\n\r\n\r\n{HIDDEN}")),
        post(chunked, &format!("0\r\nx: y\n\n{HIDDEN}")),
        // Bodies where few expect them.
        get(&format!("content-length: {length}"), HIDDEN),
        get(chunked, &hidden_chunk),
        format!("DELETE /d HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"),
        format!("OPTIONS /o HTTP/1.1\r\nhost: a\r\n{chunked}\r\n\r\n{hidden_chunk}"),
        format!("HEAD /h HTTP/1.1\r\nhost: a\r\n\r\n{HIDDEN}"),
        format!("HEAD /h HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"),
        post(&format!("expect: 100-continue\r\ncontent-length: {length}"), HIDDEN),
        post("expect: 100-continue", HIDDEN),
        get(
            &format!("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: {length}"),
            HIDDEN,
        ),
        get("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA", HIDDEN),
        get("connection: close, x-one\r\nx-one: 1", HIDDEN),
        // Targets, hosts, lines.
        format!("GET http://b/g?x HTTP/1.1\r\nhost: a\r\n\r\n{HIDDEN}"),
        format!("GET /g#x HTTP/1.1\r\nhost: a\r\n\r\n{HIDDEN}"),
        format!("GET /%67?a=%0d%0ab HTTP/1.1\r\nhost: a\r\n\r\n{HIDDEN}"),
        format!("GET /g\r\n\r\n{HIDDEN}"),
        format!("GET /g HTTP/1.0\r\n\r\n{HIDDEN}"),
        format!("\r\n\r\nGET /g HTTP/1.1\r\nhost: a\r\n\r\n\r\n{HIDDEN}"),
        format!("GET /g HTTP/1.1\nhost: a\n\n{HIDDEN}"),
        get("x: y\r\n folded", HIDDEN),
        get(": empty", HIDDEN),
        get("x\u{0}: y", HIDDEN),
        get(&format!("cookie: {}", "a=b; ".repeat(300)), HIDDEN),
    ];
    streams.map(String::into_bytes).into()
}

/// So many streams with a byte or two changed, put in or taken out; always the same ones.
pub(super) fn bent(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let good = odd();
    let mut chance = Chance::new();
    (0..count).map(move |_| {
        let one = chance.below(good.len());
        chance.bend(&good[one], b"\r\n 0123:;,aZ#\t\0-_\"")
    })
}

//! What a server may answer.

use super::bench::{Reply, Want, reply};

fn get(sent: &'static str, want: Want, reused: bool) -> Reply {
    Reply { method: "GET", sent, want, reused }
}

fn invalid(sent: &'static str) -> Reply {
    get(sent, Want::Gateway("upstream_invalid"), false)
}

#[tokio::test]
async fn r5_an_answer_with_bad_framing_is_a_bad_gateway() {
    reply([
        invalid("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello"),
        invalid("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!"),
        invalid("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n"),
        invalid("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        get("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", Want::Whole(200, "hello"), true),
        get("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nx: y\r\n\r\n", Want::Whole(200, "hello"), true),
    ])
    .await;
}

#[tokio::test]
async fn r5_of_two_framings_of_an_answer_the_chunks_count_and_the_connection_ends() {
    let whole = |sent| get(sent, Want::Whole(200, "hello"), false);
    reply([
        whole("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        whole("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 99\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn r6_r7_an_answer_with_bad_lines_is_a_bad_gateway() {
    reply([
        invalid("HTTP/1.1 200 OK\r\nx: y\r\n folded\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\nx : y\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\n: y\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\nx: a\u{0}b\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n"),
        invalid("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"),
        invalid("200 OK\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn r10_an_answer_that_breaks_off_never_looks_complete() {
    let cut = |sent| get(sent, Want::Cut, false);
    reply([
        cut("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell"),
        cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
        cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel"),
        cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhellox\r\n0\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn r11_answers_without_a_body_have_none() {
    let head =
        |sent, status| Reply { method: "HEAD", sent, want: Want::Whole(status, ""), reused: true };
    reply([
        head("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200),
        head("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 200),
        head("HTTP/1.1 404 Not Found\r\n\r\n", 404),
        get("HTTP/1.1 204 No Content\r\n\r\n", Want::Whole(204, ""), true),
        get("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", Want::Whole(304, ""), true),
        get("HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n", Want::Whole(205, ""), true),
        get(
            "HTTP/1.1 205 Reset Content\r\ncontent-length: 2\r\n\r\nno",
            Want::Whole(205, ""),
            false,
        ),
        get(
            "HTTP/1.1 205 Reset Content\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            Want::Whole(205, ""),
            false,
        ),
    ])
    .await;
}

#[tokio::test]
async fn r19_hop_by_hop_headers_of_an_answer_end_here() {
    reply([
        get("HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\ncontent-length: 2\r\n\r\nok", Want::Whole(200, "ok"), true),
        get("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nconnection: X-Hop\r\nx-hop: 1\r\ncontent-length: 2\r\n\r\nok", Want::Whole(200, "ok"), true),
        get("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", Want::Whole(200, "ok"), false),
    ])
    .await;
}

#[tokio::test]
async fn r25_interim_answers_have_an_end() {
    let interim = |count: usize| -> &'static str {
        let hint = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        Box::leak((hint.repeat(count) + "HTTP/1.1 204 No Content\r\n\r\n").into_boxed_str())
    };
    reply([get(interim(16), Want::Whole(204, ""), true), invalid(interim(17))]).await;
}

#[tokio::test]
async fn an_answer_has_128_header_lines_at_most() {
    let lines = |count: usize| -> &'static str {
        let lines = "x: y\r\n".repeat(count - 1);
        Box::leak(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n").into_boxed_str())
    };
    reply([get(lines(128), Want::Whole(200, ""), true), invalid(lines(129))]).await;
}

#[tokio::test]
async fn r25_interim_answers_are_not_passed_on() {
    reply([
        get("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Want::Whole(200, "ok"), true),
        get("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Want::Whole(200, "ok"), true),
    ])
    .await;
}

//! Where a request ends.

use super::bench::{declined, passed, passed_all, refused, run};

/// A POST with these header lines, and what comes behind its head.
fn post(fields: &str, rest: &str) -> String {
    format!("POST /p HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{rest}")
}

const CHUNKED: &str = "transfer-encoding: chunked";
const ABC: &str = "POST /p\nhost: a\ntransfer-encoding: chunked\n\nabc";

#[tokio::test]
async fn r1_two_framings_are_refused() {
    run([
        refused(400, post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n")),
        refused(400, post("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n")),
        refused(400, post("content-length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        refused(400, post("transfer-encoding: x\r\nx: y\r\ncontent-length: 5", "hello")),
        refused(400, post("content-length: x\r\ntransfer-encoding: chunked", "0\r\n\r\n")),
    ])
    .await;
}

#[tokio::test]
async fn r2_http_1_0_has_no_transfer_coding() {
    run([refused(
        400,
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    )])
    .await;
}

#[tokio::test]
async fn r3_the_only_transfer_coding_is_one_chunked() {
    run([
        refused(400, post("transfer-encoding: gzip", "")),
        refused(400, post("transfer-encoding:", "")),
        refused(400, post("transfer-encoding: xchunked", "")),
        refused(400, post("transfer-encoding: chunkedx", "")),
        refused(400, post("transfer-encoding: \"chunked\"", "")),
        refused(400, post("transfer-encoding: chunked;q=1", "")),
        refused(400, post("transfer-encoding: chunked, identity", "0\r\n\r\n")),
        refused(400, post("transfer-encoding: chunked\r\ntransfer-encoding: gzip", "0\r\n\r\n")),
        refused(400, post("transfer-encoding : chunked", "0\r\n\r\n")),
        refused(400, post("transfer-encoding: chu\u{b}nked", "0\r\n\r\n")),
        declined(501, post("transfer-encoding: gzip, chunked", "0\r\n\r\n")),
        declined(501, post("transfer-encoding: chunked, chunked", "0\r\n\r\n")),
        declined(501, post("transfer-encoding: gzip\r\ntransfer-encoding: chunked", "0\r\n\r\n")),
        passed(post("Transfer-Encoding: \t Chunked ", "3\r\nabc\r\n0\r\n\r\n"), ABC),
        // Not the header that frames: without a length there is no body.
        passed(
            post("x-transfer-encoding: chunked", ""),
            "POST /p\ncontent-length: 0\nhost: a\nx-transfer-encoding: chunked\n\n",
        ),
    ])
    .await;
}

#[tokio::test]
async fn r4_a_length_is_one_number() {
    for length in
        ["+5", "-1", "", "5,5", "5, 5", "0x5", "5 5", "5.0", "five", "99999999999999999999"]
    {
        run([refused(400, post(&format!("content-length: {length}"), "hello"))]).await;
    }
    run([
        refused(400, post("content-length: 5\r\ncontent-length: 6", "hello!")),
        refused(400, post("content-length: 5\r\ncontent-length: ", "hello")),
        refused(400, post("content-length : 5", "hello")),
        passed(
            post("content-length: 5\r\nContent-Length: 5", "hello"),
            "POST /p\ncontent-length: 5\nhost: a\n\nhello",
        ),
        passed(
            post("content-length:\t005 ", "hello"),
            "POST /p\ncontent-length: 5\nhost: a\n\nhello",
        ),
        passed(post("content-length: 0", ""), "POST /p\ncontent-length: 0\nhost: a\n\n"),
    ])
    .await;
}

#[tokio::test]
async fn r8_chunks_are_exact() {
    run([
        passed(post(CHUNKED, "3\r\nabc\r\n0\r\n\r\n"), ABC),
        passed(post(CHUNKED, "1\r\na\r\n02\r\nbc\r\n000\r\n\r\n"), ABC),
        passed(post(CHUNKED, "3;name=\"va;lue\"\r\nabc\r\n0;x\r\n\r\n"), ABC),
        passed(post(CHUNKED, "3 \t;x\r\nabc\r\n0\r\n\r\n"), ABC),
        passed(
            post(CHUNKED, "A\r\n0123456789\r\nb\r\n01234567890\r\n0\r\n\r\n"),
            "POST /p\nhost: a\ntransfer-encoding: chunked\n\n012345678901234567890",
        ),
    ])
    .await;
    for chunks in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3;x\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r\n\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
        "3\r\nabc\r\n0\n\r\n",
    ] {
        run([refused(400, post(CHUNKED, chunks))]).await;
    }
}

#[tokio::test]
async fn r9_trailers_end_here() {
    run([
        passed(
            post(
                "te: trailers\r\ntrailer: x\r\ntransfer-encoding: chunked",
                "3\r\nabc\r\n0\r\nx: y\r\n\r\n",
            ),
            ABC,
        ),
        passed(
            post(
                CHUNKED,
                "3\r\nabc\r\n0\r\nhost: evil\r\ncontent-length: 5\r\nx-chat-identity: root\r\n\r\n",
            ),
            ABC,
        ),
        refused(400, post(CHUNKED, &format!("0\r\nx: {}\r\n\r\n", "y".repeat(17_000)))),
        refused(400, post(CHUNKED, &format!("0\r\n{}\r\n", "x: y\r\n".repeat(101)))),
        refused(400, post(CHUNKED, "3\r\nabc\r\n0\r\nno colon\r\n\r\n")),
        refused(400, post(CHUNKED, "3\r\nabc\r\n0\r\nx: y\n\r\n")),
        refused(400, post(CHUNKED, "3\r\nabc\r\n0\r\nx: y\rz\r\n\r\n")),
    ])
    .await;
}

#[tokio::test]
async fn r10_a_request_that_breaks_off_never_looks_complete() {
    let broken = |fields, rest| refused(400, post(fields, rest)).then_end();
    run([
        broken("content-length: 5", ""),
        broken("content-length: 5", "hell"),
        broken(CHUNKED, ""),
        broken(CHUNKED, "3\r\nab"),
        broken(CHUNKED, "3\r\nabc\r\n"),
        broken(CHUNKED, "3\r\nabc\r\n0\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn r12_a_pipeline_is_answered_in_order_and_ends_with_an_error() {
    let get = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let one = post("content-length: 3", "one");
    let two = post(CHUNKED, "3\r\nabc\r\n0\r\n\r\n");
    let seen = ["POST /p\ncontent-length: 3\nhost: a\n\none", ABC, "GET /x\nhost: a"];
    run([
        passed_all(format!("{one}{two}{}", get("/x")), &seen),
        passed_all(format!("{one}\r\n\r\n{two}\r\n{}", get("/x")), &seen),
        passed_all(
            format!("{}{}GET / HTTP/1.1\r\nbad name: x\r\n\r\n{}", get("/x"), get("/x"), get("/y")),
            &["GET /x\nhost: a", "GET /x\nhost: a"],
        )
        .answered(&[200, 200, 400])
        .closed(),
        // What follows a request with two framings is read by nobody.
        passed_all(
            format!(
                "{}{}{}",
                get("/x"),
                post("content-length: 6\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
                get("/y")
            ),
            &["GET /x\nhost: a"],
        )
        .answered(&[200, 400])
        .closed(),
    ])
    .await;
}

#[tokio::test]
async fn r29_a_body_that_nobody_wants_is_not_the_next_request() {
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let length = format!("content-length: {}", hidden.len());
    let chunked = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let get = |fields: &str, rest: &str| {
        format!("GET /a//b HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{rest}")
    };
    run([
        declined(400, get(&length, hidden)),
        declined(400, get(CHUNKED, &chunked)),
        declined(417, post(&format!("expect: x\r\n{length}"), "")).closed(),
        // A GET may have a body; it goes on with its frame.
        passed(
            "GET /g HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            "GET /g\ncontent-length: 5\nhost: a\n\nhello",
        ),
        // And without a frame there is none: what follows is a request.
        passed_all(
            format!("DELETE /d HTTP/1.1\r\nhost: a\r\n\r\n{hidden}"),
            &["DELETE /d\nhost: a", "GET /hidden\nhost: a"],
        ),
    ])
    .await;
}

//! R10: what breaks off on one side never looks complete on the other. `streaming` and the table have HTTP/1 on both;
//! here one side or both speak HTTP/2.

use super::support::frames::{
    self, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS, begin, block, frame,
};
use super::support::{Client, Conn, Running, Upstream, eventually, ok, proxy, soon};

const NO_ERROR: [u8; 4] = 0_u32.to_be_bytes();
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
/// `:status: 200` of HPACK's static table.
const STATUS_200: [u8; 1] = [0x88];

/// The head of an upload, on stream 1.
fn post(more: &[(&str, &str)]) -> Vec<u8> {
    let mut headers =
        vec![(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    headers.extend(more);
    frame(HEADERS, END_HEADERS, 1, &block(&headers))
}

/// A server that notes what of a request's body it got until the connection ended.
async fn listening() -> Upstream {
    Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        let got = conn.bytes(1000).await;
        conn.note(std::str::from_utf8(&got).unwrap());
    })
    .await
}

#[tokio::test]
async fn r10_an_upload_that_is_cancelled_over_http_2_has_no_last_chunk() {
    for reason in [NO_ERROR, CANCEL] {
        let up = listening().await;
        let running = proxy().to(&up).start();
        let mut client = begin(running.addr, &[]).await;
        client.send([post(&[]), frame(DATA, 0, 1, b"hello")].concat()).await;
        eventually("the request", || up.requests().len() == 1).await;
        client.send(frame(RST_STREAM, 0, 1, &reason)).await;
        eventually("its end", || up.requests().len() == 2).await;
        let got = &up.requests()[1];
        assert!(!got.ends_with("0\r\n\r\n"), "{reason:?}: {got:?}");
    }
}

#[tokio::test]
async fn r10_an_upload_that_ends_over_http_2_has_a_last_chunk() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await.unwrap();
        assert_eq!(conn.bytes(15).await, b"5\r\nhello\r\n0\r\n\r\n");
        conn.send(ok("whole")).await;
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = begin(running.addr, &[]).await;
    client.send([post(&[]), frame(DATA, END_STREAM, 1, b"hello")].concat()).await;
    let head = frames::next(&mut client).await;
    assert_eq!((head.kind, head.payload[0]), (HEADERS, STATUS_200[0]));
}

#[tokio::test]
async fn r10_an_answer_that_breaks_off_resets_the_stream_of_a_client_over_http_2() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let up = Upstream::scripted(move |mut conn| async move {
            conn.request().await.unwrap();
            conn.send(answer).await;
        })
        .await;
        let running = proxy().to(&up).start();
        let mut client = begin(running.addr, &[]).await;
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &frames::get_block(&[]))).await;
        let last = loop {
            let frame = frames::next(&mut client).await;
            assert_eq!(frame.flags & END_STREAM, 0, "{answer}: {frame:?}");
            if frame.kind != HEADERS && frame.kind != DATA {
                break frame;
            }
        };
        assert_eq!((last.kind, last.stream), (RST_STREAM, 1), "{answer}");
    }
}

/// A server over HTTP/2 that sends these frames on the stream of the first request, once its head is there.
async fn answering(frames: Vec<Vec<u8>>) -> (Upstream, Running) {
    let up = Upstream::scripted(move |mut conn| {
        let frames = frames.concat();
        async move {
            // The preface has two ends of a head in it.
            assert!(conn.request().await.unwrap().starts_with("PRI"));
            conn.request().await.unwrap();
            conn.send(frame(SETTINGS, 0, 0, &[])).await;
            until_headers(&mut conn).await;
            conn.send(frames).await;
            assert!(conn.bytes(usize::MAX).await.len() < usize::MAX);
        }
    })
    .await;
    let running =
        proxy().upstream("main", &[up.addr], "protocol = \"h2c\"").route("/*", "main", "").start();
    (up, running)
}

async fn until_headers(conn: &mut Conn) {
    loop {
        let head = conn.bytes(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        conn.bytes(length).await;
        if head[3] == HEADERS {
            return;
        }
    }
}

#[tokio::test]
async fn r10_an_answer_that_an_http_2_server_breaks_off_has_no_last_chunk() {
    for reason in [NO_ERROR, CANCEL] {
        let (_up, running) = answering(vec![
            frame(HEADERS, END_HEADERS, 1, &STATUS_200),
            frame(DATA, 0, 1, b"hello"),
            frame(RST_STREAM, 0, 1, &reason),
        ])
        .await;
        let mut client = Client::to(running.addr).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        // With or without a head.
        let all = client.rest().await;
        assert!(!all.ends_with(b"0\r\n\r\n"), "{reason:?}: {all:?}");
    }
}

#[tokio::test]
async fn an_http_2_server_that_has_answered_may_ask_for_no_more_of_the_request() {
    let (_up, running) = answering(vec![
        frame(HEADERS, END_HEADERS, 1, &STATUS_200),
        frame(DATA, END_STREAM, 1, b"enough"),
        frame(RST_STREAM, 0, 1, &NO_ERROR),
    ])
    .await;
    let mut client = Client::to(running.addr).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhello").await;
    let answer = soon("an answer", client.response()).await;
    assert_eq!((answer.status, answer.text()), (200, "enough"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn r24_r29_a_connection_whose_request_was_not_sent_to_its_end_is_not_used_again() {
    let up = Upstream::scripted(|mut conn| async move {
        // It answers at the head, and would go on on the same connection.
        while let Some(head) = conn.request().await {
            conn.send(ok(head.split(' ').next().unwrap())).await;
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut early = Client::to(running.addr).await;
    early.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf").await;
    let answer = early.response().await;
    assert_eq!((answer.text(), answer.header("connection")), ("POST", Some("close")));
    let mut next = Client::to(running.addr).await;
    assert_eq!(next.ask("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "GET");
    assert_eq!(up.connections(), 2);
}

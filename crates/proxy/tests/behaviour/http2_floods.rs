//! R31: floods of frames over HTTP/2. Each is cut off, makes little work for the server, and others are served meanwhile.

use std::cell::Cell;
use std::net::SocketAddr;

use super::http2;
use super::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, begin, block, frame, get_block,
};
use super::support::{Upstream, eventually, ok, proxy, soon};

/// Sends frames until the proxy has had enough; fails if it never has.
async fn flood(addr: SocketAddr, mut frames: impl FnMut(u32) -> Vec<u8>) {
    let mut client = begin(addr, &[]).await;
    soon("an end of it", async {
        for n in 0..100_000 {
            if client.try_send(frames(n)).await.is_err() {
                return;
            }
        }
        client.rest().await;
    })
    .await;
}

/// Has a proxy flooded, while another client asks. How many requests of the flood reached the server.
async fn requests_of(frames: impl FnMut(u32) -> Vec<u8>) -> usize {
    let upstream = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&upstream).start();
    let mut other = http2::to(running.addr).await;
    let (over, asked) = (Cell::new(false), Cell::new(0));
    let flood = async {
        flood(running.addr, frames).await;
        over.set(true);
    };
    let ask = async {
        while !over.get() || asked.get() == 0 {
            let request = http2::get("/other");
            let answer = soon("an answer", other.send_request(request)).await.unwrap();
            assert_eq!(answer.status(), 200);
            asked.set(asked.get() + 1);
        }
    };
    tokio::join!(flood, ask);
    let requests = upstream.requests();
    requests.iter().filter(|request| !request.contains("/other")).count()
}

/// The stream of the n-th request.
fn stream(n: u32) -> u32 {
    2 * n + 1
}

/// A whole request.
fn get(n: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get_block(&[]))
}

/// The head of a request with a body.
fn post(n: u32) -> Vec<u8> {
    let head = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    frame(HEADERS, END_HEADERS, stream(n), &block(&head))
}

#[tokio::test]
async fn r31_frames_that_carry_nothing() {
    assert_eq!(requests_of(|_| frame(SETTINGS, 0, 0, &[])).await, 0);
    assert_eq!(requests_of(|_| frame(PING, 0, 0, &[0; 8])).await, 0);
    let empty = |n| if n == 0 { post(0) } else { frame(DATA, 0, 1, &[]) };
    assert!(requests_of(empty).await <= 1);
}

#[tokio::test]
async fn r31_a_head_without_end() {
    let endless = |n| match n {
        0 => frame(HEADERS, END_STREAM, 1, &get_block(&[])),
        _ => frame(CONTINUATION, 0, 1, &block(&[("a", "b")])),
    };
    assert_eq!(requests_of(endless).await, 0);
}

#[tokio::test]
async fn r31_requests_that_are_cancelled_at_once() {
    let reset = |n| frame(RST_STREAM, 0, stream(n), &8_u32.to_be_bytes());
    let rapid = |n| [get(n), reset(n)].concat();
    // A thousand frames may carry nothing, and these count for five.
    let count = requests_of(rapid).await;
    assert!(count <= 200, "{count}");
}

#[tokio::test]
async fn r31_requests_that_are_cancelled_when_they_are_under_way() {
    let upstream = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        assert!(conn.is_closed().await);
    })
    .await;
    let running = proxy().to(&upstream).start();
    let mut client = begin(running.addr, &[]).await;
    for n in 0..1000 {
        let sent = client.try_send(get(n)).await;
        let arrived = || upstream.requests().len() > n as usize;
        let went_on = tokio::select! {
            () = eventually("it to arrive", arrived) => true,
            _ = client.rest() => false,
        };
        let reset = frame(RST_STREAM, 0, stream(n), &8_u32.to_be_bytes());
        if sent.is_err() || !went_on || client.try_send(reset).await.is_err() {
            break;
        }
    }
    let count = upstream.requests().len();
    assert!((150..=201).contains(&count), "{count}");
}

/// Each makes the server cancel the stream (CVE-2025-8671), with which it is no longer one of those that are open.
#[tokio::test]
async fn r31_requests_that_the_server_is_made_to_cancel() {
    let update = |n, by: u32| frame(WINDOW_UPDATE, 0, stream(n), &by.to_be_bytes());
    type Frames = Box<dyn FnMut(u32) -> Vec<u8>>;
    let floods: [(&str, Frames); 8] = [
        ("no more window", Box::new(move |n| [get(n), update(n, 0)].concat())),
        ("no more window for an upload", Box::new(move |n| [post(n), update(n, 0)].concat())),
        ("too large a window", Box::new(move |n| [get(n), update(n, 0x7fff_ffff)].concat())),
        ("data behind the end", Box::new(|n| [get(n), frame(DATA, 0, stream(n), b"x")].concat())),
        ("a head behind the end", Box::new(|n| [get(n), get(n)].concat())),
        (
            "a stream that depends on itself",
            Box::new(|n| {
                let priority = [&stream(n).to_be_bytes()[..], &[0]].concat();
                [get(n), frame(2, 0, stream(n), &priority)].concat()
            }),
        ),
        (
            "a priority that is none",
            Box::new(|n| [get(n), frame(2, 0, stream(n), &[0; 4])].concat()),
        ),
        (
            "more data than said",
            Box::new(|n| {
                let head = [
                    (":method", "POST"),
                    (":scheme", "http"),
                    (":authority", "a.test"),
                    (":path", "/"),
                    ("content-length", "1"),
                ];
                let head = frame(HEADERS, END_HEADERS, stream(n), &block(&head));
                [head, frame(DATA, 0, stream(n), b"xx")].concat()
            }),
        ),
    ];
    for (name, frames) in floods {
        let count = requests_of(frames).await;
        // As many as there may be streams at once, and as many as may be faulty.
        assert!(count <= 200, "{name}: {count}");
    }
}

//! Answers as this client and hyper's read them: whatever comes, they may not disagree on what it is and where
//! it ends.

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;

/// Status and body; none if it is no whole answer.
type Answer = Option<(u16, Vec<u8>)>;

/// What a client makes of a server that takes the request, sends these bytes in pieces of that size, and
/// closes.
async fn told<F: Future<Output = Answer>>(
    bytes: &[u8],
    piece: usize,
    client: impl FnOnce(UnixStream) -> F,
) -> Answer {
    let (near, mut far) = UnixStream::pair().unwrap();
    let serve = async {
        take_request(&mut far).await;
        for piece in bytes.chunks(piece) {
            if far.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(far);
    };
    tokio::join!(client(near), serve).0
}

async fn take_request(socket: &mut UnixStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(socket.read_u8().await.unwrap());
    }
}

fn request(method: &Method) -> Request<RequestBody> {
    Request::builder().method(method).uri("/").body(RequestBody::Empty).unwrap()
}

async fn ours(method: &Method, socket: UnixStream) -> Answer {
    let mut link = Link::over(Stream::Unix(socket));
    let never = |_: &mut Context<'_>| Poll::<()>::Pending;
    let response = link.send(&mut Some(request(method)), never).await.ok()?;
    let mut body = Vec::new();
    while let Some(data) = std::future::poll_fn(|cx| link.poll_data(cx)).await {
        body.extend_from_slice(&data.ok()?);
    }
    assert!(link.is_over() && link.size_hint().exact() == Some(0));
    Some((response.status().as_u16(), body))
}

async fn hypers(method: &Method, socket: UnixStream) -> Answer {
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.ok()?;
    let exchange = async {
        let response = sender.send_request(request(method)).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?;
        Some((status, body.to_bytes().to_vec()))
    };
    let mut driver = driver.fuse();
    let mut exchange = std::pin::pin!(exchange.fuse());
    loop {
        tokio::select! {
            answer = &mut exchange => return answer,
            _ = &mut driver => {}
        }
    }
}

/// Pieces that answers are made of, whole ones, broken ones, and odd ones.
const FRAGMENTS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n",
    "content-length: 5\r\n",
    "content-length: 0\r\n",
    "content-length: 5, 5\r\n",
    "Content-Length: +5\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding:chunked \r\n",
    "transfer-encoding: gzip\r\n",
    "connection: close\r\n",
    "x: y\r\n",
    "x:\r\n",
    " folded\r\n",
    "x : y\r\n",
    "\r\n",
    "\n",
    "\r",
    "5\r\nhello\r\n",
    "05;a=b\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nx: y\r\n\r\n",
    "5\r\nhellox",
    "ffffffffffffffffff\r\n",
    "hello",
    "h",
    "\0",
];

fn stream() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(FRAGMENTS);
    // Most begin as they should.
    (prop::sample::select(&FRAGMENTS[..6]), prop::collection::vec(fragment, 0..8))
        .prop_map(|(first, then)| [first].into_iter().chain(then).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_answer_is_what_hyper_takes_it_for_however_it_comes(
        text in stream(),
        piece in 1_usize..40,
        to_head in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let method = if to_head { Method::HEAD } else { Method::GET };
        let bytes = text.as_bytes();
        let (whole, cut, reference) = runtime.block_on(async {
            let whole = told(bytes, usize::MAX, |socket| ours(&method, socket)).await;
            let cut = told(bytes, piece, |socket| ours(&method, socket)).await;
            (whole, cut, told(bytes, usize::MAX, |socket| hypers(&method, socket)).await)
        });
        prop_assert_eq!(&whole, &cut, "{:?} in pieces of {}", text, piece);
        // It may be stricter, never more lenient.
        if whole.is_some() {
            prop_assert_eq!(whole, reference, "{:?}", text);
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_gives_the_request_back() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut link = Link::over(Stream::Unix(near));
    let never = |_: &mut Context<'_>| Poll::<()>::Pending;
    let serve = async {
        take_request(&mut far).await;
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    };
    let mut slot = Some(request(&Method::GET));
    let (sent, ()) = tokio::join!(link.send(&mut slot, never), serve);
    assert!(sent.is_ok() && slot.is_none());
    let data = std::future::poll_fn(|cx| link.poll_data(cx)).await.unwrap().unwrap();
    assert_eq!(&*data, b"ok");
    assert!(link.check() && link.is_idle() && link.is_reused());
    drop(far);
    if let Stream::Unix(socket) = &link.stream {
        socket.readable().await.unwrap();
    }
    let mut slot = Some(request(&Method::POST));
    let sent = link.send(&mut slot, never).await;
    assert!(matches!(sent, Err(SendError::Unsent)));
    assert_eq!(slot.unwrap().method(), Method::POST);
    assert!(!link.is_idle());
}

#[tokio::test]
async fn what_comes_behind_an_answer_ends_the_use_of_its_connection() {
    for (sent, reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", false),
        ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx", false),
    ] {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut link = Link::over(Stream::Unix(near));
        let serve = async {
            take_request(&mut far).await;
            far.write_all(sent.as_bytes()).await.unwrap();
        };
        let mut slot = Some(request(&Method::GET));
        let send = link.send(&mut slot, |_: &mut Context<'_>| Poll::<()>::Pending);
        assert!(tokio::join!(send, serve).0.is_ok(), "{sent}");
        while let Some(data) = std::future::poll_fn(|cx| link.poll_data(cx)).await {
            data.unwrap();
        }
        assert_eq!(link.is_idle(), reusable, "{sent}");
    }
}

#[tokio::test]
async fn a_long_body_comes_whole() {
    let body: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let bytes = [head.as_bytes(), &body].concat();
    let got = told(&bytes, 50_000, |socket| async { ours(&Method::GET, socket).await }).await;
    assert!(got.is_some_and(|(_, got)| got == body));
}

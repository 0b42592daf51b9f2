//! Serves an axum router over HTTP/1.1 with what a bare accept loop lacks: time-outs, a cap on
//! connections, the client's address for handlers, and a drain that ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use clap::Args;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::Shutdown;

/// Limits of a listener.
#[derive(Debug, Clone, Args)]
pub struct HttpLimits {
    /// Seconds a client may take to send a request's head.
    #[arg(long, env = "HEADER_TIMEOUT", default_value_t = 10)]
    pub header_timeout: u64,
    /// Open connections at most; further ones wait to be accepted.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 20_000)]
    pub max_connections: usize,
    /// Seconds that a client may leave sent data untaken before its connection is cut: a machine that is
    /// gone, or a reader that has stopped. 0 leaves it to the system (about a quarter of an hour).
    #[arg(long, env = "SEND_TIMEOUT", default_value_t = 45)]
    pub send_timeout: u32,
    /// Seconds that open requests may take to finish after SIGTERM.
    #[arg(long, env = "DRAIN_TIMEOUT", default_value_t = 8)]
    pub drain_timeout: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { header_timeout: 10, max_connections: 20_000, send_timeout: 45, drain_timeout: 8 }
    }
}

/// Bytes of a request's head at most (hyper's smallest is 8 KiB).
const HEAD_BUFFER: usize = 64 * 1024;

/// Answers requests until `shutdown`, then lets open ones finish for at most
/// [`HttpLimits::drain_timeout`]. Handlers find the client's address in `ConnectInfo<SocketAddr>`;
/// live streams must end by themselves when the same token is cancelled.
pub async fn serve(listener: TcpListener, app: Router, limits: HttpLimits, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let app = app.clone();
        let limits = limits.clone();
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            serve_connection(stream, peer, app, &limits, &shutdown).await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    let drain = Duration::from_secs(limits.drain_timeout);
    if tokio::time::timeout(drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "drain time is over: cutting open connections");
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            // Out of descriptors, most likely: waiting lets others close theirs.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: &HttpLimits,
    shutdown: &Shutdown,
) {
    // Answers are small and awaited: never hold one back for a fuller packet.
    let _ = stream.set_nodelay(true);
    if limits.send_timeout > 0 {
        // hyper times no writes; the kernel does, and finds dead machines on the way (RFC 5482).
        let patience = Duration::from_secs(u64::from(limits.send_timeout));
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(patience));
    }
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout))
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use hyper::body::Frame;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpSocket;
    use tokio::sync::mpsc;

    /// A body without end, which says so when it is dropped.
    struct Endless(mpsc::Sender<&'static str>);

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            let _ = self.0.try_send("cut");
        }
    }

    #[tokio::test]
    async fn a_reader_that_has_stopped_is_cut() {
        let (told, mut cut) = mpsc::channel(1);
        let app = Router::new().fallback(async move || Body::new(Endless(told.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let limits = HttpLimits { send_timeout: 1, drain_timeout: 0, ..HttpLimits::default() };
        let shutdown = Shutdown::new();
        let served = tokio::spawn(serve(listener, app, limits, shutdown.clone()));
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(addr).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // Meanwhile it reads nothing, and its connection stays open.
        let patience = Duration::from_secs(30);
        assert_eq!(tokio::time::timeout(patience, cut.recv()).await, Ok(Some("cut")));
        drop(stream);
        shutdown.cancel();
        served.await.unwrap();
    }
}

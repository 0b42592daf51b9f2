//! A connection from its being accepted to its first request: who it is, and whether there is room.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use tokio::net::TcpStream;

use super::{Worker, linger};
use crate::front::crowd::Guest;
use crate::front::proxy_protocol;
use crate::watch::{Drain, Watch};

/// The answer to a connection too many.
pub(super) const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
Content-Length: 100\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
{\"status\":\"error\",\"message\":\"too many connections; try again shortly\",\"code\":\"too_many_connections\"}";
/// The answer to a connection too many of one client.
const TOO_MANY_OF_ONE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
Content-Length: 109\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
{\"status\":\"error\",\"message\":\"too many connections from this address\",\"code\":\"too_many_connections_of_client\"}";

impl Worker {
    /// Starts to serve a connection, if there is room for it.
    pub(super) fn receive(
        self: &Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        proxy_protocol: bool,
    ) {
        let stats = &self.books.stats;
        if proxy_protocol {
            if self.site().config.server.trusts(peer.ip()) {
                stats.accepted.add(1);
                tokio::task::spawn_local(self.clone().introduce(stream, peer));
            } else {
                stats.turned_away.add(1);
                if !self.told_off.replace(true) {
                    tracing::warn!(%peer, "a connection without the right to send a PROXY header was closed, and so is every other one; name the proxies that may in trusted_proxies");
                }
            }
            return;
        }
        let Ok(guest) = self.seat(peer) else {
            stats.turned_away.add(1);
            let _ = stream.try_write(TOO_MANY_OF_ONE);
            return;
        };
        stats.accepted.add(1);
        tokio::task::spawn_local(self.clone().attend(stream, peer, guest));
    }

    /// Counts a connection of a client; an error if it has as many as it may. The loopback and trusted
    /// proxies speak for many clients, and are not counted.
    fn seat(&self, client: SocketAddr) -> Result<Option<Guest>, TooMany> {
        let ip = client.ip();
        if ip.to_canonical().is_loopback() || self.site().config.server.trusts(ip) {
            return Ok(None);
        }
        self.site().crowd.enter(ip).map(Some).ok_or(TooMany)
    }

    /// Learns from a proxy in front of this one who the client is, and serves it.
    async fn introduce(self: Rc<Self>, mut stream: TcpStream, peer: SocketAddr) {
        let watch = self.watches.open(self.limits.get().proxy_protocol_ms);
        let told = within(&watch, proxy_protocol::read(&mut stream)).await;
        self.watches.close(&watch);
        let client = match told {
            Some(Ok(told)) => told.unwrap_or(peer),
            Some(Err(fault)) => {
                tracing::debug!(%peer, %fault, "connection refused");
                return;
            }
            None => {
                tracing::debug!(%peer, "connection refused: its PROXY header took too long");
                return;
            }
        };
        match self.seat(client) {
            Ok(guest) => self.attend(stream, client, guest).await,
            Err(TooMany) => {
                self.books.stats.turned_away.add(1);
                let _ = stream.try_write(TOO_MANY_OF_ONE);
                linger(stream).await;
            }
        }
    }
}

/// A client has as many connections as it may.
struct TooMany;

/// What comes of it before the deadline and before the worker ends.
async fn within<T>(watch: &Watch, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        watch.set_task(cx.waker());
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if watch.expired() || watch.drain() != Drain::No => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_connection_too_many_is_framed_right() {
        for (answer, code) in [
            (TOO_MANY, "too_many_connections"),
            (TOO_MANY_OF_ONE, "too_many_connections_of_client"),
        ] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}\r\n", body.len());
            assert!(head.contains(&length), "{}", body.len());
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["code"], code);
        }
    }
}

//! A connection from its being accepted to its first request: who it is, and whether there is room.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::net::TcpStream;

use super::linger::linger;
use super::{Place, Worker};
use crate::front::crowd::Guest;
use crate::front::door::Door;
use crate::front::proxy_protocol;
use crate::front::stream::Stream;
use crate::front::tls::{Refusal, Secure};
use crate::watch::{Drain, Watch, millis};

/// The answer to a connection too many.
pub(super) const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
Content-Length: 100\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
{\"status\":\"error\",\"message\":\"too many connections; try again shortly\",\"code\":\"too_many_connections\"}";
/// The answer to a connection too many of one client.
const TOO_MANY_OF_ONE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
Content-Length: 109\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
{\"status\":\"error\",\"message\":\"too many connections from this address\",\"code\":\"too_many_connections_of_client\"}";

/// The answer to plain HTTP where TLS is expected.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
Content-Length: 108\r\nConnection: close\r\n\r\n\
{\"status\":\"error\",\"message\":\"this port speaks https: write https:// in the address\",\"code\":\"https_required\"}";

impl Worker {
    /// Starts to serve a connection, if there is room for it.
    pub(super) fn receive(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, door: Rc<Door>) {
        let (stats, place) = (&self.books.stats, self.places.take());
        if door.proxy_protocol && !self.site().config.server.trusts(peer.ip()) {
            stats.turned_away.add(1);
            if !self.told_off.replace(true) {
                tracing::warn!(%peer, "a connection without the right to send a PROXY header was closed, and so is every other one; name the proxies that may in trusted_proxies");
            }
            return;
        }
        if door.has_more() {
            stats.accepted.add(1);
            tokio::task::spawn_local(self.clone().introduce(stream, peer, door, place));
            return;
        }
        let Ok(guest) = self.seat(peer) else {
            stats.turned_away.add(1);
            dismiss(&stream, TOO_MANY_OF_ONE);
            return;
        };
        stats.accepted.add(1);
        // Answers are awaited: never hold one back for a fuller packet.
        let _ = stream.set_nodelay(true);
        let attend = self.clone().attend(Stream::Plain(stream), peer, (guest, place), (door, None));
        tokio::task::spawn_local(attend);
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

    /// Does what comes before the first request, and serves it.
    async fn introduce(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        door: Rc<Door>,
        place: Place,
    ) {
        let greeted = Box::pin(self.greet(stream, peer, &door)).await;
        match greeted {
            Ok((stream, client, guest, secure)) => {
                self.attend(stream, client, (guest, place), (door, secure)).await;
            }
            Err(fault) => tracing::debug!(%peer, fault, "connection refused"),
        }
    }

    /// Learns who the client is, and does the handshake.
    async fn greet(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        door: &Door,
    ) -> Result<(Stream, SocketAddr, Option<Guest>, Option<Secure>), String> {
        let mut client = peer;
        if door.proxy_protocol {
            let limit = self.limits.get().proxy_protocol_ms;
            match self.in_time(limit, proxy_protocol::read(&mut stream)).await {
                Some(Ok(told)) => client = told.unwrap_or(peer),
                Some(Err(fault)) => return Err(fault.to_string()),
                None => return Err("its PROXY header took too long".into()),
            }
        }
        let guest = match self.seat(client) {
            Ok(guest) => guest,
            Err(TooMany) => {
                self.books.stats.turned_away.add(1);
                if door.tls.is_none() {
                    dismiss(&stream, TOO_MANY_OF_ONE);
                }
                return Err("the client has as many as it may".into());
            }
        };
        let Some(tls) = &door.tls else {
            let _ = stream.set_nodelay(true);
            return Ok((Stream::Plain(stream), client, guest, None));
        };
        match self.in_time(millis(tls.handshake), tls.accept(stream)).await {
            Some(Ok((stream, secure))) => Ok((Stream::Tls(stream), client, guest, Some(secure))),
            Some(Err(refusal)) => {
                let text = refusal.to_string();
                if let Refusal::Plain(stream) = refusal {
                    dismiss(&stream, SPEAK_TLS);
                    let watch = self.watches.open(0);
                    linger(stream, &watch).await;
                    self.watches.close(&watch);
                }
                Err(text)
            }
            None => Err("its TLS handshake took too long".into()),
        }
    }

    /// What comes of it before so many milliseconds have passed, and before the worker ends.
    async fn in_time<T>(&self, limit_ms: u64, future: impl Future<Output = T>) -> Option<T> {
        let watch = self.watches.open(limit_ms);
        let outcome = within(&watch, future).await;
        self.watches.close(&watch);
        if outcome.is_none() && watch.expired() {
            self.books.stats.late.add(1);
        }
        outcome
    }
}

/// Says a last word to a client that nobody is going to wait for. Not by tokio: it would hold a new connection for
/// one that takes nothing until the first event comes.
pub(super) fn dismiss(stream: &TcpStream, word: &[u8]) {
    let _ = send(stream, word, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    // If something that it said was left unread, its connection would be reset, and the word lost.
    let mut scrap = [0; 4096];
    let _ = recv(stream, &mut scrap[..], RecvFlags::DONTWAIT);
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
            Poll::Pending if watch.expired() || watch.drain() >= Drain::Requests => {
                Poll::Ready(None)
            }
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
            (SPEAK_TLS, "https_required"),
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

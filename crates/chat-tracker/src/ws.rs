//! `GET /chat/ws`: a peer's events over a WebSocket (RFC 6455), and commands that are answered on it.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::stream::FuturesOrdered;
use futures_util::{SinkExt, StreamExt};
use http::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN, UPGRADE};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use service::Problem;
use wire::identity::IDENTITY_HEADER;

use crate::api::openapi::{Errors, ErrorsOfPeers};
use crate::caller::Caller;
use crate::extract::Query;
use crate::hub::Signal;
use crate::live::{Listen, Stream};
use crate::tracker::Tracker;

mod command;

/// What a browser's script can see of a heartbeat: it is not told of ping frames.
const HEARTBEAT: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"heartbeat"}"#);
/// Heartbeats in a row without a sign of life, after which the link counts as dead.
const MISSED_MAX: u32 = 3;
/// Commands of one client that may be under way at once.
const COMMANDS: usize = 32;
/// Bytes of the read buffer, which each idle stream holds.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 16 * 1024;
/// How long a write may wait for the client before the link counts as dead.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// The peer's events over a WebSocket, each with its `cursor`, and commands, answered with
/// `{"type":"reply","ref":…,"code_http":…}` and the fields that the HTTP call would have answered.
#[utoipa::path(get, path = "/chat/ws", tag = "live", params(Listen),
    responses((status = 101, description = "Events (`Event`) one way, commands (`Command`) the other.",
            headers(("upgrade" = String, description = "`websocket`"))),
        (status = 426, description = "`upgrade_required`: not a WebSocket handshake.",
            headers(("upgrade" = String, description = "`websocket`"))),
        Errors, ErrorsOfPeers))]
pub(crate) async fn socket(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(listen): Query<Listen>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        let message = format!("this is a WebSocket's address: {}", rejection.body_text());
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
    })?;
    refuse_foreign_origin(&headers)?;
    let stream = Stream::open(&tracker, &caller, &listen, &headers)?;
    // Twice of what is allowed is read, so that a message that is a little too long can be told so.
    let read = tracker.limits.body_bytes.saturating_mul(2);
    let upgrade = upgrade
        .max_message_size(read)
        .max_frame_size(read)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| async move {
        Session { tracker, caller, stream, socket, missed: 0 }.run().await;
    }))
}

/// A page of another site may open a WebSocket here, and no CORS rule stops it (RFC 6455 §10.2): so its
/// `Origin` must be this host. A script can set neither a bearer token nor the proxy's identity on a
/// handshake; the proxy has checked the origin itself.
fn refuse_foreign_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    if headers.contains_key(AUTHORIZATION) || headers.contains_key(IDENTITY_HEADER) {
        return Ok(());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if origin.to_str().is_ok_and(|origin| host.is_some_and(|host| same_host(origin, host))) {
        return Ok(());
    }
    Err(Problem::forbidden("foreign_origin", "a page of another site may not connect here"))
}

fn same_host(origin: &str, host: &str) -> bool {
    let (Ok(origin), Ok(host)) = (origin.parse::<Uri>(), host.parse::<Authority>()) else {
        return false;
    };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let Some(authority) = origin.authority() else { return false };
    authority.host().eq_ignore_ascii_case(host.host())
        && authority.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default)
}

/// One open WebSocket.
struct Session {
    tracker: Tracker,
    caller: Caller,
    stream: Stream,
    socket: WebSocket,
    /// Heartbeats since the client was last heard.
    missed: u32,
}

/// Why a session ends.
enum End {
    /// The client closed, or the link broke: there is nobody to tell.
    Gone,
    /// We close, and say why.
    Close(u16, &'static str),
}

/// The link broke, or what came over it is no WebSocket.
const NO_WEBSOCKET: End = End::Close(close_code::PROTOCOL, "this is no WebSocket message");

impl Session {
    async fn run(mut self) {
        let Err(end) = self.serve().await;
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            // Best effort: the link may be dead, or the client too slow for even this.
            let _ = tokio::time::timeout(
                Duration::from_secs(1),
                self.socket.send(Message::Close(Some(frame))),
            )
            .await;
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        // In the order in which they came, so that a client's messages keep their order.
        let mut commands = FuturesOrdered::new();
        loop {
            tokio::select! {
                signal = self.stream.events.next() => self.tell(signal).await?,
                Some(reply) = commands.next(), if !commands.is_empty() => {
                    self.feed(Message::Text(reply)).await?;
                    self.flush().await?;
                }
                message = self.socket.recv(), if commands.len() < COMMANDS => {
                    self.missed = 0;
                    match message.ok_or(End::Gone)?.map_err(|_| NO_WEBSOCKET)? {
                        Message::Text(text) if text.len() > self.tracker.limits.body_bytes => {
                            return Err(End::Close(close_code::SIZE, "this message is too long"));
                        }
                        Message::Text(text) => commands.push_back(command::answer(
                            self.tracker.clone(),
                            self.caller.clone(),
                            self.stream.events.peer().clone(),
                            &text,
                        )),
                        Message::Binary(_) => {
                            return Err(End::Close(close_code::UNSUPPORTED, "send text"));
                        }
                        Message::Close(_) => return Err(End::Gone),
                        Message::Ping(_) | Message::Pong(_) => {}
                    }
                }
            }
        }
    }

    async fn tell(&mut self, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Events => {
                while let Some(frame) = self.stream.events.next_frame() {
                    self.feed(Message::Text(frame.text().clone())).await?;
                }
            }
            Signal::Heartbeat => {
                let now = Instant::now();
                self.missed += 1;
                if self.missed > MISSED_MAX {
                    return Err(End::Gone);
                }
                if self.stream.is_over(now) {
                    return Err(End::Close(close_code::RESTART, "come back with your cursor"));
                }
                self.feed(Message::Ping(bytes::Bytes::new())).await?;
                self.feed(Message::Text(HEARTBEAT)).await?;
            }
            Signal::SlowReader => {
                return Err(End::Close(close_code::AGAIN, "too slow: come back with your cursor"));
            }
            Signal::Revoked => {
                return Err(End::Close(
                    close_code::POLICY,
                    "this device or peer is no longer yours",
                ));
            }
            Signal::SignedOut => {
                // Where it was only renewed, the client comes back; otherwise it hears 401.
                return Err(End::Close(close_code::RESTART, "this session is over"));
            }
            Signal::Closing => {
                return Err(End::Close(close_code::AWAY, "the tracker is restarting"));
            }
        }
        self.flush().await
    }

    async fn feed(&mut self, message: Message) -> Result<(), End> {
        patiently(self.socket.feed(message)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        patiently(self.socket.flush()).await
    }
}

/// A write that the client doesn't take in time ends the session.
async fn patiently(write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match tokio::time::timeout(WRITE_PATIENCE, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        refuse_foreign_origin(&headers.collect()).is_ok()
    }

    #[test]
    fn a_page_of_another_site_is_refused_and_programs_are_not() {
        let host = ("host", "chat.lan:8001");
        assert!(allowed(&[host]));
        assert!(allowed(&[host, ("origin", "http://chat.lan:8001")]));
        assert!(allowed(&[("host", "chat.lan"), ("origin", "http://CHAT.lan")]));
        assert!(allowed(&[("host", "chat.lan:443"), ("origin", "https://chat.lan")]));
        for foreign in
            ["http://evil.example", "http://chat.lan", "https://chat.lan:8002", "null", ""]
        {
            assert!(!allowed(&[host, ("origin", foreign)]), "{foreign}");
        }
        let foreign = ("origin", "http://evil.example");
        assert!(allowed(&[host, foreign, ("authorization", "Bearer x")]));
        assert!(allowed(&[host, foreign, ("x-chat-identity", "x")]));
    }
}

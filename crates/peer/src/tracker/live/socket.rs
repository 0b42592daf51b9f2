//! One open WebSocket: events in, commands out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::{COOKIE, HOST, ORIGIN, USER_AGENT};
use http::{HeaderValue, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use wire::DeviceId;
use wire::event::{Command, Event};

use super::{Asked, LiveEvent, Run};
use crate::tracker::calls::Tracker;
use crate::tracker::connect::{Stream, connect};
use crate::tracker::http::{AGENT, CallError, refused};

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Seconds between heartbeats until `hello` names them.
const HEARTBEAT: u32 = 15;
/// Heartbeats in a row that may be missed.
const MISSED: u32 = 3;
/// How long the server may take to show a sign of life when the network may have changed.
const PROOF: Duration = Duration::from_secs(2);
/// Bytes of a message at most. A page of events is no message: each comes alone.
const MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of the read buffer, and bytes that are gathered before they are written.
const BUFFERS: usize = 16 * 1024;

type WebSocket = WebSocketStream<Stream>;
type Waiting = HashMap<u64, oneshot::Sender<Result<Value, CallError>>>;

/// Why it ended.
pub(super) enum Ended {
    /// It broke, or the server closed it.
    Broken(String),
    /// Nobody listens any more.
    Unheard,
}

/// What every message may have besides the event's own fields.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default, rename = "ref")]
    reference: Option<u64>,
}

/// The answer to a command that failed.
#[derive(Deserialize)]
struct Failed {
    code_http: u16,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(rename = "ref")]
    reference: u64,
    #[serde(flatten)]
    command: &'a Command,
}

pub(super) struct Socket(WebSocket);

impl Socket {
    /// Opens the stream, from a cursor on.
    pub(super) async fn open(
        tracker: &Tracker,
        device: DeviceId,
        cursor: Option<&str>,
    ) -> Result<Self, CallError> {
        match tokio::time::timeout(HANDSHAKE, handshake(tracker, device, cursor)).await {
            Ok(outcome) => outcome.map(Self),
            Err(_) => Err(CallError::Unreachable(format!("{}: no answer", tracker.server()))),
        }
    }

    /// Carries events and commands until it ends.
    pub(super) async fn serve(self, run: &mut Run) -> Ended {
        let (sink, stream) = self.0.split();
        // A std lock: held for a map operation.
        let waiting = Mutex::new(Waiting::new());
        let end = {
            let Run { tracker, station, asked, nudged, events, cursor } = run;
            let reader =
                Reader { stream, waiting: &waiting, nudged: nudged.clone(), events, cursor };
            let writer = Writer { sink, waiting: &waiting, nudged: nudged.clone() };
            // Side by side: a write that the server doesn't take must not keep events from being read.
            tokio::select! {
                end = reader.run() => end,
                end = writer.run(asked) => end,
                () = tell_address(tracker, &mut station.address) => Ended::Unheard,
            }
        };
        for (_, reply) in waiting.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let broken = "the connection to the server broke off".to_owned();
            let _ = reply.send(Err(CallError::Unreachable(broken)));
        }
        end
    }
}

async fn handshake(
    tracker: &Tracker,
    device: DeviceId,
    cursor: Option<&str>,
) -> Result<WebSocket, CallError> {
    let cookie = tracker.cookie();
    match try_handshake(tracker, device, cursor, cookie.as_deref()).await {
        Err(refused) if refused.is_unauthenticated() && !tracker.is_guest() => {
            tracker.renew(cookie.as_deref(), refused).await?;
            try_handshake(tracker, device, cursor, tracker.cookie().as_deref()).await
        }
        outcome => outcome,
    }
}

async fn try_handshake(
    tracker: &Tracker,
    device: DeviceId,
    cursor: Option<&str>,
    cookie: Option<&str>,
) -> Result<WebSocket, CallError> {
    let server = tracker.server();
    let unreachable = |reason: String| CallError::Unreachable(format!("{server}: {reason}"));
    let device = device.to_string();
    let mut query = vec![("peer_id", tracker.id().as_str()), ("device", &device)];
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    let query =
        serde_urlencoded::to_string(query).map_err(|error| unreachable(error.to_string()))?;
    let scheme = if server.tls() { "wss" } else { "ws" };
    let mut request = Request::builder()
        .uri(format!("{scheme}://{}/chat/ws?{query}", server.authority()))
        .header(HOST, server.authority())
        .header(USER_AGENT, AGENT)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", tungstenite::handshake::client::generate_key());
    if let Some(cookie) = cookie {
        let mut value =
            HeaderValue::try_from(cookie).map_err(|error| unreachable(error.to_string()))?;
        value.set_sensitive(true);
        // By cookie a WebSocket is for pages of the server alone, which say so.
        request = request.header(COOKIE, value).header(ORIGIN, server.to_string());
    }
    let request = request.body(()).map_err(|error| unreachable(error.to_string()))?;
    let stream = connect(server).await.map_err(|error| unreachable(error.to_string()))?;
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = BUFFERS;
    config.write_buffer_size = BUFFERS;
    config.max_message_size = Some(MESSAGE_BYTES);
    config.max_frame_size = Some(MESSAGE_BYTES);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(refused(server, response.status(), response.headers(), body))
        }
        Err(error) => Err(unreachable(error.to_string())),
    }
}

/// Tells the address again whenever it changes; ends when nobody knows it any more.
async fn tell_address(
    tracker: &Tracker,
    address: &mut tokio::sync::watch::Receiver<Option<SocketAddr>>,
) {
    while address.changed().await.is_ok() {
        let Some(now) = *address.borrow_and_update() else { continue };
        if let Err(error) = tracker.submit_info(now.ip().to_string(), now.port()).await {
            tracing::warn!(%error, "the tracker was not told the new address; it will be with the next stream");
        }
    }
}

struct Writer<'a> {
    sink: SplitSink<WebSocket, Message>,
    waiting: &'a Mutex<Waiting>,
    nudged: tokio::sync::watch::Receiver<()>,
}

impl Writer<'_> {
    async fn run(mut self, asked: &mut tokio::sync::mpsc::Receiver<Asked>) -> Ended {
        let mut reference = 0;
        loop {
            let message = tokio::select! {
                asked = asked.recv() => {
                    let Some(Asked { command, reply }) = asked else {
                        let _ = self.sink.close().await;
                        return Ended::Unheard;
                    };
                    reference += 1;
                    let Ok(text) = serde_json::to_string(&Sent { reference, command: &command }) else {
                        continue;
                    };
                    lock(self.waiting).insert(reference, reply);
                    Message::Text(text.into())
                }
                changed = self.nudged.changed() => {
                    if changed.is_err() {
                        return Ended::Unheard;
                    }
                    Message::Ping(bytes::Bytes::new())
                }
            };
            // What waits already goes out in one write.
            let sent = match asked.is_empty() {
                true => self.sink.send(message).await,
                false => self.sink.feed(message).await,
            };
            if let Err(error) = sent {
                return Ended::Broken(error.to_string());
            }
        }
    }
}

struct Reader<'a> {
    stream: SplitStream<WebSocket>,
    waiting: &'a Mutex<Waiting>,
    nudged: tokio::sync::watch::Receiver<()>,
    events: &'a tokio::sync::mpsc::Sender<LiveEvent>,
    cursor: &'a mut Option<String>,
}

impl Reader<'_> {
    async fn run(mut self) -> Ended {
        let mut patience = patience(HEARTBEAT);
        let mut deadline = Instant::now() + patience;
        loop {
            let message = tokio::select! {
                message = self.stream.next() => message,
                () = tokio::time::sleep_until(deadline) => {
                    return Ended::Broken("the server is silent".to_owned());
                }
                Ok(()) = self.nudged.changed() => {
                    deadline = deadline.min(Instant::now() + PROOF);
                    continue;
                }
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Ended::Broken(format!("the server closed: {}", frame.reason));
                }
                Some(Ok(Message::Close(None))) | None => {
                    return Ended::Broken("the server closed the connection".to_owned());
                }
                Some(Ok(_)) => {
                    deadline = Instant::now() + patience;
                    continue;
                }
                Some(Err(error)) => return Ended::Broken(error.to_string()),
            };
            match self.take(&text).await {
                Ok(Some(heartbeat)) => patience = self::patience(heartbeat),
                Ok(None) => {}
                Err(end) => return end,
            }
            // After the event was taken: while the core is busy, the server is not what is silent.
            deadline = Instant::now() + patience;
        }
    }

    /// Takes a message; the heartbeat's seconds when it was `hello`.
    async fn take(&mut self, text: &Utf8Bytes) -> Result<Option<u32>, Ended> {
        let Ok(head) = serde_json::from_str::<Head>(text) else {
            return Err(Ended::Broken("the server says what is no event".to_owned()));
        };
        match (head.r#type.as_str(), head.reference) {
            ("heartbeat" | "pong", _) => return Ok(None),
            ("reply", Some(reference)) => {
                self.answer(reference, text);
                return Ok(None);
            }
            _ => {}
        }
        let mut heartbeat = None;
        match serde_json::from_str::<Event>(text) {
            Ok(Event::Hello { heartbeat: seconds, .. }) => heartbeat = Some(seconds),
            Ok(event) => {
                let told = self.events.send(LiveEvent::Event(Box::new(event))).await;
                told.map_err(|_| Ended::Unheard)?;
            }
            // What a newer tracker tells.
            Err(error) => {
                tracing::debug!(%error, kind = head.r#type, "an event was not understood")
            }
        }
        if head.cursor.is_some() {
            *self.cursor = head.cursor;
        }
        Ok(heartbeat)
    }

    fn answer(&self, reference: u64, text: &str) {
        let Some(reply) = lock(self.waiting).remove(&reference) else { return };
        let answer = match serde_json::from_str::<Failed>(text) {
            Ok(Failed { code_http: 200, .. }) => serde_json::from_str(text)
                .map_err(|error| CallError::Unreachable(error.to_string())),
            Ok(Failed { code_http, code, message }) => {
                Err(CallError::Refused { status: code_http, code, message, retry_after: None })
            }
            Err(error) => Err(CallError::Unreachable(error.to_string())),
        };
        let _ = reply.send(answer);
    }
}

fn patience(heartbeat: u32) -> Duration {
    Duration::from_secs(u64::from(heartbeat.max(1))) * MISSED + Duration::from_secs(1)
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The live stream: events as they happen, over a WebSocket (RFC 6455) that comes back by itself.
//!
//! 1. This peer registers its address and its device, since a tracker may have been put up anew.
//! 2. It opens `/chat/ws` with its device and the last cursor. The tracker says `hello`, then what was missed, or `reset`.
//! 3. Heartbeats come at the pace that `hello` named. After three missed ones the connection counts as dead.
//! 4. Whatever ends it, the next try comes after a wait that doubles up to half a minute, and at once when the machine's
//!    network has changed ([`Live::nudge`]).
//! 5. When the server doesn't know this peer any more, twice in a row, the session is over and the stream ends.

mod socket;

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use wire::Success;
use wire::chat::{Acked, DirectRef};
use wire::device::RegisterDevice;
use wire::event::{Command, Event};
use wire::signal::{SendSignal, Signalled};
use wire::tracker::{SendPeer, Sent};

use super::backoff::{Backoff, random};
use super::calls::Tracker;
use super::http::CallError;
use socket::{Ended, Socket};

/// Events that wait for the core; then the stream itself waits.
const EVENTS: usize = 256;
/// Commands that wait to be sent; further ones fail.
const COMMANDS: usize = 256;
/// The first wait before another try, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A stream that lived for so long was a good one: the next wait is the first one again.
const GOOD: Duration = Duration::from_secs(10);

/// What the stream tells.
#[derive(Debug)]
pub enum LiveEvent {
    /// It is there: this device is live.
    Up,
    /// It is gone, and comes back by itself.
    Down {
        /// Why, in words.
        reason: String,
    },
    /// Something happened.
    Event(Box<Event>),
    /// The server does not know this peer any more. Nothing more comes.
    SignedOut {
        /// Why, in words.
        reason: String,
    },
}

/// A command on its way, and who waits for its answer.
struct Asked {
    command: Command,
    reply: oneshot::Sender<Result<serde_json::Value, CallError>>,
}

/// What this peer tells about itself before it listens.
pub struct Station {
    /// This device.
    pub device: RegisterDevice,
    /// Its UDP address; told again when it changes.
    pub address: watch::Receiver<Option<SocketAddr>>,
}

/// The live stream. Cheap to clone; it ends when the last clone is gone.
#[derive(Clone)]
pub struct Live {
    commands: mpsc::Sender<Asked>,
    nudge: watch::Sender<()>,
}

impl Live {
    /// Starts it.
    pub fn start(tracker: Tracker, station: Station) -> (Self, mpsc::Receiver<LiveEvent>) {
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (nudge, nudged) = watch::channel(());
        let (events, told) = mpsc::channel(EVENTS);
        let run = Run { tracker, station, asked, nudged, events, cursor: None };
        tokio::spawn(run.forever());
        (Self { commands, nudge }, told)
    }

    /// The machine's network may have changed: a stream that waits tries again at once, and one that is there
    /// has to show that it is.
    pub fn nudge(&self) {
        self.nudge.send_replace(());
    }

    /// Puts a direct message into its receiver's mailbox, in the order of these calls.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn send(&self, message: SendPeer) -> impl Future<Output = Answer<Sent>> + Send + 'static {
        self.ask(Command::Send(message))
    }

    /// Acknowledges messages of the mailbox: 1 to 500.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ack(
        &self,
        messages: Vec<DirectRef>,
    ) -> impl Future<Output = Answer<Acked>> + Send + 'static {
        self.ask(Command::Ack { messages })
    }

    /// Hands a signal on, in the order of these calls.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn signal(
        &self,
        signal: SendSignal,
    ) -> impl Future<Output = Answer<Signalled>> + Send + 'static {
        self.ask(Command::Signal(signal))
    }

    /// The command is on its way when this returns; its answer may be asked for whenever.
    fn ask<T: DeserializeOwned>(
        &self,
        command: Command,
    ) -> impl Future<Output = Answer<T>> + Send + 'static + use<T> {
        let (reply, answer) = oneshot::channel();
        let queued = self.commands.try_send(Asked { command, reply });
        async move {
            let unreachable = |reason: &str| CallError::Unreachable(reason.to_owned());
            queued.map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => unreachable("too much waits for the server"),
                mpsc::error::TrySendError::Closed(_) => unreachable("the live stream has ended"),
            })?;
            let answer = answer.await.map_err(|_| unreachable("the live stream has ended"))??;
            let answer: Success<T> = serde_json::from_value(answer).map_err(|error| {
                unreachable(&format!("the tracker's answer can't be read: {error}"))
            })?;
            Ok(answer.answer)
        }
    }
}

/// What comes of a command.
pub type Answer<T> = Result<T, CallError>;

struct Run {
    tracker: Tracker,
    station: Station,
    asked: mpsc::Receiver<Asked>,
    nudged: watch::Receiver<()>,
    events: mpsc::Sender<LiveEvent>,
    cursor: Option<String>,
}

/// Nobody listens any more.
struct Unheard;

impl Run {
    async fn forever(mut self) {
        // An error only says that nobody listens any more.
        let _ = self.run().await;
    }

    async fn run(&mut self) -> Result<(), Unheard> {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut unknown = false;
        loop {
            let opened = self.open().await;
            let (reason, wait) = match opened {
                Ok(socket) => {
                    unknown = false;
                    self.tell(LiveEvent::Up).await?;
                    let since = tokio::time::Instant::now();
                    let end = socket.serve(self).await;
                    if since.elapsed() >= GOOD {
                        backoff.reset();
                    }
                    match end {
                        Ended::Unheard => return Err(Unheard),
                        Ended::Broken(reason) => (reason, None),
                    }
                }
                Err(error) if shuts_out(&error) && unknown => {
                    return self.tell(LiveEvent::SignedOut { reason: error.to_string() }).await;
                }
                Err(error) => {
                    unknown = shuts_out(&error);
                    (error.to_string(), error.retry_after())
                }
            };
            tracing::info!(reason, "the live stream is gone, and is opened again");
            self.tell(LiveEvent::Down { reason }).await?;
            let wait = backoff.next(random()).max(wait.unwrap_or_default());
            self.pause(wait).await?;
        }
    }

    async fn open(&mut self) -> Result<Socket, CallError> {
        // What broke the last stream may have broken them too.
        self.tracker.forget_connections();
        let address = *self.station.address.borrow_and_update();
        if let Some(address) = address {
            self.tracker.submit_info(address.ip().to_string(), address.port()).await?;
        }
        self.tracker.register_device(&self.station.device).await?;
        Socket::open(&self.tracker, self.station.device.device, self.cursor.as_deref()).await
    }

    /// Waits before the next try; commands that come meanwhile fail at once.
    async fn pause(&mut self, wait: Duration) -> Result<(), Unheard> {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        self.nudged.mark_unchanged();
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                changed = self.nudged.changed() => return changed.map_err(|_| Unheard),
                asked = self.asked.recv() => {
                    let Some(asked) = asked else { return Err(Unheard) };
                    let away = "the server can't be reached now".to_owned();
                    let _ = asked.reply.send(Err(CallError::Unreachable(away)));
                }
            }
        }
    }

    async fn tell(&self, event: LiveEvent) -> Result<(), Unheard> {
        self.events.send(event).await.map_err(|_| Unheard)
    }
}

/// Whether this peer may not come in: not now, and not later either.
fn shuts_out(error: &CallError) -> bool {
    error.is_unauthenticated() || error.code() == "not_your_peer"
}

//! The live fan-out: one log of events for the whole process, and a bounded queue for each reader.
//!
//! [`Hub::publish`] encodes an event once, gives it the next offset and puts it into the log, which keeps
//! the newest ones for readers that come back. Handing it to the readers is another step, done by a
//! short task for each shard of readers: so a publisher pays the same for a channel of two members and
//! of two thousand, and never waits for a reader. Since the offset is one for all, so are the bytes,
//! which every reader's queue only points at.
//!
//! Each shard hands out the log in its order, so each reader sees offsets that only grow. A reader joins
//! its shard at the shard's place in the log: what lies before that is replayed from the log, what lies
//! after comes through its queue, and nothing comes twice.
//!
//! [`Hub::signal`] goes past the log: what one device tells another about a link is of use now or never.
//! It waits in the readers' queues like the rest, without a cursor, and is not replayed.

mod frame;
mod log;
mod reader;
mod shard;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use wire::DeviceId;
use wire::event::{Event, ResetReason};

pub use frame::{Cursor, Frame};
pub use reader::{Place, Signal, Subscription};

use crate::channels::MemberSet;
use crate::peers::PeerKey;
use log::Log;
use shard::Shard;

/// Who is meant by an event.
#[derive(Debug, Clone)]
pub enum Audience {
    /// The members of a channel at the moment of the event.
    Channel(Arc<MemberSet>),
    /// The members of several channels; who is in two of them gets the event once.
    Channels(Arc<[Arc<MemberSet>]>),
    /// These peers: few, each named once.
    Peers(Arc<[PeerKey]>),
    /// Every live stream.
    Everyone,
}

impl Audience {
    /// One peer, on all of its streams.
    pub fn peer(peer: PeerKey) -> Self {
        Self::Peers([peer].into())
    }

    /// Whether a peer is meant.
    pub fn contains(&self, peer: &PeerKey) -> bool {
        match self {
            Self::Channel(members) => members.contains(peer),
            Self::Channels(channels) => channels.iter().any(|members| members.contains(peer)),
            Self::Peers(peers) => peers.contains(peer),
            Self::Everyone => true,
        }
    }

    /// Peers meant at most; `None` for everyone.
    fn size(&self) -> Option<usize> {
        match self {
            Self::Channel(members) => Some(members.len()),
            Self::Channels(channels) => Some(channels.iter().map(|members| members.len()).sum()),
            Self::Peers(peers) => Some(peers.len()),
            Self::Everyone => None,
        }
    }
}

/// The hub's limits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Events that the log keeps for readers that come back.
    pub log_events: usize,
    /// Bytes that the log keeps, the events' audiences included.
    pub log_bytes: usize,
    /// Events that may wait for one reader.
    pub queue_events: usize,
    /// Bytes of events that may wait for one reader.
    pub queue_bytes: usize,
    /// Live streams of one peer.
    pub streams_per_peer: usize,
    /// Live streams of all.
    pub streams: usize,
    /// Seconds between heartbeats, told in `hello`.
    pub heartbeat: u32,
    /// How long a stream of an account lives before it has to come back; zero for as long as it likes.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log_events: 65_536,
            log_bytes: 64 << 20,
            queue_events: 8_192,
            queue_bytes: 4 << 20,
            streams_per_peer: 64,
            streams: 16_384,
            heartbeat: 15,
            lifetime: Duration::from_secs(900),
        }
    }
}

/// Why no stream could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The peer has [`Limits::streams_per_peer`] of them.
    PeerFull,
    /// All have [`Limits::streams`] of them.
    Full,
    /// The tracker is going down.
    Closing,
}

/// Numbers for the metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Live streams now.
    pub streams: usize,
    /// Events published so far.
    pub published: u64,
    /// Events handed to readers' queues so far.
    pub delivered: u64,
    /// Readers that were cut off because they were too slow.
    pub slow_readers: u64,
    /// Events in the log.
    pub log_events: usize,
    /// Bytes in the log.
    pub log_bytes: usize,
}

/// The fan-out. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    epoch: u64,
    limits: Limits,
    // Std locks: each is held for a few memory operations, never over an await. The log's is the
    // innermost: whoever holds it takes no other.
    log: Mutex<Log>,
    shards: Box<[Shard]>,
    /// Runs the hand-out; without one (in a plain test) the publisher does it.
    runtime: Option<Handle>,
    next_reader: AtomicUsize,
    streams: AtomicUsize,
    closing: AtomicBool,
    delivered: AtomicU64,
    slow_readers: AtomicU64,
}

/// Shards of readers at most; more only adds wake-ups.
const SHARDS_MAX: usize = 8;

impl Hub {
    /// An empty hub with a new epoch. Inside a runtime its tasks hand events out; outside, the publisher
    /// itself does.
    pub fn new(limits: Limits) -> Self {
        let shards = std::thread::available_parallelism().map_or(1, |n| n.get().min(SHARDS_MAX));
        Self::with(limits, shards, Handle::try_current().ok())
    }

    fn with(limits: Limits, shards: usize, runtime: Option<Handle>) -> Self {
        Self(Arc::new(Inner {
            epoch: uuid::Uuid::new_v4().as_u64_pair().0,
            log: Mutex::new(Log::new(limits.log_events, limits.log_bytes)),
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
            limits,
            runtime,
            next_reader: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
            slow_readers: AtomicU64::new(0),
        }))
    }

    /// Sends an event to its audience, live and for those that come back in time. Two calls that follow
    /// one another are seen by every reader in that order.
    pub fn publish(&self, audience: Audience, event: &Event) {
        // Nobody could be reached: spare the log.
        if audience.size() == Some(0) {
            return;
        }
        let json = frame::json(event);
        self.0.log().push(self.0.epoch, audience, &json);
        for index in 0..self.0.shards.len() {
            self.hand_out(index);
        }
    }

    /// Hands an event to the live streams of one device, past the log: it has no cursor and is not kept.
    /// Two calls that follow one another are seen in that order. Whether there was such a stream.
    pub fn signal(&self, peer: &PeerKey, device: DeviceId, event: &Event) -> bool {
        let frame = self.own_frame(event, None);
        self.shard_of(peer).signal(&self.0, peer, device, &frame)
    }

    /// Opens a live stream of a peer: `hello`, then what it missed since `cursor` (or `reset`), then
    /// everything from now on.
    ///
    /// # Errors
    /// [`Refused`] when a limit is reached.
    pub fn subscribe(&self, peer: &PeerKey, cursor: Option<&str>) -> Result<Subscription, Refused> {
        self.subscribe_at(peer, Place::default(), cursor)
    }

    /// As [`Self::subscribe`], on one of the peer's devices, whose signals the stream gets too, and in a session, with
    /// which it ends.
    ///
    /// # Errors
    /// [`Refused`] when a limit is reached.
    pub fn subscribe_at(
        &self,
        peer: &PeerKey,
        place: Place,
        cursor: Option<&str>,
    ) -> Result<Subscription, Refused> {
        Subscription::open(self, peer, place, cursor)
    }

    /// Ends a peer's streams, or those of one of its devices: they are no longer whose they were.
    pub fn end(&self, peer: &PeerKey, device: Option<DeviceId>) {
        self.shard_of(peer).end(peer, device);
    }

    /// Ends the streams of accounts whose session is `over`.
    pub fn end_sessions(&self, over: impl Fn(&str) -> bool) {
        for shard in &self.0.shards {
            shard.end_sessions(&over);
        }
    }

    /// The cursor of the newest event.
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.0.epoch, offset: self.0.log().head() }
    }

    /// Lets the streams of one slot of `slots` beat: called in turn for each slot, it gives every stream
    /// a heartbeat a round without a timer of its own.
    pub fn beat(&self, slot: usize, slots: usize) {
        for shard in &self.0.shards {
            shard.beat(slot, slots);
        }
    }

    /// Ends all streams and opens no more.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        for shard in &self.0.shards {
            shard.close();
        }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Numbers for the metrics.
    pub fn counts(&self) -> Counts {
        let (log_events, log_bytes, head) = {
            let log = self.0.log();
            (log.len(), log.bytes(), log.head())
        };
        Counts {
            streams: self.0.streams.load(Ordering::Relaxed),
            published: head,
            delivered: self.0.delivered.load(Ordering::Relaxed),
            slow_readers: self.0.slow_readers.load(Ordering::Relaxed),
            log_events,
            log_bytes,
        }
    }

    /// Sees to it that a shard is brought up to the log's head.
    fn hand_out(&self, index: usize) {
        let shard = &self.0.shards[index];
        if !shard.schedule() {
            return;
        }
        match &self.0.runtime {
            Some(runtime) => {
                let hub = self.clone();
                runtime.spawn(async move {
                    while hub.0.shards[index].catch_up(&hub.0) {
                        tokio::task::yield_now().await;
                    }
                });
            }
            None => while shard.catch_up(&self.0) {},
        }
    }

    fn shard_of(&self, peer: &PeerKey) -> &Shard {
        let mut hasher = DefaultHasher::new();
        peer.hash(&mut hasher);
        // The remainder is below the number of shards.
        #[allow(clippy::cast_possible_truncation, reason = "only the remainder counts")]
        let hash = hasher.finish() as usize;
        &self.0.shards[hash % self.0.shards.len()]
    }

    /// A frame that is not in the log: `hello`, `reset` and signals.
    fn own_frame(&self, event: &Event, cursor: Option<Cursor>) -> Arc<Frame> {
        Arc::new(Frame::encode(&frame::json(event), cursor))
    }

    fn reset_frame(&self, reason: ResetReason, offset: u64) -> Arc<Frame> {
        self.own_frame(&Event::Reset { reason }, Some(Cursor { epoch: self.0.epoch, offset }))
    }
}

impl Inner {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! One live stream's side of the hub: its bounded queue, and what it reads from the log before that.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wire::DeviceId;
use wire::event::{Event, ResetReason};

use super::frame::{Cursor, Frame};
use super::log::Entry;
use super::{Hub, Limits, Refused};
use crate::peers::PeerKey;

/// Where a stream ends up.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The device whose signals it gets.
    pub device: Option<DeviceId>,
    /// The public id of the account's session: the stream ends with it.
    pub session: Option<Arc<str>>,
}

/// What a shard knows of a stream.
pub(super) struct Reader {
    /// Spreads heartbeats over time.
    pub(super) id: usize,
    /// The device whose signals it gets.
    pub(super) device: Option<DeviceId>,
    /// The session of its account; a guest has none.
    pub(super) session: Option<Arc<str>>,
    queue: Mutex<Queue>,
}

/// What waits for a stream.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// Offset of the newest event that it was given, or had seen before.
    last: u64,
    beat: bool,
    /// Too much waited: the backlog is gone, and nothing is added any more.
    lost: bool,
    /// Why it has to end at once.
    ends: Option<Signal>,
    waker: Option<Waker>,
}

/// What became of an event that was offered to a reader.
pub(super) enum Pushed {
    /// It waits, and the reader is awake or has to be woken.
    Queued(Option<Waker>),
    /// It was one too many: the reader is lost and has to be woken.
    Overflowed(Option<Waker>),
    /// It had it already, or is lost.
    Ignored,
}

impl Reader {
    pub(super) fn new(id: usize, place: Place, last: u64) -> Self {
        let Place { device, session } = place;
        Self { id, device, session, queue: Mutex::new(Queue { last, ..Queue::default() }) }
    }

    /// Adds an event of the log.
    pub(super) fn push(&self, offset: u64, frame: &Arc<Frame>, limits: &Limits) -> Pushed {
        let mut queue = self.queue();
        if offset <= queue.last {
            return Pushed::Ignored;
        }
        queue.last = offset;
        queue.add(frame, limits)
    }

    /// Adds an event that is not in the log.
    pub(super) fn push_unlogged(&self, frame: &Arc<Frame>, limits: &Limits) -> Pushed {
        self.queue().add(frame, limits)
    }

    /// Events that it should have got are gone from the log.
    pub(super) fn lose(&self) -> Option<Waker> {
        let mut queue = self.queue();
        queue.lose();
        queue.waker.take()
    }

    pub(super) fn beat(&self) -> Option<Waker> {
        let mut queue = self.queue();
        queue.beat = true;
        queue.waker.take()
    }

    pub(super) fn end(&self, why: Signal) -> Option<Waker> {
        let mut queue = self.queue();
        queue.ends = Some(why);
        queue.waker.take()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, frame: &Arc<Frame>, limits: &Limits) -> Pushed {
        if self.lost || self.ends.is_some() {
            return Pushed::Ignored;
        }
        let bytes = self.bytes + frame.sse().len();
        let full = self.frames.len() >= limits.queue_events;
        if full || (bytes > limits.queue_bytes && !self.frames.is_empty()) {
            self.lose();
            return Pushed::Overflowed(self.waker.take());
        }
        self.bytes = bytes;
        self.frames.push_back(frame.clone());
        Pushed::Queued(self.waker.take())
    }

    fn lose(&mut self) {
        self.lost = true;
        self.frames = VecDeque::new();
        self.bytes = 0;
    }
}

/// What a stream has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Send the frames that [`Subscription::next_frame`] gives.
    Events,
    /// Send a heartbeat.
    Heartbeat,
    /// End: the reader was too slow (the `reset` that says so came before).
    SlowReader,
    /// End: the device was removed, or the peer is another's now.
    Revoked,
    /// End: the session of the account is over.
    SignedOut,
    /// End: the tracker goes down.
    Closing,
}

/// A place in the log up to which events are still to be read from it.
struct Replay {
    at: u64,
    end: u64,
}

/// A live stream. Dropping it ends it.
pub struct Subscription {
    hub: Hub,
    peer: PeerKey,
    reader: Arc<Reader>,
    ready: VecDeque<Arc<Frame>>,
    replay: Option<Replay>,
    told_lost: bool,
}

/// Entries of the log that are copied at a time: the log is locked meanwhile.
const CHUNK: usize = 256;
/// Chunks that one poll looks through before others get their turn.
const CHUNKS_A_POLL: usize = 16;
/// Frames for which an emptied queue keeps room.
const KEPT_ROOM: usize = 64;

impl Subscription {
    pub(super) fn open(
        hub: &Hub,
        peer: &PeerKey,
        place: Place,
        cursor: Option<&str>,
    ) -> Result<Self, Refused> {
        let inner = &*hub.0;
        // A text that is no cursor was made by another version of the tracker, at best.
        let asked = cursor.map(|text| text.parse::<Cursor>().ok());
        let head = inner.log().head();
        let known =
            asked.flatten().filter(|cursor| cursor.epoch == inner.epoch && cursor.offset <= head);
        inner
            .streams
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |streams| {
                (streams < inner.limits.streams).then_some(streams + 1)
            })
            .map_err(|_| Refused::Full)?;
        let id = inner.next_reader.fetch_add(1, Ordering::Relaxed);
        let shard = hub.shard_of(peer);
        let seen = known.map_or(0, |cursor| cursor.offset);
        let joined = shard.join(inner, peer, |at| Reader::new(id, place, seen.max(at)));
        let (reader, place) = joined.inspect_err(|_| {
            inner.streams.fetch_sub(1, Ordering::AcqRel);
        })?;

        let (replay, reset) = match (asked, known) {
            (None, _) => (None, None),
            (Some(_), Some(cursor)) => {
                if inner.log().reaches_back_to(cursor.offset) {
                    let replay = Replay { at: cursor.offset, end: place };
                    ((replay.at < replay.end).then_some(replay), None)
                } else {
                    (None, Some(ResetReason::TooOld))
                }
            }
            (Some(_), None) => (None, Some(ResetReason::Restarted)),
        };
        // A client that comes back keeps its cursor until it has got what it missed.
        let cursor = match asked {
            None => Some(Cursor { epoch: inner.epoch, offset: place }),
            Some(cursor) => cursor,
        };
        let hello = Event::Hello { peer_id: peer.id().clone(), heartbeat: inner.limits.heartbeat };
        let mut ready = VecDeque::with_capacity(2);
        ready.push_back(hub.own_frame(&hello, cursor));
        ready.extend(reset.map(|reason| hub.reset_frame(reason, place)));
        Ok(Self { hub: hub.clone(), peer: peer.clone(), reader, ready, replay, told_lost: false })
    }

    /// Whose stream it is.
    pub fn peer(&self) -> &PeerKey {
        &self.peer
    }

    /// On which of the peer's devices.
    pub fn device(&self) -> Option<DeviceId> {
        self.reader.device
    }

    /// The next frame to send, after [`Signal::Events`].
    pub fn next_frame(&mut self) -> Option<Arc<Frame>> {
        self.ready.pop_front()
    }

    /// The frame that [`Self::next_frame`] would give.
    pub fn peek_frame(&self) -> Option<&Frame> {
        self.ready.front().map(|frame| &**frame)
    }

    /// Waits for something to do.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Whether there is something to do; otherwise the task is woken when there is.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        if !self.ready.is_empty() {
            return Poll::Ready(Signal::Events);
        }
        if let Some(signal) = self.replay(cx) {
            return signal;
        }
        let mut queue = self.reader.queue();
        if let Some(why) = queue.ends {
            return Poll::Ready(why);
        }
        if queue.lost {
            drop(queue);
            return Poll::Ready(self.lost());
        }
        if !queue.frames.is_empty() {
            if self.ready.capacity() > KEPT_ROOM {
                self.ready = VecDeque::new();
            }
            std::mem::swap(&mut queue.frames, &mut self.ready);
            queue.bytes = 0;
            return Poll::Ready(Signal::Events);
        }
        if std::mem::take(&mut queue.beat) {
            return Poll::Ready(Signal::Heartbeat);
        }
        match &mut queue.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Goes on with the replay; `None` when there is nothing left of it.
    fn replay(&mut self, cx: &mut Context<'_>) -> Option<Poll<Signal>> {
        let replay = self.replay.as_mut()?;
        let mut chunk: Vec<Entry> = Vec::new();
        for _ in 0..CHUNKS_A_POLL {
            let most = usize::try_from(replay.end - replay.at).unwrap_or(CHUNK).min(CHUNK);
            chunk.clear();
            if most == 0 {
                self.replay = None;
                return None;
            }
            if !self.hub.0.log().after(replay.at, most, &mut chunk) {
                // It read so slowly that the log went on without it.
                self.replay = None;
                drop(self.reader.lose());
                return Some(Poll::Ready(self.lost()));
            }
            replay.at += chunk.len() as u64;
            let mine = chunk.drain(..).filter(|entry| entry.audience.contains(&self.peer));
            self.ready.extend(mine.map(|entry| entry.frame));
            if !self.ready.is_empty() {
                return Some(Poll::Ready(Signal::Events));
            }
        }
        cx.waker().wake_by_ref();
        Some(Poll::Pending)
    }

    fn lost(&mut self) -> Signal {
        if self.told_lost {
            return Signal::SlowReader;
        }
        self.told_lost = true;
        let head = self.hub.0.log().head();
        self.ready.push_back(self.hub.reset_frame(ResetReason::SlowReader, head));
        Signal::Events
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.shard_of(&self.peer).leave(&self.peer, &self.reader);
        self.hub.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

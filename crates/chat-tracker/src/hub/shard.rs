//! A part of the readers, and how far the log has been handed out to them. All streams of a peer are in
//! one shard.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use wire::DeviceId;

use super::frame::Frame;
use super::log::Entry;
use super::reader::{Pushed, Reader, Signal};
use super::{Audience, Inner, Refused};
use crate::peers::PeerKey;

/// Readers, by peer.
#[derive(Default)]
pub(super) struct Shard {
    state: Mutex<State>,
    /// Readers in it: an empty shard needs no hand-out.
    readers: AtomicUsize,
    /// A hand-out is running or about to.
    scheduled: AtomicBool,
}

#[derive(Default)]
struct State {
    peers: HashMap<PeerKey, Vec<Arc<Reader>>>,
    /// Offset of the newest event that was handed out.
    place: u64,
    batch: Vec<Entry>,
    wakers: Vec<Waker>,
}

/// Events that are handed out at a time.
const BATCH: usize = 32;
/// Queue entries made at a time, about: others want the shard too.
const PUSHES: u64 = 4096;

impl Shard {
    /// Adds a reader, which is made for the shard's place in the log. Gives it, with that place: it gets
    /// every event after that.
    pub(super) fn join(
        &self,
        hub: &Inner,
        peer: &PeerKey,
        make: impl FnOnce(u64) -> Reader,
    ) -> Result<(Arc<Reader>, u64), Refused> {
        let mut state = self.state();
        if hub.closing.load(Ordering::SeqCst) {
            return Err(Refused::Closing);
        }
        // Counted before the log is looked at: a publisher that still saw an empty shard has put its
        // event into the log before.
        if self.readers.fetch_add(1, Ordering::SeqCst) == 0 {
            state.place = hub.log().head();
        }
        let place = state.place;
        let streams = state.peers.entry(peer.clone()).or_default();
        if streams.len() >= hub.limits.streams_per_peer.max(1) {
            self.readers.fetch_sub(1, Ordering::SeqCst);
            return Err(Refused::PeerFull);
        }
        let reader = Arc::new(make(place));
        streams.push(reader.clone());
        Ok((reader, place))
    }

    pub(super) fn leave(&self, peer: &PeerKey, reader: &Arc<Reader>) {
        let mut state = self.state();
        if let Some(streams) = state.peers.get_mut(peer) {
            streams.retain(|other| !Arc::ptr_eq(other, reader));
            if streams.is_empty() {
                state.peers.remove(peer);
            }
        }
        self.readers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether the caller has to see to the hand-out.
    pub(super) fn schedule(&self) -> bool {
        self.readers.load(Ordering::SeqCst) > 0 && !self.scheduled.swap(true, Ordering::AcqRel)
    }

    /// Hands out the next events. Whether there are more.
    pub(super) fn catch_up(&self, hub: &Inner) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let mut batch = std::mem::take(&mut state.batch);
        let mut wakers = std::mem::take(&mut state.wakers);
        let head = {
            let log = hub.log();
            if !log.after(state.place, BATCH, &mut batch) {
                // Published faster than handed out, for longer than the log reaches back.
                state.place = log.head();
                wakers.extend(state.peers.values().flatten().filter_map(|reader| reader.lose()));
            }
            log.head()
        };
        let mut tally = Tally { hub, wakers: &mut wakers, delivered: 0, slow: 0 };
        for entry in batch.drain(..) {
            if tally.delivered > PUSHES {
                break;
            }
            state.place += 1;
            tally.offer(&state.peers, state.place, &entry);
        }
        let (delivered, slow) = (tally.delivered, tally.slow);
        hub.delivered.fetch_add(delivered, Ordering::Relaxed);
        hub.slow_readers.fetch_add(slow, Ordering::Relaxed);
        // A reader is woken once for all it got.
        wakers.drain(..).for_each(Waker::wake);
        state.batch = batch;
        state.wakers = wakers;
        if state.place < head {
            return true;
        }
        // Whoever publishes after this line schedules anew; what came before it is found here.
        self.scheduled.store(false, Ordering::SeqCst);
        state.place < hub.log().head() && !self.scheduled.swap(true, Ordering::AcqRel)
    }

    pub(super) fn beat(&self, slot: usize, slots: usize) {
        let state = self.state();
        let due = state.peers.values().flatten().filter(|reader| reader.id % slots == slot);
        due.filter_map(|reader| reader.beat()).for_each(Waker::wake);
    }

    pub(super) fn close(&self) {
        let state = self.state();
        let readers = state.peers.values().flatten();
        readers.filter_map(|reader| reader.end(Signal::Closing)).for_each(Waker::wake);
    }

    /// Hands a frame to the streams of one device. Whether there was one.
    pub(super) fn signal(
        &self,
        hub: &Inner,
        peer: &PeerKey,
        device: DeviceId,
        frame: &Arc<Frame>,
    ) -> bool {
        let state = self.state();
        let streams = state.peers.get(peer).into_iter().flatten();
        let mut reached = false;
        for reader in streams.filter(|reader| reader.device == Some(device)) {
            match reader.push_unlogged(frame, &hub.limits) {
                Pushed::Queued(waker) => {
                    reached = true;
                    waker.into_iter().for_each(Waker::wake);
                }
                Pushed::Overflowed(waker) => {
                    hub.slow_readers.fetch_add(1, Ordering::Relaxed);
                    waker.into_iter().for_each(Waker::wake);
                }
                Pushed::Ignored => {}
            }
        }
        reached
    }

    /// Ends the streams of a peer, or those of one of its devices.
    pub(super) fn end(&self, peer: &PeerKey, device: Option<DeviceId>) {
        let state = self.state();
        let streams = state.peers.get(peer).into_iter().flatten();
        streams
            .filter(|reader| device.is_none() || reader.device == device)
            .filter_map(|reader| reader.end(Signal::Revoked))
            .for_each(Waker::wake);
    }

    /// Ends the streams of accounts whose session is `over`.
    pub(super) fn end_sessions(&self, over: impl Fn(&str) -> bool) {
        let state = self.state();
        let readers = state.peers.values().flatten();
        readers
            .filter(|reader| reader.session.as_deref().is_some_and(&over))
            .filter_map(|reader| reader.end(Signal::SignedOut))
            .for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a hand-out.
struct Tally<'a> {
    hub: &'a Inner,
    wakers: &'a mut Vec<Waker>,
    delivered: u64,
    slow: u64,
}

impl Tally<'_> {
    fn offer(&mut self, peers: &HashMap<PeerKey, Vec<Arc<Reader>>>, offset: u64, entry: &Entry) {
        let few = entry.audience.size().is_some_and(|size| size <= peers.len());
        match &entry.audience {
            audience if !few => {
                let meant = peers.iter().filter(|(peer, _)| audience.contains(peer));
                meant.for_each(|(_, streams)| self.push(streams, offset, entry));
            }
            Audience::Channel(members) => {
                let meant = members.iter().filter_map(|peer| peers.get(peer));
                meant.for_each(|streams| self.push(streams, offset, entry));
            }
            Audience::Channels(channels) => {
                // A reader ignores an offset that it was given already.
                let members = channels.iter().flat_map(|members| members.iter());
                let meant = members.filter_map(|peer| peers.get(peer));
                meant.for_each(|streams| self.push(streams, offset, entry));
            }
            Audience::Peers(named) => {
                let meant = named.iter().filter_map(|peer| peers.get(peer));
                meant.for_each(|streams| self.push(streams, offset, entry));
            }
            Audience::Everyone => {}
        }
    }

    fn push(&mut self, streams: &[Arc<Reader>], offset: u64, entry: &Entry) {
        for reader in streams {
            match reader.push(offset, &entry.frame, &self.hub.limits) {
                Pushed::Queued(waker) => {
                    self.delivered += 1;
                    self.wakers.extend(waker);
                }
                Pushed::Overflowed(waker) => {
                    self.slow += 1;
                    self.wakers.extend(waker);
                }
                Pushed::Ignored => {}
            }
        }
    }
}

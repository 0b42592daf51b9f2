//! Files on their way out.
//!
//! A file is offered to every linked device of the receiver; the first that accepts gets it, and the others are told that
//! it is over for them. After each reconnection it is offered again, to the device that has accepted it if there is one.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wire::p2p::{CancelReason, DeclineReason, FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use super::common::{Common, Key, Run, Side};
use super::{Action, Refusal, Start};
use crate::event::{Direction, FileState, FileStatus};
use crate::links::Remote;
use crate::store::transfers::Stage as KeptStage;
use crate::transfer::digests::Violation;
use crate::transfer::meter::Meter;
use crate::transfer::outgoing::{Known, first_piece};
use crate::transfer::send::Sent;
use crate::transfer::source::{SourceError, Stamp};

/// An acceptance older than this may be forgotten at the receiver, which counts a transfer that doesn't begin as one no
/// longer: it is asked once more before the channel is opened.
const FRESH: Duration = Duration::from_secs(25);
/// How long an answer to that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a receiver that was busy is left alone.
const BUSY: Duration = Duration::from_secs(15);
/// How long the receiver's last word is waited for once it has everything and has closed the channel.
const LAST_WORD: Duration = Duration::from_secs(5);
/// Channels in a row that may break over a link that is up, without a piece getting through.
const FAILURES: u32 = 6;

enum Stage {
    /// Nobody has accepted it over a link that is up.
    Asking,
    /// Accepted, and waits for its turn.
    Turn { remote: Remote, first: u64, since: Instant },
    /// Has its turn, and was asked once more because the acceptance is old.
    Again,
    /// On its way.
    Running { remote: Remote, run: Run, meter: Meter },
    /// Over.
    Ended(FileState),
}

struct Out {
    offer: FileOffer,
    path: PathBuf,
    stamp: Stamp,
    stage: Stage,
    /// The device that has accepted it.
    bound: Option<DeviceId>,
    /// Linked devices that have the offer and haven't answered.
    asked: Vec<DeviceId>,
    /// Devices that can't take it now.
    refused: Vec<DeviceId>,
    /// Devices that have ever been asked.
    knowing: Vec<DeviceId>,
    /// Whether it waits to be offered.
    queued: bool,
    known: Known,
    /// Bytes that the receiver has.
    done: u64,
    failures: u32,
    /// When something is to be done if nothing happens.
    deadline: Option<Instant>,
    /// What went wrong here, in words.
    trouble: Option<String>,
    /// Its place in the list.
    order: u64,
}

impl Out {
    fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// Whether a device may speak about it.
    fn concerns(&self, device: DeviceId) -> bool {
        !self.ended() && self.bound.map_or(self.asked.contains(&device), |bound| bound == device)
    }
}

/// All files on their way out.
#[derive(Default)]
pub(super) struct Outs {
    // Ordered, so that one peer's stand together.
    all: BTreeMap<Key, Out>,
    /// Per peer, what is to be offered as soon as fewer offers are unanswered.
    queues: HashMap<String, VecDeque<FileId>>,
    /// Per peer, what is offered and not answered.
    unanswered: HashMap<String, HashSet<FileId>>,
    /// What is accepted and waits, in this order.
    turns: VecDeque<Key>,
    /// What has its turn.
    busy: HashSet<Key>,
    unfinished: usize,
}

impl Outs {
    // --- the person ------------------------------------------------------------------------------

    pub(super) fn send(
        &mut self,
        common: &mut Common,
        now: Instant,
        offer: FileOffer,
        path: PathBuf,
        stamp: Stamp,
    ) -> Result<(), Refusal> {
        let key = Key::of(&offer.to, offer.file);
        if let Some(out) = self.all.get_mut(&key).filter(|out| !out.ended()) {
            // It is under way. Should the device that has accepted it be away, any other may take it now.
            out.path = path;
            if let (Stage::Asking, Some(bound)) = (&out.stage, out.bound)
                && common.linked(&out.offer.to, bound).is_none()
            {
                out.bound = None;
                out.refused.clear();
            }
            self.queue(common, &key);
            self.keep(common, &key);
            self.offer(common, now, &key.peer);
            return Ok(());
        }
        if self.unfinished >= common.limits.outgoing {
            return Err(Refusal::TooMany);
        }
        common.not_over(Side::Out, &key);
        self.insert(common, key.clone(), offer, path, stamp, None);
        self.keep(common, &key);
        common.changed(Side::Out, &key);
        self.queue(common, &key);
        self.offer(common, now, &key.peer);
        Ok(())
    }

    pub(super) fn restore(
        &mut self,
        common: &mut Common,
        offer: FileOffer,
        path: PathBuf,
        stamp: Stamp,
        bound: Option<DeviceId>,
    ) {
        let key = Key::of(&offer.to, offer.file);
        self.insert(common, key, offer, path, stamp, bound);
    }

    fn insert(
        &mut self,
        common: &mut Common,
        key: Key,
        offer: FileOffer,
        path: PathBuf,
        stamp: Stamp,
        bound: Option<DeviceId>,
    ) {
        let out = Out {
            offer,
            path,
            stamp,
            stage: Stage::Asking,
            bound,
            asked: Vec::new(),
            refused: Vec::new(),
            knowing: bound.into_iter().collect(),
            queued: false,
            known: Known::default(),
            done: 0,
            failures: 0,
            deadline: None,
            trouble: None,
            order: common.number(),
        };
        self.unfinished += 1;
        self.all.insert(key, out);
    }

    /// Its file is not what was offered any more.
    pub(super) fn lost(&mut self, common: &mut Common, now: Instant, key: &Key) {
        if let Some(out) = self.all.get_mut(key).filter(|out| !out.ended()) {
            out.trouble = Some(format!("{}: {}", out.path.display(), SourceError::Changed));
            self.end(common, now, key, FileState::Cancelled(CancelReason::Changed), None);
        }
    }

    /// Whether there was one.
    pub(super) fn cancel(&mut self, common: &mut Common, now: Instant, key: &Key) -> bool {
        let there = self.all.get(key).is_some_and(|out| !out.ended());
        if there {
            self.end(common, now, key, FileState::Cancelled(CancelReason::Cancelled), None);
        }
        there
    }

    // --- offers ----------------------------------------------------------------------------------

    /// Has a file wait to be offered.
    fn queue(&mut self, common: &Common, key: &Key) {
        let Some(out) = self.all.get_mut(key) else { return };
        let linked = !common.devices(&key.peer).is_empty();
        if linked && !out.queued && matches!(out.stage, Stage::Asking) {
            out.queued = true;
            self.queues.entry(key.peer.clone()).or_default().push_back(key.file);
        }
    }

    /// Offers to a peer what waits, as long as not too much is unanswered.
    fn offer(&mut self, common: &mut Common, now: Instant, peer: &str) {
        let Some(mut queue) = self.queues.remove(peer) else { return };
        let devices = common.devices(peer);
        while self.unanswered.get(peer).map_or(0, HashSet::len) < common.limits.offers {
            let Some(file) = queue.pop_front() else { break };
            let key = Key { peer: peer.to_owned(), file };
            if let Some(out) = self.all.get_mut(&key) {
                out.queued = false;
                if matches!(out.stage, Stage::Asking) && out.deadline.is_none_or(|at| at <= now) {
                    self.ask(common, &key, &devices);
                }
            }
        }
        if !queue.is_empty() {
            self.queues.insert(peer.to_owned(), queue);
        }
    }

    /// Offers a file to those of these devices that should have it.
    fn ask(&mut self, common: &mut Common, key: &Key, devices: &[Remote]) {
        let Some(out) = self.all.get_mut(key) else { return };
        out.deadline = None;
        for remote in devices {
            let device = remote.device;
            let wanted = match out.bound {
                Some(bound) => bound == device,
                None => !out.refused.contains(&device),
            };
            if wanted && !out.asked.contains(&device) {
                out.asked.push(device);
                if !out.knowing.contains(&device) {
                    out.knowing.push(device);
                }
                common.send(remote, Frame::FileOffer(out.offer.clone()));
            }
        }
        if !out.asked.is_empty() {
            self.unanswered.entry(key.peer.clone()).or_default().insert(key.file);
        }
    }

    /// Nobody is asked any more; the others may be.
    fn answered(&mut self, common: &mut Common, now: Instant, key: &Key) {
        if let Some(files) = self.unanswered.get_mut(&key.peer) {
            files.remove(&key.file);
            if files.is_empty() {
                self.unanswered.remove(&key.peer);
            }
        }
        self.offer(common, now, &key.peer);
    }

    // --- links -----------------------------------------------------------------------------------

    pub(super) fn up(&mut self, common: &mut Common, now: Instant, remote: &Remote) {
        let peer = remote.peer.folded();
        for key in self.of(&peer) {
            let Some(out) = self.all.get_mut(&key) else { continue };
            if out.bound.is_some_and(|bound| bound != remote.device) {
                // Another one has accepted what this one was offered earlier.
                if out.knowing.contains(&remote.device) {
                    out.knowing.retain(|device| *device != remote.device);
                    let reason = CancelReason::Cancelled;
                    common.send(remote, Frame::FileCancel { file: key.file, reason });
                }
                continue;
            }
            out.failures = 0;
            out.refused.retain(|device| *device != remote.device);
            if matches!(out.stage, Stage::Asking) {
                out.deadline = None;
                if out.asked.is_empty() {
                    self.queue(common, &key);
                } else {
                    self.ask(common, &key, std::slice::from_ref(remote));
                }
            }
        }
        self.offer(common, now, &peer);
    }

    pub(super) fn rerouted(&mut self, common: &mut Common, remote: &Remote) {
        for key in self.of(&remote.peer.folded()) {
            if matches!(&self.all[&key].stage, Stage::Running { remote: to, .. } if to == remote) {
                common.changed(Side::Out, &key);
            }
        }
    }

    pub(super) fn down(&mut self, common: &mut Common, now: Instant, remote: &Remote) {
        for key in self.of(&remote.peer.folded()) {
            let Some(out) = self.all.get_mut(&key) else { continue };
            if out.asked.contains(&remote.device) {
                out.asked.retain(|device| *device != remote.device);
                if out.asked.is_empty() {
                    self.answered(common, now, &key);
                }
            }
            let Some(out) = self.all.get_mut(&key) else { continue };
            if out.bound == Some(remote.device) && !out.ended() {
                self.interrupt(common, &key);
            }
        }
        self.next(common, now);
    }

    /// Takes a file's turn away.
    fn interrupt(&mut self, common: &mut Common, key: &Key) {
        let Some(out) = self.all.get_mut(key) else { return };
        if let Stage::Running { run, .. } = out.stage {
            common.act(Action::Stop(run));
        }
        if !matches!(out.stage, Stage::Asking) {
            common.changed(Side::Out, key);
        }
        out.stage = Stage::Asking;
        out.deadline = None;
        self.busy.remove(key);
    }

    /// The unfinished files to a peer, in the order in which they were asked for.
    fn of(&self, peer: &str) -> Vec<Key> {
        let from = Key { peer: peer.to_owned(), file: FileId::new([0; 16]) };
        let mut keys: Vec<(u64, Key)> = self
            .all
            .range(from..)
            .take_while(|(key, _)| key.peer == peer)
            .filter(|(_, out)| !out.ended())
            .map(|(key, out)| (out.order, key.clone()))
            .collect();
        keys.sort_by_key(|(order, _)| *order);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    // --- answers ---------------------------------------------------------------------------------

    pub(super) fn accepted(
        &mut self,
        common: &mut Common,
        now: Instant,
        remote: &Remote,
        file: FileId,
        from: u64,
    ) {
        let key = Key::of(&remote.peer, file);
        let over = Frame::FileCancel { file, reason: CancelReason::Cancelled };
        let Some(out) = self.all.get_mut(&key) else { return common.send(remote, over) };
        match (&out.stage, out.bound) {
            (Stage::Ended(FileState::Done { .. }), _) => return,
            (Stage::Ended(_), _) => return common.send(remote, over),
            (_, Some(bound)) if bound != remote.device => return common.send(remote, over),
            (Stage::Turn { .. } | Stage::Running { .. }, _) => return,
            (Stage::Asking | Stage::Again, _) => (),
        }
        let Ok(first) = first_piece(out.offer.size, from) else {
            return self.violated(common, now, &key, Violation::From);
        };
        let others: Vec<DeviceId> =
            out.asked.drain(..).filter(|device| *device != remote.device).collect();
        for device in others {
            if let Some(other) = common.linked(&remote.peer, device) {
                common.send(&other, over.clone());
                out.knowing.retain(|knowing| *knowing != device);
            }
        }
        let new = out.bound.replace(remote.device).is_none();
        out.done = from;
        out.deadline = None;
        common.changed(Side::Out, &key);
        if matches!(out.stage, Stage::Again) {
            self.start(common, now, &key, remote.clone(), first);
        } else {
            out.stage = Stage::Turn { remote: remote.clone(), first, since: now };
            self.turns.push_back(key.clone());
        }
        if new {
            self.keep(common, &key);
        }
        self.answered(common, now, &key);
        self.next(common, now);
    }

    pub(super) fn declined(
        &mut self,
        common: &mut Common,
        now: Instant,
        remote: &Remote,
        file: FileId,
        reason: DeclineReason,
    ) {
        let key = Key::of(&remote.peer, file);
        let device = remote.device;
        let Some(out) = self.all.get_mut(&key).filter(|out| out.concerns(device)) else { return };
        out.asked.retain(|asked| *asked != device);
        match reason {
            // This is what the person says, on whichever device.
            DeclineReason::Declined => {
                self.end(common, now, &key, FileState::Declined(reason), Some(device));
            }
            DeclineReason::Busy => {
                out.deadline = Some(now + BUSY);
                common.wake(now + BUSY, Side::Out, &key);
                if out.bound.is_some() {
                    self.interrupt_until(common, &key, now + BUSY);
                }
            }
            // This device can't; another one may.
            _ => {
                out.refused.push(device);
                if out.bound.is_some() || out.asked.is_empty() {
                    self.end(common, now, &key, FileState::Declined(reason), Some(device));
                }
            }
        }
        if self.all.get(&key).is_some_and(|out| out.asked.is_empty()) {
            self.answered(common, now, &key);
        }
        self.next(common, now);
    }

    fn interrupt_until(&mut self, common: &mut Common, key: &Key, at: Instant) {
        self.interrupt(common, key);
        if let Some(out) = self.all.get_mut(key) {
            out.deadline = Some(at);
            common.wake(at, Side::Out, key);
        }
    }

    pub(super) fn done(
        &mut self,
        common: &mut Common,
        now: Instant,
        remote: &Remote,
        file: FileId,
    ) {
        let key = Key::of(&remote.peer, file);
        let Some(out) = self.all.get_mut(&key) else { return };
        if out.concerns(remote.device) {
            out.done = out.offer.size;
            self.end(common, now, &key, FileState::Done { path: None }, Some(remote.device));
        }
    }

    pub(super) fn cancelled(
        &mut self,
        common: &mut Common,
        now: Instant,
        remote: &Remote,
        file: FileId,
        reason: CancelReason,
    ) {
        let key = Key::of(&remote.peer, file);
        if self.all.get(&key).is_some_and(|out| out.concerns(remote.device)) {
            self.end(common, now, &key, FileState::Cancelled(reason), Some(remote.device));
        }
    }

    // --- turns -----------------------------------------------------------------------------------

    /// Starts what has waited longest, as long as not too much is under way.
    fn next(&mut self, common: &mut Common, now: Instant) {
        while self.busy.len() < common.limits.running {
            let Some(key) = self.turns.pop_front() else { return };
            let Some(out) = self.all.get_mut(&key) else { continue };
            let Stage::Turn { remote, first, since } = &out.stage else { continue };
            if now.saturating_duration_since(*since) <= FRESH {
                let (remote, first) = (remote.clone(), *first);
                self.start(common, now, &key, remote, first);
                continue;
            }
            common.send(remote, Frame::FileOffer(out.offer.clone()));
            out.stage = Stage::Again;
            out.deadline = Some(now + PATIENCE);
            common.wake(now + PATIENCE, Side::Out, &key);
            self.busy.insert(key);
        }
    }

    fn start(&mut self, common: &mut Common, now: Instant, key: &Key, remote: Remote, first: u64) {
        let run = common.number();
        let Some(out) = self.all.get_mut(key) else { return };
        let meter = Meter::new(now, out.done);
        out.stage = Stage::Running { remote: remote.clone(), run, meter };
        let (path, stamp, known) = (out.path.clone(), out.stamp, out.known.clone());
        let key = key.clone();
        self.busy.insert(key.clone());
        common.changed(Side::Out, &key);
        common.act(Action::Start(Start { run, key, remote, path, stamp, first, known }));
    }

    pub(super) fn progress(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        done: u64,
    ) {
        let Some(out) = self.all.get_mut(key) else { return };
        if let Stage::Running { run: current, meter, .. } = &mut out.stage
            && *current == run
        {
            let before = (meter.done(), meter.speed());
            meter.update(now, done);
            if done > out.done {
                out.done = done;
                out.failures = 0;
            }
            if (meter.done(), meter.speed()) != before {
                common.changed(Side::Out, key);
            }
        }
    }

    pub(super) fn sent(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        outcome: Sent,
        known: Known,
    ) {
        let Some(out) = self.all.get_mut(key) else { return };
        let current = match &out.stage {
            Stage::Running { run: current, .. } => Some(*current),
            _ => None,
        };
        if current.is_some_and(|current| current != run) || out.ended() {
            return;
        }
        out.known = known;
        if current.is_none() {
            // It was stopped, and may go on later.
            return;
        }
        match outcome {
            Sent::Interrupted { delivered: true } => {
                self.interrupt_until(common, key, now + LAST_WORD);
            }
            Sent::Interrupted { delivered: false } => {
                out.failures += 1;
                if out.failures > FAILURES {
                    out.trouble = Some("the file's channel breaks again and again".to_owned());
                    let state = FileState::Cancelled(CancelReason::Failed);
                    self.end(common, now, key, state, None);
                } else {
                    let pause = Duration::from_millis(250 << out.failures);
                    self.interrupt_until(common, key, now + pause);
                }
            }
            Sent::Violated(violation) => self.violated(common, now, key, violation),
            Sent::Failed(error) => {
                let reason = match &error {
                    SourceError::Changed => CancelReason::Changed,
                    SourceError::Disk(_) => CancelReason::Failed,
                };
                out.trouble = Some(format!("{}: {error}", out.path.display()));
                self.end(common, now, key, FileState::Cancelled(reason), None);
            }
        }
        self.next(common, now);
    }

    fn violated(&mut self, common: &mut Common, now: Instant, key: &Key, violation: Violation) {
        if let Some(out) = self.all.get_mut(key) {
            out.trouble = Some(format!("the other side broke the protocol: {violation}"));
            self.end(common, now, key, FileState::Cancelled(CancelReason::Failed), None);
        }
    }

    pub(super) fn tick(&mut self, common: &mut Common, now: Instant, key: &Key) {
        let Some(out) = self.all.get_mut(key) else { return };
        if out.ended() || out.deadline.is_none_or(|at| at > now) {
            return;
        }
        out.deadline = None;
        if matches!(out.stage, Stage::Again) {
            // It has not answered in time; its offer stays, and others have their turn.
            self.busy.remove(key);
            out.stage = Stage::Asking;
            if let Some(bound) = out.bound {
                out.asked.push(bound);
                self.unanswered.entry(key.peer.clone()).or_default().insert(key.file);
            }
            self.next(common, now);
        }
        self.queue(common, key);
        self.offer(common, now, &key.peer);
    }

    // --- the end ---------------------------------------------------------------------------------

    /// Ends it; `knower` is the device that said so, if one did.
    fn end(
        &mut self,
        common: &mut Common,
        now: Instant,
        key: &Key,
        state: FileState,
        knower: Option<DeviceId>,
    ) {
        let Some(out) = self.all.get_mut(key) else { return };
        if let Stage::Running { run, .. } = out.stage {
            common.act(Action::Stop(run));
        }
        let reason = match state {
            FileState::Cancelled(reason) if knower.is_none() => reason,
            _ => CancelReason::Cancelled,
        };
        let word = Frame::FileCancel { file: key.file, reason };
        let unaware: Vec<DeviceId> =
            out.knowing.drain(..).filter(|device| Some(*device) != knower).collect();
        common.over(Side::Out, &out.offer.to, &out.offer, word, &unaware);
        out.stage = Stage::Ended(state);
        out.asked.clear();
        out.deadline = None;
        out.known = Known::default();
        common.ended(Side::Out, key, out.order);
        self.unfinished -= 1;
        self.busy.remove(key);
        self.answered(common, now, key);
        self.next(common, now);
    }

    pub(super) fn drop_ended(&mut self, key: &Key, order: u64) {
        if self.all.get(key).is_some_and(|out| out.ended() && out.order == order) {
            self.all.remove(key);
        }
    }

    fn keep(&self, common: &mut Common, key: &Key) {
        if let Some(out) = self.all.get(key) {
            let (path, modified, device) = (out.path.clone(), out.stamp.modified, out.bound);
            let stage = KeptStage::Sending { path, modified, device };
            common.keep(Side::Out, &out.offer.to, &out.offer, stage);
        }
    }

    // --- how it stands ---------------------------------------------------------------------------

    pub(super) fn status(&self, common: &Common, key: &Key) -> Option<FileStatus> {
        let out = self.all.get(key)?;
        let (state, way) = match &out.stage {
            Stage::Asking if out.bound.is_none() => (FileState::Offered, None),
            Stage::Asking | Stage::Turn { .. } | Stage::Again => {
                (FileState::Waiting { done: out.done }, None)
            }
            Stage::Running { remote, meter, .. } => {
                let running = FileState::Running { done: out.done, speed: meter.speed() };
                (running, common.links.get(remote).copied())
            }
            Stage::Ended(state) => (state.clone(), None),
        };
        Some(FileStatus {
            offer: out.offer.clone(),
            from: common.me.clone(),
            direction: Direction::Outgoing,
            way,
            state,
            trouble: out.trouble.clone(),
        })
    }

    pub(super) fn list(&self, common: &Common) -> Vec<(u64, FileStatus)> {
        let entry = |(key, out): (&Key, &Out)| Some((out.order, self.status(common, key)?));
        self.all.iter().filter_map(entry).collect()
    }

    pub(super) fn wants(&self, peer: &str) -> bool {
        !self.of(peer).is_empty()
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &PeerId> {
        self.all.values().filter(|out| !out.ended()).map(|out| &out.offer.to)
    }
}

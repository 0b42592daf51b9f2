//! Files on their way out.
//!
//! A file is offered to every linked device of the receiver; the first that accepts gets it, and the others are told that
//! it is over for them. After each reconnection it is offered again, to the device that has accepted it if there is one.
//!
//! - `answers`: what receivers say, and how a file's way out ends.
//! - `turns`: what is sent now, and whose turn is next.

mod answers;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wire::p2p::{CancelReason, FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use super::common::{Common, Key, Run, Side};
use super::{Action, Refusal};
use crate::event::{Direction, FileState, FileStatus};
use crate::links::Remote;
use crate::store::transfers::Stage as KeptStage;
use crate::transfer::meter::Meter;
use crate::transfer::outgoing::Known;
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

#[cfg(test)]
impl Outs {
    /// What always holds.
    pub(super) fn check(&self, common: &Common) {
        let unfinished = self.all.values().filter(|out| !out.ended()).count();
        assert_eq!(unfinished, self.unfinished);
        assert!(self.busy.len() <= common.limits.running);
        for (key, out) in &self.all {
            let has_turn = matches!(out.stage, Stage::Running { .. } | Stage::Again);
            assert_eq!(has_turn, self.busy.contains(key), "{key:?}");
            let asked = self.unanswered.get(&key.peer).is_some_and(|all| all.contains(&key.file));
            assert_eq!(asked, !out.asked.is_empty(), "{key:?}");
            let waits = matches!(out.stage, Stage::Turn { .. });
            assert!(!waits || self.turns.contains(key), "{key:?}");
            assert!(!out.ended() || out.asked.is_empty());
        }
    }
}

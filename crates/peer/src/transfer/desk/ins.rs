//! Files on their way in.
//!
//! Nothing is taken without the person's word (or the setting that gives it beforehand). Once given it holds for the file:
//! after a reconnection or a restart the sender's next offer is answered by itself, with the byte to go on from.
//!
//! - `offers`: what senders offer.
//! - `word`: what the person wants, and how a file's way in ends.
//! - `turns`: what is received now, and whose turn is next.

mod offers;
mod turns;
mod word;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wire::p2p::{DeclineReason, Digest, FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use super::Action;
use super::common::{Common, Key, Run, Side};
use crate::event::{Direction, FileState, FileStatus};
use crate::links::Remote;
use crate::store::transfers::Stage as KeptStage;
use crate::transfer::meter::Meter;

/// A sender that was told to begin and doesn't, for want of a turn of its own, holds up others no longer than this.
const GRANT: Duration = Duration::from_secs(30);

enum Stage {
    /// The person has not answered.
    Offered,
    /// The person wants it; it waits for its sender, or for its turn.
    Wanted,
    /// As before, but the disk was full; the sender has given up until the person there tries again.
    Full,
    /// Its place on disk is being found.
    Preparing(Remote),
    /// The sender was told to begin.
    Ready(Remote),
    /// On its way.
    Running(Remote, Meter),
    /// Over.
    Ended(FileState),
}

struct In {
    peer: PeerId,
    offer: FileOffer,
    stage: Stage,
    /// The device that offered it last.
    device: DeviceId,
    /// Devices that offer it over links that are up; the newest offer last.
    offering: Vec<Remote>,
    /// What has the file's place on disk, or is letting go of it.
    run: Option<Run>,
    /// The partial file, and its pieces that this process has checked.
    part: Option<(PathBuf, u64)>,
    /// Whether it is in the queue for a turn.
    queued: bool,
    /// Bytes that are here.
    done: u64,
    deadline: Option<Instant>,
    /// What the sender was told at the end.
    word: Option<Frame>,
    trouble: Option<String>,
    order: u64,
}

impl In {
    fn new(peer: PeerId, offer: FileOffer, stage: Stage, device: DeviceId, order: u64) -> Self {
        Self {
            peer,
            offer,
            stage,
            device,
            offering: Vec::new(),
            run: None,
            part: None,
            queued: false,
            done: 0,
            deadline: None,
            word: None,
            trouble: None,
            order,
        }
    }

    fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// Whether its sender waits for an answer.
    fn unanswered(&self) -> bool {
        matches!(self.stage, Stage::Offered | Stage::Wanted)
    }

    fn current(&self) -> Option<&Remote> {
        match &self.stage {
            Stage::Preparing(remote) | Stage::Ready(remote) | Stage::Running(remote, _) => {
                Some(remote)
            }
            _ => None,
        }
    }
}

/// A file that was received.
struct Got {
    offer: FileOffer,
    path: PathBuf,
    total: Digest,
}

/// All files on their way in.
pub(super) struct Ins {
    accept_files: bool,
    all: BTreeMap<Key, In>,
    /// What was accepted and offered, and waits, in this order.
    turns: VecDeque<Key>,
    /// What has its turn.
    busy: HashSet<Key>,
    /// Files that are here, and in which order they came.
    got: HashMap<Key, Got>,
    came: VecDeque<Key>,
    /// Those of them for which it is being looked.
    looking: HashSet<Key>,
    /// Those of them whose sender was told so, and the runs that hear the end.
    confirming: HashMap<Key, (Remote, Option<Run>)>,
}

impl Ins {
    pub(super) fn new(accept_files: bool) -> Self {
        Self {
            accept_files,
            all: BTreeMap::new(),
            turns: VecDeque::new(),
            busy: HashSet::new(),
            got: HashMap::new(),
            came: VecDeque::new(),
            looking: HashSet::new(),
            confirming: HashMap::new(),
        }
    }

    pub(super) fn restore(
        &mut self,
        common: &mut Common,
        peer: PeerId,
        offer: FileOffer,
        part: Option<PathBuf>,
        device: DeviceId,
    ) {
        let key = Key::of(&peer, offer.file);
        let part = part.map(|part| (part, 0));
        let order = common.number();
        self.all.insert(key, In { part, ..In::new(peer, offer, Stage::Wanted, device, order) });
    }

    pub(super) fn remember(
        &mut self,
        common: &Common,
        peer: &PeerId,
        offer: FileOffer,
        path: PathBuf,
        total: Digest,
    ) {
        let key = Key::of(peer, offer.file);
        self.came.retain(|came| *came != key);
        self.came.push_back(key.clone());
        self.got.insert(key, Got { offer, path, total });
        if self.came.len() > common.limits.remembered
            && let Some(oldest) = self.came.pop_front()
        {
            self.got.remove(&oldest);
        }
    }

    // --- turns -----------------------------------------------------------------------------------

    /// The unfinished files of a peer.
    fn of<'a>(&'a self, peer: &'a str) -> impl Iterator<Item = (&'a Key, &'a In)> {
        let from = Key { peer: peer.to_owned(), file: FileId::new([0; 16]) };
        let of_peer = self.all.range(from..).take_while(move |(key, _)| key.peer == peer);
        of_peer.filter(|(_, known)| !known.ended())
    }

    fn unanswered(&self, peer: &str) -> usize {
        self.of(peer).filter(|(_, known)| known.unanswered()).count()
    }

    /// Has a file wait for its turn, if all else is there.
    fn queue(&mut self, key: &Key) {
        let Some(known) = self.all.get_mut(key) else { return };
        let ready = matches!(known.stage, Stage::Wanted) && known.run.is_none();
        if ready && !known.offering.is_empty() && !known.queued {
            known.queued = true;
            self.turns.push_back(key.clone());
        }
    }

    // --- links and time --------------------------------------------------------------------------

    pub(super) fn rerouted(&mut self, common: &mut Common, remote: &Remote) {
        for (key, known) in self.of(&remote.peer.folded()) {
            if matches!(&known.stage, Stage::Running(from, _) if from == remote) {
                common.changed(Side::In, key);
            }
        }
    }

    pub(super) fn down(&mut self, common: &mut Common, remote: &Remote) {
        let peer = remote.peer.folded();
        let keys: Vec<Key> = self.of(&peer).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(known) = self.all.get_mut(&key) else { continue };
            known.offering.retain(|offering| offering != remote);
            if known.current() == Some(remote) {
                self.interrupt(common, &key);
            }
            self.queue(&key);
        }
        self.confirming.retain(|_, (with, run)| {
            if with == remote {
                run.iter().for_each(|run| common.act(Action::Stop(*run)));
            }
            with != remote
        });
        self.next(common);
    }

    /// Takes a file's turn away. The disk is free once its run has told so; what was only prepared is free at once.
    fn interrupt(&mut self, common: &mut Common, key: &Key) {
        let Some(known) = self.all.get_mut(key) else { return };
        if let Some(run) = known.run {
            common.act(Action::Stop(run));
        }
        if matches!(known.stage, Stage::Ready(_)) {
            known.run = None;
        }
        known.stage = Stage::Wanted;
        known.deadline = None;
        self.busy.remove(key);
        common.changed(Side::In, key);
    }

    pub(super) fn tick(&mut self, common: &mut Common, now: Instant, key: &Key) {
        let Some(known) = self.all.get_mut(key) else { return };
        if known.deadline.is_none_or(|at| at > now) {
            return;
        }
        known.deadline = None;
        if let Stage::Ready(remote) = &known.stage {
            // It has no turn of its own, and will offer again.
            let remote = remote.clone();
            known.offering.retain(|offering| *offering != remote);
            self.interrupt(common, key);
            self.queue(key);
            self.next(common);
        }
    }

    pub(super) fn drop_ended(&mut self, key: &Key, order: u64) {
        if self.all.get(key).is_some_and(|known| known.ended() && known.order == order) {
            self.all.remove(key);
        }
    }

    fn keep(&self, common: &mut Common, key: &Key) {
        if let Some(known) = self.all.get(key) {
            let part = known.part.as_ref().map(|(part, _)| part.clone());
            let stage = KeptStage::Receiving { part, device: known.device };
            common.keep(Side::In, &known.peer, &known.offer, stage);
        }
    }

    fn keep_got(&self, common: &mut Common, peer: &PeerId, key: &Key) {
        if let Some(got) = self.got.get(key) {
            let (path, total) = (got.path.clone(), got.total);
            common.keep(Side::In, peer, &got.offer, KeptStage::Received { path, total });
        }
    }

    // --- how it stands ---------------------------------------------------------------------------

    pub(super) fn status(&self, common: &Common, key: &Key) -> Option<FileStatus> {
        let known = self.all.get(key)?;
        let (state, way) = match &known.stage {
            Stage::Offered => (FileState::Offered, None),
            Stage::Wanted | Stage::Preparing(_) => (FileState::Waiting { done: known.done }, None),
            Stage::Full => (FileState::Declined(DeclineReason::NoSpace), None),
            Stage::Ready(remote) => {
                let running = FileState::Running { done: known.done, speed: 0 };
                (running, common.links.get(remote).copied())
            }
            Stage::Running(remote, meter) => {
                let running = FileState::Running { done: known.done, speed: meter.speed() };
                (running, common.links.get(remote).copied())
            }
            Stage::Ended(state) => (state.clone(), None),
        };
        Some(FileStatus {
            offer: known.offer.clone(),
            from: known.peer.clone(),
            direction: Direction::Incoming,
            way,
            state,
            trouble: known.trouble.clone(),
        })
    }

    pub(super) fn list(&self, common: &Common) -> Vec<(u64, FileStatus)> {
        let entry = |(key, known): (&Key, &In)| Some((known.order, self.status(common, key)?));
        self.all.iter().filter_map(entry).collect()
    }

    pub(super) fn wants(&self, peer: &str) -> bool {
        self.of(peer).any(|(_, known)| !matches!(known.stage, Stage::Offered | Stage::Full))
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &PeerId> {
        let waits =
            |known: &&In| !known.ended() && !matches!(known.stage, Stage::Offered | Stage::Full);
        self.all.values().filter(waits).map(|known| &known.peer)
    }
}

#[cfg(test)]
impl Ins {
    /// What always holds.
    pub(super) fn check(&self, common: &Common) {
        assert!(self.busy.len() <= common.limits.running);
        for (key, known) in &self.all {
            assert_eq!(known.current().is_some(), self.busy.contains(key), "{key:?}");
            assert!(known.current().is_none() || known.run.is_some(), "{key:?}");
            assert_eq!(known.queued, self.turns.contains(key), "{key:?}");
            let waits = matches!(known.stage, Stage::Wanted)
                && known.run.is_none()
                && !known.offering.is_empty();
            assert!(!waits || known.queued, "{key:?}");
            assert!(known.offering.iter().all(|remote| common.links.contains_key(remote)));
        }
    }
}

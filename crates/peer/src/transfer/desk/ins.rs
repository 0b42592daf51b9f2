//! Files on their way in.
//!
//! Nothing is taken without the person's word (or the setting that gives it beforehand). Once given it holds for the file:
//! after a reconnection or a restart the sender's next offer is answered by itself, with the byte to go on from.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wire::p2p::{
    CancelReason, DeclineReason, Digest, FILE_BYTES, FILE_NAME_BYTES, FileId, FileOffer, Frame,
};
use wire::{DeviceId, PeerId};

use super::common::{Common, Key, Run, Side};
use super::{Action, Look, Prepare, Refusal, Verdict};
use crate::event::{Direction, FileState, FileStatus};
use crate::links::Remote;
use crate::store::transfers::Stage as KeptStage;
use crate::transfer::digests::{Digests, Violation, bytes_of};
use crate::transfer::folder::SPARE;
use crate::transfer::meter::Meter;
use crate::transfer::names::safe;
use crate::transfer::receive::Received;
use crate::transfer::target::TargetError;

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

    // --- offers ----------------------------------------------------------------------------------

    pub(super) fn offered(&mut self, common: &mut Common, remote: &Remote, mut offer: FileOffer) {
        let file = offer.file;
        if offer.size > FILE_BYTES {
            let reason = DeclineReason::TooLarge;
            return common.send(remote, Frame::FileDecline { file, reason });
        }
        let named = (1..=FILE_NAME_BYTES).contains(&offer.name.len());
        if !named || !offer.to.as_str().eq_ignore_ascii_case(common.me.as_str()) {
            let reason = CancelReason::Failed;
            return common.send(remote, Frame::FileCancel { file, reason });
        }
        offer.name = safe(&offer.name);
        let key = Key::of(&remote.peer, file);
        match self.all.get_mut(&key) {
            Some(known) if known.ended() => match &known.word {
                // What was said to this very offer hasn't arrived.
                Some(word) if known.offer.timestamp == offer.timestamp => {
                    common.send(remote, word.clone());
                }
                _ => self.again_or_new(common, remote, offer),
            },
            Some(known) if known.offer.size != offer.size => {
                // One id for two sizes: whoever made it up gets neither.
                let reason = CancelReason::Failed;
                common.send(remote, Frame::FileCancel { file, reason });
            }
            Some(_) => self.repeated(common, &key, remote, offer),
            None => self.again_or_new(common, remote, offer),
        }
    }

    /// An offer of a file that is offered or under way.
    fn repeated(&mut self, common: &mut Common, key: &Key, remote: &Remote, offer: FileOffer) {
        let Some(known) = self.all.get_mut(key) else { return };
        if known.current().is_some_and(|current| current != remote) {
            let (file, reason) = (key.file, DeclineReason::Busy);
            return common.send(remote, Frame::FileDecline { file, reason });
        }
        known.offer = offer;
        known.device = remote.device;
        known.offering.retain(|offering| offering != remote);
        known.offering.push(remote.clone());
        match &known.stage {
            Stage::Offered | Stage::Preparing(_) | Stage::Ended(_) => return,
            // Only a sender that has lost its channel, or the answer, offers again.
            Stage::Ready(_) | Stage::Running(..) => self.interrupt(common, key),
            Stage::Wanted => (),
            Stage::Full => {
                known.stage = Stage::Wanted;
                known.trouble = None;
                common.changed(Side::In, key);
            }
        }
        self.queue(key);
        self.next(common);
    }

    /// An offer of a file that isn't under way.
    fn again_or_new(&mut self, common: &mut Common, remote: &Remote, offer: FileOffer) {
        let key = Key::of(&remote.peer, offer.file);
        match self.got.get(&key) {
            Some(got) if got.offer.size != offer.size => (),
            Some(got) if got.offer.timestamp == offer.timestamp => {
                // The sender missed the last word.
                return self.have(common, remote, &key);
            }
            Some(got) => {
                let (path, remote) = (got.path.clone(), remote.clone());
                return common.act(Action::Look(Look { key, remote, offer, path }));
            }
            None => (),
        }
        self.fresh(common, remote, offer);
    }

    pub(super) fn looked(&mut self, common: &mut Common, look: Look, there: bool) {
        let Look { key, remote, offer, .. } = look;
        if !common.links.contains_key(&remote)
            || self.all.get(&key).is_some_and(|known| !known.ended())
        {
            return;
        }
        if let Some(got) = self.got.get_mut(&key).filter(|_| there) {
            got.offer = offer;
            return self.have(common, &remote, &key);
        }
        self.fresh(common, &remote, offer);
        self.next(common);
    }

    /// Tells the sender that all of it is here; its `end` is to show that it is the same.
    fn have(&mut self, common: &mut Common, remote: &Remote, key: &Key) {
        let Some(got) = self.got.get(key) else { return };
        self.confirming.insert(key.clone(), (remote.clone(), None));
        common.send(remote, Frame::FileAccept { file: key.file, from: got.offer.size });
    }

    /// Something new: the person decides, or has decided.
    fn fresh(&mut self, common: &mut Common, remote: &Remote, offer: FileOffer) {
        let key = Key::of(&remote.peer, offer.file);
        if self.unanswered(&key.peer) >= common.limits.offers
            || self.all.values().filter(|known| known.unanswered()).count()
                >= common.limits.offers_from_all
        {
            let (file, reason) = (key.file, DeclineReason::Busy);
            return common.send(remote, Frame::FileDecline { file, reason });
        }
        common.not_over(Side::In, &key);
        let order = common.number();
        let mut new = In::new(remote.peer.clone(), offer, Stage::Offered, remote.device, order);
        new.offering.push(remote.clone());
        self.all.insert(key.clone(), new);
        common.changed(Side::In, &key);
        if self.accept_files {
            // It can only have been refused for want of an offer, and there it is.
            let _ = self.accept(common, &key);
        }
    }

    // --- the person's word -----------------------------------------------------------------------

    pub(super) fn needed(&self, key: &Key) -> Result<u64, Refusal> {
        let offered = self.all.get(key).filter(|known| !known.ended()).ok_or(Refusal::Unknown)?;
        let rest = offered.offer.size.saturating_sub(offered.done);
        Ok(rest.saturating_add(self.reserved(key)).saturating_add(SPARE))
    }

    /// What the files before this one will still take on the disk.
    fn reserved(&self, key: &Key) -> u64 {
        let others = self.busy.iter().filter(|other| *other != key);
        others
            .filter_map(|other| self.all.get(other))
            .map(|other| other.offer.size.saturating_sub(other.done))
            .fold(0, u64::saturating_add)
    }

    pub(super) fn accept(&mut self, common: &mut Common, key: &Key) -> Result<(), Refusal> {
        let known = self.all.get_mut(key).filter(|known| !known.ended()).ok_or(Refusal::Unknown)?;
        if matches!(known.stage, Stage::Offered) {
            known.stage = Stage::Wanted;
            self.keep(common, key);
            common.changed(Side::In, key);
            self.queue(key);
            self.next(common);
        }
        Ok(())
    }

    pub(super) fn decline(&mut self, common: &mut Common, key: &Key) -> Result<(), Refusal> {
        match self.all.get(key) {
            Some(known) if matches!(known.stage, Stage::Offered) => {
                let reason = DeclineReason::Declined;
                let word = Frame::FileDecline { file: key.file, reason };
                self.end(common, key, FileState::Declined(reason), Some(word));
                Ok(())
            }
            _ => Err(Refusal::Unknown),
        }
    }

    /// Whether there was one.
    pub(super) fn cancel(&mut self, common: &mut Common, key: &Key) -> bool {
        match self.all.get(key) {
            Some(known) if matches!(known.stage, Stage::Offered) => {
                self.decline(common, key).is_ok()
            }
            Some(known) if !known.ended() => {
                self.stop(common, key, CancelReason::Cancelled);
                true
            }
            _ => false,
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

    /// Finds places for what has waited longest, as long as not too much is under way.
    fn next(&mut self, common: &mut Common) {
        while self.busy.len() < common.limits.running {
            let Some(key) = self.turns.pop_front() else { return };
            let reserved = self.reserved(&key);
            let Some(known) = self.all.get_mut(&key) else { continue };
            known.queued = false;
            let ready = matches!(known.stage, Stage::Wanted) && known.run.is_none();
            let Some(remote) = known.offering.last().filter(|_| ready).cloned() else { continue };
            let run = common.number();
            known.stage = Stage::Preparing(remote);
            known.run = Some(run);
            let (offer, part) = (known.offer.clone(), known.part.clone());
            self.busy.insert(key.clone());
            common.act(Action::Prepare(Prepare { run, key, offer, part, reserved }));
        }
    }

    pub(super) fn prepared(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        outcome: Result<(PathBuf, &Digests), TargetError>,
    ) {
        let Some(known) = self.all.get_mut(key).filter(|known| known.run == Some(run)) else {
            // It ended and was forgotten, or began anew.
            common.act(Action::Stop(run));
            return outcome.into_iter().for_each(|(part, _)| common.act(Action::Discard(part)));
        };
        let pieces = outcome.as_ref().map_or(0, |(_, digests)| digests.pieces());
        let remote = match &known.stage {
            Stage::Preparing(remote) => remote.clone(),
            _ => {
                // Nobody waits for it just now.
                common.act(Action::Stop(run));
                let left = outcome.ok().map(|(part, _)| (part, pieces));
                return self.released(common, key, left);
            }
        };
        match outcome {
            Ok((part, _)) => {
                known.part = Some((part, pieces));
                known.done = bytes_of(known.offer.size, pieces);
                known.stage = Stage::Ready(remote.clone());
                known.deadline = Some(now + GRANT);
                common.wake(now + GRANT, Side::In, key);
                let (file, from) = (key.file, known.done);
                self.keep(common, key);
                common.changed(Side::In, key);
                common.send(&remote, Frame::FileAccept { file, from });
            }
            Err(error) => {
                known.run = None;
                self.failed(common, key, &remote, &error);
            }
        }
        self.next(common);
    }

    /// The disk can't take it.
    fn failed(&mut self, common: &mut Common, key: &Key, remote: &Remote, error: &TargetError) {
        let Some(known) = self.all.get_mut(key) else { return };
        known.trouble = Some(error.to_string());
        match error {
            TargetError::NoSpace => {
                // What is here stays: the file goes on when there is room and the sender tries again.
                known.stage = Stage::Full;
                known.offering.retain(|offering| offering != remote);
                self.busy.remove(key);
                common.changed(Side::In, key);
                let (file, reason) = (key.file, DeclineReason::NoSpace);
                common.send(remote, Frame::FileDecline { file, reason });
            }
            TargetError::Corrupt => self.stop(common, key, CancelReason::Corrupt),
            TargetError::Disk(_) => self.stop(common, key, CancelReason::Failed),
        }
    }

    // --- receiving -------------------------------------------------------------------------------

    pub(super) fn channel(
        &mut self,
        common: &mut Common,
        now: Instant,
        remote: &Remote,
        file: FileId,
    ) -> Verdict {
        let key = Key::of(&remote.peer, file);
        if let Some(known) = self.all.get_mut(&key)
            && let (Stage::Ready(expected), Some(run)) = (&known.stage, known.run)
            && expected == remote
        {
            known.stage = Stage::Running(remote.clone(), Meter::new(now, known.done));
            known.deadline = None;
            common.changed(Side::In, &key);
            return Verdict::Receive(run, key, known.offer.size);
        }
        let running = self.confirming.values().filter(|(_, run)| run.is_some()).count();
        match (self.confirming.get_mut(&key), self.got.get(&key)) {
            (Some((expected, None)), Some(_)) if expected != remote => Verdict::Close,
            (Some((_, waiting @ None)), Some(got)) if running < common.limits.running => {
                let run = common.number();
                *waiting = Some(run);
                Verdict::Confirm(run, key, got.offer.size, got.total)
            }
            _ => Verdict::Close,
        }
    }

    pub(super) fn confirmed(
        &mut self,
        common: &mut Common,
        run: Run,
        key: &Key,
        outcome: Result<(), Received>,
    ) {
        let Some((remote, Some(current))) = self.confirming.get(key).cloned() else { return };
        if current != run {
            return;
        }
        self.confirming.remove(key);
        let file = key.file;
        match (outcome, self.got.get(key)) {
            (Ok(()), Some(got)) => {
                let (offer, path) = (got.offer.clone(), got.path.clone());
                self.keep_got(common, &remote.peer, key);
                common.send(&remote, Frame::FileDone { file });
                // A file that was sent once more is told to the person; a word that was repeated isn't.
                if self.all.get(key).is_none_or(|known| known.offer.timestamp != offer.timestamp) {
                    let order = common.number();
                    let done = Stage::Ended(FileState::Done { path: Some(path) });
                    let new = In::new(remote.peer.clone(), offer, done, remote.device, order);
                    self.all.insert(key.clone(), new);
                    common.ended(Side::In, key, order);
                }
            }
            (Err(Received::Violated(_)), _) => {
                // Another file under the same name: it is sent anew when it is offered again.
                self.got.remove(key);
                common.act(Action::Forget(
                    super::Id { side: Side::In, key: key.clone() },
                    remote.peer.clone(),
                ));
                let reason = CancelReason::Corrupt;
                common.send(&remote, Frame::FileCancel { file, reason });
            }
            _ => (),
        }
    }

    pub(super) fn progress(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        done: u64,
    ) {
        let Some(known) = self.all.get_mut(key).filter(|known| known.run == Some(run)) else {
            return;
        };
        if let Stage::Running(_, meter) = &mut known.stage {
            let before = (meter.done(), meter.speed());
            meter.update(now, done);
            known.done = known.done.max(done);
            if (meter.done(), meter.speed()) != before {
                common.changed(Side::In, key);
            }
        }
    }

    pub(super) fn received(
        &mut self,
        common: &mut Common,
        run: Run,
        key: &Key,
        outcome: Received,
        left: Option<(PathBuf, u64)>,
    ) {
        let Some(known) = self.all.get_mut(key).filter(|known| known.run == Some(run)) else {
            return left.into_iter().for_each(|(part, _)| common.act(Action::Discard(part)));
        };
        let remote = match &known.stage {
            Stage::Running(remote, _) => Some(remote.clone()),
            _ => None,
        };
        match (outcome, remote) {
            (Received::Finished(total, path), remote) => {
                known.run = None;
                self.finished(common, key, total, path);
                if let Some(remote) = remote {
                    common.send(&remote, Frame::FileDone { file: key.file });
                }
            }
            (Received::Interrupted, Some(remote)) => {
                // Its sender offers it again.
                known.offering.retain(|offering| *offering != remote);
                known.stage = Stage::Wanted;
                common.changed(Side::In, key);
                self.busy.remove(key);
                self.released(common, key, left);
            }
            (Received::Violated(violation), Some(_)) => {
                known.trouble = Some(format!("the other side broke the protocol: {violation}"));
                let reason = match violation {
                    Violation::Digest => CancelReason::Corrupt,
                    _ => CancelReason::Failed,
                };
                known.part = left.or(known.part.take());
                known.run = None;
                self.stop(common, key, reason);
            }
            (Received::Failed(error), Some(remote)) => {
                known.part = left.or(known.part.take());
                known.run = None;
                self.failed(common, key, &remote, &error);
            }
            (_, None) => self.released(common, key, left),
        }
        self.next(common);
    }

    /// The disk is free again, and this is left of the file.
    fn released(&mut self, common: &mut Common, key: &Key, left: Option<(PathBuf, u64)>) {
        let Some(known) = self.all.get_mut(key) else { return };
        known.run = None;
        if let Some((part, pieces)) = left {
            if known.ended() {
                return common.act(Action::Discard(part));
            }
            known.done = bytes_of(known.offer.size, pieces);
            known.part = Some((part, pieces));
            self.keep(common, key);
        }
        self.queue(key);
        self.next(common);
    }

    fn finished(&mut self, common: &mut Common, key: &Key, total: Digest, path: PathBuf) {
        let Some(known) = self.all.get_mut(key) else { return };
        let (peer, offer) = (known.peer.clone(), known.offer.clone());
        known.done = offer.size;
        known.part = None;
        known.word = None;
        known.trouble = None;
        known.offering.clear();
        known.deadline = None;
        known.stage = Stage::Ended(FileState::Done { path: Some(path.clone()) });
        common.ended(Side::In, key, known.order);
        self.busy.remove(key);
        common.not_over(Side::In, key);
        self.remember(common, &peer, offer, path, total);
        self.keep_got(common, &peer, key);
    }

    fn keep_got(&self, common: &mut Common, peer: &PeerId, key: &Key) {
        if let Some(got) = self.got.get(key) {
            let (path, total) = (got.path.clone(), got.total);
            common.keep(Side::In, peer, &got.offer, KeptStage::Received { path, total });
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

    // --- the end ---------------------------------------------------------------------------------

    pub(super) fn cancelled(
        &mut self,
        common: &mut Common,
        remote: &Remote,
        file: FileId,
        reason: CancelReason,
    ) {
        let key = Key::of(&remote.peer, file);
        let Some(known) = self.all.get_mut(&key).filter(|known| !known.ended()) else { return };
        let speaks = match known.current() {
            Some(current) => current == remote,
            None => known.device == remote.device || known.offering.contains(remote),
        };
        known.offering.retain(|offering| offering != remote);
        if speaks && (known.current().is_some() || known.offering.is_empty()) {
            self.end(common, &key, FileState::Cancelled(reason), None);
        }
    }

    /// Stops it from here.
    fn stop(&mut self, common: &mut Common, key: &Key, reason: CancelReason) {
        let word = Frame::FileCancel { file: key.file, reason };
        self.end(common, key, FileState::Cancelled(reason), Some(word));
    }

    /// Ends it, and removes what is here; `word` is for the sender, unless it said so itself.
    fn end(&mut self, common: &mut Common, key: &Key, state: FileState, word: Option<Frame>) {
        let Some(known) = self.all.get_mut(key) else { return };
        let mut unaware: Vec<DeviceId> =
            known.offering.drain(..).map(|remote| remote.device).collect();
        unaware.extend(known.current().map(|remote| remote.device));
        if unaware.is_empty() {
            unaware.push(known.device);
        }
        unaware.sort_unstable();
        unaware.dedup();
        let id = super::Id { side: Side::In, key: key.clone() };
        match &word {
            Some(word) => {
                common.over(Side::In, &known.peer, &known.offer, word.clone(), &unaware);
            }
            None => common.act(Action::Forget(id, known.peer.clone())),
        }
        if let Some(run) = known.run {
            common.act(Action::Stop(run));
        }
        let held = known.run.is_some() && !matches!(known.stage, Stage::Ready(_));
        if !held {
            known.run = None;
            known.part.take().into_iter().for_each(|(part, _)| common.act(Action::Discard(part)));
        }
        known.word = word;
        known.stage = Stage::Ended(state);
        known.deadline = None;
        common.ended(Side::In, key, known.order);
        self.busy.remove(key);
        self.next(common);
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

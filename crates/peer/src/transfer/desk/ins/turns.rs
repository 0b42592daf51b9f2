//! Files that are received now, and whose turn is next.

use std::path::PathBuf;
use std::time::Instant;

use wire::p2p::{CancelReason, DeclineReason, Digest, FileId, Frame};

use super::{GRANT, In, Ins, Stage};
use crate::event::FileState;
use crate::links::Remote;
use crate::transfer::desk::common::{Common, Id, Key, Run, Side};
use crate::transfer::desk::{Action, Prepare, Verdict};
use crate::transfer::digests::{Digests, Violation, bytes_of};
use crate::transfer::meter::Meter;
use crate::transfer::receive::Received;
use crate::transfer::target::TargetError;

impl Ins {
    /// Finds places for what has waited longest, as long as not too much is under way.
    pub(super) fn next(&mut self, common: &mut Common) {
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

    pub(in crate::transfer::desk) fn prepared(
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
    pub(super) fn failed(
        &mut self,
        common: &mut Common,
        key: &Key,
        remote: &Remote,
        error: &TargetError,
    ) {
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

    pub(in crate::transfer::desk) fn channel(
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

    pub(in crate::transfer::desk) fn confirmed(
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
                    Id { side: Side::In, key: key.clone() },
                    remote.peer.clone(),
                ));
                let reason = CancelReason::Corrupt;
                common.send(&remote, Frame::FileCancel { file, reason });
            }
            _ => (),
        }
    }

    pub(in crate::transfer::desk) fn progress(
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
            if meter.stands(now) && !self.turns.is_empty() {
                // Its sender offers it again, and it waits for another turn.
                if let Some(remote) = known.current().cloned() {
                    known.offering.retain(|offering| *offering != remote);
                }
                self.interrupt(common, key);
                self.next(common);
            }
        }
    }

    pub(in crate::transfer::desk) fn received(
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
            (Received::Finished(total, path), _) => {
                // The link may have broken meanwhile, and the sender have offered it again: it waits for an answer too.
                let waiting = known.offering.clone();
                known.run = None;
                self.finished(common, key, total, path);
                for remote in waiting {
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
    pub(super) fn released(
        &mut self,
        common: &mut Common,
        key: &Key,
        left: Option<(PathBuf, u64)>,
    ) {
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

    pub(super) fn finished(
        &mut self,
        common: &mut Common,
        key: &Key,
        total: Digest,
        path: PathBuf,
    ) {
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
}

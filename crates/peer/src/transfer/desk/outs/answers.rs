//! What receivers say to offers, and how a file's way out ends.

use std::time::Instant;

use wire::DeviceId;
use wire::p2p::{CancelReason, DeclineReason, FileId, Frame};

use super::{BUSY, Outs, Stage};
use crate::event::FileState;
use crate::links::Remote;
use crate::transfer::desk::Action;
use crate::transfer::desk::common::{Common, Key, Side};
use crate::transfer::digests::Violation;
use crate::transfer::outgoing::{Known, first_piece};

impl Outs {
    pub(in crate::transfer::desk) fn accepted(
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

    pub(in crate::transfer::desk) fn declined(
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

    pub(super) fn interrupt_until(&mut self, common: &mut Common, key: &Key, at: Instant) {
        self.interrupt(common, key);
        if let Some(out) = self.all.get_mut(key) {
            out.deadline = Some(at);
            common.wake(at, Side::Out, key);
        }
    }

    pub(in crate::transfer::desk) fn done(
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

    pub(in crate::transfer::desk) fn cancelled(
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

    /// Ends it; `knower` is the device that said so, if one did.
    pub(super) fn end(
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
}

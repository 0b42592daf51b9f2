//! What the person wants, and how a file's way in ends.

use wire::DeviceId;
use wire::p2p::{CancelReason, DeclineReason, FileId, Frame};

use super::{Ins, Stage};
use crate::event::FileState;
use crate::links::Remote;
use crate::transfer::desk::common::{Common, Id, Key, Side};
use crate::transfer::desk::{Action, Refusal};
use crate::transfer::folder::SPARE;

impl Ins {
    pub(in crate::transfer::desk) fn needed(&self, key: &Key) -> Result<u64, Refusal> {
        let offered = self.all.get(key).filter(|known| !known.ended()).ok_or(Refusal::Unknown)?;
        let rest = offered.offer.size.saturating_sub(offered.done);
        Ok(rest.saturating_add(self.reserved(key)).saturating_add(SPARE))
    }

    /// What the files before this one will still take on the disk.
    pub(super) fn reserved(&self, key: &Key) -> u64 {
        let others = self.busy.iter().filter(|other| *other != key);
        others
            .filter_map(|other| self.all.get(other))
            .map(|other| other.offer.size.saturating_sub(other.done))
            .fold(0, u64::saturating_add)
    }

    pub(in crate::transfer::desk) fn accept(
        &mut self,
        common: &mut Common,
        key: &Key,
    ) -> Result<(), Refusal> {
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

    pub(in crate::transfer::desk) fn decline(
        &mut self,
        common: &mut Common,
        key: &Key,
    ) -> Result<(), Refusal> {
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
    pub(in crate::transfer::desk) fn cancel(&mut self, common: &mut Common, key: &Key) -> bool {
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

    pub(in crate::transfer::desk) fn cancelled(
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
    pub(super) fn stop(&mut self, common: &mut Common, key: &Key, reason: CancelReason) {
        let word = Frame::FileCancel { file: key.file, reason };
        self.end(common, key, FileState::Cancelled(reason), Some(word));
    }

    /// Ends it, and removes what is here; `word` is for the sender, unless it said so itself.
    pub(super) fn end(
        &mut self,
        common: &mut Common,
        key: &Key,
        state: FileState,
        word: Option<Frame>,
    ) {
        let Some(known) = self.all.get_mut(key) else { return };
        let mut unaware: Vec<DeviceId> =
            known.offering.drain(..).map(|remote| remote.device).collect();
        unaware.extend(known.current().map(|remote| remote.device));
        if unaware.is_empty() {
            unaware.push(known.device);
        }
        unaware.sort_unstable();
        unaware.dedup();
        let id = Id { side: Side::In, key: key.clone() };
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
}

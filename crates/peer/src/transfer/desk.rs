//! What becomes of all files, without disk, network and clock: what happened goes in, [`Action`]s come out.
//!
//! # Layout
//! - [`Desk`]: takes what happened to whom it concerns.
//! - `outs`: files on their way out: who is asked, who accepted, what waits for its turn.
//! - `ins`: files on their way in: what is offered, what the person wants.
//! - `common`: what both need: links, actions, timers.

mod common;
mod ins;
mod outs;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use wire::PeerId;
use wire::p2p::{Digest, FileId, FileOffer, Frame};

use common::Common;
pub use common::{Id, Key, Limits, Run, Side};
use ins::Ins;
use outs::Outs;

use super::digests::Digests;
use super::outgoing::Known;
use super::receive::Received;
use super::send::Sent;
use super::source::Stamp;
use super::target::TargetError;
use crate::event::{Direction, FileStatus};
use crate::links::{Remote, Way};
use crate::store::transfers::{Kept, Stage};

/// What is to be done. Runs are told by number; whatever comes of one goes back in with it.
#[derive(Debug)]
pub enum Action {
    /// Send a frame.
    Send(Remote, Frame),
    /// Open a channel and send a file over it: [`Desk::sent`].
    Start(Start),
    /// Find or make the file's place on disk: [`Desk::prepared`]. The place is to be held until a channel comes.
    Prepare(Prepare),
    /// Look whether a file that was received is still in its place: [`Desk::looked`].
    Look(Look),
    /// End a run, or let go of what it prepared.
    Stop(Run),
    /// Remove a partial file, which no run has.
    Discard(PathBuf),
    /// Keep this in the store.
    Keep(Kept),
    /// Remove this from the store.
    Forget(Id, PeerId),
}

/// A file to be sent over a channel.
#[derive(Debug)]
pub struct Start {
    /// Its number.
    pub run: Run,
    /// Which file.
    pub key: Key,
    /// To which device.
    pub remote: Remote,
    /// Where it is.
    pub path: PathBuf,
    /// What makes it the one that was offered.
    pub stamp: Stamp,
    /// The piece to begin with.
    pub first: u64,
    /// What is known of its digests.
    pub known: Known,
}

/// A place on disk to be found or made.
#[derive(Debug)]
pub struct Prepare {
    /// Its number.
    pub run: Run,
    /// Which file.
    pub key: Key,
    /// What was offered.
    pub offer: FileOffer,
    /// The partial file, and how many of its pieces were checked by this process.
    pub part: Option<(PathBuf, u64)>,
    /// Bytes that other files will still take on the same disk.
    pub reserved: u64,
}

/// A received file to be looked for.
#[derive(Debug)]
pub struct Look {
    /// Which file.
    pub key: Key,
    /// Who offers it again.
    pub remote: Remote,
    /// What is offered.
    pub offer: FileOffer,
    /// Where it was.
    pub path: PathBuf,
}

/// What to do with a channel that was opened from elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody waits for it.
    Close,
    /// Receive into the place that the run has prepared: [`Desk::received`].
    Receive(Run, Key, u64),
    /// The file is here already; hear the end alone: [`Desk::confirmed`].
    Confirm(Run, Key, u64, Digest),
}

/// Why the person can't have it done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such offer or transfer.
    Unknown,
    /// More files wait to be sent than may.
    TooMany,
}

/// All files of this device.
pub struct Desk {
    common: Common,
    outs: Outs,
    ins: Ins,
}

impl Desk {
    /// Nothing yet.
    pub fn new(me: PeerId, accept_files: bool, limits: Limits) -> Self {
        Self { common: Common::new(me, limits), outs: Outs::default(), ins: Ins::new(accept_files) }
    }

    /// Takes what an earlier run has kept. Files to be sent are expected to be unchanged.
    pub fn restore(&mut self, kept: Vec<Kept>) {
        for Kept { direction, peer, offer, stage } in kept {
            match stage {
                Stage::Sending { path, modified, device } => {
                    let stamp = Stamp { size: offer.size, modified };
                    self.outs.restore(&mut self.common, offer, path, stamp, device);
                }
                Stage::Receiving { part, device } => {
                    self.ins.restore(&mut self.common, peer, offer, part, device);
                }
                Stage::Received { path, total } => {
                    self.ins.remember(&self.common, &peer, offer, path, total);
                }
                Stage::Over { word, devices } => {
                    let side = match direction {
                        Direction::Outgoing => Side::Out,
                        Direction::Incoming => Side::In,
                    };
                    let id = Id { side, key: Key::of(&peer, offer.file) };
                    self.common.untold.insert(id, common::Untold { peer, offer, word, devices });
                }
            }
        }
    }

    /// A file that an earlier run was to send has changed since.
    pub fn lost(&mut self, now: Instant, to: &PeerId, file: FileId) {
        self.outs.lost(&mut self.common, now, &Key::of(to, file));
    }

    /// How much there may be at once.
    pub fn limits(&self) -> &Limits {
        &self.common.limits
    }

    // --- the person ------------------------------------------------------------------------------

    /// Offers a file. `offer` has the time at which it was first offered, if it is new.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub fn send(
        &mut self,
        now: Instant,
        offer: FileOffer,
        path: PathBuf,
        stamp: Stamp,
    ) -> Result<(), Refusal> {
        self.outs.send(&mut self.common, now, offer, path, stamp)
    }

    /// What must be free on the disk for an offer, and for what was accepted before it.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn needed(&self, from: &PeerId, file: FileId) -> Result<u64, Refusal> {
        self.ins.needed(&Key::of(from, file))
    }

    /// The person wants an offered file.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn accept(&mut self, from: &PeerId, file: FileId) -> Result<(), Refusal> {
        self.ins.accept(&mut self.common, &Key::of(from, file))
    }

    /// The person doesn't want an offered file.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn decline(&mut self, from: &PeerId, file: FileId) -> Result<(), Refusal> {
        self.ins.decline(&mut self.common, &Key::of(from, file))
    }

    /// The person stops a transfer.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn cancel(&mut self, now: Instant, with: &PeerId, file: FileId) -> Result<(), Refusal> {
        let key = Key::of(with, file);
        let out = self.outs.cancel(&mut self.common, now, &key);
        let here = self.ins.cancel(&mut self.common, &key);
        if out || here { Ok(()) } else { Err(Refusal::Unknown) }
    }

    // --- links -----------------------------------------------------------------------------------

    /// A link is up.
    pub fn up(&mut self, now: Instant, remote: &Remote, way: Way) {
        if self.common.links.contains_key(remote) {
            // It took the place of one that nobody missed.
            self.down(now, remote);
        }
        self.common.links.insert(remote.clone(), way);
        self.common.tell_what_is_over(remote);
        self.outs.up(&mut self.common, now, remote);
    }

    /// A link goes another way.
    pub fn way(&mut self, remote: &Remote, way: Way) {
        if let Some(known) = self.common.links.get_mut(remote) {
            *known = way;
            self.outs.rerouted(&mut self.common, remote);
            self.ins.rerouted(&mut self.common, remote);
        }
    }

    /// A link is gone.
    pub fn down(&mut self, now: Instant, remote: &Remote) {
        if self.common.links.remove(remote).is_some() {
            self.outs.down(&mut self.common, now, remote);
            self.ins.down(&mut self.common, remote);
        }
    }

    /// A frame arrived.
    pub fn frame(&mut self, now: Instant, remote: &Remote, frame: Frame) {
        if !self.common.links.contains_key(remote) {
            return;
        }
        let common = &mut self.common;
        match frame {
            Frame::FileOffer(offer) => self.ins.offered(common, remote, offer),
            Frame::FileAccept { file, from } => {
                self.outs.accepted(common, now, remote, file, from);
            }
            Frame::FileDecline { file, reason } => {
                self.outs.declined(common, now, remote, file, reason);
            }
            Frame::FileDone { file } => self.outs.done(common, now, remote, file),
            Frame::FileCancel { file, reason } => {
                self.outs.cancelled(common, now, remote, file, reason);
                self.ins.cancelled(common, remote, file, reason);
            }
            _ => (),
        }
    }

    /// A channel was opened from elsewhere.
    pub fn channel(&mut self, now: Instant, remote: &Remote, file: FileId) -> Verdict {
        self.ins.channel(&mut self.common, now, remote, file)
    }

    // --- runs ------------------------------------------------------------------------------------

    /// A file's channel to elsewhere has ended.
    pub fn sent(&mut self, now: Instant, run: Run, key: &Key, outcome: Sent, known: Known) {
        self.outs.sent(&mut self.common, now, run, key, outcome, known);
    }

    /// A place on disk was found: the partial file and what is in it; or not.
    pub fn prepared(
        &mut self,
        now: Instant,
        run: Run,
        key: &Key,
        outcome: Result<(PathBuf, &Digests), TargetError>,
    ) {
        self.ins.prepared(&mut self.common, now, run, key, outcome);
    }

    /// It was looked for a received file.
    pub fn looked(&mut self, look: Look, there: bool) {
        self.ins.looked(&mut self.common, look, there);
    }

    /// A file's channel from elsewhere has ended; the partial file, and its pieces that are checked.
    pub fn received(
        &mut self,
        run: Run,
        key: &Key,
        outcome: Received,
        left: Option<(PathBuf, u64)>,
    ) {
        self.ins.received(&mut self.common, run, key, outcome, left);
    }

    /// The end of a file that was here already was heard, or not.
    pub fn confirmed(&mut self, run: Run, key: &Key, outcome: Result<(), Received>) {
        self.ins.confirmed(&mut self.common, run, key, outcome);
    }

    /// So many bytes of a file have been stored at its receiver.
    pub fn progress(&mut self, now: Instant, run: Run, id: &Id, done: u64) {
        match id.side {
            Side::Out => self.outs.progress(&mut self.common, now, run, &id.key, done),
            Side::In => self.ins.progress(&mut self.common, now, run, &id.key, done),
        }
    }

    // --- time ------------------------------------------------------------------------------------

    /// When [`Self::tick`] should be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.common.timers.first().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        while self.deadline().is_some_and(|at| at <= now) {
            let Some((_, id)) = self.common.timers.pop_first() else { return };
            match id.side {
                Side::Out => self.outs.tick(&mut self.common, now, &id.key),
                Side::In => self.ins.tick(&mut self.common, now, &id.key),
            }
        }
    }

    // --- what comes of it ------------------------------------------------------------------------

    /// What is to be done, in this order.
    pub fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.common.actions)
    }

    /// Whether a file has changed that the owner doesn't know of.
    pub fn has_news(&self) -> bool {
        !self.common.news.is_empty()
    }

    /// The next file that has changed, as it stands now.
    pub fn news(&mut self) -> Option<FileStatus> {
        while let Some(id) = self.common.news.pop_front() {
            self.common.newsworthy.remove(&id);
            let status = self.status(&id);
            self.trim();
            if status.is_some() {
                return status;
            }
        }
        None
    }

    fn status(&self, id: &Id) -> Option<FileStatus> {
        match id.side {
            Side::Out => self.outs.status(&self.common, &id.key),
            Side::In => self.ins.status(&self.common, &id.key),
        }
    }

    /// Ended files that are too many to remember go, unless the owner has still to hear of them.
    fn trim(&mut self) {
        while self.common.ended.len() > self.common.limits.remembered {
            match self.common.ended.front() {
                Some((id, _)) if self.common.newsworthy.contains(id) => return,
                _ => (),
            }
            let Some((Id { side, key }, order)) = self.common.ended.pop_front() else { return };
            match side {
                Side::Out => self.outs.drop_ended(&key, order),
                Side::In => self.ins.drop_ended(&key, order),
            }
        }
    }

    /// All files, the oldest first.
    pub fn list(&self) -> Vec<FileStatus> {
        let mut all: Vec<(u64, FileStatus)> = Vec::new();
        all.extend(self.outs.list(&self.common));
        all.extend(self.ins.list(&self.common));
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, status)| status).collect()
    }

    /// Whether something waits for a link to this peer.
    pub fn wants(&self, peer: &PeerId) -> bool {
        let folded = peer.folded();
        self.outs.wants(&folded) || self.ins.wants(&folded) || self.common.untold_to(&folded)
    }

    /// Peers to whom something waits for a link.
    pub fn wanted(&self) -> Vec<PeerId> {
        let mut all: HashMap<String, PeerId> = HashMap::new();
        let peers = self.outs.waiting().chain(self.ins.waiting());
        for peer in peers.chain(self.common.untold.values().map(|untold| &untold.peer)) {
            all.entry(peer.folded()).or_insert_with(|| peer.clone());
        }
        all.into_values().collect()
    }
}

#[cfg(test)]
impl Desk {
    /// What always holds.
    fn check(&self) {
        self.outs.check(&self.common);
        self.ins.check(&self.common);
    }
}

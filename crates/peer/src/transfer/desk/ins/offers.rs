//! What senders offer.

use wire::p2p::{CancelReason, DeclineReason, FILE_BYTES, FILE_NAME_BYTES, FileOffer, Frame};

use super::{In, Ins, Stage};
use crate::links::Remote;
use crate::transfer::desk::common::{Common, Key, Side};
use crate::transfer::desk::{Action, Look};
use crate::transfer::names::safe;

impl Ins {
    pub(in crate::transfer::desk) fn offered(
        &mut self,
        common: &mut Common,
        remote: &Remote,
        mut offer: FileOffer,
    ) {
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
    pub(super) fn repeated(
        &mut self,
        common: &mut Common,
        key: &Key,
        remote: &Remote,
        offer: FileOffer,
    ) {
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
    pub(super) fn again_or_new(&mut self, common: &mut Common, remote: &Remote, offer: FileOffer) {
        let key = Key::of(&remote.peer, offer.file);
        match self.got.get(&key) {
            Some(got) if got.offer.size != offer.size => (),
            Some(got) if got.offer.timestamp == offer.timestamp => {
                // The sender missed the last word.
                return self.have(common, remote, &key);
            }
            Some(got) => {
                let (path, remote) = (got.path.clone(), remote.clone());
                if !self.looking.insert(key.clone()) {
                    return;
                }
                return common.act(Action::Look(Look { key, remote, offer, path }));
            }
            None => (),
        }
        self.fresh(common, remote, offer);
    }

    pub(in crate::transfer::desk) fn looked(
        &mut self,
        common: &mut Common,
        look: Look,
        there: bool,
    ) {
        let Look { key, remote, offer, .. } = look;
        self.looking.remove(&key);
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
    pub(super) fn have(&mut self, common: &mut Common, remote: &Remote, key: &Key) {
        let Some(got) = self.got.get(key) else { return };
        self.confirming.insert(key.clone(), (remote.clone(), None));
        common.send(remote, Frame::FileAccept { file: key.file, from: got.offer.size });
    }

    /// Something new: the person decides, or has decided.
    pub(super) fn fresh(&mut self, common: &mut Common, remote: &Remote, offer: FileOffer) {
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
}

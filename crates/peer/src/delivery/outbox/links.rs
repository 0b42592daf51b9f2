//! What links tell the outbox.

use std::time::Instant;

use wire::MessageId;
use wire::p2p::RefuseCode;

use super::super::entry::{Answer, Side, Stage, route};
use super::{Action, Outbox};
use crate::delivery::lane::Lane;
use crate::links::{Remote, Way};

impl Outbox {
    /// A link is up: everything that its device has not acknowledged goes over it.
    pub fn linked(&mut self, remote: &Remote, way: Way, now: Instant) {
        let folded = remote.peer.folded();
        self.lanes.insert(remote.clone(), Lane::new(way, now));
        self.vain.remove(remote);
        let side = self.side(&folded);
        self.expect(remote, side);
        self.pump(remote, now);
        self.restless = true;
    }

    /// A link goes another way now.
    pub fn rerouted(&mut self, remote: &Remote, way: Way) {
        if let Some(lane) = self.lanes.get_mut(remote) {
            lane.way = way;
        }
    }

    /// A link is gone. It is wanted again if its device is live and something waits for it.
    pub fn unlinked(&mut self, remote: &Remote, now: Instant) {
        if self.lanes.remove(remote).is_none() {
            return;
        }
        let folded = remote.peer.folded();
        let side = self.side(&folded);
        if !self.partners.is_live(&folded, remote.device) {
            self.actions.push_back(Action::Forget(remote.clone()));
            self.give_up(&folded, side, remote.device);
        } else if self.entries.values().any(|entry| entry.wants(side, remote.device)) {
            self.actions.push_back(Action::Connect(remote.clone()));
        }
        self.restless = true;
        self.tick(now);
    }

    /// A link was tried, and did not come up: messages wait for this device no longer until one is.
    pub fn in_vain(&mut self, remote: &Remote, now: Instant) {
        if self.partners.is_live(&remote.peer.folded(), remote.device) {
            self.vain.insert(remote.clone());
            self.tick(now);
        }
    }

    /// Which way a device's link goes, if it is up.
    pub fn way(&self, remote: &Remote) -> Option<Way> {
        self.lanes.get(remote).map(|lane| lane.way)
    }

    /// A device has stored these texts.
    pub fn acked(&mut self, remote: &Remote, ids: &[MessageId], now: Instant) {
        let folded = remote.peer.folded();
        let side = self.side(&folded);
        let mut way = Way::Direct;
        if let Some(lane) = self.lanes.get_mut(remote) {
            way = lane.way;
            ids.iter().for_each(|id| lane.answered(id, now));
        }
        for id in ids {
            let Some(place) = self.place(id, &folded) else { continue };
            let Some(entry) = self.entries.get_mut(&place) else { continue };
            entry.answered(side, remote.device, Answer::Stored);
            let news = side == Side::Receiver && self.deliver(place, route(way));
            self.settle(place, news);
        }
        self.pump(remote, now);
    }

    /// A device can't take this text.
    pub fn refused(&mut self, remote: &Remote, id: &MessageId, code: RefuseCode, now: Instant) {
        let folded = remote.peer.folded();
        let side = self.side(&folded);
        if let Some(lane) = self.lanes.get_mut(remote) {
            lane.answered(id, now);
        }
        if let Some(place) = self.place(id, &folded)
            && let Some(entry) = self.entries.get_mut(&place)
        {
            entry.answered(side, remote.device, Answer::Refused);
            if side == Side::Receiver {
                match code {
                    RefuseCode::TooLarge => {
                        let reason = format!("{} takes no texts of this size", entry.text.to);
                        self.fail(place, reason);
                    }
                    // Another device may take it, and the mailbox keeps it until one can.
                    RefuseCode::NotForMe | RefuseCode::Unstorable | RefuseCode::Unknown => {
                        if entry.stage == Stage::No && !entry.is_delivered() {
                            self.queue(place);
                        }
                    }
                }
            }
            self.settle(place, false);
        }
        self.pump(remote, now);
        self.pump_mailbox(now);
    }

    /// An own message by its id, if this peer may say something about it.
    fn place(&self, id: &MessageId, folded: &str) -> Option<u64> {
        let place = *self.places.get(id)?;
        let entry = self.entries.get(&place)?;
        (entry.peer == folded || folded == self.me).then_some(place)
    }

    /// Sends over a link what its device waits for, as far as there is room, in order.
    pub(super) fn pump(&mut self, remote: &Remote, now: Instant) {
        let folded = remote.peer.folded();
        let side = self.side(&folded);
        let Some(lane) = self.lanes.get_mut(remote) else { return };
        let after = lane.sent_to.saturating_add(1);
        for (place, entry) in self.entries.range(after..) {
            let concerned = side == Side::Own || entry.peer == folded;
            if concerned && entry.wants(side, remote.device) && !lane.is_under_way(&entry.text.id) {
                if !lane.has_room() {
                    return;
                }
                lane.send(entry.text.id.clone(), entry.text.message.len(), now);
                self.actions.push_back(Action::Send(remote.clone(), entry.text.clone()));
            }
            lane.sent_to = *place;
        }
    }
}

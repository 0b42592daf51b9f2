//! What the mailbox tells the outbox.

use std::time::{Duration, Instant};

use wire::limits::IDS_PER_CALL;
use wire::{MessageId, PeerId, tracker};

use super::super::entry::Stage;
use super::{Action, Outbox};
use crate::event::{Delivery, Route};

/// Why the mailbox did not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server is away or busy: later.
    Later(Option<Duration>),
    /// This mailbox is full: later.
    Full(Option<Duration>),
    /// It will never take it: why, in words.
    Never(String),
}

impl Outbox {
    /// The mailbox has a message.
    pub fn taken(&mut self, id: &MessageId, delivery: tracker::Delivery, now: Instant) {
        self.post.settled();
        let Some(&place) = self.places.get(id) else { return };
        let Some(entry) = self.entries.get_mut(&place) else { return };
        entry.stage = Stage::Taken;
        let news = entry.advance(match delivery {
            tracker::Delivery::Delivered => Delivery::Delivered(Route::Mailbox),
            tracker::Delivery::Queued | tracker::Delivery::Unknown => Delivery::Queued,
        });
        self.settle(place, news);
        self.pump_mailbox(now);
    }

    /// The mailbox has not taken a message.
    pub fn untaken(&mut self, id: &MessageId, trouble: Trouble, now: Instant) {
        let Some(&place) = self.places.get(id) else { return self.post.settled() };
        let Some(entry) = self.entries.get_mut(&place) else { return self.post.settled() };
        let peer = entry.peer.clone();
        entry.stage = Stage::Waiting;
        match trouble {
            Trouble::Later(after) => self.post.failed(place, peer, after, now),
            Trouble::Full(after) => self.post.full(place, peer, after, now),
            Trouble::Never(reason) => {
                self.post.settled();
                // What a device has is not undone by a mailbox that wants nothing of it.
                entry.stage = Stage::Taken;
                self.fail(place, reason);
            }
        }
        self.settle(place, false);
        self.restless = true;
        self.pump_mailbox(now);
    }

    /// The receiver has fetched and acknowledged a message.
    pub fn fetched(&mut self, id: &MessageId, by: &PeerId) {
        let Some(&place) = self.places.get(id) else { return };
        let Some(entry) = self.entries.get_mut(&place) else { return };
        if entry.peer != by.folded() {
            return;
        }
        if entry.stage == Stage::Waiting {
            self.post.remove(place);
        }
        // One that is on its way is settled when its own answer comes.
        if entry.stage != Stage::UnderWay {
            entry.stage = Stage::Taken;
        }
        let news = self.deliver(place, Route::Mailbox);
        self.settle(place, news);
    }

    /// The tracker tells how far messages have come.
    pub fn statuses(&mut self, states: &[(MessageId, tracker::Delivery)], now: Instant) {
        for (id, delivery) in states {
            let Some(&place) = self.places.get(id) else { continue };
            let mut news = false;
            match delivery {
                tracker::Delivery::Delivered => news = self.deliver(place, Route::Mailbox),
                // Its time was over, or the tracker lost it: it gets it again.
                tracker::Delivery::Unknown => {
                    let lost = self
                        .entries
                        .get(&place)
                        .is_some_and(|entry| entry.stage == Stage::Taken && !entry.is_delivered());
                    if lost {
                        self.queue(place);
                    }
                }
                tracker::Delivery::Queued => {}
            }
            self.settle(place, news);
        }
        self.pump_mailbox(now);
    }

    /// A message goes to the mailbox as soon as it can.
    pub(super) fn queue(&mut self, place: u64) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        if entry.text.direct_only {
            return;
        }
        entry.stage = Stage::Waiting;
        self.post.add(place, entry.peer.clone());
        self.restless = true;
    }

    /// Hands to the mailbox what may go now.
    pub(super) fn pump_mailbox(&mut self, now: Instant) {
        while self.online
            && let Some(place) = self.post.next(now)
        {
            let Some(entry) = self.entries.get_mut(&place) else {
                self.post.settled();
                continue;
            };
            entry.stage = Stage::UnderWay;
            self.actions.push_back(Action::Mailbox(entry.text.clone()));
        }
    }

    pub(super) fn ask_statuses(&mut self, ids: Vec<MessageId>) {
        for ids in ids.chunks(IDS_PER_CALL) {
            self.actions.push_back(Action::Statuses(ids.to_vec()));
        }
    }
}

//! One own message on its way.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wire::p2p::Frame;
use wire::{DeviceId, MessageId, PeerId};

use crate::event::{Delivery, Route};
use crate::links::Remote;

/// How long a copy is kept for an own device that is live and can't be linked with.
const COPY_PATIENCE: Duration = Duration::from_secs(600);
/// A busy link is given its time, but not longer than so many times the patience.
const BUSY_TIMES: u32 = 12;

/// An own message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its id.
    pub id: MessageId,
    /// To whom.
    pub to: PeerId,
    /// The text.
    pub message: String,
    /// When it was written, by this device's clock.
    pub timestamp: String,
    /// It goes over links only, never to the mailbox.
    pub direct_only: bool,
}

impl Text {
    /// As it goes over a link.
    pub fn frame(&self) -> Frame {
        Frame::Text {
            id: self.id.clone(),
            to: self.to.clone(),
            message: self.message.clone(),
            timestamp: self.timestamp.clone(),
        }
    }
}

/// What a device has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Waiting,
    Stored,
    Refused,
}

/// How far it is with the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It needs none, so far.
    No,
    /// It waits to go there.
    Waiting,
    /// It is on its way.
    UnderWay,
    /// It is there, or was.
    Taken,
}

/// Which of the two kinds of devices one is for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The receiver's.
    Receiver,
    /// An own one, which gets a copy.
    Own,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) text: Arc<Text>,
    /// To whom, in lower case.
    pub(super) peer: String,
    pub(super) delivery: Delivery,
    pub(super) stage: Stage,
    /// Goes to the mailbox from now on, if a device of the receiver is still waited for.
    pub(super) deadline: Instant,
    since: Instant,
    targets: BTreeMap<DeviceId, Answer>,
    copies: BTreeMap<DeviceId, Answer>,
}

impl Entry {
    pub(super) fn new(text: Text, delivery: Delivery, patience: Duration, now: Instant) -> Self {
        let stage = if delivery == Delivery::Queued { Stage::Taken } else { Stage::No };
        Self {
            peer: text.to.folded(),
            text: Arc::new(text),
            delivery,
            stage,
            deadline: now + patience,
            since: now,
            targets: BTreeMap::new(),
            copies: BTreeMap::new(),
        }
    }

    /// The tracker can be reached again: the links get their time from now on.
    pub(super) fn rearm(&mut self, patience: Duration, now: Instant) {
        self.deadline = now + patience;
        self.since = now;
    }

    pub(super) fn is_delivered(&self) -> bool {
        matches!(self.delivery, Delivery::Delivered(_))
    }

    /// A device is there that should have it. Whether that is news.
    pub(super) fn wait_for(&mut self, side: Side, device: DeviceId) -> bool {
        let devices = match side {
            // Once someone has it, those who come later get it by themselves: from the mailbox, or not at all.
            Side::Receiver if self.is_delivered() => return false,
            Side::Receiver => &mut self.targets,
            Side::Own => &mut self.copies,
        };
        let mut news = false;
        devices.entry(device).or_insert_with(|| {
            news = true;
            Answer::Waiting
        });
        news
    }

    /// A device is gone: it is not waited for any more.
    pub(super) fn give_up(&mut self, side: Side, device: DeviceId) {
        let devices = self.devices(side);
        if devices.get(&device) == Some(&Answer::Waiting) {
            devices.remove(&device);
        }
    }

    pub(super) fn answered(&mut self, side: Side, device: DeviceId, answer: Answer) {
        self.devices(side).insert(device, answer);
    }

    /// Whether it should go over a link to this device.
    pub(super) fn wants(&self, side: Side, device: DeviceId) -> bool {
        let devices = match side {
            Side::Receiver => &self.targets,
            Side::Own => &self.copies,
        };
        devices.get(&device) == Some(&Answer::Waiting)
    }

    pub(super) fn waiting_for(&self, side: Side) -> impl Iterator<Item = DeviceId> + '_ {
        let devices = match side {
            Side::Receiver => &self.targets,
            Side::Own => &self.copies,
        };
        devices.iter().filter(|(_, answer)| **answer == Answer::Waiting).map(|(device, _)| *device)
    }

    /// Whether no device of the receiver is known that may still answer.
    pub(super) fn is_alone(&self) -> bool {
        self.waiting_for(Side::Receiver).next().is_none()
    }

    /// Whether a device of the receiver is waited for to which a link is up or may come up.
    pub(super) fn may_hope(&self, vain: &HashSet<Remote>) -> bool {
        let remote = |device| Remote { peer: self.text.to.clone(), device };
        self.waiting_for(Side::Receiver).any(|device| !vain.contains(&remote(device)))
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        if matches!(self.delivery, Delivery::Failed { .. }) {
            return true;
        }
        // The mailbox reaches all devices of both sides.
        let reached = self.stage == Stage::Taken;
        self.is_delivered()
            && self.stage != Stage::UnderWay
            && (reached || (self.is_alone() && self.waiting_for(Side::Own).next().is_none()))
    }

    /// When it goes to the mailbox. `progress` tells when a linked device last acknowledged something.
    pub(super) fn lapses(
        &self,
        patience: Duration,
        progress: impl Fn(DeviceId) -> Option<Instant>,
    ) -> Instant {
        let most = self.since + patience * BUSY_TIMES;
        let of = |device| match progress(device) {
            Some(progress) => self.deadline.max(progress + patience).min(most),
            None => self.deadline,
        };
        self.waiting_for(Side::Receiver).map(of).min().unwrap_or(self.deadline)
    }

    /// Copies that nobody takes are dropped in the end.
    pub(super) fn drop_old_copies(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) > COPY_PATIENCE {
            self.drop_copies();
        }
    }

    /// Copies are not waited for any longer.
    pub(super) fn drop_copies(&mut self) {
        self.copies.retain(|_, answer| *answer != Answer::Waiting);
    }

    /// It came a step further. Steps back are none.
    pub(super) fn advance(&mut self, delivery: Delivery) -> bool {
        let further = match (&self.delivery, &delivery) {
            (Delivery::Sending, Delivery::Sending) => false,
            (Delivery::Sending, _) => true,
            (Delivery::Queued, Delivery::Delivered(_) | Delivery::Failed { .. }) => true,
            _ => false,
        };
        if further {
            self.delivery = delivery;
        }
        further
    }

    fn devices(&mut self, side: Side) -> &mut BTreeMap<DeviceId, Answer> {
        match side {
            Side::Receiver => &mut self.targets,
            Side::Own => &mut self.copies,
        }
    }
}

/// The route that a link's way is.
pub(super) fn route(way: crate::links::Way) -> Route {
    match way {
        crate::links::Way::Direct => Route::Direct,
        crate::links::Way::Relayed => Route::Relayed,
    }
}

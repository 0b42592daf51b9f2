//! A conversation's messages, in order, as far as they are loaded.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use wire::tracker::{Messages, StoredMessage};
use wire::{MessageId, PeerId};

use super::effect::PAGE;
use super::people::is;
use super::safe::Safe;
use crate::event::{Delivery, Direct};

/// How long a post may wait for its place in the channel's log.
pub(crate) const POST_PATIENCE: Duration = Duration::from_secs(30);
/// Messages that are kept loaded while nobody reads the old ones.
const KEPT: usize = 1000;

/// How much is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Loaded {
    /// Nothing yet.
    #[default]
    No,
    /// The newest page is on its way.
    Asked,
    /// At least the newest page.
    Yes,
}

/// How important a line of the program's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// To be known.
    Plain,
    /// To be done about.
    Warning,
    /// Something did not work.
    Wrong,
}

/// An own message that isn't in the log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Others go first.
    Waiting,
    /// On its way.
    Sending,
    /// Taken; the log's own copy comes.
    Taken(MessageId),
    /// Not taken, and why.
    Failed(Safe),
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A channel's message that has its place.
    Message { seq: u64, id: MessageId, from: PeerId, text: Safe },
    /// A channel's message that came directly, ahead of the log.
    Post { id: MessageId, from: PeerId, text: Safe, until: Instant },
    /// A direct message.
    Direct { direct: Box<Direct>, text: Safe },
    /// An own message on its way out.
    Mine { text: String, shown: Safe, state: Pending },
    /// Something that the program says.
    Line { text: Safe, tone: Tone },
}

/// One item. `serial` names it for as long as the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) serial: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
}

impl Item {
    /// Whether it stands at the end until it gets its place.
    fn is_pending(&self) -> bool {
        match &self.kind {
            Kind::Post { .. } => true,
            Kind::Mine { state, .. } => !matches!(state, Pending::Failed(_)),
            _ => false,
        }
    }
}

/// A conversation's items.
#[derive(Debug, Default)]
pub(crate) struct Log {
    items: Vec<Item>,
    serial: u64,
    /// How much is loaded.
    pub(crate) loaded: Loaded,
    /// Whether the first message of all is here.
    pub(crate) start: bool,
    /// An older page is on its way.
    pub(crate) older: bool,
}

/// Same sender, same id: the same message.
fn same(one: (&PeerId, &MessageId), other: (&PeerId, &MessageId)) -> bool {
    one.1 == other.1 && is(one.0, other.0)
}

fn moment(timestamp: &str, now: Timestamp) -> Timestamp {
    timestamp.parse().unwrap_or(now)
}

impl Log {
    /// The items, oldest first.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Where an item stands.
    pub(crate) fn position(&self, serial: u64) -> Option<usize> {
        self.items.iter().rposition(|item| item.serial == serial)
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn insert(&mut self, index: usize, serial: u64, at: Timestamp, kind: Kind) {
        self.items.insert(index, Item { serial, at, kind });
    }

    // ---- channels --------------------------------------------------------------------------------------------

    /// The newest confirmed `seq`; 0 when there is none.
    pub(crate) fn newest_seq(&self) -> u64 {
        self.seqs().next_back().unwrap_or(0)
    }

    /// The oldest confirmed `seq`.
    pub(crate) fn oldest_seq(&self) -> Option<u64> {
        self.seqs().next()
    }

    fn seqs(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.items.iter().filter_map(|item| match item.kind {
            Kind::Message { seq, .. } => Some(seq),
            _ => None,
        })
    }

    /// A message has its place. What stood for it so far gives way. Gives whether it is new.
    pub(crate) fn message(&mut self, message: &StoredMessage, mine: bool, now: Timestamp) -> bool {
        let newest = message.seq > self.newest_seq();
        let mut index = self.items.len();
        for (at, item) in self.items.iter().enumerate().rev() {
            match &item.kind {
                Kind::Message { seq, .. } if *seq == message.seq => return false,
                Kind::Message { seq, .. } if *seq < message.seq => break,
                // The newest one goes behind what was said here, and before what has no place yet.
                _ if newest && !item.is_pending() => break,
                _ => index = at,
            }
        }
        let placeholder = self.placeholder(message, mine);
        let serial = match placeholder {
            Some(at) => {
                index -= usize::from(at < index);
                self.items.remove(at).serial
            }
            None => self.serial(),
        };
        let kind = Kind::Message {
            seq: message.seq,
            id: message.id.clone(),
            from: message.from.clone(),
            text: Safe::text(&message.message),
        };
        self.insert(index, serial, moment(&message.timestamp, now), kind);
        true
    }

    /// What stands for a message that now has its place.
    fn placeholder(&self, message: &StoredMessage, mine: bool) -> Option<usize> {
        let by_id = self.items.iter().position(|item| match &item.kind {
            Kind::Post { id, from, .. } => same((from, id), (&message.from, &message.id)),
            Kind::Mine { state: Pending::Taken(id), .. } => mine && *id == message.id,
            _ => false,
        });
        // The log can be quicker than the answer that tells the id.
        by_id.or_else(|| {
            self.items.iter().position(|item| {
                matches!(&item.kind, Kind::Mine { text, state: Pending::Sending, .. }
                    if mine && *text == message.message)
            })
        })
    }

    /// A post came directly. Gives whether it is new.
    pub(crate) fn post(
        &mut self,
        from: PeerId,
        id: MessageId,
        text: &str,
        at: Timestamp,
        until: Instant,
    ) -> bool {
        let known = self.items.iter().any(|item| match &item.kind {
            Kind::Message { id: known, from: by, .. } | Kind::Post { id: known, from: by, .. } => {
                same((by, known), (&from, &id))
            }
            _ => false,
        });
        if known {
            return false;
        }
        let serial = self.serial();
        let kind = Kind::Post { id, from, text: Safe::text(text), until };
        self.insert(self.items.len(), serial, at, kind);
        true
    }

    /// Posts that were never confirmed go. Gives whether there were any.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let before = self.items.len();
        self.items.retain(|item| !matches!(item.kind, Kind::Post { until, .. } if until <= now));
        self.items.len() < before
    }

    /// When the next post goes.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let untils = self.items.iter().filter_map(|item| match item.kind {
            Kind::Post { until, .. } => Some(until),
            _ => None,
        });
        untils.min()
    }

    /// Takes a page of a channel's history: the newest, or an older one.
    pub(crate) fn history(&mut self, page: &Messages, older: bool, me: &PeerId, now: Timestamp) {
        let first = page.messages.first().map(|message| message.seq);
        if let (Some(first), false) = (first, older) {
            // A hole before the newest page can't be shown: what is behind it is read again when someone scrolls.
            let behind = self.seqs().filter(|&seq| seq < first).max();
            if behind.is_some_and(|behind| behind + 1 < first) {
                self.items
                    .retain(|item| !matches!(item.kind, Kind::Message { seq, .. } if seq < first));
                self.start = false;
            }
        }
        for message in &page.messages {
            self.message(message, is(&message.from, me), now);
        }
        self.start |= match self.oldest_seq() {
            Some(oldest) => oldest <= 1 || (older && page.messages.is_empty()),
            None => true,
        };
    }

    // ---- direct messages -------------------------------------------------------------------------------------

    /// A direct message is new, or was read from the store. Gives whether it is new here.
    pub(crate) fn direct(&mut self, direct: Direct, now: Timestamp) -> bool {
        if let Some(known) = self.find(&direct.from, &direct.id) {
            self.deliver_at(known, direct.delivery);
            return false;
        }
        let at = moment(&direct.timestamp, now);
        let later = |item: &Item| item.at > at || item.is_pending();
        let index = self.items.iter().rposition(|item| !later(item)).map_or(0, |at| at + 1);
        let serial = self.serial();
        let text = Safe::text(&direct.message);
        self.insert(index, serial, at, Kind::Direct { direct: Box::new(direct), text });
        true
    }

    fn find(&self, from: &PeerId, id: &MessageId) -> Option<usize> {
        self.items.iter().rposition(|item| match &item.kind {
            Kind::Direct { direct, .. } => same((&direct.from, &direct.id), (from, id)),
            _ => false,
        })
    }

    /// An own direct message has come further. Gives whether it is here.
    pub(crate) fn deliver(&mut self, me: &PeerId, id: &MessageId, delivery: &Delivery) -> bool {
        let Some(at) = self.find(me, id) else { return false };
        self.deliver_at(at, Some(delivery.clone()));
        true
    }

    /// What was read may be older than what was told meanwhile: a message never goes back.
    fn deliver_at(&mut self, at: usize, delivery: Option<Delivery>) {
        let steps = |delivery: &Delivery| match delivery {
            Delivery::Sending => 0,
            Delivery::Queued => 1,
            Delivery::Failed { .. } => 2,
            Delivery::Delivered(_) => 3,
        };
        if let (Some(Item { kind: Kind::Direct { direct, .. }, .. }), Some(delivery)) =
            (self.items.get_mut(at), delivery)
            && direct.delivery.as_ref().is_none_or(|was| steps(was) <= steps(&delivery))
        {
            direct.delivery = Some(delivery);
        }
    }

    /// The oldest direct message: where an older page ends.
    pub(crate) fn oldest_direct(&self) -> Option<Box<Direct>> {
        self.items.iter().find_map(|item| match &item.kind {
            Kind::Direct { direct, .. } => Some(direct.clone()),
            _ => None,
        })
    }

    /// Takes a page of direct messages: the newest, or an older one.
    pub(crate) fn talk(&mut self, page: Vec<Direct>, older: bool, now: Timestamp) {
        let full = page.len() >= PAGE as usize;
        let meets = page.iter().any(|direct| self.find(&direct.from, &direct.id).is_some());
        if full && !older && !meets {
            // Between this page and what was loaded before there may be more.
            let first = page.first().map(|direct| moment(&direct.timestamp, now));
            self.items.retain(|item| {
                !matches!(item.kind, Kind::Direct { .. })
                    || first.is_some_and(|first| item.at >= first)
            });
            self.start = false;
        }
        self.start |= !full;
        for direct in page {
            self.direct(direct, now);
        }
    }

    // ---- own messages and lines --------------------------------------------------------------------------------

    /// An own message is written.
    pub(crate) fn mine(&mut self, text: String, now: Timestamp) {
        let serial = self.serial();
        let shown = Safe::text(&text);
        let kind = Kind::Mine { text, shown, state: Pending::Waiting };
        self.insert(self.items.len(), serial, now, kind);
    }

    /// Whether an own message is on its way, whose id isn't known yet.
    pub(crate) fn is_sending(&self) -> bool {
        let sending =
            |item: &Item| matches!(&item.kind, Kind::Mine { state: Pending::Sending, .. });
        self.items.iter().any(sending)
    }

    /// Own messages that wait or are on their way.
    pub(crate) fn unsent(&self) -> usize {
        let unsent = |item: &&Item| {
            matches!(&item.kind, Kind::Mine { state: Pending::Waiting | Pending::Sending, .. })
        };
        self.items.iter().filter(unsent).count()
    }

    /// The next message to send, when none is on its way: one after the other, so that they keep their order.
    pub(crate) fn next_to_send(&mut self) -> Option<(u64, String)> {
        if self.is_sending() {
            return None;
        }
        self.items.iter_mut().find_map(|item| match &mut item.kind {
            Kind::Mine { text, state: state @ Pending::Waiting, .. } => {
                *state = Pending::Sending;
                Some((item.serial, text.clone()))
            }
            _ => None,
        })
    }

    /// An own message's state changes. Gives its text, if it is still here.
    pub(crate) fn settle(&mut self, serial: u64, state: Pending) -> Option<String> {
        let at = self.position(serial)?;
        match &mut self.items.get_mut(at)?.kind {
            Kind::Mine { state: was, text, .. } => {
                *was = state;
                Some(text.clone())
            }
            _ => None,
        }
    }

    /// Whether a message of this sender is here.
    pub(crate) fn has_message(&self, from: &PeerId, id: &MessageId) -> bool {
        self.items.iter().rev().any(|item| {
            matches!(&item.kind, Kind::Message { id: known, from: by, .. }
                if same((by, known), (from, id)))
        })
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, serial: u64) {
        self.items.retain(|item| item.serial != serial);
    }

    /// Takes an own message out that still waits for its place.
    pub(crate) fn remove_pending(&mut self, serial: u64) {
        self.items.retain(|item| item.serial != serial || !matches!(item.kind, Kind::Mine { .. }));
    }

    /// The program says something. Saying the same again only renews the time.
    pub(crate) fn line(&mut self, text: Safe, tone: Tone, now: Timestamp) {
        if let Some(Item { at, kind: Kind::Line { text: said, .. }, .. }) = self.items.last_mut()
            && *said == text
        {
            *at = now;
            return;
        }
        let serial = self.serial();
        self.insert(self.items.len(), serial, now, Kind::Line { text, tone });
    }

    /// Forgets old messages, which can be read again.
    pub(crate) fn trim(&mut self) {
        if self.items.len() > KEPT + PAGE as usize {
            self.items.drain(..self.items.len() - KEPT);
            self.start = false;
        }
    }

    /// A page could not be read.
    pub(crate) fn failed(&mut self, older: bool) {
        if older {
            self.older = false;
        } else if self.loaded == Loaded::Asked {
            self.loaded = Loaded::No;
        }
    }

    /// What is loaded may have holes: read it again.
    pub(crate) fn outdated(&mut self) {
        self.loaded = Loaded::No;
        self.older = false;
    }
}

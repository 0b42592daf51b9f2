//! Own messages on their way: what happened goes in, [`Action`]s come out.
//!
//! 1. A message that was stored comes in by [`Outbox::write`]. It goes to every live device of its receiver that is linked,
//!    as a copy to the own other devices, and links to the others are asked for.
//! 2. The first acknowledgement of a device of the receiver makes it delivered.
//! 3. When a live device has not acknowledged it in time, or none is live, or links to all that are were tried in vain, it
//!    goes to the mailbox.
//! 4. On a new link everything that this device has not acknowledged is sent again.
//! 5. When nobody is waited for any more, it leaves the outbox.
//!
//! After each call the actions are taken from [`Outbox::poll`]. The clock is asked for with [`Outbox::tick`], at the latest
//! when [`Outbox::wake`] says.

mod clock;
mod links;
mod mailbox;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wire::{DeviceId, MessageId, PeerId};

use super::entry::{Entry, Side, Stage, Text};
use super::lane::Lane;
use super::partners::{Asked, Partners};
use super::post::Post;
use crate::event::{Delivery, Route};
use crate::links::Remote;

pub use mailbox::Trouble;

/// Messages in the outbox at most.
pub const MESSAGES: usize = 10_000;
/// Peers of whom something is known, beyond which those that are away are forgotten.
const PARTNERS: usize = 4_096;
/// From so many peers on, all are asked about in one call.
const ASK_ALL: usize = 8;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A link to this device is wanted.
    Connect(Remote),
    /// A link to this device is wanted no more.
    Forget(Remote),
    /// A text goes over a link that is up.
    Send(Remote, Arc<Text>),
    /// A text goes to its receiver's mailbox; [`Outbox::taken`] or [`Outbox::untaken`] tells what came of it.
    Mailbox(Arc<Text>),
    /// Which devices of this peer are live? [`Outbox::told`] tells.
    Ask(PeerId),
    /// Which devices of all peers are live?
    AskAll,
    /// How far have these come in the mailbox? [`Outbox::statuses`] tells. At most 500.
    Statuses(Vec<MessageId>),
    /// A message has come further, or leaves the outbox: to be kept, and told if it is news.
    Changed {
        /// Which.
        text: Arc<Text>,
        /// How far it has come.
        delivery: Delivery,
        /// Whether something remains to be done.
        open: bool,
        /// Whether the state is news.
        news: bool,
    },
}

/// How it is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As whom.
    pub me: PeerId,
    /// On which device.
    pub device: DeviceId,
    /// How long a message may go unacknowledged.
    pub patience: Duration,
    /// How long after a message links are wanted without another one.
    pub warmth: Duration,
}

/// The outbox.
#[derive(Debug)]
pub struct Outbox {
    settings: Settings,
    /// The own id, in lower case.
    me: String,
    online: bool,
    entries: BTreeMap<u64, Entry>,
    places: HashMap<MessageId, u64>,
    partners: Partners,
    lanes: HashMap<Remote, Lane>,
    /// Live devices to which a link was tried in vain.
    vain: HashSet<Remote>,
    post: Post,
    actions: VecDeque<Action>,
    /// Whether the clock is needed, and when it was looked at last.
    restless: bool,
    ticked: Instant,
}

impl Outbox {
    /// An empty one.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            me: settings.me.folded(),
            settings,
            online: false,
            entries: BTreeMap::new(),
            places: HashMap::new(),
            partners: Partners::default(),
            lanes: HashMap::new(),
            vain: HashSet::new(),
            post: Post::new(now),
            actions: VecDeque::new(),
            restless: false,
            ticked: now,
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether another message fits.
    pub fn has_room(&self) -> bool {
        self.entries.len() < MESSAGES
    }

    /// A message was written and is stored, at this place: later ones have higher places.
    pub fn write(&mut self, place: u64, text: Text, now: Instant) {
        let to = text.to.clone();
        let peer = to.folded();
        self.insert(place, text, Delivery::Sending, now);
        self.partners.warm(&peer, now + self.settings.warmth);
        self.ask(&to, now);
        self.ask(&self.settings.me.clone(), now);
        for remote in self.receivers_of(place) {
            match self.lanes.contains_key(&remote) {
                true => self.pump(&remote, now),
                false => self.actions.push_back(Action::Connect(remote)),
            }
        }
        // A note to oneself has arrived where it was written.
        let arrived = peer == self.me && self.deliver(place, Route::Direct);
        self.settle(place, arrived);
        let nobody = self.entries.get(&place).is_some_and(|entry| !entry.may_hope(&self.vain));
        if nobody && peer != self.me && self.online && self.partners.is_fresh(&peer, now) {
            self.queue(place);
            self.pump_mailbox(now);
        }
        self.restless = true;
    }

    /// A message that an earlier run has left unfinished, at its place.
    pub fn restore(&mut self, place: u64, text: Text, delivery: Delivery, now: Instant) {
        self.insert(place, text, delivery, now);
        let left_over = self.entries.get(&place).is_some_and(Entry::is_delivered);
        if left_over {
            // Another device waited for it, and which one is forgotten: the mailbox reaches all.
            self.queue(place);
        }
        self.restless = true;
    }

    /// This run ends. Copies for own devices are not waited for any longer: the messages have arrived.
    pub fn close(&mut self) {
        let places: Vec<u64> = self.entries.keys().copied().collect();
        for place in places {
            if let Some(entry) = self.entries.get_mut(&place) {
                entry.drop_copies();
            }
            self.settle(place, false);
        }
    }

    /// A message is given up, if no device has it yet and the mailbox doesn't either. Whether that could be.
    pub fn withdraw(&mut self, id: &MessageId, reason: &str) -> bool {
        let Some(&place) = self.places.get(id) else { return false };
        let free = self.entries.get(&place).is_some_and(|entry| {
            entry.delivery == Delivery::Sending && matches!(entry.stage, Stage::No | Stage::Waiting)
        });
        if free {
            self.post.remove(place);
            self.fail(place, reason.to_owned());
        }
        free
    }

    fn insert(&mut self, place: u64, text: Text, delivery: Delivery, now: Instant) {
        self.places.insert(text.id.clone(), place);
        let mut entry = Entry::new(text, delivery, self.settings.patience, now);
        // A link may be up although the tracker is away.
        let linked = |peer: &str| {
            let of = self.lanes.keys().filter(|remote| remote.peer.folded() == peer);
            of.map(|remote| remote.device).collect::<Vec<_>>()
        };
        if entry.peer != self.me {
            let peer = entry.peer.clone();
            for device in self.partners.live(&peer).chain(linked(&peer)) {
                entry.wait_for(Side::Receiver, device);
            }
        }
        if entry.stage == Stage::No {
            for device in self.partners.live(&self.me).chain(linked(&self.me)) {
                entry.wait_for(Side::Own, device);
            }
        }
        self.entries.insert(place, entry);
    }

    /// Links to a peer's devices are wanted for a while, without a message.
    pub fn connect(&mut self, peer: &PeerId, now: Instant) {
        let folded = peer.folded();
        self.partners.warm(&folded, now + self.settings.warmth);
        self.partners.ask_again(&folded);
        self.ask(peer, now);
        for remote in self.devices_of(peer, &folded) {
            if !self.lanes.contains_key(&remote) {
                self.actions.push_back(Action::Connect(remote));
            }
        }
    }

    /// Something came from a peer: talk with it is warm.
    pub fn heard(&mut self, peer: &PeerId, now: Instant) {
        self.partners.warm(&peer.folded(), now + self.settings.warmth);
    }

    /// The live stream is there.
    pub fn online(&mut self, now: Instant) {
        self.online = true;
        // What was in the way may be gone.
        self.vain.clear();
        self.post.online();
        let mut peers: HashSet<String> = self.partners.warm_ones(now).into_iter().collect();
        let mut queued = Vec::new();
        for (place, entry) in &mut self.entries {
            peers.insert(entry.peer.clone());
            match entry.stage {
                Stage::No => entry.rearm(self.settings.patience, now),
                // A link may do now what it could not while the tracker was away.
                Stage::Waiting if !entry.is_delivered() => {
                    self.post.remove(*place);
                    entry.stage = Stage::No;
                    entry.rearm(self.settings.patience, now);
                }
                Stage::Taken if !entry.is_delivered() => queued.push(entry.text.id.clone()),
                Stage::Waiting | Stage::Taken | Stage::UnderWay => {}
            }
        }
        peers.insert(self.me.clone());
        if peers.len() >= ASK_ALL {
            self.actions.push_back(Action::AskAll);
        } else {
            for peer in peers.iter().filter_map(|peer| PeerId::parse(peer).ok()) {
                self.ask(&peer, now);
            }
        }
        self.ask_statuses(queued);
        self.restless = true;
        self.tick(now);
    }

    /// The live stream is gone.
    pub fn offline(&mut self) {
        self.online = false;
        self.partners.doubt();
    }

    /// Whether the live stream is there.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// The live stream missed something: receipts, perhaps.
    pub fn reset(&mut self) {
        let queued = self
            .entries
            .values()
            .filter(|entry| entry.stage == Stage::Taken && !entry.is_delivered())
            .map(|entry| entry.text.id.clone())
            .collect();
        self.ask_statuses(queued);
    }

    /// The live stream tells which devices of a peer are live.
    pub fn told(&mut self, peer: &PeerId, devices: &[DeviceId], now: Instant) {
        self.partners.hear(&peer.folded());
        self.learn(peer, devices, now);
    }

    /// The time, for a question about peers that is put now.
    pub fn asked(&self) -> Asked {
        self.partners.asked()
    }

    /// The tracker answers which devices of a peer are live. What the live stream told meanwhile is newer.
    pub fn answered(&mut self, peer: &PeerId, devices: &[DeviceId], asked: Asked, now: Instant) {
        if !self.partners.has_heard_since(&peer.folded(), asked) {
            self.learn(peer, devices, now);
        }
    }

    fn learn(&mut self, peer: &PeerId, devices: &[DeviceId], now: Instant) {
        let folded = peer.folded();
        // Of the own devices the others count.
        let own = self.settings.device;
        let others: Vec<DeviceId> = devices.iter().copied().filter(|one| *one != own).collect();
        let change = self.partners.told(&folded, &others, now);
        let side = self.side(&folded);
        let remote = |device| Remote { peer: peer.clone(), device };
        for device in change.came {
            let wanted = self.expect(&remote(device), side);
            let warm = self.partners.is_warm(&folded, now);
            if self.lanes.contains_key(&remote(device)) {
                self.pump(&remote(device), now);
            } else if wanted || warm {
                self.actions.push_back(Action::Connect(remote(device)));
            }
        }
        for device in change.went {
            self.vain.remove(&remote(device));
            // A link that is up knows better.
            if !self.lanes.contains_key(&remote(device)) {
                self.actions.push_back(Action::Forget(remote(device)));
                self.give_up(&folded, side, device);
            }
        }
        self.partners.prune(PARTNERS, now);
        if self.restless {
            self.tick(now);
        }
    }

    /// The tracker could not hand a signal to this device: it isn't live.
    pub fn absent(&mut self, remote: &Remote, now: Instant) {
        let folded = remote.peer.folded();
        if !self.partners.is_live(&folded, remote.device) {
            if !self.lanes.contains_key(remote) {
                self.actions.push_back(Action::Forget(remote.clone()));
            }
            return;
        }
        let rest: Vec<DeviceId> =
            self.partners.live(&folded).filter(|device| *device != remote.device).collect();
        self.told(&remote.peer, &rest, now);
    }

    /// The devices of a peer that were live when the tracker last told, as far as they are not this one.
    pub fn devices(&self, peer: &PeerId) -> Vec<Remote> {
        self.devices_of(peer, &peer.folded())
    }

    fn devices_of(&self, peer: &PeerId, folded: &str) -> Vec<Remote> {
        let live = self.partners.live(folded);
        live.map(|device| Remote { peer: peer.clone(), device }).collect()
    }

    /// A device should have what is on its way to its peer. Whether there is something.
    fn expect(&mut self, remote: &Remote, side: Side) -> bool {
        let folded = remote.peer.folded();
        let (mut wanted, mut news) = (false, false);
        for entry in self.entries.values_mut() {
            let concerned = match side {
                Side::Receiver => entry.peer == folded,
                // The mailbox's event reaches the own devices too; and what is left of a delivered message is not
                // for devices that come later.
                Side::Own => {
                    entry.stage != Stage::Taken && (!entry.is_delivered() || entry.peer == self.me)
                }
            };
            if concerned {
                news |= entry.wait_for(side, remote.device);
                wanted |= entry.wants(side, remote.device);
            }
        }
        if news && let Some(lane) = self.lanes.get_mut(remote) {
            lane.sent_to = 0;
        }
        self.restless |= news;
        wanted
    }

    fn give_up(&mut self, folded: &str, side: Side, device: DeviceId) {
        let concerned = |entry: &Entry| side == Side::Own || entry.peer == folded;
        let places: Vec<u64> = self
            .entries
            .iter_mut()
            .filter(|(_, entry)| concerned(entry))
            .map(|(place, entry)| {
                entry.give_up(side, device);
                *place
            })
            .collect();
        places.into_iter().for_each(|place| self.settle(place, false));
    }

    fn side(&self, folded: &str) -> Side {
        if folded == self.me { Side::Own } else { Side::Receiver }
    }

    /// The devices that an entry waits for.
    fn receivers_of(&self, place: u64) -> Vec<Remote> {
        let Some(entry) = self.entries.get(&place) else { return Vec::new() };
        let to = |peer: &PeerId, device| Remote { peer: peer.clone(), device };
        let receivers = entry.waiting_for(Side::Receiver).map(|device| to(&entry.text.to, device));
        let copies = entry.waiting_for(Side::Own).map(|device| to(&self.settings.me, device));
        receivers.chain(copies).collect()
    }

    fn ask(&mut self, peer: &PeerId, now: Instant) {
        let folded = peer.folded();
        if self.online && !self.partners.is_fresh(&folded, now) && self.partners.ask(&folded, now) {
            self.actions.push_back(Action::Ask(peer.clone()));
        }
    }

    /// A device of the receiver has it. Whether that is news.
    fn deliver(&mut self, place: u64, route: Route) -> bool {
        let entry = self.entries.get_mut(&place);
        entry.is_some_and(|entry| entry.advance(Delivery::Delivered(route)))
    }

    fn fail(&mut self, place: u64, reason: String) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        let news = entry.advance(Delivery::Failed { reason });
        self.settle(place, news);
    }

    /// Tells what is news, and lets go of a message for which nothing is left to do.
    fn settle(&mut self, place: u64, news: bool) {
        let Some(entry) = self.entries.get(&place) else { return };
        let open = !entry.is_done();
        if news || !open {
            let (text, delivery) = (entry.text.clone(), entry.delivery.clone());
            self.actions.push_back(Action::Changed { text, delivery, open, news });
        }
        if !open && let Some(entry) = self.entries.remove(&place) {
            self.post.remove(place);
            self.places.remove(&entry.text.id);
        }
    }
}

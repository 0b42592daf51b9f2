//! What files in both directions need: who is linked, what is to be done, what changed, what is due.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Instant;

use wire::p2p::{FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use super::Action;
use crate::event::Direction;
use crate::links::{Remote, Way};
use crate::store::transfers::{Kept, Stage};

/// The number of something that takes time: a channel's file, a place being prepared.
pub type Run = u64;

/// A file and the other side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The other side, in lower case.
    pub peer: String,
    /// The file.
    pub file: FileId,
}

impl Key {
    /// Whatever the spelling of the peer's id.
    pub fn of(peer: &PeerId, file: FileId) -> Self {
        Self { peer: peer.folded(), file }
    }
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// From here.
    Out,
    /// To here.
    In,
}

impl From<Side> for Direction {
    fn from(side: Side) -> Self {
        match side {
            Side::Out => Self::Outgoing,
            Side::In => Self::Incoming,
        }
    }
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Which way.
    pub side: Side,
    /// What, with whom.
    pub key: Key,
}

/// How much there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Transfers at once, each way; more wait.
    pub running: usize,
    /// Unanswered offers from one peer, and to one peer; more are refused, or wait.
    pub offers: usize,
    /// Unanswered offers from all peers.
    pub offers_from_all: usize,
    /// Unfinished files to be sent.
    pub outgoing: usize,
    /// Ended transfers that are remembered.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: 8, offers: 32, offers_from_all: 1_024, outgoing: 20_000, remembered: 1_000 }
    }
}

/// A transfer that is over, and devices that don't know yet.
#[derive(Debug)]
pub(super) struct Untold {
    /// As it is shown.
    pub(super) peer: PeerId,
    pub(super) offer: FileOffer,
    pub(super) word: Frame,
    pub(super) devices: Vec<DeviceId>,
}

pub(super) struct Common {
    pub(super) me: PeerId,
    pub(super) limits: Limits,
    /// The links that are up.
    pub(super) links: HashMap<Remote, Way>,
    pub(super) actions: Vec<Action>,
    /// What the owner has to hear of, each once.
    pub(super) news: VecDeque<Id>,
    pub(super) newsworthy: HashSet<Id>,
    /// What is to be looked at when. Some of it may have been settled meanwhile.
    pub(super) timers: BTreeSet<(Instant, Id)>,
    pub(super) untold: HashMap<Id, Untold>,
    /// Ended transfers, the oldest first, with their places in the list.
    pub(super) ended: VecDeque<(Id, u64)>,
    last: u64,
}

impl Common {
    pub(super) fn new(me: PeerId, limits: Limits) -> Self {
        Self {
            me,
            limits,
            links: HashMap::new(),
            actions: Vec::new(),
            news: VecDeque::new(),
            newsworthy: HashSet::new(),
            timers: BTreeSet::new(),
            untold: HashMap::new(),
            ended: VecDeque::new(),
            last: 0,
        }
    }

    /// A number that was never given before: for runs, and for places in the list.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn send(&mut self, remote: &Remote, frame: Frame) {
        self.actions.push(Action::Send(remote.clone(), frame));
    }

    pub(super) fn changed(&mut self, side: Side, key: &Key) {
        let id = Id { side, key: key.clone() };
        if self.newsworthy.insert(id.clone()) {
            self.news.push_back(id);
        }
    }

    pub(super) fn wake(&mut self, at: Instant, side: Side, key: &Key) {
        self.timers.insert((at, Id { side, key: key.clone() }));
    }

    pub(super) fn ended(&mut self, side: Side, key: &Key, order: u64) {
        self.ended.push_back((Id { side, key: key.clone() }, order));
        self.changed(side, key);
    }

    /// The linked devices of a peer.
    pub(super) fn devices(&self, peer: &str) -> Vec<Remote> {
        let of = |remote: &&Remote| remote.peer.as_str().eq_ignore_ascii_case(peer);
        let mut devices: Vec<Remote> = self.links.keys().filter(of).cloned().collect();
        devices.sort_by_key(|remote| remote.device);
        devices
    }

    pub(super) fn linked(&self, peer: &PeerId, device: DeviceId) -> Option<Remote> {
        let remote = Remote { peer: peer.clone(), device };
        self.links.contains_key(&remote).then_some(remote)
    }

    /// Tells devices that a transfer is over: those that are linked now, the others as soon as they are.
    pub(super) fn over(
        &mut self,
        side: Side,
        peer: &PeerId,
        offer: &FileOffer,
        word: Frame,
        devices: &[DeviceId],
    ) {
        let mut away = Vec::new();
        for &device in devices {
            match self.linked(peer, device) {
                Some(remote) => self.send(&remote, word.clone()),
                None => away.push(device),
            }
        }
        let id = Id { side, key: Key::of(peer, offer.file) };
        if away.is_empty() {
            self.act(Action::Forget(id, peer.clone()));
            return;
        }
        self.keep(side, peer, offer, Stage::Over { word: word.clone(), devices: away.clone() });
        let untold = Untold { peer: peer.clone(), offer: offer.clone(), word, devices: away };
        self.untold.insert(id, untold);
    }

    /// What a device that is linked now didn't hear.
    pub(super) fn tell_what_is_over(&mut self, remote: &Remote) {
        let concerned = |untold: &Untold| {
            untold.peer.as_str().eq_ignore_ascii_case(remote.peer.as_str())
                && untold.devices.contains(&remote.device)
        };
        let ids: Vec<Id> = self
            .untold
            .iter()
            .filter(|(_, untold)| concerned(untold))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            let Some(mut untold) = self.untold.remove(&id) else { continue };
            self.send(remote, untold.word.clone());
            untold.devices.retain(|device| *device != remote.device);
            if untold.devices.is_empty() {
                self.act(Action::Forget(id, untold.peer));
            } else {
                let (word, devices) = (untold.word.clone(), untold.devices.clone());
                self.keep(id.side, &untold.peer, &untold.offer, Stage::Over { word, devices });
                self.untold.insert(id, untold);
            }
        }
    }

    /// A file goes on that was over.
    pub(super) fn not_over(&mut self, side: Side, key: &Key) {
        self.untold.remove(&Id { side, key: key.clone() });
    }

    pub(super) fn untold_to(&self, peer: &str) -> bool {
        self.untold.keys().any(|id| id.key.peer == peer)
    }

    pub(super) fn keep(&mut self, side: Side, peer: &PeerId, offer: &FileOffer, stage: Stage) {
        let (direction, peer, offer) = (side.into(), peer.clone(), offer.clone());
        self.act(Action::Keep(Kept { direction, peer, offer, stage }));
    }
}

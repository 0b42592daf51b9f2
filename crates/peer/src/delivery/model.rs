//! The outbox against a world that loses, repeats and delays, by chance: in the end every message has arrived.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use wire::p2p::RefuseCode;
use wire::{DeviceId, MessageId, PeerId, tracker};

use super::outbox::{Action, Outbox, Settings, Trouble};
use super::{Text, stamp};
use crate::event::{Delivery, Route};
use crate::links::{Remote, Way};

const HERE: DeviceId = DeviceId::new([0; 16]);
/// Two devices of the receiver, and another one of the sender.
const DEVICES: [(&str, DeviceId); 3] = [
    ("bob", DeviceId::new([1; 16])),
    ("bob", DeviceId::new([2; 16])),
    ("alice", DeviceId::new([3; 16])),
];

#[derive(Debug, Clone)]
enum Step {
    Write,
    LinkUp(usize),
    LinkDown(usize),
    /// A link could not come up.
    InVain(usize),
    /// Texts arrive at a device.
    Arrive(usize, usize),
    /// A device can't store one of them.
    Refuse(usize),
    /// Acknowledgements come back.
    Acked(usize, usize),
    Live(usize, bool),
    TrackerAway,
    TrackerBack,
    /// The mailbox answers: well, well but the answer is lost, or not at all.
    Mailbox(u8),
    /// A device of the receiver empties the mailbox.
    Fetch(usize),
    /// The tracker answers what it was asked.
    Answer,
    Time(u16),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES.len();
    prop_oneof![
        6 => Just(Step::Write),
        3 => device.clone().prop_map(Step::LinkUp),
        2 => device.clone().prop_map(Step::LinkDown),
        1 => device.clone().prop_map(Step::InVain),
        6 => (device.clone(), 1..5_usize).prop_map(|(device, count)| Step::Arrive(device, count)),
        1 => device.clone().prop_map(Step::Refuse),
        6 => (device.clone(), 1..3_usize).prop_map(|(device, count)| Step::Acked(device, count)),
        3 => (device.clone(), any::<bool>()).prop_map(|(device, live)| Step::Live(device, live)),
        1 => Just(Step::TrackerAway),
        2 => Just(Step::TrackerBack),
        4 => (0..4_u8).prop_map(Step::Mailbox),
        2 => (0..2_usize).prop_map(Step::Fetch),
        4 => Just(Step::Answer),
        4 => (0..4000_u16).prop_map(Step::Time),
        1 => Just(Step::Restart),
    ]
}

#[derive(Default)]
struct Link {
    texts: VecDeque<MessageId>,
    acks: VecDeque<MessageId>,
    /// Places of the texts that were sent on this link.
    last: u64,
}

struct World {
    outbox: Outbox,
    now: Instant,
    online: bool,
    live: [bool; DEVICES.len()],
    links: [Option<Link>; DEVICES.len()],
    stored: [BTreeSet<MessageId>; DEVICES.len()],
    /// The mailbox: what waits, and what was fetched.
    waiting: Vec<MessageId>,
    fetched: BTreeSet<MessageId>,
    /// On their way to the mailbox.
    posted: VecDeque<MessageId>,
    asked: Vec<Action>,
    /// The sender's database: place, state, whether it is open.
    kept: BTreeMap<MessageId, (u64, Delivery, bool)>,
}

fn peer(id: &str) -> PeerId {
    PeerId::parse(id).unwrap()
}

fn remote(device: usize) -> Remote {
    Remote { peer: peer(DEVICES[device].0), device: DEVICES[device].1 }
}

fn outbox(now: Instant) -> Outbox {
    let (patience, warmth) = (Duration::from_secs(5), Duration::from_secs(600));
    Outbox::new(Settings { me: peer("alice"), device: HERE, patience, warmth }, now)
}

fn text(place: u64) -> Text {
    Text {
        id: MessageId::parse(&format!("m-{place}")).unwrap(),
        to: peer("bob"),
        message: "x".to_owned(),
        timestamp: stamp::wire(0),
        direct_only: false,
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            outbox: outbox(now),
            now,
            online: false,
            live: [false; DEVICES.len()],
            links: [None, None, None],
            stored: [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()],
            waiting: Vec::new(),
            fetched: BTreeSet::new(),
            posted: VecDeque::new(),
            asked: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Write => {
                let place = self.kept.len() as u64 + 1;
                self.kept.insert(text(place).id, (place, Delivery::Sending, true));
                self.outbox.write(place, text(place), self.now);
            }
            Step::LinkUp(device) => self.link_up(device),
            Step::LinkDown(device) => {
                if self.links[device].take().is_some() {
                    self.outbox.unlinked(&remote(device), self.now);
                }
            }
            Step::InVain(device) => {
                if self.links[device].is_none() {
                    self.outbox.in_vain(&remote(device), self.now);
                }
            }
            Step::Arrive(device, count) => {
                let Some(link) = &mut self.links[device] else { return };
                for id in link.texts.drain(..count.min(link.texts.len())) {
                    self.stored[device].insert(id.clone());
                    link.acks.push_back(id);
                }
            }
            Step::Refuse(device) => {
                let Some(link) = &mut self.links[device] else { return };
                if let Some(id) = link.texts.pop_front() {
                    self.outbox.refused(&remote(device), &id, RefuseCode::Unstorable, self.now);
                }
            }
            Step::Acked(device, count) => {
                let Some(link) = &mut self.links[device] else { return };
                let ids: Vec<MessageId> = link.acks.drain(..count.min(link.acks.len())).collect();
                self.outbox.acked(&remote(device), &ids, self.now);
            }
            Step::Live(device, live) => {
                self.live[device] = live;
                self.tell(DEVICES[device].0);
            }
            Step::TrackerAway if self.online => {
                self.online = false;
                self.asked.clear();
                for id in std::mem::take(&mut self.posted) {
                    self.outbox.untaken(&id, Trouble::Later(None), self.now);
                }
                self.outbox.offline();
            }
            Step::TrackerBack if !self.online => {
                self.online = true;
                self.outbox.online(self.now);
            }
            Step::TrackerAway | Step::TrackerBack => {}
            Step::Mailbox(outcome) => self.mailbox(outcome),
            Step::Fetch(device) => self.fetch(device),
            Step::Answer => self.answer(),
            Step::Time(millis) => {
                self.now += Duration::from_millis(millis.into());
                self.outbox.tick(self.now);
            }
            Step::Restart => {
                self.links = [None, None, None];
                self.posted.clear();
                self.asked.clear();
                self.online = false;
                self.outbox = outbox(self.now);
                let mut open: Vec<_> = self.kept.values().filter(|kept| kept.2).cloned().collect();
                open.sort_by_key(|kept| kept.0);
                for (place, delivery, _) in open {
                    self.outbox.restore(place, text(place), delivery, self.now);
                }
            }
        }
    }

    fn link_up(&mut self, device: usize) {
        if self.links[device].is_none() {
            self.links[device] = Some(Link::default());
            self.outbox.linked(&remote(device), Way::Direct, self.now);
        }
    }

    fn live_of(&self, of: &str) -> Vec<DeviceId> {
        let live = DEVICES.iter().zip(self.live).filter(|((peer, _), live)| *peer == of && *live);
        live.map(|((_, device), _)| *device).collect()
    }

    fn tell(&mut self, of: &str) {
        if self.online {
            self.outbox.told(&peer(of), &self.live_of(of), self.now);
        }
    }

    fn mailbox(&mut self, outcome: u8) {
        let Some(id) = self.posted.pop_front() else { return };
        if outcome == 3 {
            return self.outbox.untaken(&id, Trouble::Later(None), self.now);
        }
        let known = self.waiting.contains(&id) || self.fetched.contains(&id);
        if !known {
            self.waiting.push(id.clone());
        }
        if outcome == 2 {
            return self.outbox.untaken(&id, Trouble::Later(None), self.now);
        }
        let delivered = self.fetched.contains(&id);
        let state =
            if delivered { tracker::Delivery::Delivered } else { tracker::Delivery::Queued };
        self.outbox.taken(&id, state, self.now);
    }

    fn fetch(&mut self, device: usize) {
        for id in std::mem::take(&mut self.waiting) {
            self.stored[device].insert(id.clone());
            self.fetched.insert(id.clone());
            // Who is away misses it, and asks later.
            if self.online {
                self.outbox.fetched(&id, &peer("bob"));
            }
        }
    }

    fn answer(&mut self) {
        if !self.online {
            return;
        }
        for action in std::mem::take(&mut self.asked) {
            match action {
                Action::Ask(of) => self.tell(of.as_str()),
                Action::AskAll => ["alice", "bob"].into_iter().for_each(|of| self.tell(of)),
                Action::Statuses(ids) => {
                    let states: Vec<_> = ids.into_iter().map(|id| self.status(id)).collect();
                    self.outbox.statuses(&states, self.now);
                }
                other => panic!("{other:?} is no question"),
            }
        }
    }

    fn status(&self, id: MessageId) -> (MessageId, tracker::Delivery) {
        let state = if self.fetched.contains(&id) {
            tracker::Delivery::Delivered
        } else if self.waiting.contains(&id) {
            tracker::Delivery::Queued
        } else {
            tracker::Delivery::Unknown
        };
        (id, state)
    }

    /// Does what the outbox wants done.
    fn act(&mut self) {
        while let Some(action) = self.outbox.poll() {
            match action {
                Action::Send(to, text) => {
                    let device = (0..DEVICES.len()).find(|&device| remote(device) == to).unwrap();
                    let link =
                        self.links[device].as_mut().expect("texts go over links that are up");
                    let place = self.kept[&text.id].0;
                    assert!(place > link.last, "in order, and once on each link");
                    link.last = place;
                    link.texts.push_back(text.id.clone());
                }
                Action::Mailbox(text) => {
                    assert!(self.online, "the mailbox can't be reached");
                    self.posted.push_back(text.id.clone());
                }
                Action::Connect(_) | Action::Forget(_) => {}
                Action::Changed { text, delivery, open, .. } => {
                    let kept = self.kept.get_mut(&text.id).unwrap();
                    assert!(rank(&delivery) >= rank(&kept.1), "{:?} after {:?}", delivery, kept.1);
                    if let Delivery::Delivered(Route::Mailbox) = delivery {
                        let later = matches!(kept.1, Delivery::Delivered(_));
                        assert!(later || self.fetched.contains(&text.id));
                    }
                    (kept.1, kept.2) = (delivery, open);
                }
                question => self.asked.push(question),
            }
        }
    }

    /// Everything works again, for as long as it takes.
    fn heal(&mut self) {
        self.take(&Step::TrackerBack);
        for device in 0..DEVICES.len() {
            self.take(&Step::Live(device, true));
        }
        for _ in 0..200 {
            self.act();
            let mut steps = vec![Step::Answer, Step::Time(300), Step::Fetch(0)];
            steps.extend((0..self.posted.len()).map(|_| Step::Mailbox(0)));
            for device in 0..DEVICES.len() {
                let work =
                    [Step::LinkUp(device), Step::Arrive(device, 999), Step::Acked(device, 999)];
                steps.extend(work);
            }
            for step in steps {
                self.take(&step);
                self.act();
            }
        }
    }
}

fn rank(delivery: &Delivery) -> u8 {
    match delivery {
        Delivery::Sending => 0,
        Delivery::Queued => 1,
        Delivery::Delivered(_) => 2,
        Delivery::Failed { .. } => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn in_the_end_every_message_has_arrived_and_the_sender_knows(steps in proptest::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.act();
        }
        world.heal();
        for (id, (_, delivery, open)) in &world.kept {
            let has = |device: usize| world.stored[device].contains(id);
            prop_assert!(has(0) || has(1), "{id} has not arrived");
            prop_assert!(matches!(delivery, Delivery::Delivered(_)), "{id} is {delivery:?}");
            prop_assert!(!open, "{id} stays in the outbox");
        }
        prop_assert!(world.outbox.wake().is_none(), "nothing waits for the clock");
    }
}

//! Everything breaks at random points: peers, tracker and proxy are killed, cables pulled, ways blocked. In the
//! end each message is there exactly once.
//!
//! `CHAOS_SEED` repeats a run, and `CHAOS_ROUNDS` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::chance::Chance;
use system_tests::lab::{self, Host, Lab};
use system_tests::{Native, World};

use crate::support::{device, peer, plan};

/// Messages of each peer between two calamities, at most.
const BURST: u64 = 12;
const ROUNDS: u64 = 24;
/// From the last calamity until everything has arrived.
const SETTLED: Duration = Duration::from_secs(90);

#[test]
fn with_two_peers_every_message_arrives_exactly_once_whatever_is_killed_or_cut() {
    lab::run(async |lab| storm(&lab, &["alice", "bob"], 0x5eed_0011).await);
}

#[test]
fn with_two_devices_of_one_of_them_too() {
    lab::run(async |lab| storm(&lab, &["alice", "bob", "alice"], 0x5eed_0012).await);
}

/// Something breaks.
#[derive(Debug, Clone, Copy)]
enum Calamity {
    /// A peer is killed and comes back at once.
    Peer,
    /// A peer is killed and comes back only after the next one.
    PeerForLong,
    /// The tracker is killed and comes back.
    Tracker,
    /// The proxy is killed and comes back.
    Proxy,
    /// A cable is pulled until the next one.
    Cable,
    /// Two machines lose their direct way until the next one.
    Way,
    /// A machine gets another address.
    Address,
}

const CALAMITIES: [Calamity; 7] = [
    Calamity::Peer,
    Calamity::PeerForLong,
    Calamity::Tracker,
    Calamity::Proxy,
    Calamity::Cable,
    Calamity::Way,
    Calamity::Address,
];

/// The peers on their machines, and what each has written.
struct Town<'a> {
    lab: &'a Lab,
    world: World,
    hosts: &'a [Host],
    peers: Vec<Native>,
    down: BTreeSet<usize>,
    unplugged: BTreeSet<usize>,
    written: u64,
    /// Text of each message that was begun, with its writer.
    begun: BTreeMap<String, usize>,
}

async fn storm(lab: &Lab, names: &[&str], default_seed: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("CHAOS_SEED").unwrap_or(default_seed);
    let rounds = number("CHAOS_ROUNDS").unwrap_or(ROUNDS);
    // Shown when the test fails.
    eprintln!("CHAOS_SEED={seed}");
    let mut chance = Chance::new(seed);
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let hosts: Vec<Host> =
        (0..names.len()).map(|at| lab.host(&format!("{}{at}", names[at]))).collect();
    let mut town = Town::found(lab, &names, &hosts).await;
    for round in 0..rounds {
        town.talk(&mut chance).await;
        let calamity = *chance.pick(&CALAMITIES);
        eprintln!("{round}: {calamity:?} after {} messages", town.written);
        town.mend().await;
        town.strike(calamity, &mut chance).await;
    }
    town.talk(&mut chance).await;
    town.mend().await;
    town.settle().await;
}

impl<'a> Town<'a> {
    async fn found(lab: &'a Lab, names: &[String], hosts: &'a [Host]) -> Self {
        let world = plan().start().await;
        let mut peers = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let again = names[..at].contains(name);
            peers.push(match again {
                true => device(lab, &world, name, &hosts[at]).await,
                false => peer(lab, &world, name, &hosts[at]).await,
            });
        }
        Self {
            lab,
            world,
            hosts,
            peers,
            down: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            written: 0,
            begun: BTreeMap::new(),
        }
    }

    /// To whom a peer writes.
    fn partner(&self, at: usize) -> &'static str {
        if self.peers[at].name == "alice" { "bob" } else { "alice" }
    }

    /// Each peer that runs writes a few messages, without waiting for any to arrive.
    async fn talk(&mut self, chance: &mut Chance) {
        for at in (0..self.peers.len()).filter(|at| !self.down.contains(at)) {
            let mut asked = Vec::new();
            for _ in 0..=chance.below(BURST) {
                let text = format!("message {} of device {at}", self.written);
                self.written += 1;
                self.begun.insert(text.clone(), at);
                let details = json!({"to": self.partner(at), "message": text});
                asked.push(self.peers[at].ask("send", details).await);
            }
            for asked in asked {
                self.peers[at].answer(asked).await.unwrap();
            }
        }
    }

    async fn strike(&mut self, calamity: Calamity, chance: &mut Chance) {
        let at = usize::try_from(chance.below(self.peers.len() as u64)).unwrap();
        match calamity {
            Calamity::Peer | Calamity::PeerForLong => {
                // While it is writing: what it had not yet said yes to is looked up later.
                for _ in 0..=chance.below(4) {
                    let text = format!("message {} of device {at}, cut off", self.written);
                    self.written += 1;
                    let details = json!({"to": self.partner(at), "message": text});
                    self.peers[at].ask("send", details).await;
                }
                self.peers[at].kill().await;
                self.down.insert(at);
                if matches!(calamity, Calamity::Peer) {
                    self.revive(at).await;
                }
            }
            Calamity::Tracker => {
                self.world.tracker.kill().await;
                self.world.tracker.restart().await;
            }
            Calamity::Proxy => {
                self.world.proxy.kill().await;
                self.world.proxy.restart().await;
            }
            Calamity::Cable => {
                self.hosts[at].unplug();
                self.unplugged.insert(at);
            }
            Calamity::Way => {
                self.lab.block_udp(&self.hosts[at], &self.hosts[(at + 1) % self.hosts.len()]);
            }
            Calamity::Address => self.hosts[at].moves_to(self.lab.free_address()),
        }
    }

    async fn revive(&mut self, at: usize) {
        let mark = self.peers[at].revive();
        self.peers[at].told("ready", mark, |_| true).await;
        self.down.remove(&at);
    }

    /// Everything runs again and reaches everything.
    async fn mend(&mut self) {
        for at in std::mem::take(&mut self.unplugged) {
            self.hosts[at].plug_in();
        }
        for (at, host) in self.hosts.iter().enumerate() {
            self.lab.unblock(host, &self.hosts[(at + 1) % self.hosts.len()]);
        }
        for at in self.down.clone() {
            self.revive(at).await;
        }
    }

    /// Waits until nothing is under way any more, and checks that everything is where it belongs, once.
    async fn settle(&self) {
        let start = Instant::now();
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        for (at, peer) in self.peers.iter().enumerate() {
            let with = self.partner(at);
            let own = tokio::time::timeout(SETTLED, async {
                eventually_long(async || {
                    let talk = peer.talk(with).await;
                    let own: Vec<Value> =
                        talk.into_iter().filter(|m| m["from"] == peer.name.as_str()).collect();
                    let under_way = own
                        .iter()
                        .find(|m| m["delivery"] != "delivered" && !m["delivery"].is_null());
                    if let Some(message) = under_way {
                        assert_ne!(message["delivery"], "failed", "{message}");
                        return None;
                    }
                    Some(own)
                })
                .await
            })
            .await
            .unwrap_or_else(|_| panic!("device {at} has messages under way after {SETTLED:?}"));
            for message in own {
                let text = |name: &str| message[name].as_str().unwrap().to_owned();
                sent.insert(text("id"), text("message"));
            }
        }
        eprintln!("settled after {:?}", start.elapsed());
        // All that was said yes to was sent.
        let texts: BTreeSet<&String> = sent.values().collect();
        for (text, writer) in &self.begun {
            assert!(texts.contains(text), "{text:?} of device {writer} is lost at its writer");
        }
        assert_eq!(texts.len(), sent.len(), "a text was sent under two ids");
        self.check_receivers(&sent).await;
    }

    async fn check_receivers(&self, sent: &BTreeMap<String, String>) {
        let mut arrived: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for peer in &self.peers {
            let with = if peer.name == "alice" { "bob" } else { "alice" };
            let talk = peer.talk(with).await;
            let mut ids = BTreeSet::new();
            for message in talk {
                let id = message["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "{} keeps {id} twice", peer.name);
                if message["from"] == with {
                    let text = message["message"].as_str().unwrap().to_owned();
                    assert_eq!(sent.get(&id), Some(&text), "{id} was never sent");
                    arrived.entry(with).or_default().insert(id, text);
                }
            }
            // A program that was killed while it told something tells it again, and only then.
            let mut ids = BTreeSet::new();
            for event in peer.events() {
                if event["type"] == "ready" {
                    ids.clear();
                } else if event["type"] == "direct" {
                    let id = (event["from"].to_string(), event["id"].to_string());
                    assert!(ids.insert(id), "{} was told twice: {event}", peer.name);
                }
            }
        }
        let arrived: BTreeSet<&String> = arrived.values().flat_map(BTreeMap::keys).collect();
        let lost: Vec<_> = sent.iter().filter(|(id, _)| !arrived.contains(id)).collect();
        assert!(lost.is_empty(), "delivered, but nowhere: {lost:?}");
    }
}

/// As [`eventually`], without its end.
async fn eventually_long<T>(mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

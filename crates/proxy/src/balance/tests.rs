use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::HashBy;

struct Fake {
    name: usize,
    share: u32,
    in_use: Cell<usize>,
    latency: f64,
    standing: Option<Standing>,
    full: bool,
    credit: Cell<i64>,
}

impl Server for Fake {
    fn share(&self) -> u32 {
        self.share
    }
    fn in_use(&self) -> usize {
        self.in_use.get()
    }
    fn latency(&self) -> f64 {
        self.latency
    }
    fn fingerprint(&self) -> u64 {
        fingerprint(format!("10.0.0.{}:80", self.name).as_bytes())
    }
    fn has_room(&self) -> bool {
        !self.full
    }
    fn credit(&self) -> &Cell<i64> {
        &self.credit
    }
}

/// The server that is chosen.
fn pick<'s>(policy: &Policy, servers: &'s [Fake], key: Key, dice: &Dice) -> &'s Fake {
    match choose(policy, servers, |one| one.standing, key, dice) {
        Choice::Server(server) => server,
        Choice::Full | Choice::Nobody => panic!("nobody is chosen"),
    }
}

fn server(name: usize, weight: u32) -> Fake {
    Fake {
        name,
        share: weight * UNIT,
        in_use: Cell::new(0),
        latency: 0.0,
        standing: Some(Standing::Ready),
        full: false,
        credit: Cell::new(0),
    }
}

fn servers(weights: &[u32]) -> Vec<Fake> {
    weights.iter().enumerate().map(|(name, weight)| server(name, *weight)).collect()
}

fn key(number: u64) -> Key {
    let client = std::net::Ipv6Addr::from(u128::from(number));
    Key::of(&hash(), &http::HeaderMap::new(), || client.into())
}

fn hash() -> Policy {
    Policy::Hash(HashBy::Client)
}

fn policies() -> [Policy; 4] {
    [Policy::RoundRobin, Policy::LeastConnections, Policy::RandomTwo, hash()]
}

/// How many of so many requests, each with a key of its own, go to which server.
fn spread(policy: &Policy, servers: &[Fake], requests: u64) -> BTreeMap<usize, u64> {
    let dice = Dice::new(7);
    let mut counts = BTreeMap::new();
    for number in 0..requests {
        let chosen = pick(policy, servers, key(number), &dice);
        *counts.entry(chosen.name).or_default() += 1;
    }
    counts
}

#[test]
fn equal_servers_take_strict_turns() {
    let servers = servers(&[1, 1, 1]);
    let dice = Dice::new(1);
    let turns: Vec<usize> =
        (0..6).map(|_| pick(&Policy::RoundRobin, &servers, Key::default(), &dice).name).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_heavy_server_gets_its_turns_spread_out() {
    let servers = servers(&[3, 1]);
    let dice = Dice::new(1);
    let turns: Vec<usize> =
        (0..8).map(|_| pick(&Policy::RoundRobin, &servers, Key::default(), &dice).name).collect();
    assert_eq!(turns, [0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn of_two_random_servers_the_slow_one_is_avoided() {
    let mut servers = servers(&[1, 1, 1]);
    for (server, latency) in servers.iter_mut().zip([1000.0, 1000.0, 50_000.0]) {
        server.latency = latency;
    }
    let counts = spread(&Policy::RandomTwo, &servers, 3000);
    assert_eq!(counts.get(&2), None, "it loses against each of the others: {counts:?}");
    // Until the others are so busy that it is the better choice.
    servers[0].in_use.set(100);
    servers[1].in_use.set(100);
    let counts = spread(&Policy::RandomTwo, &servers, 3000);
    assert!(counts[&2] > 1500, "it wins whenever it is drawn: {counts:?}");
}

#[test]
fn a_server_without_a_measurement_is_judged_by_its_requests() {
    let mut servers = servers(&[1, 1]);
    servers[0].latency = 1000.0;
    servers[1].in_use.set(1);
    let counts = spread(&Policy::RandomTwo, &servers, 100);
    assert_eq!(counts, BTreeMap::from([(0, 100)]));
}

#[test]
fn nobody_is_chosen_where_nobody_can() {
    let mut servers = servers(&[1, 1]);
    for server in &mut servers {
        server.standing = None;
    }
    for policy in policies() {
        let dice = Dice::new(1);
        for servers in [&servers[..], &[]] {
            let chosen = choose(&policy, servers, |one| one.standing, key(1), &dice);
            assert!(matches!(chosen, Choice::Nobody));
        }
    }
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1_u32..=8, 2..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn shares_follow_weights(weights in weights()) {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let requests = total * 200;
        for (policy, slack) in [
            (Policy::RoundRobin, 0.0),
            (Policy::LeastConnections, 0.0),
            (hash(), 0.25),
        ] {
            let counts = spread(&policy, &servers(&weights), requests);
            for (name, weight) in weights.iter().enumerate() {
                let fair = f64::from(*weight) * 200.0;
                let got = counts.get(&name).copied().unwrap_or_default() as f64;
                prop_assert!((got - fair).abs() <= fair * slack + slack * 100.0,
                    "{policy:?} {weights:?}: {name} got {got} of {fair}");
            }
        }
    }

    #[test]
    fn heavier_servers_are_drawn_more_often(weight in 2_u32..8) {
        let counts = spread(&Policy::RandomTwo, &servers(&[weight, 1, 1]), 4000);
        let (heavy, light) = (counts[&0] as f64, (counts[&1] + counts[&2]) as f64 / 2.0);
        let ratio = heavy / light;
        prop_assert!(ratio > f64::from(weight) * 0.75 && ratio < f64::from(weight) * 1.35, "{ratio}");
    }

    #[test]
    fn requests_under_way_follow_weights(weights in weights()) {
        // Nothing ever finishes, so each server fills up in proportion.
        let servers = servers(&weights);
        let total: usize = weights.iter().map(|weight| *weight as usize).sum();
        let dice = Dice::new(3);
        for _ in 0..total * 10 {
            let chosen = pick(&Policy::LeastConnections, &servers, key(0), &dice);
            chosen.in_use.set(chosen.in_use() + 1);
        }
        for (server, weight) in servers.iter().zip(&weights) {
            let fair = *weight as usize * 10;
            prop_assert!(server.in_use().abs_diff(fair) <= 1, "{weights:?}: {} of {fair}", server.in_use());
        }
    }

    #[test]
    fn when_a_server_leaves_only_its_keys_move(weights in weights(), gone in 0_usize..6) {
        let all = servers(&weights);
        let gone = gone % all.len();
        let dice = Dice::new(1);
        for number in 0..500 {
            let before = pick(&hash(), &all, key(number), &dice).name;
            let without = |one: &Fake| (one.name != gone).then_some(Standing::Ready);
            let Choice::Server(after) = choose(&hash(), &all, without, key(number), &dice) else {
                return Err(TestCaseError::fail("nobody is chosen"));
            };
            prop_assert!(before == after.name || before == gone);
            prop_assert_ne!(after.name, gone);
        }
    }

    #[test]
    fn a_new_server_takes_its_share_and_no_key_moves_elsewhere(weights in weights()) {
        let mut grown = weights.clone();
        grown.push(1);
        let (few, more) = (servers(&weights), servers(&grown));
        let total: u64 = grown.iter().copied().map(u64::from).sum();
        let (dice, keys) = (Dice::new(1), total * 100);
        let mut moved = 0_u64;
        for number in 0..keys {
            let before = pick(&hash(), &few, key(number), &dice).name;
            let after = pick(&hash(), &more, key(number), &dice).name;
            if before != after {
                prop_assert_eq!(after, weights.len());
                moved += 1;
            }
        }
        prop_assert!((50..=150).contains(&moved), "{moved} of {keys} keys moved, 100 are its share");
    }

    #[test]
    fn worse_servers_are_used_only_when_no_better_one_is_there(
        standings in proptest::collection::vec((proptest::option::of(0_usize..5), any::<bool>()), 1..6),
        number in any::<u64>(),
    ) {
        const ALL: [Standing; 5] = [
            Standing::Ready,
            Standing::Backup,
            Standing::Refused,
            Standing::BackupRefused,
            Standing::Ejected,
        ];
        let mut servers = servers(&vec![1; standings.len()]);
        for (server, standing) in servers.iter_mut().zip(&standings) {
            server.standing = standing.0.map(|at| ALL[at]);
            server.full = standing.1;
        }
        let best = servers.iter().filter_map(|one| one.standing).min();
        for policy in policies() {
            let dice = Dice::new(number);
            let free = servers.iter().any(|one| one.standing == best && !one.full);
            match choose(&policy, &servers, |one| one.standing, key(number), &dice) {
                Choice::Server(one) => prop_assert!(best.is_some() && one.standing == best && !one.full),
                Choice::Full => prop_assert!(best.is_some() && !free),
                Choice::Nobody => prop_assert!(best.is_none()),
            }
        }
    }
}

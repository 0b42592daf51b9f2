//! Which server is next: the one place where it is decided, by plain functions over what a policy may see.
//!
//! 1. Servers that can't take a request now are left out; of the rest only those of the best [`Standing`]
//!    count: a backup is used when no other is well, one that just refused when nothing else is there.
//! 2. The policy picks one of them. A server's [`share`](Server::share) is its weight.

use std::cell::Cell;
use std::rc::Rc;

use crate::config::Policy;

mod hash;

pub(crate) use hash::{Key, address, fingerprint, value};

/// The share of a server of weight 1.
pub(crate) const UNIT: u32 = 256;

/// What a policy sees of a server.
pub(crate) trait Server {
    /// Its part of the requests, in relation to the others'; never 0.
    fn share(&self) -> u32;
    /// Requests, streams and tunnels under way.
    fn in_use(&self) -> usize;
    /// The moving average of its response time, in any unit; 0 if it isn't known.
    fn latency(&self) -> f64;
    /// Stands for the server when keys are spread; the same for ever.
    fn fingerprint(&self) -> u64;
    /// Whether it takes another connection, or has a free one.
    fn has_room(&self) -> bool;
    /// What it is owed in turns.
    fn credit(&self) -> &Cell<i64>;
}

/// How good a choice a server is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// All is well.
    Ready,
    /// A backup: for when no other is well.
    Backup,
    /// It refused a connection a moment ago. It may be back, and it is better than nothing.
    Refused,
    /// A backup that refused.
    BackupRefused,
    /// Too many requests to it failed.
    Ejected,
}

/// Random numbers for one upstream of one worker.
#[derive(Debug)]
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// Any number.
    pub(crate) fn throw(&self) -> u64 {
        self.below(u64::MAX)
    }

    /// A number below `limit`, which isn't 0.
    fn below(&self, limit: u64) -> u64 {
        let mut dice = fastrand::Rng::with_seed(self.0.get());
        let thrown = dice.u64(..limit.max(1));
        self.0.set(dice.get_seed());
        thrown
    }
}

/// What came of looking for a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice<S> {
    /// This one.
    Server(S),
    /// There are good ones, but none has a free connection.
    Full,
    /// There is none.
    Nobody,
}

/// The next server. One without a free connection is not chosen, and doesn't make a worse one better.
pub(crate) fn choose<'s, S: Server>(
    policy: &Policy,
    servers: &'s [S],
    standing: impl Fn(&S) -> Option<Standing>,
    key: Key,
    dice: &Dice,
) -> Choice<&'s S> {
    let Some(best) = servers.iter().filter_map(&standing).min() else { return Choice::Nobody };
    let candidates =
        servers.iter().filter(|server| standing(server) == Some(best) && server.has_room());
    let chosen = match policy {
        Policy::RoundRobin => in_turn(candidates),
        Policy::LeastConnections => least_connections(candidates),
        Policy::RandomTwo => random_two(candidates, dice),
        Policy::Hash(_) => hash::owner(candidates, key),
    };
    chosen.map_or(Choice::Full, Choice::Server)
}

/// Weighted turns without bursts: each server earns its share, the richest pays for the round.
fn in_turn<'s, S: Server + 's>(candidates: impl Iterator<Item = &'s S>) -> Option<&'s S> {
    let mut round = 0;
    let mut next: Option<(&S, i64)> = None;
    for server in candidates {
        let share = i64::from(server.share());
        round += share;
        let credit = server.credit().get().saturating_add(share);
        server.credit().set(credit);
        if next.is_none_or(|(_, most)| credit > most) {
            next = Some((server, credit));
        }
    }
    let (server, credit) = next?;
    server.credit().set(credit - round);
    Some(server)
}

/// The fewest requests for its share; in turn among equals.
fn least_connections<'s, S: Server + 's>(
    candidates: impl Iterator<Item = &'s S> + Clone,
) -> Option<&'s S> {
    let load = |server: &S| (server.in_use() as u64, u64::from(server.share()));
    // Fractions are compared crosswise.
    let (requests, share) = candidates
        .clone()
        .map(load)
        .min_by(|(a, of_a), (b, of_b)| a.saturating_mul(*of_b).cmp(&b.saturating_mul(*of_a)))?;
    in_turn(candidates.filter(move |server| {
        let (own, of_own) = load(server);
        own.saturating_mul(share) == requests.saturating_mul(of_own)
    }))
}

/// Two servers by chance, and of these the one that will answer sooner: its response time, for each
/// request that it has at hand already. Looking at two is nearly as good as looking at all, and workers
/// that don't know of each other don't all run to the same server.
fn random_two<'s, S: Server + 's>(
    candidates: impl Iterator<Item = &'s S> + Clone,
    dice: &Dice,
) -> Option<&'s S> {
    let all: u64 = candidates.clone().map(|server| u64::from(server.share())).sum();
    let first = draw(candidates.clone(), dice.below(all))?;
    let others = candidates.filter(|server| !std::ptr::eq(*server, first));
    let Some(second) = draw(others, dice.below(all - u64::from(first.share()))) else {
        return Some(first);
    };
    let known = first.latency() > 0.0 && second.latency() > 0.0;
    let wait = |server: &S| {
        // The requests at hand weigh less on a server that takes more of them.
        let queue = server.in_use() as f64 * f64::from(UNIT) / f64::from(server.share());
        (1.0 + queue) * if known { server.latency() } else { 1.0 }
    };
    Some(if wait(second) < wait(first) { second } else { first })
}

/// The server in whose share a number falls.
fn draw<'s, S: Server + 's>(
    candidates: impl Iterator<Item = &'s S>,
    mut number: u64,
) -> Option<&'s S> {
    let mut last = None;
    for server in candidates {
        last = Some(server);
        match number.checked_sub(u64::from(server.share())) {
            Some(rest) => number = rest,
            None => break,
        }
    }
    last
}

impl<S: Server> Server for Rc<S> {
    fn share(&self) -> u32 {
        (**self).share()
    }
    fn in_use(&self) -> usize {
        (**self).in_use()
    }
    fn latency(&self) -> f64 {
        (**self).latency()
    }
    fn fingerprint(&self) -> u64 {
        (**self).fingerprint()
    }
    fn has_room(&self) -> bool {
        (**self).has_room()
    }
    fn credit(&self) -> &Cell<i64> {
        (**self).credit()
    }
}

#[cfg(test)]
mod tests;

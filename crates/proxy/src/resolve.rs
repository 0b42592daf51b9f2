//! Which addresses the servers of an upstream have at the moment.
//!
//! Names are resolved when the proxy starts and again every few seconds, so that a server may move (a
//! container that was recreated has another address). Every address of a name is a server of its own. A
//! resolver that fails changes nothing: the last good answer stays. All of this happens in the
//! background; workers compare one version number per request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::{Eject, Endpoint, Member, Place, Upstream};
use crate::lock::lock;
use crate::watch::{clock, millis};

/// Longest wait for the system's resolver.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// Where a server can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Addr {
    /// On the network.
    Tcp(SocketAddr),
    /// In the file system.
    Unix(Arc<Path>),
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Knows the addresses of names. Asked in the background, so it may take its time; what fails is asked
/// again later, and the last good answer stays.
pub trait Lookup: std::fmt::Debug + Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When they can't be found out at the moment.
    fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's own resolver, if it isn't another one.
pub(crate) type Names = Option<Arc<dyn Lookup>>;

/// An address that a server has, shared by all workers.
#[derive(Debug)]
pub(crate) struct Known {
    /// Where it is.
    pub(crate) addr: Addr,
    /// Its host as configured; empty for a socket in the file system.
    pub(crate) host: Arc<str>,
    /// Its part of the requests, in relation to the others'.
    pub(crate) weight: u32,
    /// Used only when no other is well.
    pub(crate) backup: bool,
    healthy: AtomicBool,
    gone: AtomicBool,
    /// Until when it is left out because requests to it failed, and since when it is well again, by the
    /// [`clock`]; 0: never.
    ejected_until: AtomicU64,
    well_since: AtomicU64,
}

impl Known {
    fn new(Found { addr, host, backup, weight }: Found) -> Arc<Self> {
        Arc::new(Self {
            addr,
            host,
            weight,
            backup,
            healthy: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            ejected_until: AtomicU64::new(0),
            well_since: AtomicU64::new(0),
        })
    }

    fn found(&self) -> Found {
        let (addr, host) = (self.addr.clone(), self.host.clone());
        Found { addr, host, backup: self.backup, weight: self.weight }
    }

    /// Whether the last health check succeeded; true before the first and without one.
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Whether the name no longer has this address: open exchanges end, no new one starts.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Notes what the health checks say; gives whether it changed.
    pub(crate) fn set_healthy(&self, healthy: bool) -> bool {
        let changed = self.healthy.swap(healthy, Ordering::Relaxed) != healthy;
        if changed && healthy {
            self.well_since.store(clock(), Ordering::Relaxed);
        }
        changed
    }

    /// Whether it is left out because requests to it failed.
    pub(crate) fn is_ejected(&self, now_ms: u64) -> bool {
        now_ms < self.ejected_until.load(Ordering::Relaxed)
    }

    /// Since when it is well again; `None` if it always was.
    pub(crate) fn well_since(&self) -> Option<u64> {
        Some(self.well_since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }
}

/// An address that a server was found to have, with what proxy.conf says of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    addr: Addr,
    host: Arc<str>,
    backup: bool,
    weight: u32,
}

impl Found {
    fn new(addr: Addr, member: &Member) -> Self {
        let host = match &member.at {
            Place::Net(at) => at.host.as_str(),
            Place::Unix(_) => "",
        };
        Self { addr, host: host.into(), backup: member.backup, weight: member.weight }
    }
}

/// The addresses of an upstream, published to the workers.
#[derive(Debug)]
pub(crate) struct Directory {
    version: AtomicU64,
    // Locked for the copy of one pointer; workers only come here after the version changed.
    known: Mutex<Arc<[Arc<Known>]>>,
}

impl Directory {
    /// Starts with the servers that are given by address.
    pub(crate) fn new(servers: &[Member]) -> Self {
        let literal =
            servers.iter().filter_map(|server| Some(Found::new(literal(server)?, server)));
        let known: Arc<[Arc<Known>]> = dedup(literal).into_iter().map(Known::new).collect();
        Self { version: AtomicU64::new(1), known: Mutex::new(known) }
    }

    /// Another one with the same addresses, in the same health.
    pub(crate) fn copy(&self) -> Self {
        let copy = |old: &Arc<Known>| {
            let known = Known::new(old.found());
            known.set_healthy(old.is_healthy());
            known
        };
        let known = self.known().iter().map(copy).collect();
        Self { version: AtomicU64::new(1), known: Mutex::new(known) }
    }

    /// Grows whenever the addresses change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The addresses.
    pub(crate) fn known(&self) -> Arc<[Arc<Known>]> {
        lock(&self.known).clone()
    }

    /// Leaves a server out for a while, unless too many are already. Gives whether it is out now.
    pub(crate) fn eject(&self, server: &Known, rule: &Eject) -> bool {
        // Locked, so that workers can't eject one each at the same time.
        let known = lock(&self.known);
        let now = clock();
        let out = known.iter().filter(|one| one.is_ejected(now)).count();
        if !server.is_ejected(now) && out + 1 > known.len() * usize::from(rule.at_most) / 100 {
            return false;
        }
        let until = now.saturating_add(millis(rule.duration));
        server.ejected_until.store(until, Ordering::Relaxed);
        server.well_since.store(until, Ordering::Relaxed);
        true
    }

    /// Replaces the addresses; those that stay keep their state. Gives whether anything changed.
    fn publish(&self, found: Vec<Found>) -> bool {
        let mut known = lock(&self.known);
        if known.len() == found.len()
            && known.iter().zip(&found).all(|(one, it)| one.found() == *it)
        {
            return false;
        }
        let next: Arc<[Arc<Known>]> = found
            .into_iter()
            .map(|found| {
                let same = known.iter().find(|one| one.found() == found).cloned();
                same.unwrap_or_else(|| Known::new(found))
            })
            .collect();
        for old in known.iter() {
            if !next.iter().any(|one| Arc::ptr_eq(one, old)) {
                old.gone.store(true, Ordering::Relaxed);
            }
        }
        *known = next;
        drop(known);
        self.version.fetch_add(1, Ordering::Release);
        true
    }
}

/// The last good answer for each server of an upstream.
pub(crate) struct Resolver {
    upstream: Upstream,
    directory: Arc<Directory>,
    names: Names,
    answers: Vec<Vec<Addr>>,
    failing: Vec<bool>,
}

impl Resolver {
    /// `None` if every server is given by address: then there is nothing to resolve.
    pub(crate) fn new(
        upstream: &Upstream,
        directory: Arc<Directory>,
        names: Names,
    ) -> Option<Self> {
        let answers: Vec<Vec<Addr>> =
            upstream.servers.iter().map(|server| literal(server).into_iter().collect()).collect();
        let failing = vec![false; answers.len()];
        answers.iter().any(Vec::is_empty).then(|| Self {
            upstream: upstream.clone(),
            directory,
            names,
            answers,
            failing,
        })
    }

    /// Asks once for every name and publishes what came.
    pub(crate) async fn refresh(&mut self) {
        for (place, server) in self.upstream.servers.iter().enumerate() {
            let Place::Net(server) = &server.at else { continue };
            if server.host.parse::<IpAddr>().is_ok() {
                continue;
            }
            let asked = look_up(&self.names, server);
            let failure = match tokio::time::timeout(LOOKUP_LIMIT, asked).await {
                Ok(Ok(addrs)) => {
                    if addrs.is_empty() {
                        Some("the name has no address".to_owned())
                    } else {
                        if let Some(answer) = self.answers.get_mut(place) {
                            *answer = addrs.into_iter().map(Addr::Tcp).collect();
                        }
                        None
                    }
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the resolver did not answer".to_owned()),
            };
            // One line when it starts to fail and one when it works again, not one every few seconds.
            if let Some(was_failing) = self.failing.get_mut(place)
                && *was_failing != failure.is_some()
            {
                *was_failing = failure.is_some();
                let upstream = &*self.upstream.name;
                match failure {
                    Some(reason) => {
                        tracing::warn!(upstream, host = server.host, reason, "name not resolved");
                    }
                    None => tracing::info!(upstream, host = server.host, "name resolved again"),
                }
            }
        }
        let found = self.answers.iter().zip(&self.upstream.servers).flat_map(|(addrs, server)| {
            addrs.iter().map(move |addr| Found::new(addr.clone(), server))
        });
        if self.directory.publish(dedup(found)) {
            let addrs: Vec<String> =
                self.directory.known().iter().map(|known| known.addr.to_string()).collect();
            tracing::debug!(upstream = &*self.upstream.name, ?addrs, "addresses changed");
        }
    }

    /// Refreshes for ever.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::time::sleep(self.upstream.resolve).await;
            self.refresh().await;
        }
    }
}

async fn look_up(names: &Names, server: &Endpoint) -> std::io::Result<Vec<SocketAddr>> {
    match names {
        Some(names) => {
            let ips = names.addresses(&server.host)?;
            Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, server.port)).collect())
        }
        None => {
            let host = (server.host.as_str(), server.port);
            Ok(tokio::net::lookup_host(host).await?.collect())
        }
    }
}

/// The address of a server that is given by address.
fn literal(server: &Member) -> Option<Addr> {
    match &server.at {
        Place::Net(at) => {
            let ip = at.host.parse::<IpAddr>().ok()?;
            Some(Addr::Tcp(SocketAddr::new(ip, at.port)))
        }
        Place::Unix(path) => Some(Addr::Unix(path.as_path().into())),
    }
}

/// In a stable order, so that an answer that is merely shuffled is no change. Where two servers turn out
/// to be one, the one that is used first and more counts.
fn dedup(found: impl IntoIterator<Item = Found>) -> Vec<Found> {
    let mut found: Vec<Found> = found.into_iter().collect();
    found.sort_unstable_by(|a, b| {
        (&a.addr, a.backup, b.weight, &a.host).cmp(&(&b.addr, b.backup, a.weight, &b.host))
    });
    found.dedup_by(|a, b| a.addr == b.addr);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Found {
        let addr = Addr::Tcp(text.parse().unwrap());
        Found { addr, host: "10.0.0.1".into(), backup: false, weight: 1 }
    }

    #[test]
    fn an_address_that_stays_keeps_its_state_and_one_that_left_is_gone() {
        let directory = Directory::new(&[]);
        assert!(directory.publish(vec![at("10.0.0.1:80"), at("10.0.0.2:80")]));
        let before = directory.known();
        before[1].set_healthy(false);
        assert!(directory.publish(vec![at("10.0.0.2:80"), at("10.0.0.3:80")]));
        let after = directory.known();
        assert!(!after[0].is_healthy(), "its health is remembered");
        assert!(before[0].is_gone() && !before[1].is_gone());
    }

    #[test]
    fn an_unchanged_answer_does_not_disturb_the_workers() {
        let at_ip = Place::Net(Endpoint { host: "10.0.0.1".into(), port: 80 });
        let directory = Directory::new(&[Member { at: at_ip, weight: 1, backup: false }]);
        let version = directory.version();
        assert!(!directory.publish(vec![at("10.0.0.1:80")]));
        assert_eq!(directory.version(), version);
    }

    #[test]
    fn no_more_servers_are_ejected_than_allowed() {
        let rule = |at_most| Eject { at_most, ..Eject::default() };
        for (servers, at_most, ejected) in
            [(1, 50, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (4, 0, 0), (3, 100, 3)]
        {
            let directory = Directory::new(&[]);
            directory.publish((1..=servers).map(|one| at(&format!("10.0.0.{one}:80"))).collect());
            let known = directory.known();
            let out = known.iter().filter(|one| directory.eject(one, &rule(at_most))).count();
            assert_eq!(out, ejected, "{servers} servers, {at_most} %");
            assert_eq!(known.iter().filter(|one| one.is_ejected(clock())).count(), ejected);
            assert!(known.iter().all(|one| one.is_healthy()), "the health check has its own word");
        }
    }

    #[test]
    fn of_two_servers_at_one_address_the_better_one_counts() {
        let backup = Found { backup: true, weight: 9, ..at("10.0.0.1:80") };
        let heavy = Found { weight: 3, ..at("10.0.0.1:80") };
        assert_eq!(dedup([backup, at("10.0.0.1:80"), heavy.clone()]), [heavy]);
    }
}

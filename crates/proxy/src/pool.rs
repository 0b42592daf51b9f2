//! The connections of one worker to one server.
//!
//! Idle ones are a stack: the most recently used is the least likely to have been closed by the server,
//! and the rest age away. No lock: a worker is one thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::error::Elapsed;

use crate::balance::{self, Server as _, Standing, UNIT, fingerprint};
use crate::config::{Eject, Secure};
use crate::link::{Link, Manner, Shared};
use crate::queue::Queue;
use crate::resolve::{Addr, Known};
use crate::watch::{millis, now_ms};

mod lease;
mod removed;

pub(crate) use lease::Lease;

/// How long a server that refused a connection is passed over while others are there.
const COOL_DOWN_MS: u64 = 1_000;
/// What the newest response time counts in the average.
const NEWEST: f64 = 0.1;
/// A response time that isn't confirmed fades to a third in this time, so that a server that was slow gets
/// another chance.
const FORGET_MS: f64 = 10_000.0;

/// A server as one worker sees it.
pub(crate) struct Endpoint {
    /// Where it is.
    pub(crate) addr: Addr,
    /// `Host` of the proxy's own requests to it.
    pub(crate) host: Rc<str>,
    /// Its address for the log.
    pub(crate) label: Rc<str>,
    known: Arc<Known>,
    manner: Manner,
    /// Connections that several requests use.
    shared: RefCell<Vec<Rc<Shared>>>,
    /// Held by who opens another one of these: the rest needn't.
    opening: Mutex<()>,
    fingerprint: u64,
    credit: Cell<i64>,
    /// Microseconds to a response head, and when that was known.
    latency: Cell<(f64, u64)>,
    /// Who waits for a connection to be free.
    queue: Rc<Queue>,
    idle: RefCell<Vec<Idle>>,
    open: Cell<usize>,
    in_use: Cell<usize>,
    cool_until: Cell<u64>,
    /// Failures in a row, and when the first of them was.
    failures: Cell<(u32, u64)>,
    retired: Cell<bool>,
    /// What is still under way has to end.
    cut: Cell<bool>,
    limits: Limits,
}

/// What an upstream allows per server and worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Open connections at most.
    pub(crate) connections: usize,
    /// How long an idle one is kept.
    pub(crate) idle_ms: u64,
    /// Longest wait for a connection.
    pub(crate) connect: Duration,
    /// How long the share of a server grows that is well again; 0: not at all.
    pub(crate) slow_start_ms: u64,
}

struct Idle {
    link: Link,
    since: u64,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoLink {
    /// All that are allowed are busy.
    Full,
    /// The server did not answer in time.
    TimedOut,
    /// The system's word: refused, unreachable, reset.
    Refused(std::io::Error),
}

impl Endpoint {
    /// `credit` is what it is owed in turns from the start.
    pub(crate) fn new(
        known: Arc<Known>,
        manner: Manner,
        limits: Limits,
        queue: Rc<Queue>,
        credit: i64,
    ) -> Self {
        let label: Rc<str> = known.addr.to_string().into();
        Self {
            addr: known.addr.clone(),
            host: own_host(&known, manner.secure.as_ref()).into(),
            manner,
            shared: RefCell::default(),
            opening: Mutex::new(()),
            fingerprint: fingerprint(label.as_bytes()),
            label,
            known,
            credit: Cell::new(credit),
            latency: Cell::new((0.0, 0)),
            queue,
            idle: RefCell::default(),
            open: Cell::new(0),
            in_use: Cell::new(0),
            cool_until: Cell::new(0),
            failures: Cell::new((0, 0)),
            retired: Cell::new(false),
            cut: Cell::new(false),
            limits,
        }
    }

    /// Whether it is the server of that address, unchanged.
    pub(crate) fn is_same(&self, known: &Arc<Known>) -> bool {
        Arc::ptr_eq(&self.known, known)
    }

    /// How good a choice it is; none: it may not be used at all.
    pub(crate) fn standing(&self) -> Option<Standing> {
        if !self.known.is_healthy() {
            return None;
        }
        if self.known.is_ejected(now_ms()) {
            return Some(Standing::Ejected);
        }
        let refused = now_ms() < self.cool_until.get();
        Some(match (refused, self.known.backup) {
            (false, false) => Standing::Ready,
            (false, true) => Standing::Backup,
            (true, false) => Standing::Refused,
            (true, true) => Standing::BackupRefused,
        })
    }

    /// Notes how a request went. Gives whether it was one failure too many.
    pub(crate) fn judge(&self, well: bool, rule: &Eject) -> bool {
        if well {
            self.failures.set((0, 0));
            return false;
        }
        let now = now_ms();
        let (mut count, mut first) = self.failures.get();
        if count == 0 || now.saturating_sub(first) > millis(rule.within) {
            (count, first) = (0, now);
        }
        count += 1;
        let enough = count >= rule.failures;
        self.failures.set(if enough { (0, 0) } else { (count, first) });
        enough
    }

    /// The server as all workers know it.
    pub(crate) fn known(&self) -> &Arc<Known> {
        &self.known
    }

    /// Takes a response time into the average.
    pub(crate) fn observe(&self, time: Duration) {
        let new = time.as_secs_f64() * 1e6;
        let old = self.latency();
        let average = if old > 0.0 { old + (new - old) * NEWEST } else { new };
        self.latency.set((average, now_ms()));
    }

    /// The most recently used idle connection, or a stream of one that isn't full; not that for an
    /// `exclusive` use.
    pub(crate) fn reuse(self: &Rc<Self>, exclusive: bool) -> Option<Lease> {
        if self.manner.shares() && !exclusive {
            let mut shared = self.shared.borrow_mut();
            let before = shared.len();
            shared.retain(|one| !one.is_closed());
            self.open.set(self.open.get() - (before - shared.len()));
            let free = shared.iter().find(|one| one.has_room())?;
            return Some(self.lease(Link::shared(free)));
        }
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { link, since }) = idle.pop() {
            if now_ms().saturating_sub(since) < self.limits.idle_ms && link.is_idle() {
                return Some(self.lease(link));
            }
            self.open.set(self.open.get() - 1);
        }
        None
    }

    /// A fresh connection.
    pub(crate) async fn connect(self: &Rc<Self>, exclusive: bool) -> Result<Lease, NoLink> {
        if self.manner.shares() && !exclusive {
            return self.share().await;
        }
        if self.open.get() >= self.limits.connections {
            return Err(NoLink::Full);
        }
        // Counted before the wait, so that a burst can't pass the cap.
        let place = Place::take(self);
        let opening = Link::open(&self.known, &self.manner);
        let link = self.opened(tokio::time::timeout(self.limits.connect, opening).await)?;
        place.keep();
        Ok(self.lease(link))
    }

    /// A stream of a fresh connection, or of one that somebody else opened meanwhile.
    async fn share(self: &Rc<Self>) -> Result<Lease, NoLink> {
        let opening = async {
            let _opening = self.opening.lock().await;
            if let Some(lease) = self.reuse(false) {
                return Ok(Ok(lease));
            }
            if self.open.get() >= self.limits.connections {
                return Ok(Err(NoLink::Full));
            }
            let place = Place::take(self);
            let shared = Shared::open(&self.known, &self.manner).await?;
            place.keep();
            self.shared.borrow_mut().push(shared.clone());
            Ok(Ok(self.lease(Link::shared(&shared))))
        };
        self.opened(tokio::time::timeout(self.limits.connect, opening).await)?
    }

    /// Notes how an attempt to connect went.
    fn opened<T>(&self, outcome: Result<io::Result<T>, Elapsed>) -> Result<T, NoLink> {
        let opened = match outcome {
            Ok(opened) => opened.map_err(NoLink::Refused),
            Err(_) => Err(NoLink::TimedOut),
        };
        self.cool_until.set(if opened.is_ok() { 0 } else { now_ms() + COOL_DOWN_MS });
        opened
    }

    /// Closes what has been idle too long or was closed by the server.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        let now = now_ms();
        idle.retain_mut(|kept| {
            now.saturating_sub(kept.since) < self.limits.idle_ms && kept.link.check()
        });
        self.open.set(self.open.get() - (before - idle.len()));
        let mut shared = self.shared.borrow_mut();
        let before = shared.len();
        shared.retain(|one| {
            let idle = one.idle_since();
            !one.is_closed()
                && idle.is_none_or(|since| now.saturating_sub(since) < self.limits.idle_ms)
        });
        self.open.set(self.open.get() - (before - shared.len()));
    }

    /// How many connections are open, and how many of them are in use.
    pub(crate) fn connections(&self) -> (usize, usize) {
        (self.open.get(), self.in_use.get())
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        let mut idle = self.idle.borrow_mut();
        // Those with requests on them close when the last of these is over.
        let shared = std::mem::take(&mut *self.shared.borrow_mut());
        self.open.set(self.open.get() - idle.len() - shared.len());
        idle.clear();
    }

    fn lease(self: &Rc<Self>, link: Link) -> Lease {
        Lease::new(link, self.clone())
    }
}

impl balance::Server for Endpoint {
    fn share(&self) -> u32 {
        let whole = self.known.weight * UNIT;
        if self.limits.slow_start_ms == 0 {
            return whole;
        }
        match self.known.well_since() {
            None => whole,
            Some(since) => grown(whole, now_ms().saturating_sub(since), self.limits.slow_start_ms),
        }
    }

    fn in_use(&self) -> usize {
        self.in_use.get()
    }

    fn latency(&self) -> f64 {
        let (average, at) = self.latency.get();
        let age = now_ms().saturating_sub(at);
        average * (-(age as f64) / FORGET_MS).exp()
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn has_room(&self) -> bool {
        self.open.get() < self.limits.connections
            || if self.manner.shares() {
                self.shared.borrow().iter().any(|one| one.has_room())
            } else {
                !self.idle.borrow().is_empty()
            }
    }

    fn credit(&self) -> &Cell<i64> {
        &self.credit
    }
}

/// `Host` of the proxy's own requests to a server.
pub(crate) fn own_host(known: &Known, secure: Option<&Secure>) -> String {
    match (&known.addr, secure) {
        (_, Some(Secure { server_name: Some(name), .. })) => name.to_str().into_owned(),
        // The name in the certificate is the one that the server knows itself by.
        (Addr::Tcp(_), Some(_)) if known.host.contains(':') => format!("[{}]", known.host),
        (Addr::Tcp(_), Some(_)) => known.host.to_string(),
        (Addr::Tcp(addr), None) => addr.to_string(),
        (Addr::Unix(_), _) => "localhost".into(),
    }
}

/// What a server that is well again for so long gets of its share: it grows evenly, and is never nothing.
fn grown(whole: u32, age_ms: u64, full_after_ms: u64) -> u32 {
    if age_ms >= full_after_ms {
        return whole;
    }
    let part = u64::from(whole) * age_ms / full_after_ms;
    u32::try_from(part).unwrap_or(whole).max(1)
}

/// One of the open connections that an endpoint may have, until the connection exists.
struct Place<'a> {
    endpoint: &'a Endpoint,
    kept: bool,
}

impl<'a> Place<'a> {
    fn take(endpoint: &'a Endpoint) -> Self {
        endpoint.open.set(endpoint.open.get() + 1);
        Self { endpoint, kept: false }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.endpoint.open.set(self.endpoint.open.get() - 1);
            self.endpoint.queue.call();
        }
    }
}

impl Limits {
    /// The share of one worker.
    pub(crate) fn share(upstream: &crate::config::Upstream, workers: usize) -> Self {
        Self {
            connections: upstream.max_connections.div_ceil(workers.max(1)).max(1),
            idle_ms: millis(upstream.idle_timeout),
            connect: upstream.connect_timeout,
            slow_start_ms: millis(upstream.slow_start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_server_that_is_back_grows_evenly() {
        for (age, share) in
            [(0, 1), (1_000, 25), (5_000, 128), (9_999, 255), (10_000, 256), (99_999, 256)]
        {
            assert_eq!(grown(256, age, 10_000), share, "after {age} ms");
        }
        assert_eq!(grown(UNIT * 1000, 5_000, 10_000), UNIT * 500);
    }
}

//! The servers of one upstream as a worker uses them: which one is next.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;
use http::header::HeaderMap;
use tokio::time::Instant;

use crate::balance::{self, Choice, Dice, Key, Server as _};
use crate::config::{self, Config, Policy};
use crate::error::Failure;
use crate::forward::Retries;
use crate::link::Manner;
use crate::plan::Tended;
use crate::pool::{Endpoint, Lease, Limits, NoLink};
use crate::queue::{Queue, Ticket};
use crate::resolve::{Addr, Directory};
use crate::stats::UpstreamStats;

/// An upstream of one worker, with its pools.
pub(crate) struct Upstream {
    /// What proxy.conf says about it.
    pub(crate) config: config::Upstream,
    /// What is counted of it.
    pub(crate) stats: Arc<UpstreamStats>,
    directory: Arc<Directory>,
    seen: Cell<u64>,
    endpoints: RefCell<Vec<Rc<Endpoint>>>,
    queue: Rc<Queue>,
    /// How many requests may be sent again.
    pub(crate) retries: Retries,
    dice: Dice,
    worker: usize,
    limits: Limits,
}

/// The servers that a request was sent to in vain.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    key: Key,
    addrs: Vec<Addr>,
    timed_out: bool,
    full: bool,
    /// It needs a connection of its own.
    exclusive: bool,
}

impl Upstream {
    pub(crate) fn new(
        tended: &Tended,
        stats: Arc<UpstreamStats>,
        workers: usize,
        worker: usize,
    ) -> Self {
        let config = tended.config.clone();
        let limits = Limits::share(&config, workers);
        Self {
            queue: Queue::new(config.queue.div_ceil(workers.max(1))),
            retries: Retries::new(config.retry_budget, workers),
            config,
            stats,
            directory: tended.directory.clone(),
            seen: Cell::new(0),
            endpoints: RefCell::default(),
            dice: Dice::new(RandomState::new().hash_one(worker)),
            worker,
            limits,
        }
    }

    /// Whether it is the upstream of that plan, with unchanged settings.
    pub(crate) fn is_same(&self, tended: &Tended) -> bool {
        Arc::ptr_eq(&self.directory, &tended.directory)
    }

    /// No new request comes here: idle connections are closed, the others when they are free.
    pub(crate) fn retire(&self) {
        for endpoint in &*self.endpoints.borrow() {
            endpoint.retire();
        }
    }

    /// Its servers that a configuration doesn't name any more.
    pub(crate) fn beyond(&self, config: &Config) -> Vec<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        endpoints.iter().filter(|endpoint| !endpoint.is_named(config)).cloned().collect()
    }

    /// A connection to the next server; one that can't be reached is passed over for the next
    /// (nothing was sent, so this is safe for every request).
    pub(crate) async fn acquire(&self, tried: &mut Tried) -> Result<Lease, Failure> {
        self.refresh();
        // Whoever waits already comes first.
        let choice = if self.queue.is_empty() { self.choose(tried) } else { Choice::Full };
        if let Choice::Server(endpoint) = &choice
            && let Some(lease) = endpoint.reuse(tried.exclusive)
        {
            return Ok(lease);
        }
        // Boxed: most requests don't come here, and shouldn't carry the space for it around.
        Box::pin(self.acquire_slowly(choice, tried)).await
    }

    async fn acquire_slowly(
        &self,
        first: Choice<Rc<Endpoint>>,
        tried: &mut Tried,
    ) -> Result<Lease, Failure> {
        let mut choice = first;
        let mut deadline = None;
        let mut ticket: Option<Ticket> = None;
        loop {
            match choice {
                Choice::Server(endpoint) => {
                    if let Some(lease) = endpoint.reuse(tried.exclusive) {
                        return Ok(lease);
                    }
                    // Nobody has to wait for this connection to be made.
                    ticket = None;
                    match endpoint.connect(tried.exclusive).await {
                        Ok(lease) => return Ok(lease),
                        Err(no_link) => self.passed_over(&endpoint, no_link, tried),
                    }
                }
                Choice::Full => {
                    let name = || self.config.name.clone();
                    let ticket = match &ticket {
                        Some(ticket) => {
                            // A server that it was sent to in vain may be good enough for the next.
                            if !tried.addrs.is_empty() {
                                ticket.pass();
                            }
                            ticket
                        }
                        None => {
                            let joined = self.queue.join();
                            ticket.insert(
                                joined.ok_or_else(|| Failure::UpstreamBusy { upstream: name() })?,
                            )
                        }
                    };
                    let patience = self.config.queue_timeout;
                    let until = *deadline.get_or_insert_with(|| Instant::now() + patience);
                    tokio::time::timeout_at(until, ticket.called())
                        .await
                        .map_err(|_| Failure::QueueTimeout { upstream: name() })?;
                }
                Choice::Nobody => return Err(tried.verdict(self)),
            }
            self.refresh();
            choice = self.choose(tried);
        }
    }

    /// Notes that a server can't be reached.
    fn passed_over(&self, endpoint: &Endpoint, no_link: NoLink, tried: &mut Tried) {
        match no_link {
            // There will be one, unless requests that share them have taken all.
            NoLink::Full if !tried.exclusive => return,
            NoLink::Full => {
                tried.full = true;
                tried.addrs.push(endpoint.addr.clone());
                return;
            }
            NoLink::TimedOut => tried.timed_out = true,
            NoLink::Refused(error) => {
                let (upstream, addr) = (&*self.config.name, &endpoint.addr);
                tracing::debug!(upstream, %addr, %error, "no connection");
            }
        }
        self.judge(endpoint, false);
        tried.addrs.push(endpoint.addr.clone());
    }

    /// The next server to send to.
    fn choose(&self, tried: &Tried) -> Choice<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        let standing = |endpoint: &Rc<Endpoint>| {
            let standing = endpoint.standing()?;
            (!tried.addrs.contains(&endpoint.addr)).then_some(standing)
        };
        if let [only] = &endpoints[..] {
            return match standing(only) {
                Some(_) if only.has_room() => Choice::Server(only.clone()),
                Some(_) => Choice::Full,
                None => Choice::Nobody,
            };
        }
        match balance::choose(&self.config.policy, &endpoints, standing, tried.key, &self.dice) {
            Choice::Server(endpoint) => Choice::Server(endpoint.clone()),
            Choice::Full => Choice::Full,
            Choice::Nobody => Choice::Nobody,
        }
    }

    /// What decides where a request goes if that is decided by hashing.
    pub(crate) fn key(&self, headers: &HeaderMap, client: impl FnOnce() -> IpAddr) -> Key {
        Key::of(&self.config.policy, headers, client)
    }

    /// Notes how a request to a server went; after too many failures in a row it is left out for a while.
    pub(crate) fn judge(&self, endpoint: &Endpoint, well: bool) {
        let Some(rule) = &self.config.eject else { return };
        if endpoint.judge(well, rule) && self.directory.eject(endpoint.known(), rule) {
            tracing::warn!(
                upstream = &*self.config.name,
                addr = %endpoint.addr,
                failures = rule.failures,
                seconds = rule.duration.as_secs_f32(),
                "requests fail: ejected for a while"
            );
        }
    }

    /// Notes the status of an answer.
    pub(crate) fn judge_status(&self, endpoint: &Endpoint, status: StatusCode) {
        if let Some(rule) = &self.config.eject {
            self.judge(endpoint, !rule.statuses.contains(&status.as_u16()));
        }
    }

    /// Whether response times are worth a measurement.
    pub(crate) fn is_measured(&self) -> bool {
        self.config.policy == Policy::RandomTwo
    }

    /// Takes over what the resolver found.
    fn refresh(&self) {
        let version = self.directory.version();
        if self.seen.get() == version {
            return;
        }
        self.seen.set(version);
        let known = self.directory.known();
        let known_len = known.len();
        let mut endpoints = self.endpoints.borrow_mut();
        let next = known
            .iter()
            .enumerate()
            .map(|(place, known)| {
                let kept = endpoints.iter().find(|endpoint| endpoint.is_same(known)).cloned();
                // Workers start at different servers, so that few requests spread over all servers too:
                // among equal shares the least advance decides.
                let behind = (place + known_len - self.worker % known_len) % known_len;
                let credit = -i64::try_from(behind).unwrap_or(0);
                kept.unwrap_or_else(|| {
                    let (known, queue) = (known.clone(), self.queue.clone());
                    let manner = Manner::of(&self.config);
                    Rc::new(Endpoint::new(known, manner, self.limits, queue, credit))
                })
            })
            .collect();
        for old in std::mem::replace(&mut *endpoints, next) {
            if !endpoints.iter().any(|endpoint| Rc::ptr_eq(endpoint, &old)) {
                old.clear();
            }
        }
    }

    /// Closes idle connections that are too old, and the like, twice a second.
    pub(crate) fn sweep(&self) {
        self.refresh();
        let (mut open, mut in_use) = (0, 0);
        for endpoint in &*self.endpoints.borrow() {
            endpoint.sweep();
            let (all, busy) = endpoint.connections();
            open += all;
            in_use += busy;
        }
        self.retries.refill();
        // A server may be well again, or a new one be there.
        self.queue.call();
        self.stats.connections(open, in_use, self.queue.len());
    }
}

impl Tried {
    /// Nothing yet, for a request with this key.
    pub(crate) fn new(key: Key) -> Self {
        Self { key, ..Self::default() }
    }

    /// The same for one that may become a tunnel, if that is so.
    pub(crate) fn exclusive(self, exclusive: bool) -> Self {
        Self { exclusive, ..self }
    }

    /// Notes that a server closed the connection on us, so that another one is preferred.
    pub(crate) fn note(&mut self, addr: &Addr) {
        self.addrs.push(addr.clone());
    }

    fn verdict(&self, upstream: &Upstream) -> Failure {
        let upstream = upstream.config.name.clone();
        if self.full {
            Failure::UpstreamBusy { upstream }
        } else if self.timed_out {
            Failure::ConnectTimeout { upstream }
        } else if self.addrs.is_empty() {
            Failure::NoServer { upstream }
        } else {
            Failure::Refused { upstream }
        }
    }
}

//! One allocation at one TURN server (RFC 8656): asked for, kept, used, given back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::message::{self, Answer, Auth, Kind};
use super::peers::{Peers, Way};
use super::{DATAGRAM_BYTES, Failure};
use crate::links::stun::message::{silently, transaction};
use crate::links::stun::request::{Due, Request};

pub(super) use super::message::Credentials;

/// Datagrams that wait to be sent, at most; more are dropped.
const OUT_MAX: usize = 1024;
/// Requests that are under way, at most. Only permissions and channels can be many.
const PENDING_MAX: usize = 512;
/// How often one request is asked anew because its nonce was stale.
const NONCES_MAX: u32 = 4;
/// An allocation is renewed so long before it ends: longer than a request may take. Short ones are renewed after three
/// quarters of their time.
const MARGIN: Duration = Duration::from_secs(60);
/// The lifetimes that are believed, in seconds.
const LIFETIMES: std::ops::RangeInclusive<u32> = 4..=3600;
/// An allocation of which the server has spoken so recently is not asked about.
const FRESH: Duration = Duration::from_secs(5);
/// A server may need this until the port of an address that was given back is free.
const CLEARING: Duration = Duration::from_secs(2);
/// How long the server is given to confirm that an allocation is given back.
const GOODBYE: Duration = Duration::from_secs(2);

/// What came of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// Nothing that anybody else needs.
    Nothing,
    /// A peer's datagram.
    Data { relayed: SocketAddr, from: SocketAddr, datagram: &'a [u8] },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// There never was an address.
    Failed(Failure),
    /// There was one.
    Lost { relayed: SocketAddr, failure: Failure },
    /// On purpose.
    Closed,
}

enum Stage {
    /// An address is asked for. `freed`: an earlier one was given back first. `again`: when it is asked for, if no
    /// request is under way.
    Allocating {
        freed: bool,
        again: Option<Instant>,
    },
    Allocated {
        relayed: SocketAddr,
        mapped: SocketAddr,
        /// Nobody was told yet.
        news: bool,
        /// When the server last confirmed it.
        confirmed: Instant,
        /// When it is renewed.
        renewed: Instant,
        ends: Instant,
    },
    Closing {
        until: Instant,
    },
    Over(End),
}

/// A request that is under way.
struct Pending {
    request: Request,
    kind: Kind,
    /// Whether it has credentials.
    signed: bool,
    /// How many stale nonces it has had.
    nonces: u32,
}

/// A client of one TURN server.
pub(super) struct Client {
    local: SocketAddr,
    server: SocketAddr,
    credentials: Credentials,
    auth: Option<Auth>,
    stage: Stage,
    /// Whether a relayed IPv6 address is asked for.
    v6: bool,
    pending: Vec<Pending>,
    peers: Peers,
    out: VecDeque<Vec<u8>>,
}

impl Client {
    /// Asks a server for an address.
    pub(super) fn new(
        local: SocketAddr,
        server: SocketAddr,
        credentials: Credentials,
        now: Instant,
    ) -> Self {
        let mut client = Self {
            local,
            server,
            credentials,
            auth: None,
            stage: Stage::Allocating { freed: false, again: None },
            v6: false,
            pending: Vec::new(),
            peers: Peers::default(),
            out: VecDeque::new(),
        };
        client.ask(Kind::Allocate, 0, now);
        client
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The address at the server.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        match self.stage {
            Stage::Allocated { relayed, .. } => Some(relayed),
            _ => None,
        }
    }

    /// The address at the server and the mapped one, said once.
    pub(super) fn news(&mut self) -> Option<(SocketAddr, SocketAddr)> {
        let Stage::Allocated { relayed, mapped, news, .. } = &mut self.stage else { return None };
        std::mem::take(news).then_some((*relayed, *mapped))
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Option<&End> {
        match &self.stage {
            Stage::Over(end) => Some(end),
            _ => None,
        }
    }

    /// Sends a datagram to a peer.
    pub(super) fn send(&mut self, to: SocketAddr, datagram: &[u8], now: Instant) {
        let Some(relayed) = self.relayed() else { return };
        if relayed.is_ipv4() != to.is_ipv4() || datagram.len() > DATAGRAM_BYTES {
            return;
        }
        match self.peers.way(to, now) {
            Way::Channel(number) => self.push(message::channel_data(number, datagram)),
            Way::Indication { bind } => {
                if let Some(indication) = silently(|| message::send(to, datagram)) {
                    self.push(indication);
                }
                if let Some(number) = bind {
                    self.ask(Kind::Channel { number, peer: to }, 0, now);
                }
            }
            Way::Permission => {
                self.peers.hold(to, datagram);
                self.ask(Kind::Permission(to.ip()), 0, now);
            }
            Way::Wait => self.peers.hold(to, datagram),
            Way::None => {}
        }
    }

    /// Takes a datagram that came from the server.
    pub(super) fn receive<'a>(&mut self, datagram: &'a [u8], now: Instant) -> Incoming<'a> {
        let data = match message::read_channel_data(datagram) {
            Some((number, data)) => self.peers.behind(number).map(|from| (from, data)),
            None => silently(|| message::read_data(datagram)),
        };
        if let Some((from, datagram)) = data {
            return match self.relayed() {
                Some(relayed) if self.peers.heard(from.ip(), now) => {
                    Incoming::Data { relayed, from, datagram }
                }
                _ => Incoming::Nothing,
            };
        }
        let Some(id) = transaction(datagram) else { return Incoming::Nothing };
        let Some(at) = self.pending.iter().position(|pending| pending.request.id() == id) else {
            return Incoming::Nothing;
        };
        let auth = self.auth.as_ref().filter(|_| self.pending[at].signed);
        // Anything but a right answer is as if it had not come: the right one may follow.
        if let Some(answer) = silently(|| message::answer(datagram, auth)) {
            let pending = self.pending.swap_remove(at);
            self.answered(pending, answer, now);
        }
        Incoming::Nothing
    }

    /// Asks whether the allocation is still there.
    pub(super) fn check(&mut self, now: Instant) {
        match self.stage {
            Stage::Allocated { confirmed, .. } if now >= confirmed + FRESH => self.refresh(now),
            _ => {}
        }
    }

    /// Gives the allocation back.
    pub(super) fn close(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Over(_) | Stage::Closing { .. }) {
            return;
        }
        self.pending.clear();
        self.out.clear();
        self.peers = Peers::default();
        // Without credentials there can't be one.
        if self.auth.is_none() {
            return self.over(End::Closed);
        }
        self.stage = Stage::Closing { until: now + GOODBYE };
        self.ask(Kind::Free, 0, now);
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Over(_) => return,
            Stage::Closing { until } if now >= until => return self.over(End::Closed),
            Stage::Allocated { ends, .. } if now >= ends => return self.fail(Failure::Silent),
            Stage::Allocated { renewed, .. } => {
                if now >= renewed {
                    self.refresh(now);
                }
                for kind in self.peers.due(now) {
                    self.ask(kind, 0, now);
                }
            }
            Stage::Allocating { again: Some(at), .. } if now >= at => {
                self.stage = Stage::Allocating { freed: true, again: None };
                self.ask(Kind::Allocate, 0, now);
            }
            Stage::Allocating { .. } | Stage::Closing { .. } => {}
        }
        let mut at = 0;
        while let Some(pending) = self.pending.get_mut(at) {
            match pending.request.due(now) {
                Due::Nothing => at += 1,
                Due::Send(datagram) => {
                    let datagram = datagram.to_vec();
                    self.push(datagram);
                    at += 1;
                }
                Due::TimedOut => {
                    let pending = self.pending.swap_remove(at);
                    self.unanswered(&pending.kind, now);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let own = match self.stage {
            Stage::Over(_) => return None,
            Stage::Allocating { again, .. } => again,
            Stage::Closing { until } => Some(until),
            Stage::Allocated { renewed, ends, .. } => {
                let own = if self.refreshing() { ends } else { renewed.min(ends) };
                self.peers.deadline().into_iter().chain([own]).min()
            }
        };
        let requests = self.pending.iter().map(|pending| pending.request.deadline());
        requests.chain(own).min()
    }

    /// The next datagram for the server.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    fn push(&mut self, datagram: Vec<u8>) {
        if self.out.len() < OUT_MAX {
            self.out.push_back(datagram);
        }
    }

    fn refreshing(&self) -> bool {
        self.pending.iter().any(|pending| pending.kind == Kind::Refresh)
    }

    fn refresh(&mut self, now: Instant) {
        if !self.refreshing() {
            self.ask(Kind::Refresh, 0, now);
        }
    }

    /// Sends a request for the first time.
    fn ask(&mut self, kind: Kind, nonces: u32, now: Instant) {
        if self.pending.len() >= PENDING_MAX {
            match kind {
                Kind::Permission(ip) => return self.peers.forget(ip),
                Kind::Channel { number, .. } => return self.peers.unbound(number, now),
                Kind::Allocate | Kind::Refresh | Kind::Free => {}
            }
        }
        let made = silently(|| message::request(&kind, self.v6, self.auth.as_ref()));
        let Some((id, datagram)) = made else { return self.fail(Failure::Credentials) };
        let mut request = Request::new(id, datagram, now);
        if let Due::Send(datagram) = request.due(now) {
            let datagram = datagram.to_vec();
            self.push(datagram);
        }
        self.pending.push(Pending { request, kind, signed: self.auth.is_some(), nonces });
    }

    fn answered(&mut self, pending: Pending, answer: Answer, now: Instant) {
        match answer {
            Answer::Challenge { stale, realm, nonce } => {
                if pending.signed && !stale {
                    return self.refused(pending.kind, Failure::Credentials, now);
                }
                let nonces = pending.nonces + 1;
                if nonces > NONCES_MAX {
                    return self.refused(pending.kind, Failure::Nonsense, now);
                }
                self.auth = Some(Auth::new(&self.credentials, realm, nonce));
                self.ask(pending.kind, nonces, now);
            }
            Answer::Done { relayed, mapped, lifetime } => match pending.kind {
                Kind::Allocate => match relayed.zip(mapped) {
                    Some((relayed, mapped)) => self.allocated(relayed, mapped, lifetime, now),
                    None => self.fail(Failure::Nonsense),
                },
                Kind::Refresh => self.confirmed(lifetime, now),
                Kind::Free => self.freed(now),
                Kind::Permission(ip) => {
                    for (to, datagram) in self.peers.permitted(ip, now) {
                        self.send(to, &datagram, now);
                    }
                }
                Kind::Channel { number, .. } => self.peers.bound(number, now),
            },
            Answer::Refused { code, words } => {
                let failure = match code {
                    401 | 441 => Failure::Credentials,
                    437 => Failure::Mismatch,
                    486 => Failure::Quota,
                    508 => Failure::Full,
                    _ => Failure::Refused { code, words },
                };
                self.refused(pending.kind, failure, now);
            }
        }
    }

    fn refused(&mut self, kind: Kind, failure: Failure, now: Instant) {
        match (kind, failure) {
            (Kind::Allocate, Failure::Refused { code: 440, .. })
                if !self.v6 && self.server.is_ipv6() =>
            {
                self.v6 = true;
                self.ask(Kind::Allocate, 0, now);
            }
            (Kind::Allocate, Failure::Mismatch)
                if matches!(self.stage, Stage::Allocating { freed: false, .. }) =>
            {
                // A program that ended without a word had this port before.
                self.stage = Stage::Allocating { freed: true, again: None };
                self.ask(Kind::Free, 0, now);
            }
            (Kind::Allocate, failure) => self.fail(failure),
            (Kind::Free, _) => self.freed(now),
            (_, Failure::Mismatch) => self.fail(Failure::Forgotten),
            (Kind::Refresh, failure) => self.fail(failure),
            (Kind::Permission(ip), _) => self.peers.forbidden(ip, now),
            (Kind::Channel { number, .. }, _) => self.peers.unbound(number, now),
        }
    }

    fn unanswered(&mut self, kind: &Kind, now: Instant) {
        match kind {
            Kind::Allocate | Kind::Refresh => self.fail(Failure::Silent),
            Kind::Free => self.freed(now),
            Kind::Permission(ip) => {
                self.peers.forget(*ip);
                self.check(now);
            }
            Kind::Channel { number, .. } => {
                self.peers.unbound(*number, now);
                self.check(now);
            }
        }
    }

    fn allocated(
        &mut self,
        relayed: SocketAddr,
        mapped: SocketAddr,
        lifetime: Option<u32>,
        now: Instant,
    ) {
        self.stage = Stage::Allocated {
            relayed,
            mapped,
            news: true,
            confirmed: now,
            renewed: now,
            ends: now,
        };
        self.confirmed(lifetime, now);
    }

    fn confirmed(&mut self, lifetime: Option<u32>, now: Instant) {
        if let Stage::Allocated { confirmed, renewed, ends, .. } = &mut self.stage {
            let lifetime = lifetime.unwrap_or(message::LIFETIME);
            let lifetime = lifetime.clamp(*LIFETIMES.start(), *LIFETIMES.end());
            let lifetime = Duration::from_secs(lifetime.into());
            *confirmed = now;
            *renewed = now + lifetime - MARGIN.min(lifetime / 4);
            *ends = now + lifetime;
        }
    }

    /// The allocation was given back, or there was none.
    fn freed(&mut self, now: Instant) {
        match self.stage {
            Stage::Closing { .. } => self.over(End::Closed),
            Stage::Allocating { .. } => {
                let again = Some(now + CLEARING);
                self.stage = Stage::Allocating { freed: true, again };
            }
            Stage::Allocated { .. } | Stage::Over(_) => {}
        }
    }

    fn fail(&mut self, failure: Failure) {
        match self.stage {
            Stage::Over(_) => {}
            Stage::Closing { .. } => self.over(End::Closed),
            Stage::Allocating { .. } => self.over(End::Failed(failure)),
            Stage::Allocated { relayed, .. } => self.over(End::Lost { relayed, failure }),
        }
    }

    fn over(&mut self, end: End) {
        self.stage = Stage::Over(end);
        self.pending.clear();
        self.out.clear();
        self.peers = Peers::default();
    }
}

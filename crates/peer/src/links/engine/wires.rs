//! All that datagrams go through: the sockets, and beside them the helpers that tell how a socket is seen from outside
//! (STUN) and that lend an address (TURN). Out of these come this device's candidates.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use str0m::Candidate;
use tokio::time::timeout;

use super::super::IceServers;
use super::super::connection::Net;
use super::super::sockets::{Buffers, Sockets};
use super::super::stun;
use super::super::turn::{self, Received, Relays};

/// How long a TURN server has to take back what it lent.
const FAREWELL: Duration = Duration::from_millis(300);

/// The wires.
pub(super) struct Wires {
    pub(super) sockets: Sockets,
    stun: stun::Client,
    relays: Relays,
    servers: IceServers,
    /// How TURN servers see sockets: of which relayed address, which socket, and how.
    mapped: Vec<(SocketAddr, SocketAddr, SocketAddr)>,
    relay_only: bool,
    now: Instant,
    /// Candidates may have changed.
    changed: bool,
}

impl Wires {
    /// Binds the sockets.
    pub(super) fn open(ip: Option<IpAddr>, port: u16, relay_only: bool) -> io::Result<Self> {
        Ok(Self {
            sockets: Sockets::bind(ip, port)?,
            stun: stun::Client::default(),
            relays: Relays::default(),
            servers: IceServers::default(),
            mapped: Vec::new(),
            relay_only,
            now: Instant::now(),
            changed: true,
        })
    }

    /// Time passes.
    pub(super) fn at(&mut self, now: Instant) {
        self.now = now;
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.stun.timeout(), self.relays.timeout()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) {
        if self.deadline().is_some_and(|at| at <= self.now) {
            self.stun.handle_timeout(self.now);
            self.relays.handle_timeout(self.now);
            self.pump();
        }
    }

    /// Which servers help from now on.
    pub(super) fn set_ice(&mut self, servers: IceServers) {
        self.servers = servers;
        self.ask();
    }

    /// Looks at the machine's addresses again. Whether they are others now.
    pub(super) fn rescan(&mut self) -> bool {
        let changes = self.sockets.rescan();
        if changes.added.is_empty() && changes.removed.is_empty() {
            return false;
        }
        let (added, removed) = (&changes.added, &changes.removed);
        tracing::info!(?added, ?removed, "the network changed");
        self.changed = true;
        self.ask();
        true
    }

    /// A new link is wanted, or one broke: what is known of the outside may be old.
    pub(super) fn refresh(&mut self) {
        self.stun.ask_again(self.now);
        self.relays.check(self.now);
        self.pump();
    }

    /// This device's candidates, if they may have changed since the last call.
    pub(super) fn candidates(&mut self) -> Option<Vec<Candidate>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut candidates = Vec::new();
        if !self.relay_only {
            candidates.extend(self.sockets.addresses().into_iter().map(host));
            let seen = self.mapped.iter().map(|(_, local, addr)| (*local, *addr));
            let seen = self.stun.reflexive().chain(seen).filter(|(local, addr)| local != addr);
            candidates.extend(
                seen.map(|(local, addr)| Candidate::server_reflexive(addr, local, "udp").ok()),
            );
        }
        let relayed = self.relays.relayed();
        candidates.extend(relayed.map(|(local, addr)| Candidate::relayed(addr, local, "udp").ok()));
        let mut distinct = Vec::new();
        for candidate in candidates.into_iter().flatten() {
            if !distinct.contains(&candidate) {
                distinct.push(candidate);
            }
        }
        Some(distinct)
    }

    /// Takes a datagram: gives it, and between which addresses it went, if it is for a link.
    pub(super) fn receive<'a>(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<(SocketAddr, SocketAddr, &'a [u8])> {
        if self.stun.receive(local, from, datagram, self.now) {
            self.pump();
            return None;
        }
        match self.relays.receive(local, from, datagram, self.now) {
            Received::Foreign => Some((from, local, datagram)),
            Received::Taken => {
                self.pump();
                None
            }
            Received::Data { relayed, from, datagram } => Some((from, relayed, datagram)),
        }
    }

    /// Gives back what servers lent.
    pub(super) async fn leave(&mut self, buffers: &mut Buffers) {
        self.relays.close(self.now);
        self.pump();
        let closed = async {
            while !self.relays.closed() {
                self.sockets.flush();
                poll_fn(|context| self.sockets.poll_ready(context)).await;
                for socket in 0..self.sockets.count() {
                    while let Some(local) = self.sockets.receive(socket, buffers) {
                        for (from, datagram) in buffers.datagrams() {
                            self.relays.receive(local, from, datagram, self.now);
                        }
                    }
                }
                self.pump();
            }
        };
        if timeout(FAREWELL, closed).await.is_err() {
            tracing::debug!("a TURN server didn't answer the goodbye");
        }
        self.sockets.flush();
    }

    fn ask(&mut self) {
        let locals = self.sockets.addresses();
        let relays: Vec<_> = (self.servers.turn.iter())
            .filter_map(|server| Some((self.sockets.towards(server.addr)?, server.clone())))
            .collect();
        if !self.relay_only {
            self.stun.set(&locals, &self.servers.stun, self.now);
        }
        self.relays.set(&relays, self.now);
        self.pump();
    }

    fn pump(&mut self) {
        self.pass_on();
        while let Some(stun::Event::Reflexive { .. }) = self.stun.poll_event() {
            self.changed = true;
        }
        while let Some(event) = self.relays.poll_event() {
            self.changed = true;
            match event {
                turn::Event::Allocated { local, relayed, mapped } => {
                    self.mapped.push((relayed, local, mapped));
                }
                turn::Event::Failed { server, failure } => {
                    tracing::warn!(%server, %failure, "no relayed address");
                }
                turn::Event::Lost { relayed, failure } => {
                    tracing::info!(%relayed, %failure, "a relayed address is gone");
                    self.mapped.retain(|(of, ..)| *of != relayed);
                }
            }
        }
    }

    fn pass_on(&mut self) {
        while let Some(out) = self.stun.poll_transmit().or_else(|| self.relays.poll_transmit()) {
            self.sockets.send(out.local, out.to, &out.datagram);
        }
    }
}

impl Net for Wires {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        if self.sockets.has(source) {
            self.sockets.send(source, destination, datagram);
        } else {
            self.relays.send(source, destination, datagram, self.now);
            self.pass_on();
        }
    }
}

fn host(addr: SocketAddr) -> Option<Candidate> {
    Candidate::host(addr, "udp").ok()
}

//! The TURN servers, each with a client.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::{Client, Credentials, End, Incoming};
use super::{Event, Failure, Received};
use crate::links::TurnServer;
use crate::links::stun::Transmit;

/// Servers at which there is an address, at most.
const SERVERS_MAX: usize = 4;
/// Addresses that are being given back, at most.
const CLOSING_MAX: usize = 8;
/// A server that failed is tried again after this, and each further time after twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(600);
/// An address that was lost is asked for again after this.
const MOMENT: Duration = Duration::from_secs(1);

/// One server.
struct Relay {
    local: SocketAddr,
    server: TurnServer,
    state: State,
    failures: u32,
}

enum State {
    Live(Box<Client>),
    Paused { until: Instant },
}

/// The addresses at TURN servers.
#[derive(Default)]
pub(in crate::links) struct Relays {
    relays: Vec<Relay>,
    closing: Vec<Client>,
    events: VecDeque<Event>,
}

impl Relays {
    /// These servers are used from now on, each from the socket beside it. Addresses that are there stay, even if the
    /// credentials are new: those are for the next one. Servers that are new, or failed with other credentials, are
    /// asked at once; addresses at others are given back.
    pub(in crate::links) fn set(&mut self, wanted: &[(SocketAddr, TurnServer)], now: Instant) {
        let mut before = std::mem::take(&mut self.relays);
        for (local, server) in wanted {
            if self.relays.len() == SERVERS_MAX || local.is_ipv4() != server.addr.is_ipv4() {
                continue;
            }
            if self.relays.iter().any(|relay| relay.server.addr == server.addr) {
                continue;
            }
            let same = |relay: &Relay| relay.server.addr == server.addr && relay.local == *local;
            let relay = match before.iter().position(same) {
                Some(at) => {
                    let mut relay = before.swap_remove(at);
                    if relay.server != *server {
                        relay.renew(server, now);
                    }
                    relay
                }
                None => Relay::new(*local, server.clone(), now),
            };
            self.relays.push(relay);
        }
        for relay in before {
            self.leave(relay, now);
        }
    }

    /// The relayed addresses, each with its socket.
    pub(in crate::links) fn relayed(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> + '_ {
        self.relays.iter().filter_map(|relay| Some((relay.local, relay.client()?.relayed()?)))
    }

    /// Takes a datagram that came to the socket `local`.
    pub(in crate::links) fn receive<'a>(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &'a [u8],
        now: Instant,
    ) -> Received<'a> {
        let mut closing = false;
        for client in &mut self.closing {
            if client.local() == local && client.server() == from {
                client.receive(datagram, now);
                closing = true;
            }
        }
        self.closing.retain(|client| client.end().is_none());
        let ours = |relay: &&mut Relay| relay.local == local && relay.server.addr == from;
        let Some(relay) = self.relays.iter_mut().find(ours) else {
            return if closing { Received::Taken } else { Received::Foreign };
        };
        let State::Live(client) = &mut relay.state else { return Received::Taken };
        let received = match client.receive(datagram, now) {
            Incoming::Data { relayed, from, datagram } => {
                Received::Data { relayed, from, datagram }
            }
            Incoming::Nothing => Received::Taken,
        };
        relay.settle(&mut self.events, now);
        received
    }

    /// Sends a datagram from a relayed address to a peer. Like any datagram it may get lost: also when there is no such
    /// address, or when the server lets nothing through to that peer.
    pub(in crate::links) fn send(
        &mut self,
        relayed: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        for relay in &mut self.relays {
            let Some(client) = relay.client_mut() else { continue };
            if client.relayed() == Some(relayed) {
                client.send(to, datagram, now);
                return relay.settle(&mut self.events, now);
            }
        }
    }

    /// Asks the servers whether the addresses are still there, unless they have just said so.
    pub(in crate::links) fn check(&mut self, now: Instant) {
        for relay in &mut self.relays {
            if let Some(client) = relay.client_mut() {
                client.check(now);
            }
            relay.settle(&mut self.events, now);
        }
    }

    /// Gives all addresses back.
    pub(in crate::links) fn close(&mut self, now: Instant) {
        self.set(&[], now);
    }

    /// Whether all addresses that were given up are given back.
    pub(in crate::links) fn closed(&self) -> bool {
        self.closing.is_empty()
    }

    /// Does what is due.
    pub(in crate::links) fn handle_timeout(&mut self, now: Instant) {
        for client in &mut self.closing {
            client.handle_timeout(now);
        }
        self.closing.retain(|client| client.end().is_none());
        for relay in &mut self.relays {
            match &mut relay.state {
                State::Live(client) => client.handle_timeout(now),
                State::Paused { until } if now >= *until => relay.start(now),
                State::Paused { .. } => {}
            }
            relay.settle(&mut self.events, now);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(in crate::links) fn timeout(&self) -> Option<Instant> {
        let relays = self.relays.iter().filter_map(|relay| match &relay.state {
            State::Live(client) => client.timeout(),
            State::Paused { until } => Some(*until),
        });
        relays.chain(self.closing.iter().filter_map(Client::timeout)).min()
    }

    /// The next datagram to send.
    pub(in crate::links) fn poll_transmit(&mut self) -> Option<Transmit> {
        let live = self.relays.iter_mut().filter_map(Relay::client_mut);
        let mut clients = live.chain(self.closing.iter_mut());
        clients.find_map(|client| {
            let datagram = client.poll_transmit()?;
            Some(Transmit { local: client.local(), to: client.server(), datagram })
        })
    }

    /// The next event.
    pub(in crate::links) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn leave(&mut self, relay: Relay, now: Instant) {
        let State::Live(mut client) = relay.state else { return };
        if let Some(relayed) = client.relayed() {
            self.events.push_back(Event::Lost { relayed, failure: Failure::Unused });
        }
        client.close(now);
        if client.end().is_none() && self.closing.len() < CLOSING_MAX {
            self.closing.push(*client);
        }
    }
}

impl Relay {
    fn new(local: SocketAddr, server: TurnServer, now: Instant) -> Self {
        let mut relay = Self { local, server, state: State::Paused { until: now }, failures: 0 };
        relay.start(now);
        relay
    }

    fn start(&mut self, now: Instant) {
        let TurnServer { addr, username, credential } = &self.server;
        let credentials = Credentials::new(username, credential);
        self.state = State::Live(Box::new(Client::new(self.local, *addr, credentials, now)));
    }

    /// The server has new credentials for this device.
    fn renew(&mut self, server: &TurnServer, now: Instant) {
        self.server = server.clone();
        if let State::Paused { .. } = self.state {
            self.failures = 0;
            self.start(now);
        }
    }

    fn client(&self) -> Option<&Client> {
        match &self.state {
            State::Live(client) => Some(client),
            State::Paused { .. } => None,
        }
    }

    fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.state {
            State::Live(client) => Some(client),
            State::Paused { .. } => None,
        }
    }

    /// Tells what has become of the client, and plans what follows.
    fn settle(&mut self, events: &mut VecDeque<Event>, now: Instant) {
        let (local, server) = (self.local, self.server.addr);
        let Some(client) = self.client_mut() else { return };
        if let Some((relayed, mapped)) = client.news() {
            events.push_back(Event::Allocated { local, relayed, mapped });
            self.failures = 0;
            return;
        }
        let (event, pause) = match client.end() {
            None | Some(End::Closed) => return,
            Some(End::Lost { relayed, failure }) => {
                (Event::Lost { relayed: *relayed, failure: failure.clone() }, MOMENT)
            }
            Some(End::Failed(failure)) => {
                let failure = failure.clone();
                let pause = FIRST_PAUSE * (1 << self.failures.min(5));
                self.failures += 1;
                (Event::Failed { server, failure }, pause.min(LAST_PAUSE))
            }
        };
        events.push_back(event);
        self.state = State::Paused { until: now + pause };
    }
}

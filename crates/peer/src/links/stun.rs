//! Under which addresses this device is seen from outside: a STUN client (RFC 8489). Pure: datagrams and time come
//! in, datagrams and [`Event`]s come out.
//!
//! # How it is driven
//! 1. [`Client::set`] says which sockets there are and which servers are asked; again whenever either changes.
//! 2. After every call, [`Client::poll_transmit`] is emptied onto the sockets and [`Client::poll_event`] is emptied.
//! 3. [`Client::handle_timeout`] is called when [`Client::timeout`] has come.
//! 4. Every datagram is shown to [`Client::receive`] first, before TURN and ICE see it: it takes the answers to its own
//!    questions, told by their transaction ids, and costs one comparison for anything else.
//! 5. [`Client::ask_again`] before a new link: a NAT may have forgotten the binding.
//!
//! # Layout
//! - `message`: STUN messages, read and written with the crate `stun-types`.
//! - `request`: a request with its retransmissions.

pub(super) mod message;
pub(super) mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::message::{Answer, silently};
use self::request::{Due, Request};

/// Sockets that ask, at most.
const SOCKETS_MAX: usize = 16;
/// Servers that are asked, at most.
const SERVERS_MAX: usize = 4;
/// A server is asked again after this: a NAT keeps a binding for two minutes at least (RFC 4787 §4.3), and the network
/// may have changed.
const INTERVAL: Duration = Duration::from_secs(110);
/// A server that said no, or nothing, is asked again after this.
const PATIENCE: Duration = Duration::from_secs(300);
/// An answer is fresh for so long.
const FRESH: Duration = Duration::from_secs(5);

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transmit {
    /// From which socket: its local address, as it was given.
    pub(super) local: SocketAddr,
    /// To where.
    pub(super) to: SocketAddr,
    /// What.
    pub(super) datagram: Vec<u8>,
}

/// What became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A server sees the socket `local` under this address. It is `local` itself where no NAT is between. Told once for
    /// each address of a socket, and again when it comes back after another one.
    Reflexive {
        /// The socket.
        local: SocketAddr,
        /// How it is seen.
        addr: SocketAddr,
    },
}

/// One socket's question to one server.
#[derive(Debug)]
struct Question {
    local: SocketAddr,
    server: SocketAddr,
    request: Option<Request>,
    /// When it is asked again; used when no request is under way.
    again: Instant,
    /// The last answer, and when it came.
    seen: Option<(SocketAddr, Instant)>,
}

/// Asks STUN servers for the addresses of this device's sockets.
#[derive(Debug, Default)]
pub(super) struct Client {
    questions: Vec<Question>,
    out: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Client {
    /// These sockets ask these servers from now on, each those of its own family. Questions that are new are asked at
    /// once; those that were there go on, and the others are forgotten.
    pub(super) fn set(&mut self, locals: &[SocketAddr], servers: &[SocketAddr], now: Instant) {
        let mut before = std::mem::take(&mut self.questions);
        for &local in locals.iter().take(SOCKETS_MAX) {
            for &server in servers.iter().take(SERVERS_MAX).filter(|server| fit(local, **server)) {
                let same =
                    |question: &Question| question.local == local && question.server == server;
                if self.questions.iter().any(same) {
                    continue;
                }
                let question = match before.iter().position(same) {
                    Some(at) => before.swap_remove(at),
                    None => Question { local, server, request: None, again: now, seen: None },
                };
                self.questions.push(question);
            }
        }
        self.handle_timeout(now);
    }

    /// Asks again whoever has not answered in the last seconds.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for question in &mut self.questions {
            let fresh = question.seen.is_some_and(|(_, at)| now < at + FRESH);
            if question.request.is_none() && !fresh {
                question.again = now;
            }
        }
        self.handle_timeout(now);
    }

    /// The addresses under which the sockets are seen now, each with its socket.
    pub(super) fn reflexive(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> + '_ {
        self.questions.iter().enumerate().filter_map(|(at, question)| {
            let (addr, _) = question.seen?;
            let told = self.questions[..at].iter().any(|other| other.sees(question.local, addr));
            (!told).then_some((question.local, addr))
        })
    }

    /// Takes a datagram that came to the socket `local`. Whether it was an answer to a question of this client: nobody
    /// else is to see it then.
    pub(super) fn receive(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let Some(id) = message::transaction(datagram) else { return false };
        let asked = |question: &Question| {
            question.local == local && question.request.as_ref().is_some_and(|own| own.id() == id)
        };
        let Some(at) = self.questions.iter().position(asked) else { return false };
        let question = &mut self.questions[at];
        // Whoever answers from elsewhere was not asked.
        if from != question.server {
            return true;
        }
        match silently(|| message::answer(datagram)) {
            Some(Answer::Address(addr)) if usable(local, addr) => {
                let told = self.questions.iter().any(|other| other.sees(local, addr));
                let question = &mut self.questions[at];
                question.request = None;
                question.again = now + INTERVAL;
                question.seen = Some((addr, now));
                if !told {
                    self.events.push_back(Event::Reflexive { local, addr });
                }
            }
            Some(Answer::Refused { code, words }) => {
                tracing::debug!(server = %question.server, code, words, "a STUN server refused");
                question.end(now);
            }
            // Not what was asked for: a right answer may still come.
            Some(Answer::Address(_)) | None => {}
        }
        true
    }

    /// Does what is due: asks, asks again, gives up.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for question in &mut self.questions {
            if question.request.is_none() && now >= question.again {
                let (id, datagram) = message::binding();
                question.request = Some(Request::new(id, datagram, now));
            }
            let Some(request) = &mut question.request else { continue };
            match request.due(now) {
                Due::Nothing => {}
                Due::Send(datagram) => self.out.push_back(Transmit {
                    local: question.local,
                    to: question.server,
                    datagram: datagram.to_vec(),
                }),
                Due::TimedOut => {
                    tracing::debug!(server = %question.server, "a STUN server doesn't answer");
                    question.end(now);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let due = |question: &Question| match &question.request {
            Some(request) => request.deadline(),
            None => question.again,
        };
        self.questions.iter().map(due).min()
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// The next event.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

impl Question {
    /// Whether its answer says that `local` is seen under `addr`.
    fn sees(&self, local: SocketAddr, addr: SocketAddr) -> bool {
        self.local == local && self.seen.is_some_and(|(seen, _)| seen == addr)
    }

    /// There is no answer. What was known before is no longer.
    fn end(&mut self, now: Instant) {
        self.request = None;
        self.seen = None;
        self.again = now + PATIENCE;
    }
}

/// Whether a socket can reach a server. What is on this machine's loopback sees nothing of the outside.
fn fit(local: SocketAddr, server: SocketAddr) -> bool {
    local.is_ipv4() == server.is_ipv4() && local.ip().is_loopback() == server.ip().is_loopback()
}

/// Whether others could send to it.
fn usable(local: SocketAddr, addr: SocketAddr) -> bool {
    let ip = addr.ip();
    local.is_ipv4() == addr.is_ipv4()
        && addr.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
}

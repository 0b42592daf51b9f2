//! A client with a clock that the test sets, and a server that the test plays.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::{
    AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username, XorMappedAddress, XorSocketAddr,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermCredentials, Message, MessageClass, MessageWrite,
    MessageWriteExt, MessageWriteVec, Method, TransactionId,
};

use super::super::{Event, Received, Relays};
use crate::links::TurnServer;

pub(super) const ALLOCATE: u16 = 3;
pub(super) const REFRESH: u16 = 4;
pub(super) const SEND: u16 = 6;
pub(super) const DATA: u16 = 7;
pub(super) const PERMISSION: u16 = 8;
pub(super) const CHANNEL: u16 = 9;

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn local() -> SocketAddr {
    addr("192.0.2.1:5000")
}

pub(super) fn server() -> SocketAddr {
    addr("192.0.2.9:3478")
}

pub(super) fn relayed() -> SocketAddr {
    addr("192.0.2.9:50000")
}

pub(super) fn peer() -> SocketAddr {
    addr("198.51.100.7:6000")
}

pub(super) fn credentials(credential: &str) -> TurnServer {
    TurnServer { addr: server(), username: "alice".to_owned(), credential: credential.to_owned() }
}

fn key() -> IntegrityKey {
    let credentials = LongTermCredentials::new("alice".to_owned(), "secret".to_owned());
    credentials.to_key("lab".to_owned()).make_key(IntegrityAlgorithm::Sha1)
}

/// What the client sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) datagram: Vec<u8>,
}

impl Sent {
    pub(super) fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.datagram).unwrap()
    }

    /// The method; 0 for a channel's datagram.
    pub(super) fn method(&self) -> u16 {
        if self.datagram[0] & 0xc0 != 0 { 0 } else { self.message().method().value() }
    }

    pub(super) fn attribute(&self, kind: u16) -> Option<Vec<u8>> {
        let message = self.message();
        message.raw_attribute(AttributeType::new(kind)).map(|raw| raw.value.to_vec())
    }

    pub(super) fn lifetime(&self) -> u32 {
        u32::from_be_bytes(self.attribute(0x000d).unwrap().try_into().unwrap())
    }

    pub(super) fn peer(&self) -> SocketAddr {
        let message = self.message();
        let raw = message.raw_attribute(AttributeType::new(0x0012)).unwrap();
        XorSocketAddr::from_raw(&raw).unwrap().addr(message.transaction_id())
    }

    pub(super) fn nonce(&self) -> Option<String> {
        self.message().attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
    }

    /// Whether it has the right signature of the right user.
    pub(super) fn signed(&self) -> bool {
        let message = self.message();
        let user = message.attribute::<Username>().is_ok_and(|user| user.username() == "alice");
        user && message.validate_integrity_with_key(&key()).is_ok()
    }

    fn answer(&self, class: MessageClass) -> (MessageWriteVec, TransactionId) {
        let message = self.message();
        let answer = match class {
            MessageClass::Success => Message::builder_success(&message, MessageWriteVec::new()),
            _ => Message::builder_error(&message, MessageWriteVec::new()),
        };
        (answer, message.transaction_id())
    }

    /// Yes, with a lifetime and addresses, whether they belong there or not.
    pub(super) fn success(&self, lifetime: u32) -> Vec<u8> {
        let (answer, _) = self.successful(lifetime);
        signed(answer)
    }

    /// Yes, without a signature.
    pub(super) fn unsigned(&self) -> Vec<u8> {
        self.successful(600).0.finish()
    }

    fn successful(&self, lifetime: u32) -> (MessageWriteVec, TransactionId) {
        let (mut answer, id) = self.answer(MessageClass::Success);
        add(&mut answer, 0x000d, &lifetime.to_be_bytes());
        let raw = XorSocketAddr::new(relayed(), id);
        answer.add_attribute(&raw.to_raw(AttributeType::new(0x0016))).unwrap();
        answer.add_attribute(&XorMappedAddress::new(addr("203.0.113.5:7000"), id)).unwrap();
        (answer, id)
    }

    /// Yes, and nothing else.
    pub(super) fn empty(&self) -> Vec<u8> {
        signed(self.answer(MessageClass::Success).0)
    }

    pub(super) fn error(&self, code: u16) -> Vec<u8> {
        let (mut answer, _) = self.answer(MessageClass::Error);
        answer.add_attribute(&ErrorCode::new(code, "No\u{1b}[2J way").unwrap()).unwrap();
        answer.finish()
    }

    pub(super) fn challenge(&self, code: u16, nonce: &str) -> Vec<u8> {
        let (mut answer, _) = self.answer(MessageClass::Error);
        answer.add_attribute(&ErrorCode::new(code, "Who").unwrap()).unwrap();
        answer.add_attribute(&Realm::new("lab").unwrap()).unwrap();
        answer.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
        answer.finish()
    }
}

fn add(message: &mut MessageWriteVec, kind: u16, value: &[u8]) {
    message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value)).unwrap();
}

fn signed(mut message: MessageWriteVec) -> Vec<u8> {
    message.add_message_integrity_with_key(&key(), IntegrityAlgorithm::Sha1).unwrap();
    message.finish()
}

/// A peer's datagram, as the server wraps it.
pub(super) fn data(from: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let method = Method::new(DATA);
    let mut message = Message::builder_indication(method, MessageWriteVec::new());
    let peer = XorSocketAddr::new(from, message.transaction_id());
    message.add_attribute(&peer.to_raw(AttributeType::new(0x0012))).unwrap();
    add(&mut message, 0x0013, bytes);
    message.finish()
}

pub(super) struct Bench {
    pub(super) relays: Relays,
    pub(super) now: Instant,
}

impl Bench {
    /// A client that has asked for an address.
    pub(super) fn new() -> Self {
        let (mut relays, now) = (Relays::default(), Instant::now());
        relays.set(&[(local(), credentials("secret"))], now);
        Self { relays, now }
    }

    /// A client that has one.
    pub(super) fn allocated() -> Self {
        let mut bench = Self::new();
        let first = bench.one();
        bench.hear(&first.challenge(401, "n1"));
        let second = bench.one();
        bench.hear(&second.success(600));
        assert!(matches!(bench.relays.poll_event(), Some(Event::Allocated { .. })));
        bench
    }

    /// A client that has a permission for [`peer`].
    pub(super) fn permitted() -> Self {
        let mut bench = Self::allocated();
        bench.send(peer(), b"first");
        let request = bench.one();
        assert_eq!((request.method(), request.peer().ip()), (PERMISSION, peer().ip()));
        bench.hear(&request.empty());
        assert_eq!(bench.one().method(), SEND);
        bench
    }

    /// A client that has a channel to [`peer`].
    pub(super) fn bound() -> (Self, u16) {
        let mut bench = Self::permitted();
        let bind = loop {
            bench.send(peer(), b"more");
            if let Some(bind) = bench.sent().into_iter().find(|sent| sent.method() == CHANNEL) {
                break bind;
            }
        };
        assert!(bind.signed() && bind.peer() == peer());
        let number = bind.attribute(0x000c).unwrap();
        bench.hear(&bind.empty());
        (bench, u16::from_be_bytes([number[0], number[1]]))
    }

    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::iter::from_fn(|| self.relays.poll_transmit())
            .map(|transmit| {
                assert_eq!((transmit.local, transmit.to), (local(), server()));
                Sent { datagram: transmit.datagram }
            })
            .collect()
    }

    /// The one datagram that was sent.
    pub(super) fn one(&mut self) -> Sent {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.into_iter().next().unwrap()
    }

    pub(super) fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.relays.send(relayed(), to, datagram, self.now);
    }

    /// The server says something.
    pub(super) fn hear<'a>(&mut self, datagram: &'a [u8]) -> Received<'a> {
        self.relays.receive(local(), server(), datagram, self.now)
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        self.relays.poll_event()
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.relays.handle_timeout(self.now);
    }

    /// Until something is due.
    pub(super) fn wait(&mut self) {
        self.now = self.relays.timeout().expect("something is due").max(self.now);
        self.relays.handle_timeout(self.now);
    }

    /// Until this is sent, with something else going on every minute.
    pub(super) fn wait_for(&mut self, method: u16) -> Sent {
        for _ in 0..1_000 {
            if let Some(sent) = self.sent().into_iter().find(|sent| sent.method() == method) {
                return sent;
            }
            self.wait();
        }
        panic!("{method} is never sent");
    }
}

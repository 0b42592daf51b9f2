//! Against coturn, over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use super::super::{Event, Failure, Received, Relays};
use super::coturn::{Coturn, PATIENCE};
use crate::links::TurnServer;

/// A client with its socket, and a clock that can be put forward.
struct Device {
    relays: Relays,
    socket: UdpSocket,
    local: SocketAddr,
    ahead: Duration,
    events: Vec<Event>,
    heard: Vec<(SocketAddr, Vec<u8>)>,
    /// Datagrams to the server, and those of them that went over a channel.
    sent: usize,
    channelled: usize,
}

impl Device {
    async fn new(server: TurnServer) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self::on(socket, server)
    }

    fn on(socket: UdpSocket, server: TurnServer) -> Self {
        let local = socket.local_addr().unwrap();
        let mut relays = Relays::default();
        relays.set(&[(local, server)], Instant::now());
        Self {
            relays,
            socket,
            local,
            ahead: Duration::ZERO,
            events: Vec::new(),
            heard: Vec::new(),
            sent: 0,
            channelled: 0,
        }
    }

    fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    /// Puts the clock forward to what is due next.
    fn skip(&mut self) {
        let next = self.relays.timeout().expect("something is due");
        self.ahead += next.saturating_duration_since(self.now());
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let now = self.now();
        self.relays.send(from, to, datagram, now);
    }

    /// One turn of what the engine does.
    async fn turn(&mut self) {
        let now = self.now();
        self.relays.handle_timeout(now);
        while let Some(transmit) = self.relays.poll_transmit() {
            assert_eq!(transmit.local, self.local);
            self.sent += 1;
            self.channelled += usize::from(transmit.datagram[0] & 0xc0 == 0x40);
            // A port where nobody listens may be reported by the next call.
            let _ = self.socket.send_to(&transmit.datagram, transmit.to).await;
        }
        let next = self.relays.timeout().map(|at| at.saturating_duration_since(now));
        let wait = next.unwrap_or(PATIENCE).min(Duration::from_millis(50));
        let mut datagram = vec![0; 2_000];
        let received = tokio::time::timeout(wait, self.socket.recv_from(&mut datagram)).await;
        if let Ok(Ok((size, from))) = received {
            let now = self.now();
            match self.relays.receive(self.local, from, &datagram[..size], now) {
                Received::Data { from, datagram, .. } => self.heard.push((from, datagram.to_vec())),
                Received::Taken => {}
                Received::Foreign => panic!("nobody else sends there"),
            }
        }
        while let Some(event) = self.relays.poll_event() {
            self.events.push(event);
        }
    }

    /// Goes on until this is so.
    async fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !so(self) {
            assert!(start.elapsed() < PATIENCE, "{what}: never; {:?}", self.events);
            self.turn().await;
        }
    }

    async fn allocated(&mut self) -> SocketAddr {
        self.until("an address", |device| device.relays.relayed().next().is_some()).await;
        self.relays.relayed().next().unwrap().1
    }

    async fn failure(&mut self) -> Failure {
        self.until("a failure", |device| !device.events.is_empty()).await;
        match self.events.remove(0) {
            Event::Failed { failure, .. } | Event::Lost { failure, .. } => failure,
            event @ Event::Allocated { .. } => panic!("{event:?}"),
        }
    }

    /// Sends to a plain socket, until it is there, and hears its answer.
    async fn exchange(&mut self, relayed: SocketAddr, peer: &UdpSocket, text: &str) {
        let to = peer.local_addr().unwrap();
        self.send(relayed, to, text.as_bytes());
        let mut datagram = vec![0; 2_000];
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "{text} never arrives");
            self.turn().await;
            let Ok((size, from)) = peer.try_recv_from(&mut datagram) else { continue };
            assert_eq!((&datagram[..size], from), (text.as_bytes(), relayed));
            break;
        }
        let answer = format!("answer to {text}");
        peer.send_to(answer.as_bytes(), relayed).await.unwrap();
        let expected = (to, answer.into_bytes());
        self.until("an answer", |device| device.heard.contains(&expected)).await;
    }
}

async fn plain() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn datagrams_pass_both_ways_and_a_busy_peer_has_a_channel() {
    let server = Coturn::start(&[]).await;
    let (mut device, peer) = (Device::new(server.credentials("secret")).await, plain().await);
    let relayed = device.allocated().await;
    assert_eq!(relayed.ip(), server.addr.ip());
    let local = device.local;
    assert_eq!(device.events, [Event::Allocated { local, relayed, mapped: local }]);
    let mut n = 0;
    while device.channelled < 5 {
        n += 1;
        assert!(n < 100, "no channel");
        device.exchange(relayed, &peer, &format!("message {n}")).await;
    }
    assert_eq!(server.count("CHANNEL_BIND processed, success"), 1);
    assert_eq!(server.count("CREATE_PERMISSION processed, success"), 1);
}

#[tokio::test]
async fn two_devices_behind_the_same_server_reach_each_other() {
    let server = Coturn::start(&[]).await;
    let mut a = Device::new(server.credentials("secret")).await;
    let mut b = Device::new(server.credentials("secret")).await;
    let (at_a, at_b) = (a.allocated().await, b.allocated().await);
    // Both begin, as ICE does: each side's first datagrams open its own door.
    let start = Instant::now();
    let hello = (b"hello b".to_vec(), b"hello a".to_vec());
    let arrived = |device: &Device, from, text: &[u8]| {
        device.heard.iter().any(|(peer, heard)| *peer == from && heard == text)
    };
    while !(arrived(&a, at_b, &hello.1) && arrived(&b, at_a, &hello.0)) {
        assert!(start.elapsed() < PATIENCE);
        a.send(at_a, at_b, &hello.0);
        b.send(at_b, at_a, &hello.1);
        a.turn().await;
        b.turn().await;
    }
}

#[tokio::test]
async fn a_short_lived_address_and_its_nonces_are_kept_up() {
    let server = Coturn::start(&["--max-allocate-lifetime=4", "--stale-nonce=1"]).await;
    let (mut device, peer) = (Device::new(server.credentials("secret")).await, plain().await);
    let relayed = device.allocated().await;
    device.exchange(relayed, &peer, "before").await;
    // Longer than an address lives that isn't renewed.
    device.until("renewals", |_| server.count("refreshed, realm") >= 2).await;
    device.until("a stale nonce", |_| server.count("error 438") >= 1).await;
    device.exchange(relayed, &peer, "after").await;
    assert_eq!(device.events.len(), 1, "{:?}", device.events);
}

#[tokio::test]
async fn a_wrong_password_is_told_in_words() {
    let server = Coturn::start(&[]).await;
    let mut device = Device::new(server.credentials("wrong")).await;
    let failure = device.failure().await;
    assert_eq!(failure, Failure::Credentials);
    assert!(failure.to_string().contains("does not accept the credentials"));
}

#[tokio::test]
async fn a_server_that_is_away_is_given_up() {
    let mut server = Coturn::start(&[]).await;
    server.kill();
    let mut device = Device::new(server.credentials("secret")).await;
    while device.events.is_empty() {
        device.turn().await;
        if device.events.is_empty() {
            device.skip();
        }
    }
    assert_eq!((device.failure().await, device.sent), (Failure::Silent, 7));
    assert!(device.ahead <= Duration::from_secs(40));
    server.restart().await;
    device.skip();
    device.allocated().await;
}

#[tokio::test]
async fn a_quota_is_told_in_words() {
    let server = Coturn::start(&["--user-quota=1"]).await;
    let mut first = Device::new(server.credentials("secret")).await;
    first.allocated().await;
    let mut second = Device::new(server.credentials("secret")).await;
    assert_eq!(second.failure().await, Failure::Quota);
}

#[tokio::test]
async fn an_address_is_had_again_from_a_server_that_was_restarted() {
    let mut server = Coturn::start(&[]).await;
    let (mut device, peer) = (Device::new(server.credentials("secret")).await, plain().await);
    let first = device.allocated().await;
    device.exchange(first, &peer, "before").await;
    server.restart().await;
    device.events.clear();
    device.ahead += Duration::from_secs(10);
    let now = device.now();
    device.relays.check(now);
    let failure = device.failure().await;
    assert_eq!(failure, Failure::Forgotten);
    let second = device.allocated().await;
    device.exchange(second, &peer, "after").await;
}

#[tokio::test]
async fn a_program_that_ended_without_a_word_has_an_address_again_on_the_same_port() {
    let server = Coturn::start(&[]).await;
    let mut before = Device::new(server.credentials("secret")).await;
    before.allocated().await;
    let mut after = Device::on(before.socket, server.credentials("secret"));
    let relayed = after.allocated().await;
    after.exchange(relayed, &plain().await, "hello").await;
    assert_eq!(server.count("error 437"), 1);
}

#[tokio::test]
async fn an_address_is_given_back() {
    let server = Coturn::start(&["--user-quota=1"]).await;
    let mut device = Device::new(server.credentials("secret")).await;
    device.allocated().await;
    let now = device.now();
    device.relays.close(now);
    device.until("the end", |device| device.relays.closed()).await;
    // It takes coturn a second.
    server.logged("delete: realm=<lab>, username=<alice>").await;
    let mut next = Device::new(server.credentials("secret")).await;
    next.allocated().await;
}

#[tokio::test]
async fn peers_that_the_server_forbids_take_nothing_else_along() {
    let server = Coturn::start(&["--denied-peer-ip=127.0.0.2"]).await;
    let (mut device, peer) = (Device::new(server.credentials("secret")).await, plain().await);
    let relayed = device.allocated().await;
    device.send(relayed, "127.0.0.2:9".parse().unwrap(), b"x");
    device.until("a refusal", |_| server.count("error 403") >= 1).await;
    device.exchange(relayed, &peer, "hello").await;
    assert_eq!(device.events.len(), 1);
}

//! Against a server that is played here, against coturn, and against noise.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use stun_types::attribute::{
    AttributeStaticType, AttributeType, ErrorCode, Fingerprint, MappedSocketAddr, XorMappedAddress,
};
use stun_types::message::{BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec};
use tokio::net::UdpSocket;

use super::{Client, Event};
use crate::links::turn::tests::coturn::{Coturn, PATIENCE};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn local() -> SocketAddr {
    addr("192.0.2.1:5000")
}

fn server() -> SocketAddr {
    addr("192.0.2.9:3478")
}

fn outside() -> SocketAddr {
    addr("203.0.113.5:7000")
}

fn reflexive(addr: SocketAddr) -> Option<Event> {
    Some(Event::Reflexive { local: local(), addr })
}

/// An answer with XOR-MAPPED-ADDRESS, and a fingerprint.
fn answer(question: &[u8], addr: SocketAddr) -> Vec<u8> {
    let question = Message::from_bytes(question).unwrap();
    assert!(question.has_method(BINDING) && question.has_attribute(Fingerprint::TYPE));
    let mut answer = Message::builder_success(&question, MessageWriteVec::new());
    let id = question.transaction_id();
    answer.add_attribute(&XorMappedAddress::new(addr, id)).unwrap();
    answer.add_fingerprint().unwrap();
    answer.finish()
}

/// A client of one server, with a clock that the test sets.
struct Bench {
    client: Client,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let (mut client, now) = (Client::default(), Instant::now());
        client.set(&[local()], &[server()], now);
        Self { client, now }
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.client.poll_transmit())
            .map(|transmit| transmit.datagram)
            .collect()
    }

    fn one(&mut self) -> Vec<u8> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1);
        sent.remove(0)
    }

    fn hear(&mut self, datagram: &[u8]) -> bool {
        self.client.receive(local(), server(), datagram, self.now)
    }

    fn event(&mut self) -> Option<Event> {
        self.client.poll_event()
    }

    fn wait(&mut self) -> Duration {
        let before = self.now;
        self.now = self.client.timeout().expect("something is due").max(self.now);
        self.client.handle_timeout(self.now);
        self.now - before
    }
}

#[test]
fn an_answer_tells_the_address_and_a_change_is_told_too() {
    let mut bench = Bench::new();
    let question = bench.one();
    assert!(bench.hear(&answer(&question, outside())));
    assert_eq!(bench.event(), reflexive(outside()));
    assert_eq!(bench.client.reflexive().collect::<Vec<_>>(), [(local(), outside())]);
    assert!(!bench.hear(&answer(&question, addr("203.0.113.6:1"))), "that question is over");
    // It is asked again by itself: the same is not told again, another one is.
    assert_eq!(bench.wait(), Duration::from_secs(110));
    let question = bench.one();
    bench.hear(&answer(&question, outside()));
    assert_eq!(bench.event(), None);
    bench.wait();
    let (question, moved) = (bench.one(), addr("203.0.113.5:7001"));
    bench.hear(&answer(&question, moved));
    assert_eq!(bench.event(), reflexive(moved));
    assert_eq!(bench.client.reflexive().collect::<Vec<_>>(), [(local(), moved)]);
}

#[test]
fn what_is_not_the_asked_servers_answer_is_not_believed() {
    let mut bench = Bench::new();
    let question = bench.one();
    let right = answer(&question, outside());
    let mut damaged = right.clone();
    damaged[27] ^= 1;
    assert!(bench.hear(&damaged), "the fingerprint is wrong");
    assert!(bench.hear(&question), "an echo");
    assert!(bench.hear(&answer(&question, addr("0.0.0.0:5"))), "no address");
    assert!(bench.hear(&answer(&question, addr("[2001:db8::1]:5"))), "of another family");
    let elsewhere = addr("192.0.2.10:3478");
    assert!(bench.client.receive(local(), elsewhere, &right, bench.now), "nobody else needs it");
    assert!(!bench.client.receive(elsewhere, server(), &right, bench.now), "another socket");
    let mut other = right.clone();
    other[19] ^= 1;
    assert!(!bench.hear(&other), "another transaction: the agent of a link may have asked");
    assert_eq!(bench.event(), None);
    assert!(bench.hear(&right));
    assert_eq!(bench.event(), reflexive(outside()));
}

#[test]
fn servers_from_before_2008_are_understood() {
    let mut bench = Bench::new();
    let question = bench.one();
    let question = Message::from_bytes(&question).unwrap();
    let mut answer = Message::builder_success(&question, MessageWriteVec::new());
    let old = MappedSocketAddr::new(outside());
    answer.add_attribute(&old.to_raw(AttributeType::new(0x0001))).unwrap();
    assert!(bench.hear(&answer.finish()));
    assert_eq!(bench.event(), reflexive(outside()));
}

#[test]
fn a_silent_server_is_asked_seven_times_and_again_after_minutes() {
    let mut bench = Bench::new();
    let (mut sent, mut waited) = (bench.sent().len(), Duration::ZERO);
    while sent < 8 {
        waited += bench.wait();
        sent += bench.sent().len();
    }
    assert_eq!(waited, Duration::from_millis(39_500) + Duration::from_secs(300));
}

#[test]
fn a_refusal_ends_the_question() {
    for code in [300, 400, 420, 500] {
        let mut bench = Bench::new();
        let question = bench.one();
        let question = Message::from_bytes(&question).unwrap();
        let mut answer = Message::builder_error(&question, MessageWriteVec::new());
        answer.add_attribute(&ErrorCode::new(code, "No").unwrap()).unwrap();
        assert!(bench.hear(&answer.finish()));
        assert_eq!(bench.wait(), Duration::from_secs(300));
        assert_eq!(bench.sent().len(), 1);
    }
}

#[test]
fn who_is_asked_follows_the_sockets_and_the_servers() {
    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&answer(&first, outside()));
    let second = addr("192.0.2.10:3478");
    let loopback = addr("127.0.0.1:5000");
    let v6 = addr("[2001:db8::9]:3478");
    bench.client.set(&[local(), loopback, local()], &[server(), second, v6], bench.now);
    let asked: Vec<_> = std::iter::from_fn(|| bench.client.poll_transmit()).collect();
    let pairs: Vec<_> = asked.iter().map(|asked| (asked.local, asked.to)).collect();
    assert_eq!(pairs, [(local(), second)], "the first has answered, the others don't fit");
    bench.event();
    // What both say is told once.
    assert!(bench.client.receive(
        local(),
        second,
        &answer(&asked[0].datagram, outside()),
        bench.now
    ));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.client.reflexive().count(), 1);
    bench.client.set(&[local()], &[], bench.now);
    assert_eq!((bench.client.reflexive().count(), bench.client.timeout()), (0, None));
}

#[test]
fn before_a_link_whoever_is_not_fresh_is_asked_again() {
    let mut bench = Bench::new();
    let question = bench.one();
    bench.client.ask_again(bench.now);
    assert!(bench.sent().is_empty(), "it is being asked");
    bench.hear(&answer(&question, outside()));
    bench.client.ask_again(bench.now);
    assert!(bench.sent().is_empty(), "it has just answered");
    bench.now += Duration::from_secs(6);
    bench.client.ask_again(bench.now);
    assert_eq!(bench.sent().len(), 1);
}

/// Asks a server over a real socket: how it was asked from, and how it is seen.
async fn ask(server: SocketAddr) -> (SocketAddr, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (own, mut client) = (socket.local_addr().unwrap(), Client::default());
    client.set(&[own], &[server], Instant::now());
    let asked = client.poll_transmit().unwrap();
    socket.send_to(&asked.datagram, asked.to).await.unwrap();
    let mut datagram = [0; 1_500];
    let received = tokio::time::timeout(PATIENCE, socket.recv_from(&mut datagram)).await;
    let (size, from) = received.expect("an answer").unwrap();
    assert!(client.receive(own, from, &datagram[..size], Instant::now()));
    let Some(Event::Reflexive { local, addr }) = client.poll_event() else { panic!("no address") };
    assert_eq!(local, own);
    (own, addr)
}

#[tokio::test]
async fn another_projects_server_is_understood() {
    let server = Coturn::start(&[]).await;
    let (own, seen) = ask(server.addr).await;
    assert_eq!(seen, own);
}

#[tokio::test]
async fn the_trackers_own_server_is_understood() {
    use chat_tracker::metrics::Metrics;
    use chat_tracker::settings::LinkArgs;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        links: LinkArgs,
    }
    let flags = ["tracker", "--stun-ip", "127.0.0.1", "--stun-port", "0"];
    let flags = Flags::try_parse_from(flags).unwrap();
    let metrics = Metrics::new().unwrap();
    let server = chat_tracker::stun::Server::bind(&flags.links, &metrics).unwrap().unwrap();
    let (addr, shutdown) = (server.local_addr(), service::Shutdown::new());
    let running = tokio::spawn(server.run(shutdown.clone()));
    let (own, seen) = ask(addr).await;
    assert_eq!(seen, own);
    shutdown.cancel();
    running.await.unwrap();
}

proptest! {
    #[test]
    fn no_datagram_breaks_it(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 1..20),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let mut bench = Bench::new();
        let question = bench.one();
        for datagram in datagrams {
            prop_assert!(!bench.hear(&datagram), "not its own");
            // The same after the beginning of a right answer.
            let length = u16::try_from(datagram.len() / 4 * 4).unwrap();
            let rest = &datagram[..length.into()];
            let id = &question[4..20];
            prop_assert!(bench.hear(&[&[1, 1], &length.to_be_bytes()[..], id, rest].concat())
                || bench.client.reflexive().count() == 1);
        }
        let mut bench = Bench::new();
        let question = bench.one();
        let (mut damaged, several) = (answer(&question, outside()), damage.len() > 1);
        for (at, byte) in damage {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        damaged.truncate(damaged.len() - cut.index(damaged.len()));
        bench.hear(&damaged);
        // Either nothing came of it, or the damage was elsewhere. Several may take the fingerprint away.
        let told = bench.event();
        prop_assert!(told.is_none() || told == reflexive(outside()) || several, "{told:?}");
        prop_assert!(bench.client.timeout().is_some());
    }
}

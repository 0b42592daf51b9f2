//! The STUN server: what it answers (vectors of RFC 5769), what it leaves unanswered, over real sockets too.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use proptest::prelude::*;
use stun_types::attribute::{
    AttributeStaticType, ErrorCode, Fingerprint, RawAttribute, UnknownAttributes, XorMappedAddress,
};
use stun_types::message::{
    BINDING, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec,
    Method,
};

use tracing::dispatcher::Dispatch;

use super::*;

#[derive(Parser)]
struct Sample {
    #[command(flatten)]
    links: LinkArgs,
}

fn args(flags: &[&str]) -> LinkArgs {
    Sample::try_parse_from(["sample"].iter().chain(flags)).unwrap().links
}

/// Hex digits, spaces between them allowed.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn request() -> MessageWriteVec {
    Message::builder_request(BINDING, MessageWriteVec::new())
}

fn from() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

/// The transaction id of RFC 5769 §2.1 to §2.3, in a request that has nothing else.
const BARE: &str = "0001 0000 2112a442 b7e7a701bc34d686fa87dfae";

#[test]
fn the_address_is_written_as_in_the_responses_of_rfc_5769() {
    let v4 = reply(&bytes(BARE), from());
    let expected = "0101 000c 2112a442 b7e7a701bc34d686fa87dfae 0020 0008 0001 a147 e112a643";
    assert_eq!(v4, Reply::Address(bytes(expected)));
    let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    let expected = "0101 0018 2112a442 b7e7a701bc34d686fa87dfae 0020 0014 0002 a147
        0113a9fa a5d3f179 bc25f4b5 bed2b9d9";
    assert_eq!(reply(&bytes(BARE), v6), Reply::Address(bytes(expected)));
}

#[test]
fn an_ipv4_asker_at_a_socket_for_both_families_gets_an_ipv4_address() {
    let mapped = "[::ffff:192.0.2.1]:32853".parse().unwrap();
    assert_eq!(reply(&bytes(BARE), mapped), reply(&bytes(BARE), from()));
}

#[test]
fn a_request_with_credentials_is_answered_without_them() {
    // RFC 5769 §2.4: USERNAME, NONCE, REALM and MESSAGE-INTEGRITY.
    let question = "0001 0060 2112a442 78ad3433c6ad72c029da412e
        0006 0012 e3839ee38388e383aae38383e382afe382b9 0000
        0015 001c 662f2f3439396b393534643 64f4c33346f4c394653547679363473 41
        0014 000b 6578616d706c652e6f7267 00
        0008 0014 f67024656dd64a3e02b8e0712e85c9a28ca89666";
    assert!(matches!(reply(&bytes(question), from()), Reply::Address(_)));
}

#[test]
fn what_has_to_be_understood_and_is_not_is_named_in_a_420() {
    // RFC 5769 §2.1: an ICE check, whose PRIORITY is no business of a STUN server.
    let question = "0001 0058 2112a442 b7e7a701bc34d686fa87dfae
        8022 0010 5354554e207465737420636c69656e74
        0024 0004 6e0001ff
        8029 0008 932ff9b151263b36
        0006 0009 6576746a3a68367659 202020
        0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
        8028 0004 e57a3bcf";
    let Reply::UnknownAttribute(answer) = reply(&bytes(question), from()) else { panic!() };
    // Parsing it checks its fingerprint.
    let answer = Message::from_bytes(&answer).unwrap();
    assert!(answer.has_class(MessageClass::Error) && answer.has_attribute(Fingerprint::TYPE));
    assert_eq!(answer.attribute::<ErrorCode>().unwrap().code(), 420);
    let unknown = answer.attribute::<UnknownAttributes>().unwrap();
    assert!(unknown.has_attribute(0x0024.into()) && !unknown.has_attribute(0x0006.into()));
}

#[test]
fn a_wrong_fingerprint_is_no_stun_and_a_right_one_is_answered_with_one() {
    let mut question = request();
    question.add_fingerprint().unwrap();
    let mut question = question.finish();
    let Reply::Address(answer) = reply(&question, from()) else { panic!() };
    let answer = Message::from_bytes(&answer).unwrap();
    assert!(answer.has_attribute(Fingerprint::TYPE));
    *question.last_mut().unwrap() ^= 1;
    assert_eq!(reply(&question, from()), Reply::Malformed);
}

#[test]
fn indications_responses_and_other_methods_are_left_alone() {
    for (class, method) in [
        (MessageClass::Indication, BINDING),
        (MessageClass::Success, BINDING),
        (MessageClass::Error, BINDING),
        (MessageClass::Request, Method::new(3)),
    ] {
        let kind = MessageType::from_class_method(class, method);
        let message = Message::builder(kind, 7.into(), MessageWriteVec::new()).finish();
        assert_eq!(reply(&message, from()), Reply::Silence, "{class:?} {method}");
    }
}

#[test]
fn a_datagram_that_is_not_one_whole_message_is_malformed() {
    let whole = bytes(BARE);
    let longer = [&whole[..], &[0; 4]].concat();
    let old = [&whole[..4], &[1, 2, 3, 4], &whole[8..]].concat();
    let uneven = [&bytes("0001 0003"), &whole[4..], &[0; 3]].concat();
    let mut huge = request();
    huge.add_attribute(&RawAttribute::new(0x8022.into(), &[b'x'; 600])).unwrap();
    for wrong in [&[][..], &whole[..19], &longer, &old, &uneven, b"GET / HTTP/1.1\r\n\r\n   "] {
        assert_eq!(reply(wrong, from()), Reply::Malformed, "{wrong:?}");
    }
    assert_eq!(reply(&huge.finish(), from()), Reply::Malformed);
}

#[test]
fn strangers_have_no_hand_in_the_log() {
    struct Count(AtomicUsize);
    impl tracing::Subscriber for &'static Count {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    static COUNT: Count = Count(AtomicUsize::new(0));
    let mut forged = request();
    forged.add_fingerprint().unwrap();
    let mut forged = forged.finish();
    *forged.last_mut().unwrap() ^= 1;
    // With a second one, places that were asked before are asked anew whom they log to.
    let (first, _second) = (Dispatch::new(&COUNT), Dispatch::new(&COUNT));
    tracing::dispatcher::with_default(&first, || {
        assert!(Message::from_bytes(&forged).is_err());
        let said = COUNT.0.load(Ordering::Relaxed);
        assert_ne!(said, 0, "the library by itself says something");
        assert_eq!(reply(&forged, from()), Reply::Malformed);
        assert_eq!(COUNT.0.load(Ordering::Relaxed), said);
    });
}

/// A request with attributes of any type and size, then damaged in a few places.
fn questions() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40));
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (proptest::collection::vec(attribute, 0..12), any::<bool>(), damage).prop_map(
        |(attributes, fingerprint, damage)| {
            let mut question = request();
            for (kind, value) in &attributes {
                // Those that end a message are written by the library alone.
                if ![0x0008, 0x001c, 0x8028].contains(kind) {
                    question.add_attribute(&RawAttribute::new((*kind).into(), value)).unwrap();
                }
            }
            if fingerprint {
                question.add_fingerprint().unwrap();
            }
            let mut question = question.finish();
            for (at, byte) in damage {
                let at = at.index(question.len());
                question[at] = byte;
            }
            question
        },
    )
}

fn check(question: &[u8]) {
    match reply(question, from()) {
        Reply::Address(answer) | Reply::UnknownAttribute(answer) => {
            assert!(answer.len() <= question.len() + 32, "{} bytes", answer.len());
            let parsed = Message::from_bytes(&answer).unwrap();
            assert!(parsed.is_response() && parsed.has_method(BINDING));
            assert_eq!(answer[4..20], question[4..20], "the same cookie and transaction");
        }
        Reply::Silence | Reply::Malformed => {}
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_answer_much(question in proptest::collection::vec(any::<u8>(), 0..700)) {
        check(&question);
        // The same after the right beginning, with the right length: its attributes are looked at.
        let rest = &question[..question.len() / 4 * 4];
        if let Some(length) = rest.len().checked_sub(12) {
            let length = u16::try_from(length).unwrap().to_be_bytes();
            check(&[&[0, 1], &length[..], &[0x21, 0x12, 0xa4, 0x42], rest].concat());
        }
    }

    #[test]
    fn no_damaged_question_does_so_either(question in questions()) {
        check(&question);
    }
}

/// A running server, and what it counts.
struct Running {
    addr: SocketAddr,
    metrics: Metrics,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

fn run(flags: &[&str]) -> Running {
    let metrics = Metrics::new().unwrap();
    let flags = [&["--stun-port", "0"], flags].concat();
    let server = Server::bind(&args(&flags), &metrics).unwrap().unwrap();
    let (addr, shutdown) = (server.local_addr(), Shutdown::new());
    let task = tokio::spawn(server.run(shutdown.clone()));
    Running { addr, metrics, shutdown, task }
}

impl Running {
    /// Sends from a socket on `own` that hears nobody but `host`, and gives what comes back.
    async fn ask(&self, own: IpAddr, host: IpAddr, datagrams: &[Vec<u8>]) -> (SocketAddr, Vec<u8>) {
        let socket = UdpSocket::bind((own, 0)).await.unwrap();
        socket.connect((host, self.addr.port())).await.unwrap();
        for datagram in datagrams {
            socket.send(datagram).await.unwrap();
        }
        let mut answer = vec![0; 1500];
        let waiting = tokio::time::timeout(Duration::from_secs(20), socket.recv(&mut answer));
        let size = waiting.await.expect("no answer").unwrap();
        answer.truncate(size);
        (socket.local_addr().unwrap(), answer)
    }

    fn count(&self, counter: &str) -> u64 {
        let text = self.metrics.render(crate::metrics::Levels::default());
        let line = text.lines().find(|line| line.starts_with(counter)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

fn mapped(answer: &[u8]) -> SocketAddr {
    let answer = Message::from_bytes(answer).unwrap();
    answer.attribute::<XorMappedAddress>().unwrap().addr(answer.transaction_id())
}

fn localhost() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

#[tokio::test]
async fn both_families_are_told_their_address_by_one_socket() {
    let server = run(&[]);
    let (own, answer) = server.ask(localhost(), localhost(), &[request().finish()]).await;
    assert_eq!(mapped(&answer), own);
    // A machine without IPv6 has no such address to ask from, and no socket for both.
    let loopback = IpAddr::from(Ipv6Addr::LOCALHOST);
    if UdpSocket::bind((loopback, 0)).await.is_ok() {
        assert_eq!(server.addr.ip(), IpAddr::from(Ipv6Addr::UNSPECIFIED));
        let (own, answer) = server.ask(loopback, loopback, &[request().finish()]).await;
        assert_eq!(mapped(&answer), own);
    }
    server.shutdown.cancel();
    server.task.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_answer_comes_from_the_address_that_was_asked() {
    let server = run(&[]);
    // Left to itself the system would answer from 127.0.0.1, which this socket doesn't hear.
    let second = Ipv4Addr::new(127, 0, 0, 2).into();
    let (own, answer) = server.ask(localhost(), second, &[request().finish()]).await;
    assert_eq!(mapped(&answer), own);
}

#[tokio::test]
async fn noise_is_passed_over_and_counted() {
    let server = run(&["--stun-ip", "127.0.0.1"]);
    let kind = MessageType::from_class_method(MessageClass::Indication, BINDING);
    let indication = Message::builder(kind, 1.into(), MessageWriteVec::new()).finish();
    let datagrams = [b"hello".to_vec(), Vec::new(), vec![0; 1200], indication, request().finish()];
    let (own, answer) = server.ask(localhost(), localhost(), &datagrams).await;
    assert_eq!(mapped(&answer), own);
    assert_eq!(server.count("tracker_stun_requests_total"), 1);
    assert_eq!(server.count("tracker_stun_refused_total{reason=\"malformed\"}"), 2);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_left_without_answers_and_others_are_not() {
    let metrics = Metrics::new().unwrap();
    let flags = ["--stun-port", "0", "--stun-rate", "1", "--stun-burst", "3"];
    let server = Server::bind(&args(&flags), &metrics).unwrap().unwrap();
    let now = Instant::now();
    let question = request().finish();
    let answered = |from: &str, now| server.answer(&question, from.parse().unwrap(), now).is_some();
    let count = |from: &[&str]| from.iter().filter(|from| answered(from, now)).count();
    assert_eq!(count(&["192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3", "192.0.2.1:4"]), 3);
    assert_eq!(count(&["192.0.2.2:1"]), 1);
    let network = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8::4]:1"];
    assert_eq!(count(&network), 3);
    assert_eq!(count(&["[2001:db8:0:1::1]:1"]), 1);
    assert!(answered("192.0.2.1:5", now + Duration::from_secs(2)));
    let text = metrics.render(crate::metrics::Levels::default());
    assert!(text.contains("tracker_stun_refused_total{reason=\"rate\"} 2"), "{text}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag_in_one_line() {
    let metrics = Metrics::new().unwrap();
    let first = Server::bind(&args(&["--stun-port", "0"]), &metrics).unwrap().unwrap();
    let port = first.local_addr().port().to_string();
    let second = Server::bind(&args(&["--stun-port", &port]), &metrics);
    let text = second.err().unwrap().to_string();
    for part in [port.as_str(), "in use", "ss -lunp", "--stun-port", "--stun off"] {
        assert!(text.contains(part) && !text.contains('\n'), "{text}");
    }
    let foreign = args(&["--stun-ip", "192.0.2.1", "--stun-port", "0"]);
    let text = Server::bind(&foreign, &metrics).err().unwrap().to_string();
    assert!(text.contains("192.0.2.1") && text.contains("--stun-ip"), "{text}");
    assert!(Server::bind(&args(&["--stun", "off"]), &metrics).unwrap().is_none());
}

#[test]
fn a_machine_without_ipv6_is_served_over_ipv4_and_nothing_else_is_changed() {
    let without = |addr: SocketAddr| match addr {
        SocketAddr::V6(_) => Err(io::Error::from_raw_os_error(97)),
        SocketAddr::V4(_) => Ok(addr),
    };
    let bound = bind("[::]:3478".parse().unwrap(), without).unwrap();
    assert_eq!(bound, "0.0.0.0:3478".parse().unwrap());
    assert!(bind("[::1]:3478".parse().unwrap(), without).is_err());
    let taken = |_| Err::<(), _>(io::Error::from(io::ErrorKind::AddrInUse));
    let error = bind("[::]:3478".parse().unwrap(), taken).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

//! What RFC 8656 asks of a client, against a server that is played here.

use std::time::Duration;

use super::super::{Event, Failure, Received};
use super::bench::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failed(failure: Failure) -> Option<Event> {
    Some(Event::Failed { server: server(), failure })
}

#[test]
fn a_challenge_is_answered_with_credentials() {
    let mut bench = Bench::new();
    let first = bench.one();
    assert_eq!((first.method(), first.lifetime()), (ALLOCATE, 600));
    assert_eq!(first.attribute(0x0019).unwrap(), [17, 0, 0, 0], "over UDP");
    assert_eq!(first.attribute(0x0006), None, "nothing of the user yet");
    assert_eq!(bench.hear(&first.challenge(401, "n1")), Received::Taken);
    let second = bench.one();
    assert!(second.signed());
    assert_eq!(second.nonce().unwrap(), "n1");
    bench.hear(&second.success(600));
    let mapped = addr("203.0.113.5:7000");
    let told = Event::Allocated { local: local(), relayed: relayed(), mapped };
    assert_eq!(bench.event(), Some(told));
    assert_eq!(bench.relays.relayed().collect::<Vec<_>>(), [(local(), relayed())]);
    assert_eq!(bench.event(), None);
}

#[test]
fn credentials_that_are_not_accepted_are_named() {
    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&first.challenge(401, "n1"));
    let second = bench.one();
    bench.hear(&second.challenge(401, "n2"));
    assert_eq!(bench.event(), failed(Failure::Credentials));
    assert!(bench.sent().is_empty());
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let mut bench = Bench::new();
    let mut last = bench.one();
    bench.hear(&last.challenge(401, "n0"));
    for nonce in ["n1", "n2", "n3"] {
        last = bench.one();
        bench.hear(&last.challenge(438, nonce));
    }
    last = bench.one();
    assert!(last.signed() && last.nonce().unwrap() == "n3");
    bench.hear(&last.challenge(438, "n4"));
    assert_eq!(bench.event(), failed(Failure::Nonsense));
}

#[test]
fn errors_become_words() {
    for (code, failure) in [
        (441, Failure::Credentials),
        (486, Failure::Quota),
        (508, Failure::Full),
        (403, Failure::Refused { code: 403, words: "No[2J way".to_owned() }),
        (300, Failure::Refused { code: 300, words: "No[2J way".to_owned() }),
    ] {
        let mut bench = Bench::new();
        let first = bench.one();
        bench.hear(&first.error(code));
        assert_eq!(bench.event(), failed(failure));
    }
    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&first.challenge(401, "n1"));
    let second = bench.one();
    bench.hear(&second.empty());
    assert_eq!(bench.event(), failed(Failure::Nonsense), "no address in it");
}

#[test]
fn what_the_server_did_not_sign_is_not_taken() {
    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&first.challenge(401, "n1"));
    let second = bench.one();
    bench.hear(&second.unsigned());
    let mut forged = second.success(600);
    *forged.last_mut().unwrap() ^= 1;
    bench.hear(&forged);
    assert_eq!(bench.event(), None);
    assert_eq!(
        bench.relays.receive(local(), peer(), &second.success(600), bench.now),
        Received::Foreign
    );
    assert_eq!(bench.event(), None, "the answer of somebody else");
    bench.hear(&second.success(600));
    assert!(matches!(bench.event(), Some(Event::Allocated { .. })));
}

#[test]
fn an_earlier_programs_address_is_given_up_for_a_new_one() {
    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&first.challenge(401, "n1"));
    let second = bench.one();
    bench.hear(&second.error(437));
    let free = bench.one();
    assert_eq!((free.method(), free.lifetime()), (REFRESH, 0));
    bench.hear(&free.empty());
    assert!(bench.sent().is_empty(), "the server is given a moment");
    bench.pass(seconds(2));
    let third = bench.one();
    assert_eq!(third.method(), ALLOCATE);
    bench.hear(&third.error(437));
    assert_eq!(bench.event(), failed(Failure::Mismatch));
}

#[test]
fn a_silent_server_is_asked_seven_times_and_later_again() {
    let mut bench = Bench::new();
    let start = bench.now;
    let mut pauses = Vec::new();
    let mut sent = bench.sent().len();
    for _ in 0..8 {
        let event = loop {
            bench.wait();
            sent += bench.sent().len();
            if let Some(event) = bench.event() {
                break event;
            }
        };
        assert_eq!(Some(event), failed(Failure::Silent));
        assert_eq!(std::mem::take(&mut sent), 7);
        let ended = bench.now;
        bench.wait();
        sent += bench.sent().len();
        pauses.push((bench.now - ended).as_secs());
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600, 600]);
    assert!(bench.now > start + seconds(2_000));
}

#[test]
fn new_credentials_are_for_the_next_address_and_for_a_server_that_failed() {
    let mut bench = Bench::allocated();
    bench.relays.set(&[(local(), credentials("other"))], bench.now);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.relays.relayed().count(), 1);

    let mut bench = Bench::new();
    let first = bench.one();
    bench.hear(&first.error(486));
    assert_eq!(bench.event(), failed(Failure::Quota));
    bench.relays.set(&[(local(), credentials("secret"))], bench.now);
    assert!(bench.sent().is_empty(), "the same again");
    bench.relays.set(&[(local(), credentials("other"))], bench.now);
    assert_eq!(bench.one().method(), ALLOCATE);
}

#[test]
fn an_address_is_renewed_a_minute_before_it_ends() {
    let mut bench = Bench::allocated();
    let start = bench.now;
    let refresh = bench.wait_for(REFRESH);
    assert_eq!((bench.now - start, refresh.lifetime()), (seconds(540), 600));
    assert!(refresh.signed());
    bench.hear(&refresh.challenge(438, "n2"));
    let refresh = bench.one();
    assert_eq!(refresh.nonce().unwrap(), "n2");
    bench.hear(&refresh.success(8));
    bench.wait_for(REFRESH);
    assert_eq!(bench.now - start, seconds(546), "a short one: after three quarters");
}

#[test]
fn an_address_that_is_not_renewed_is_lost_and_had_again() {
    let mut bench = Bench::allocated();
    bench.wait_for(REFRESH);
    let event = loop {
        bench.wait();
        if let Some(event) = bench.event() {
            break event;
        }
    };
    assert_eq!(event, Event::Lost { relayed: relayed(), failure: Failure::Silent });
    assert_eq!(bench.relays.relayed().count(), 0);
    assert_eq!(bench.wait_for(ALLOCATE).attribute(0x0006), None);
}

#[test]
fn a_server_that_has_forgotten_is_found_out_by_asking() {
    let mut bench = Bench::allocated();
    bench.relays.check(bench.now);
    assert!(bench.sent().is_empty(), "it has just said so");
    bench.pass(seconds(10));
    bench.relays.check(bench.now);
    bench.relays.check(bench.now);
    let refresh = bench.one();
    bench.hear(&refresh.error(437));
    let lost = Event::Lost { relayed: relayed(), failure: Failure::Forgotten };
    assert_eq!(bench.event(), Some(lost));
    bench.wait();
    assert_eq!(bench.one().method(), ALLOCATE);
}

#[test]
fn datagrams_wait_for_the_permission_and_not_too_many() {
    let mut bench = Bench::allocated();
    for n in 0..100_u8 {
        bench.send(peer(), &[n]);
    }
    let request = bench.one();
    assert!(request.method() == PERMISSION && request.signed());
    assert_eq!(
        bench.hear(&data(peer(), b"x")),
        Received::Data { relayed: relayed(), from: peer(), datagram: b"x" }
    );
    bench.hear(&request.empty());
    let sent = bench.sent();
    let payloads: Vec<_> = sent.iter().map(|sent| sent.attribute(0x0013).unwrap()).collect();
    assert_eq!(payloads, (0..8_u8).map(|n| vec![n]).collect::<Vec<_>>());
    assert!(sent.iter().all(|sent| sent.method() == SEND && sent.peer() == peer()));
}

#[test]
fn nobody_is_heard_without_a_permission() {
    let mut bench = Bench::permitted();
    let stranger = addr("198.51.100.8:6000");
    assert_eq!(bench.hear(&data(stranger, b"x")), Received::Taken);
    let other_port = addr("198.51.100.7:6001");
    let indication = data(other_port, b"x");
    let heard = bench.hear(&indication);
    assert_eq!(heard, Received::Data { relayed: relayed(), from: other_port, datagram: b"x" });
}

#[test]
fn a_permission_in_use_is_renewed_and_another_lapses() {
    let mut bench = Bench::permitted();
    let start = bench.now;
    bench.pass(seconds(100));
    bench.hear(&data(peer(), b"still here"));
    let renewal = bench.wait_for(PERMISSION);
    assert_eq!((bench.now - start, renewal.peer().ip()), (seconds(240), peer().ip()));
    bench.hear(&renewal.empty());
    // Not used any more from now on.
    while bench.now < start + seconds(530) {
        bench.wait();
    }
    assert!(bench.sent().iter().all(|sent| sent.method() != PERMISSION));
    assert_eq!(bench.hear(&data(peer(), b"late")), Received::Taken);
    bench.send(peer(), b"again");
    bench.wait_for(PERMISSION);
}

#[test]
fn an_address_that_the_server_forbids_is_left_alone_for_a_minute() {
    let mut bench = Bench::allocated();
    bench.send(peer(), b"x");
    let request = bench.one();
    bench.hear(&request.error(403));
    bench.send(peer(), b"y");
    assert!(bench.sent().is_empty());
    assert_eq!(bench.relays.relayed().count(), 1, "others may be reached");
    bench.pass(seconds(61));
    bench.send(peer(), b"z");
    assert_eq!(bench.one().method(), PERMISSION);
}

#[test]
fn a_busy_peer_gets_a_channel() {
    let (mut bench, number) = Bench::bound();
    assert!((0x4000..0x5000).contains(&number));
    bench.send(peer(), b"short");
    let [high, low] = number.to_be_bytes();
    let expected = [&[high, low, 0, 5][..], b"short"].concat();
    assert_eq!(bench.one().datagram, expected);
    let padded = [&expected[..], &[0; 3]].concat();
    let heard = bench.hear(&padded);
    assert_eq!(heard, Received::Data { relayed: relayed(), from: peer(), datagram: b"short" });
    let foreign = [&[0x4f, 0xff, 0, 5][..], b"short"].concat();
    assert_eq!(bench.hear(&foreign), Received::Taken);
    // Indications are understood all the same.
    assert!(matches!(bench.hear(&data(peer(), b"x")), Received::Data { .. }));
}

#[test]
fn a_channel_in_use_is_renewed_and_one_that_is_not_leaves_indications() {
    let (mut bench, number) = Bench::bound();
    let start = bench.now;
    let renewal = loop {
        bench.send(peer(), b"x");
        let sent = bench.sent();
        for permission in sent.iter().filter(|sent| sent.method() == PERMISSION) {
            bench.hear(&permission.empty());
        }
        for refresh in sent.iter().filter(|sent| sent.method() == REFRESH) {
            bench.hear(&refresh.success(600));
        }
        if let Some(renewal) = sent.into_iter().find(|sent| sent.method() == CHANNEL) {
            break renewal;
        }
        bench.pass(seconds(30));
    };
    assert_eq!(bench.now - start, seconds(540));
    let again = renewal.attribute(0x000c).unwrap();
    assert_eq!(u16::from_be_bytes([again[0], again[1]]), number);
    bench.hear(&renewal.error(400));
    for _ in 0..50 {
        bench.send(peer(), b"x");
    }
    assert!(bench.sent().iter().all(|sent| sent.method() == SEND));
    bench.pass(seconds(61));
    bench.send(peer(), b"x");
    let again = bench.wait_for(CHANNEL).attribute(0x000c).unwrap();
    assert_eq!(u16::from_be_bytes([again[0], again[1]]), number, "the same peer, the same number");
}

#[test]
fn addresses_without_number_take_no_memory_without_end() {
    let mut bench = Bench::allocated();
    let mut asked = 0;
    for n in 0..5_000_u32 {
        let to = std::net::SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + n), 9));
        bench.send(to, &[7; 1_000]);
        asked += bench.sent().len();
    }
    // Each is a request that is under way, with its retransmissions.
    assert!((256..=600).contains(&asked), "{asked}");
    bench.wait();
    assert!(bench.sent().len() <= 1_024);
}

#[test]
fn what_is_too_long_or_of_another_family_is_not_sent() {
    let mut bench = Bench::permitted();
    bench.send(peer(), &[0; 20_000]);
    bench.send(addr("[2001:db8::1]:5"), b"x");
    bench.relays.send(addr("192.0.2.9:1"), peer(), b"x", bench.now);
    assert!(bench.sent().is_empty());
}

#[test]
fn an_address_is_given_back_at_the_end() {
    let mut bench = Bench::allocated();
    bench.relays.close(bench.now);
    let lost = Event::Lost { relayed: relayed(), failure: Failure::Unused };
    assert_eq!(bench.event(), Some(lost));
    let free = bench.one();
    assert_eq!((free.method(), free.lifetime()), (REFRESH, 0));
    assert!(!bench.relays.closed());
    bench.hear(&free.challenge(438, "n2"));
    let free = bench.one();
    assert!(free.signed() && free.lifetime() == 0);
    bench.hear(&free.empty());
    assert!(bench.relays.closed() && bench.relays.timeout().is_none());

    let mut bench = Bench::allocated();
    bench.relays.close(bench.now);
    bench.pass(seconds(2));
    assert!(bench.relays.closed(), "the server is given two seconds");
}

#[test]
fn over_ipv6_an_ipv6_address_is_asked_for_when_there_is_no_other() {
    let (mut bench, v6) = (Bench::allocated(), addr("[2001:db8::9]:3478"));
    let own = addr("[2001:db8::1]:5000");
    bench.relays.close(bench.now);
    bench.pass(seconds(2));
    bench.sent();
    let turn = crate::links::TurnServer { addr: v6, ..credentials("secret") };
    bench.relays.set(&[(own, turn)], bench.now);
    let next = |bench: &mut Bench| Sent {
        datagram: bench.relays.poll_transmit().expect("a datagram").datagram,
    };
    let first = next(&mut bench);
    assert_eq!(first.attribute(0x0017), None);
    bench.relays.receive(own, v6, &first.error(440), bench.now);
    let second = next(&mut bench);
    assert_eq!(second.attribute(0x0017).unwrap(), [2, 0, 0, 0]);
}

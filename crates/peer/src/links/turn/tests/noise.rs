//! Whatever comes, in whatever order: no panic, and no memory without end.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{Event, Received};
use super::bench::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Any bytes come from the server.
    Noise(Vec<u8>),
    /// A right answer to something that was sent, or a peer's datagram; then damaged.
    Answer {
        to: Index,
        how: u8,
        damage: Vec<(Index, u8)>,
    },
    /// Something is sent to one of several peers.
    Send {
        peer: u8,
        times: u8,
        bytes: u16,
    },
    Time(u16),
    Check,
    Set(bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let damage = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    prop_oneof![
        1 => bytes.clone().prop_map(Step::Noise),
        // The beginnings that are looked at.
        2 => (bytes, any::<Index>()).prop_map(|(mut bytes, which)| {
            let starts: [&[u8]; 4] = [&[0x40, 0], &[0, 0x17], &[1, 3], &[1, 0x13]];
            let start = starts[which.index(starts.len())];
            if bytes.len() >= 20 {
                let length = u16::try_from(bytes.len() / 4 * 4 - 20).unwrap().to_be_bytes();
                bytes.truncate(bytes.len() / 4 * 4);
                bytes[..2].copy_from_slice(start);
                bytes[2..4].copy_from_slice(&length);
                bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            Step::Noise(bytes)
        }),
        4 => (any::<Index>(), 0..9_u8, damage)
            .prop_map(|(to, how, damage)| Step::Answer { to, how, damage }),
        2 => (0..4_u8, 1..30_u8, 0..9_000_u16)
            .prop_map(|(peer, times, bytes)| Step::Send { peer, times, bytes }),
        2 => any::<u16>().prop_map(Step::Time),
        1 => Just(Step::Check),
        1 => any::<bool>().prop_map(Step::Set),
    ]
}

fn peer_of(n: u8) -> std::net::SocketAddr {
    std::net::SocketAddr::from(([198, 51, 100, n], 6_000))
}

fn made(request: &Sent, how: u8) -> Vec<u8> {
    if request.method() == 0 || request.method() == SEND {
        return data(peer_of(how % 4), b"hello");
    }
    match how {
        0 => request.challenge(401, "n"),
        1 => request.challenge(438, "m"),
        2 => request.error(437),
        3 => request.error(403),
        4 => request.empty(),
        5 => request.success(0),
        6 => request.success(u32::MAX),
        7 => data(peer_of(1), b"hello"),
        _ => request.success(600),
    }
}

proptest! {
    #[test]
    fn no_sequence_of_events_breaks_it(
        allocated in any::<bool>(),
        steps in proptest::collection::vec(steps(), 1..60),
    ) {
        let mut bench = if allocated { Bench::bound().0 } else { Bench::new() };
        let mut sent = bench.sent();
        for step in steps {
            match step {
                Step::Noise(bytes) => {
                    bench.hear(&bytes);
                }
                Step::Answer { to, how, damage } if !sent.is_empty() => {
                    let mut answer = made(&sent[to.index(sent.len())], how);
                    for (at, byte) in damage {
                        let at = at.index(answer.len());
                        answer[at] = byte;
                    }
                    if let Received::Data { relayed, datagram, .. } = bench.hear(&answer) {
                        prop_assert!(bench.relays.relayed().any(|(_, known)| known == relayed));
                        prop_assert!(datagram.len() <= answer.len());
                    }
                }
                Step::Send { peer, times, bytes } => {
                    for _ in 0..times {
                        bench.send(peer_of(peer), &vec![1; bytes.into()]);
                    }
                }
                Step::Time(millis) => bench.pass(Duration::from_millis(u64::from(millis) * 10)),
                Step::Check => bench.relays.check(bench.now),
                Step::Set(there) => {
                    let wanted = [(local(), credentials("secret"))];
                    bench.relays.set(if there { &wanted } else { &[] }, bench.now);
                }
                Step::Answer { .. } => {}
            }
            let new = bench.sent();
            prop_assert!(new.len() <= 1_100, "{} datagrams at once", new.len());
            sent.extend(new);
            sent.drain(..sent.len().saturating_sub(20));
            // Each is told once.
            let mut events = 0;
            while let Some(event) = bench.event() {
                events += 1;
                if let Event::Failed { failure, .. } = event {
                    prop_assert!(failure.to_string().len() < 600);
                }
            }
            prop_assert!(events <= 3);
            // What is due is done at once, and does not stay due.
            for _ in 0..50 {
                match bench.relays.timeout() {
                    Some(at) if at <= bench.now => bench.relays.handle_timeout(bench.now),
                    _ => break,
                }
            }
            prop_assert!(bench.relays.timeout().is_none_or(|at| at > bench.now));
        }
    }
}

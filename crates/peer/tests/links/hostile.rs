//! Others who don't keep the rules lose their link, and nobody else anything.

use std::net::Ipv4Addr;
use std::time::Duration;

use peer::identity::DeviceKey;
use peer::links::{Remote, Way};
use tokio::net::UdpSocket;
use wire::PeerId;
use wire::p2p::{CHUNK_BYTES, MESSAGES};
use wire::signal::{Description, Signal, Signalling};

use crate::rogue::{Rogue, agreed};
use crate::support::{Device, PATIENCE, Switchboard, linked, text};

const HELLO: &str = r#"{"t":"hello","version":1,"agent":"rogue"}"#;

/// The link between the two others is as it was.
async fn unharmed(alice: &mut Device, bob: &mut Device) {
    alice.links.ping(&bob.me).await.unwrap();
    bob.links.send(&alice.me, &text(1, "still here")).await.unwrap();
    assert_eq!(alice.frame().await, text(1, "still here"));
}

#[tokio::test]
async fn another_implementation_that_keeps_the_rules_is_linked() {
    let board = Switchboard::default();
    let mut bob = board.device("bob").await;
    let mut other = Rogue::greeted(&board, &bob.me).await;
    assert_eq!(bob.up(&other.me).await, Way::Direct);
    let json = serde_json::to_string(&text(3, "hello")).unwrap();
    other.say(&json).await;
    other.run(Duration::from_millis(50)).await;
    assert_eq!(bob.frame().await, text(3, "hello"));
    bob.links.send(&other.me, &text(4, "hello")).await.unwrap();
    assert_eq!(other.hear().await, text(4, "hello"));
}

#[tokio::test]
async fn whoever_breaks_the_rules_of_frames_loses_the_link() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    let long = vec![0; CHUNK_BYTES + 1];
    let endless = [&[1][..], &[b'x'; CHUNK_BYTES - 1]].concat();
    let messages: [(bool, &[u8]); 7] = [
        (true, b"\x02{}"),
        (true, b"\x00{\"t\":\"text\"}"),
        (true, b"\x00not json"),
        (true, &long),
        (true, &endless),
        (false, b"\x00{\"t\":\"ping\",\"n\":1}"),
        (true, b"\x00{\"t\":\"hello\",\"version\":1,\"agent\":\"again\"}"),
    ];
    for (binary, message) in messages {
        let mut rogue = Rogue::greeted(&board, &bob.me).await;
        bob.up(&rogue.me).await;
        let msg = rogue.msg;
        for _ in 0..10 {
            rogue.write(msg, binary, message).await;
        }
        rogue.ended().await;
        bob.down(&rogue.me).await;
    }
    unharmed(&mut alice, &mut bob).await;
    assert!(alice.quiet() && bob.quiet(), "nothing of all that was told");
}

#[tokio::test]
async fn nothing_counts_before_hello() {
    let board = Switchboard::default();
    let mut bob = board.device("bob").await;
    let mut rogue = Rogue::open(&board, &bob.me).await;
    rogue.say(&serde_json::to_string(&text(1, "psst")).unwrap()).await;
    rogue.say(HELLO).await;
    rogue.ended().await;
    assert!(bob.quiet());
    assert_eq!(bob.links.up(), []);
}

#[tokio::test]
async fn a_channel_for_frames_that_may_lose_some_is_refused() {
    let board = Switchboard::default();
    let mut bob = board.device("bob").await;
    let unordered = str0m::channel::ChannelConfig { ordered: false, ..agreed(MESSAGES) };
    let lossy = str0m::channel::ChannelConfig {
        reliability: str0m::channel::Reliability::MaxRetransmits { retransmits: 0 },
        ..agreed(MESSAGES)
    };
    let foreign = str0m::channel::ChannelConfig { protocol: String::new(), ..agreed(MESSAGES) };
    for config in [unordered, lossy, foreign] {
        let mut rogue = Rogue::offer(&board, &bob.me, config, |sdp| sdp).await;
        rogue.ended().await;
        bob.in_vain(&rogue.me).await;
        assert!(bob.quiet());
    }
}

#[tokio::test]
async fn channels_that_nobody_asked_for_are_closed_and_many_end_the_link() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    let mut rogue = Rogue::greeted(&board, &bob.me).await;
    bob.up(&rogue.me).await;
    for number in 0..200 {
        let mut changes = rogue.rtc.sdp_api();
        changes.add_channel_with_config(agreed(&format!("stranger {number}")));
        assert!(changes.apply().is_none());
        rogue.run(Duration::from_millis(5)).await;
    }
    bob.down(&rogue.me).await;
    unharmed(&mut alice, &mut bob).await;
}

#[tokio::test]
async fn a_flood_of_frames_ends_the_link_when_nobody_takes_them() {
    let board = Switchboard::default();
    let mut bob = board.device("bob").await;
    let mut rogue = Rogue::greeted(&board, &bob.me).await;
    bob.up(&rogue.me).await;
    let frame = serde_json::to_string(&text(1, &"x".repeat(10_000))).unwrap();
    let ears = std::sync::Arc::clone(&bob.ears);
    let deaf = ears.lock().await;
    let mut sent = 0;
    while bob.links.up().len() == 1 && sent < 5_000 {
        rogue.say(&frame).await;
        sent += 1;
    }
    assert_eq!(bob.links.up(), [], "after {sent} frames");
    assert!(sent >= 256, "a burst is no flood: {sent}");
    drop(deaf);
    bob.down(&rogue.me).await;
    // What it took is bounded, and it can be linked again.
    let mut other = Rogue::greeted(&board, &bob.me).await;
    other.say(&serde_json::to_string(&text(2, "hello")).unwrap()).await;
    bob.up(&other.me).await;
}

#[tokio::test]
async fn noise_on_the_frames_channel_ends_its_link_at_most() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    for seed in 0..12 {
        let mut noise = Noise(seed);
        let mut rogue = Rogue::greeted(&board, &bob.me).await;
        bob.up(&rogue.me).await;
        let msg = rogue.msg;
        for _ in 0..40 {
            let size = noise.next() as usize % 600;
            let binary = !noise.next().is_multiple_of(8);
            let mut message = noise.bytes(size);
            if noise.next().is_multiple_of(2) && !message.is_empty() {
                message[0] %= 2;
            }
            rogue.write(msg, binary, &message).await;
        }
    }
    unharmed(&mut alice, &mut bob).await;
}

#[tokio::test]
async fn noise_on_the_sockets_harms_nobody() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    let to = bob.links.addresses()[0];
    let mut noise = Noise(5);
    for first in 0..=255 {
        // A socket of its own for each, so that errors that come back are nobody's.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        for size in [0, 1, 4, 19, 20, 21, 100, 1200, 1472, 9000] {
            let mut datagram = noise.bytes(size);
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            // STUN's magic number, and lengths that fit: deeper into the parser.
            if first < 4 && size >= 20 {
                datagram[2..4].copy_from_slice(&((size - 20) as u16).to_be_bytes());
                datagram[4..8].copy_from_slice(&0x2112_a442_u32.to_be_bytes());
            }
            let _ = socket.send_to(&datagram, to).await;
        }
    }
    unharmed(&mut alice, &mut bob).await;
}

#[tokio::test]
async fn checks_from_invented_addresses_do_not_pile_up() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    let mut rogue = Rogue::greeted(&board, &bob.me).await;
    bob.up(&rogue.me).await;
    // The rogue knows the passwords, and checks from many ports: each would be one more way to it.
    for _ in 0..300 {
        rogue.move_house().await;
        rogue.run(Duration::from_millis(10)).await;
    }
    unharmed(&mut alice, &mut bob).await;
}

/// What was changed on the way, and what is to come of it.
async fn tampered(change: impl FnMut(&mut Description) + Send + Clone + 'static) {
    for offers in [true, false] {
        let board = Switchboard::default();
        let (mut alice, mut bob) = (board.device("alice").await, board.device("bob").await);
        let mut change = change.clone();
        board.change(move |signalling: &mut Signalling| match &mut signalling.signal {
            Signal::Offer(description) if offers => change(description),
            Signal::Answer(description) if !offers => change(description),
            _ => {}
        });
        alice.links.connect(&bob.me);
        let fooled = if offers { &mut bob } else { &mut alice };
        let reason = fooled.refused().await;
        assert!(reason.contains("could not prove who it is"), "{reason}");
        assert_eq!((alice.links.up(), bob.links.up()), (vec![], vec![]));
        assert!(alice.links.send(&bob.me, &text(1, "secret")).await.is_err());
    }
}

#[tokio::test]
async fn a_tampered_signature_never_gets_a_message() {
    tampered(|description| {
        let last = description.signature.pop();
        description.signature.push(if last == Some('A') { 'Q' } else { 'A' });
    })
    .await;
}

#[tokio::test]
async fn a_tampered_fingerprint_never_gets_a_message() {
    tampered(|description| {
        let at = description.sdp.find("a=fingerprint:sha-256 ").unwrap() + 22;
        let other = if description.sdp[at..].starts_with("00") { "01" } else { "00" };
        description.sdp.replace_range(at..at + 2, other);
    })
    .await;
}

#[tokio::test]
async fn a_second_fingerprint_never_gets_a_message() {
    tampered(|description| {
        let other = "00:".repeat(31) + "00";
        description.sdp.push_str(&format!("a=fingerprint:sha-256 {other}\r\n"));
    })
    .await;
}

#[tokio::test]
async fn another_devices_key_never_gets_a_message() {
    let other = std::sync::Arc::new(DeviceKey::generate());
    tampered(move |description| {
        description.public_key = other.public_key().to_owned();
    })
    .await;
}

#[tokio::test]
async fn a_certificate_other_than_the_signed_one_never_gets_a_message() {
    let board = Switchboard::default();
    let mut bob = board.device("bob").await;
    let mut rogue = Rogue::offer(&board, &bob.me, agreed(MESSAGES), |sdp| {
        let own = wire::signal::fingerprint(&sdp).unwrap();
        let (kind, hex) = own.split_once(' ').unwrap();
        let other = if hex.starts_with("00") { "01" } else { "00" };
        sdp.replace(&own, &format!("{kind} {other}{}", &hex[2..]))
    })
    .await;
    let reason = tokio::select! {
        reason = bob.refused() => reason,
        () = rogue.run(PATIENCE) => panic!("no refusal"),
    };
    assert!(reason.contains("could not prove who it is"), "{reason}");
    assert_eq!(bob.links.up(), []);
}

#[tokio::test]
async fn signals_of_strangers_are_bounded() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    let key = DeviceKey::generate();
    for number in 0..3000 {
        let me =
            Remote { peer: PeerId::parse(&format!("z{number}")).unwrap(), device: key.device() };
        let signals = [
            Signal::Candidate { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned() },
            Signal::Answer(Description {
                sdp: "v=0".repeat(1000),
                public_key: key.public_key().to_owned(),
                signature: key.sign("nothing"),
            }),
            Signal::Bye,
        ];
        for signal in signals {
            board.put(Signalling {
                from: me.peer.clone(),
                from_device: me.device,
                to: bob.me.peer.clone(),
                to_device: bob.me.device,
                session: 7,
                signal,
            });
        }
    }
    unharmed(&mut alice, &mut bob).await;
    let mut carol = board.device("carol").await;
    carol.links.connect(&bob.me);
    carol.up(&bob.me).await;
}

/// Numbers that are the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

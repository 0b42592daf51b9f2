//! What readers see, whatever the order of publishing, joining and leaving.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use wire::{ChannelName, PeerId};

use super::*;

fn peer(number: usize) -> PeerKey {
    PeerKey::of(PeerId::parse(&format!("peer-{number}")).unwrap())
}

fn members(numbers: impl IntoIterator<Item = usize>) -> Arc<MemberSet> {
    Arc::new(numbers.into_iter().map(peer).collect())
}

fn read(seq: u64) -> Event {
    Event::Read { channel: ChannelName::parse("general").unwrap(), read_seq: seq }
}

fn hub(limits: Limits) -> Hub {
    Hub::with(limits, 2, None)
}

/// Everything that waits for a stream, as JSON with the cursor, and how the waiting ended.
fn drain(stream: &mut Subscription) -> (Vec<serde_json::Value>, Poll<Signal>) {
    let mut seen = Vec::new();
    loop {
        match stream.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Signal::Events) => {
                while let Some(frame) = stream.next_frame() {
                    seen.push(serde_json::from_str(frame.text()).unwrap());
                }
            }
            end => return (seen, end),
        }
    }
}

fn types(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn cursor(event: &serde_json::Value) -> &str {
    event["cursor"].as_str().unwrap()
}

fn on(device: DeviceId) -> Place {
    Place { device: Some(device), ..Place::default() }
}

fn in_session(session: &str) -> Place {
    Place { session: Some(session.into()), ..Place::default() }
}

#[test]
fn a_fresh_stream_starts_with_hello_and_tells_only_what_follows() {
    let hub = hub(Limits::default());
    hub.publish(Audience::peer(peer(1)), &read(1));
    let mut stream = hub.subscribe(&peer(1), None).unwrap();
    hub.publish(Audience::peer(peer(1)), &read(2));
    hub.publish(Audience::peer(peer(2)), &read(3));
    let (events, end) = drain(&mut stream);
    assert_eq!(types(&events), ["hello", "read"]);
    assert_eq!(events[1]["read_seq"], 2);
    assert_eq!(end, Poll::Pending);
}

#[test]
fn a_cursor_of_another_start_is_reset_and_what_follows_is_told() {
    let old = hub(Limits::default()).cursor().to_string();
    let hub = hub(Limits::default());
    for unknown in [old.as_str(), "rubbish", &format!("{:016x}:99", hub.0.epoch)] {
        let mut stream = hub.subscribe(&peer(1), Some(unknown)).unwrap();
        hub.publish(Audience::Everyone, &read(1));
        let (events, _) = drain(&mut stream);
        assert_eq!(types(&events), ["hello", "reset", "read"], "{unknown}");
        assert_eq!(events[1]["reason"], "restarted");
    }
}

#[test]
fn a_cursor_from_before_the_log_is_too_old_and_its_reset_can_be_resumed_from() {
    let hub = hub(Limits { log_events: 4, ..Limits::default() });
    let start = hub.cursor().to_string();
    for seq in 1..=5 {
        hub.publish(Audience::peer(peer(1)), &read(seq));
    }
    let (events, _) = drain(&mut hub.subscribe(&peer(1), Some(&start)).unwrap());
    assert_eq!(types(&events), ["hello", "reset"]);
    assert_eq!(events[1]["reason"], "too_old");
    assert_eq!(cursor(&events[0]), start, "until the reset has arrived nothing is claimed");
    hub.publish(Audience::peer(peer(1)), &read(6));
    let (events, _) = drain(&mut hub.subscribe(&peer(1), Some(cursor(&events[1]))).unwrap());
    assert_eq!(types(&events), ["hello", "read"]);
}

#[test]
fn a_slow_reader_is_told_and_ended_and_the_others_go_on() {
    let hub = hub(Limits { queue_events: 3, ..Limits::default() });
    let mut slow = hub.subscribe(&peer(1), None).unwrap();
    let mut quick = hub.subscribe(&peer(1), None).unwrap();
    assert_eq!(drain(&mut slow).1, Poll::Pending);
    let mut seen = Vec::new();
    for seq in 1..=5 {
        hub.publish(Audience::Channel(members([1])), &read(seq));
        seen.extend(drain(&mut quick).0);
    }
    assert_eq!(seen.len(), 6);
    let (events, end) = drain(&mut slow);
    assert_eq!(types(&events), ["reset"]);
    assert_eq!(events[0]["reason"], "slow_reader");
    assert_eq!(end, Poll::Ready(Signal::SlowReader));
    assert_eq!(hub.counts().slow_readers, 1);
    // It reloads, comes back with the cursor of its reset, and gets what came since.
    hub.publish(Audience::Channel(members([1])), &read(6));
    let (events, _) = drain(&mut hub.subscribe(&peer(1), Some(cursor(&events[0]))).unwrap());
    assert_eq!(types(&events), ["hello", "read"]);
}

#[test]
fn a_replay_that_the_log_overtakes_is_reset() {
    let hub = hub(Limits { log_events: 8, ..Limits::default() });
    let start = hub.cursor().to_string();
    hub.publish(Audience::peer(peer(1)), &read(1));
    let mut stream = hub.subscribe(&peer(1), Some(&start)).unwrap();
    for seq in 2..=20 {
        hub.publish(Audience::peer(peer(1)), &read(seq));
    }
    let (events, end) = drain(&mut stream);
    assert_eq!(types(&events), ["hello", "reset"]);
    assert_eq!(end, Poll::Ready(Signal::SlowReader));
}

#[test]
fn who_is_in_two_of_the_channels_gets_the_event_once() {
    let hub = hub(Limits::default());
    let mut streams: Vec<_> = (0..4).map(|n| hub.subscribe(&peer(n), None).unwrap()).collect();
    let channels = [members([0, 1]), members([1, 2])];
    hub.publish(Audience::Channels(Arc::new(channels)), &read(1));
    let counts: Vec<_> = streams.iter_mut().map(|stream| drain(stream).0.len() - 1).collect();
    assert_eq!(counts, [1, 1, 1, 0]);
}

#[test]
fn streams_are_capped_for_a_peer_and_in_all_and_a_dropped_one_makes_room() {
    let hub = hub(Limits { streams_per_peer: 2, streams: 3, ..Limits::default() });
    let first = hub.subscribe(&peer(1), None).unwrap();
    let _second = hub.subscribe(&peer(1), None).unwrap();
    assert_eq!(hub.subscribe(&peer(1), None).err(), Some(Refused::PeerFull));
    let _other = hub.subscribe(&peer(2), None).unwrap();
    assert_eq!(hub.subscribe(&peer(3), None).err(), Some(Refused::Full));
    drop(first);
    assert!(hub.subscribe(&peer(1), None).is_ok());
    assert_eq!(hub.counts().streams, 2);
}

#[test]
fn closing_ends_open_streams_after_what_was_read_and_refuses_new_ones() {
    let hub = hub(Limits::default());
    let mut stream = hub.subscribe(&peer(1), None).unwrap();
    hub.close();
    assert_eq!(drain(&mut stream).1, Poll::Ready(Signal::Closing));
    assert_eq!(hub.subscribe(&peer(1), None).err(), Some(Refused::Closing));
}

#[test]
fn each_round_of_slots_gives_each_stream_one_heartbeat() {
    let hub = hub(Limits::default());
    let mut streams: Vec<_> = (0..7).map(|n| hub.subscribe(&peer(n), None).unwrap()).collect();
    let mut beats = 0;
    for slot in 0..3 {
        hub.beat(slot, 3);
        for stream in &mut streams {
            while drain(stream).1 == Poll::Ready(Signal::Heartbeat) {
                beats += 1;
            }
        }
    }
    assert_eq!(beats, 7);
}

#[test]
fn the_log_counts_a_shared_membership_once_and_forgets_it_with_its_last_event() {
    let hub = hub(Limits { log_events: 3, ..Limits::default() });
    let crowd = members(0..1000);
    hub.publish(Audience::Channel(crowd.clone()), &read(1));
    let one = hub.counts().log_bytes;
    hub.publish(Audience::Channel(crowd.clone()), &read(2));
    assert!(hub.counts().log_bytes < one + one / 10);
    for seq in 3..=5 {
        hub.publish(Audience::Everyone, &read(seq));
    }
    assert!(hub.counts().log_bytes < one / 10);
    assert_eq!(Arc::strong_count(&crowd), 1);
}

/// What a test does to the hub.
#[derive(Debug, Clone)]
enum Step {
    Publish {
        kind: u8,
        who: Vec<usize>,
    },
    /// Opens a stream anew where it left off; what was taken from its queue but not "received" is lost
    /// with the connection, so only what the client saw counts.
    Reconnect(usize),
    /// The client receives at most so many frames.
    Receive(usize, usize),
}

const PEERS: usize = 5;

fn step() -> impl Strategy<Value = Step> {
    let who = proptest::collection::vec(0..PEERS, 0..PEERS);
    prop_oneof![
        5 => (0..4u8, who).prop_map(|(kind, who)| Step::Publish { kind, who }),
        1 => (0..PEERS).prop_map(Step::Reconnect),
        3 => (0..PEERS, 1..8usize).prop_map(|(who, most)| Step::Receive(who, most)),
    ]
}

/// A client: what it has seen since its last reset, and its cursor.
#[derive(Default)]
struct Client {
    stream: Option<Subscription>,
    cursor: Option<String>,
    seen: Vec<u64>,
    /// Offset from which on it must have seen everything.
    since: u64,
}

impl Client {
    fn connect(&mut self, hub: &Hub, who: usize) {
        self.stream = None;
        self.stream = Some(hub.subscribe(&peer(who), self.cursor.as_deref()).unwrap());
    }

    fn receive(&mut self, hub: &Hub, who: usize, most: usize) {
        for _ in 0..most {
            let stream = self.stream.as_mut().unwrap();
            let frame = match stream.poll_next(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Signal::Events) => stream.next_frame().unwrap(),
                Poll::Ready(Signal::SlowReader) => {
                    self.connect(hub, who);
                    continue;
                }
                _ => return,
            };
            let event: serde_json::Value = serde_json::from_str(frame.text()).unwrap();
            let cursor: Cursor = cursor(&event).parse().unwrap();
            match event["type"].as_str().unwrap() {
                "hello" if self.cursor.is_none() => self.since = cursor.offset,
                "reset" => {
                    self.seen.clear();
                    self.since = cursor.offset;
                }
                "hello" => {}
                _ => self.seen.push(cursor.offset),
            }
            self.cursor = Some(cursor.to_string());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_client_sees_its_events_once_and_in_order(
        steps in proptest::collection::vec(step(), 0..120),
        log_events in 3..60usize,
        queue_events in 2..20usize,
    ) {
        let hub = hub(Limits { log_events, queue_events, ..Limits::default() });
        let mut clients: Vec<Client> = (0..PEERS).map(|_| Client::default()).collect();
        for (who, client) in clients.iter_mut().enumerate() {
            client.connect(&hub, who);
        }
        let mut meant: HashMap<usize, Vec<u64>> = HashMap::new();
        for step in steps {
            match step {
                Step::Publish { kind, who } => {
                    let audience = match kind {
                        0 => Audience::Channel(members(who.iter().copied())),
                        1 => Audience::Channels(
                            who.iter().map(|&n| members([n, (n + 1) % PEERS])).collect(),
                        ),
                        2 => Audience::Peers(
                            members(who.iter().copied()).iter().cloned().collect(),
                        ),
                        _ => Audience::Everyone,
                    };
                    let before = hub.cursor().offset;
                    hub.publish(audience.clone(), &read(0));
                    let after = hub.cursor().offset;
                    for who in (0..PEERS).filter(|&who| audience.contains(&peer(who))) {
                        prop_assert_eq!(after, before + 1);
                        meant.entry(who).or_default().push(after);
                    }
                }
                Step::Reconnect(who) => clients[who].connect(&hub, who),
                Step::Receive(who, most) => clients[who].receive(&hub, who, most),
            }
        }
        for (who, client) in clients.iter_mut().enumerate() {
            client.receive(&hub, who, usize::MAX >> 1);
            let meant = meant.entry(who).or_default();
            meant.retain(|&offset| offset > client.since);
            prop_assert_eq!(&client.seen, meant, "peer {}", who);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishers_on_many_threads_and_readers_that_come_back_lose_nothing() {
    let hub = Hub::new(Limits::default());
    const PUBLISHERS: u64 = 4;
    const EVENTS: u64 = 500;
    let everyone = members(0..20);
    let readers: Vec<_> = (0..20)
        .map(|who| {
            let hub = hub.clone();
            let mut stream = hub.subscribe(&peer(who), None).unwrap();
            tokio::spawn(async move {
                let (mut offsets, mut at) = (Vec::new(), None);
                while offsets.len() < (PUBLISHERS * EVENTS) as usize {
                    assert_eq!(stream.next().await, Signal::Events);
                    // Sometimes the connection breaks with frames on the way.
                    let breaks = offsets.len() % 7 == who % 7;
                    let before = offsets.len();
                    while let Some(frame) = stream.next_frame() {
                        let event: serde_json::Value = serde_json::from_str(frame.text()).unwrap();
                        at = Some(cursor(&event).to_owned());
                        if event["type"] == "read" {
                            offsets.push(cursor(&event).parse::<Cursor>().unwrap().offset);
                        }
                        assert_ne!(event["type"], "reset");
                        if breaks && offsets.len() > before {
                            break;
                        }
                    }
                    if breaks && offsets.len() > before {
                        stream = hub.subscribe(&peer(who), at.as_deref()).unwrap();
                    }
                }
                offsets
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let (hub, everyone) = (hub.clone(), everyone.clone());
            std::thread::spawn(move || {
                for seq in 0..EVENTS {
                    hub.publish(Audience::Channel(everyone.clone()), &read(seq));
                }
            })
        })
        .collect();
    for reader in readers {
        let offsets = reader.await.unwrap();
        assert_eq!(offsets, (1..=PUBLISHERS * EVENTS).collect::<Vec<_>>());
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
}

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 16])
}

fn call(session: u64) -> Event {
    let peer = |id| PeerId::parse(id).unwrap();
    Event::Signal(wire::signal::Signalling {
        from: peer("peer-9"),
        from_device: device(9),
        to: peer("peer-1"),
        to_device: device(1),
        session,
        signal: wire::signal::Signal::Call,
    })
}

fn sessions(events: &[serde_json::Value]) -> Vec<u64> {
    let signals = events.iter().filter(|event| event["type"] == "signal");
    signals.map(|event| event["session"].as_u64().unwrap()).collect()
}

#[test]
fn a_signal_reaches_all_streams_of_its_device_in_order_and_no_others() {
    let hub = hub(Limits::default());
    let mut tabs = [1, 2].map(|_| hub.subscribe_at(&peer(1), on(device(1)), None).unwrap());
    let mut others = [
        hub.subscribe_at(&peer(1), on(device(2)), None).unwrap(),
        hub.subscribe(&peer(1), None).unwrap(),
        hub.subscribe_at(&peer(2), on(device(1)), None).unwrap(),
    ];
    for session in 1..=5 {
        assert!(hub.signal(&peer(1), device(1), &call(session)));
    }
    for tab in &mut tabs {
        assert_eq!(sessions(&drain(tab).0), [1, 2, 3, 4, 5]);
    }
    for other in &mut others {
        assert_eq!(types(&drain(other).0), ["hello"]);
    }
    drop(tabs);
    assert!(!hub.signal(&peer(1), device(1), &call(6)), "it is not live any more");
    assert!(!hub.signal(&peer(3), device(3), &call(7)));
}

#[test]
fn a_signal_has_no_cursor_moves_none_and_is_not_replayed() {
    let hub = hub(Limits::default());
    let mut stream = hub.subscribe_at(&peer(1), on(device(1)), None).unwrap();
    let start = cursor(&drain(&mut stream).0[0]).to_owned();
    hub.publish(Audience::peer(peer(1)), &read(1));
    hub.signal(&peer(1), device(1), &call(1));
    hub.publish(Audience::peer(peer(1)), &read(2));
    let (events, _) = drain(&mut stream);
    assert_eq!(types(&events), ["read", "signal", "read"]);
    assert!(events[1].get("cursor").is_none());
    assert_eq!(hub.counts().published, 2, "the log has not seen it");
    for from in [start.as_str(), cursor(&events[0])] {
        let resumed = hub.subscribe_at(&peer(1), on(device(1)), Some(from));
        assert_eq!(sessions(&drain(&mut resumed.unwrap()).0), [] as [u64; 0]);
    }
}

#[test]
fn signals_that_nobody_takes_cut_the_reader_off_like_other_events() {
    let hub = hub(Limits { queue_events: 3, ..Limits::default() });
    let mut stream = hub.subscribe_at(&peer(1), on(device(1)), None).unwrap();
    assert_eq!(types(&drain(&mut stream).0), ["hello"]);
    let reached = (1..=5).filter(|&session| hub.signal(&peer(1), device(1), &call(session)));
    assert_eq!(reached.count(), 3);
    let (events, end) = drain(&mut stream);
    assert_eq!(events[0]["reason"], "slow_reader");
    assert_eq!((end, hub.counts().slow_readers), (Poll::Ready(Signal::SlowReader), 1));
}

#[test]
fn a_removed_device_loses_its_streams_and_a_peer_with_a_new_owner_all() {
    let hub = hub(Limits::default());
    let mut removed = hub.subscribe_at(&peer(1), on(device(1)), None).unwrap();
    let mut other = hub.subscribe_at(&peer(1), on(device(2)), None).unwrap();
    let mut plain = hub.subscribe(&peer(1), None).unwrap();
    let mut foreign = hub.subscribe(&peer(2), None).unwrap();
    hub.end(&peer(1), Some(device(1)));
    assert!(!hub.signal(&peer(1), device(1), &call(1)));
    assert_eq!(drain(&mut removed).1, Poll::Ready(Signal::Revoked));
    assert_eq!((drain(&mut other).1, drain(&mut plain).1), (Poll::Pending, Poll::Pending));
    hub.end(&peer(1), None);
    assert_eq!(drain(&mut other).1, Poll::Ready(Signal::Revoked));
    assert_eq!(drain(&mut plain).1, Poll::Ready(Signal::Revoked));
    assert_eq!(drain(&mut foreign).1, Poll::Pending);
}

#[test]
fn the_streams_of_a_session_end_with_it_and_no_others() {
    let hub = hub(Limits::default());
    let mut first = hub.subscribe_at(&peer(1), in_session("s-1"), None).unwrap();
    let mut second = hub.subscribe_at(&peer(1), in_session("s-2"), None).unwrap();
    let mut guest = hub.subscribe(&peer(2), None).unwrap();
    hub.end_sessions(|session| session == "s-1");
    assert_eq!(drain(&mut first).1, Poll::Ready(Signal::SignedOut));
    assert_eq!(drain(&mut second).1, Poll::Pending);
    hub.end_sessions(|_| true);
    assert_eq!(drain(&mut second).1, Poll::Ready(Signal::SignedOut));
    assert_eq!(drain(&mut guest).1, Poll::Pending, "guests have none");
}

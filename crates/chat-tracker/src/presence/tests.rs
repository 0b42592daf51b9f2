//! Who is told what, and when.

use super::*;
use wire::PeerId;

fn peer(id: &str) -> PeerKey {
    PeerKey::of(PeerId::parse(id).unwrap())
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tells everything that is due: `(id, active, online)`.
fn tell(directory: &Directory, now: Instant) -> Vec<(String, bool, bool)> {
    let mut told: Vec<_> = directory
        .due(now)
        .into_iter()
        .map(|(peer, presence)| {
            directory.told(&peer, &presence, now);
            (presence.peer_id.to_string(), presence.active, presence.online)
        })
        .collect();
    told.sort();
    told
}

fn directory() -> (Directory, Instant) {
    let now = Instant::now();
    (Directory::new(Patience::default(), now), now)
}

#[test]
fn a_caller_without_a_stream_is_active_for_ten_minutes() {
    let (directory, start) = directory();
    directory.heard(&peer("curl"), start);
    assert_eq!(tell(&directory, start), [("curl".into(), true, false)]);
    assert!(directory.is_active(&peer("CURL"), start + secs(599)));
    assert!(tell(&directory, start + secs(599)).is_empty());
    assert!(!directory.is_active(&peer("curl"), start + secs(600)));
    assert!(directory.active(start + secs(600)).is_empty());
    assert_eq!(tell(&directory, start + secs(600)), [("curl".into(), false, false)]);
    assert!(tell(&directory, start + secs(601)).is_empty());
}

#[test]
fn a_peer_is_active_for_a_minute_after_its_last_stream_although_it_made_calls() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.heard(&alice, start);
    directory.stream_opened(&alice, None, start);
    directory.stream_opened(&alice, None, start);
    directory.stream_closed(&alice, None, start + secs(1000));
    assert!(directory.presence(&alice, start + secs(5000)).online);
    directory.stream_closed(&alice, None, start + secs(5000));
    assert!(directory.is_active(&alice, start + secs(5059)));
    assert!(!directory.is_active(&alice, start + secs(5060)));
}

#[test]
fn a_reload_is_told_to_nobody() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, None, start);
    assert_eq!(tell(&directory, start), [("alice".into(), true, true)]);
    directory.stream_closed(&alice, None, start + secs(10));
    assert!(tell(&directory, start + secs(11)).is_empty());
    directory.stream_opened(&alice, None, start + secs(12));
    assert!(tell(&directory, start + secs(100)).is_empty());
}

#[test]
fn going_away_is_told_in_two_steps() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, None, start);
    tell(&directory, start);
    directory.stream_closed(&alice, None, start + secs(10));
    assert!(tell(&directory, start + secs(14)).is_empty());
    assert_eq!(tell(&directory, start + secs(15)), [("alice".into(), true, false)]);
    assert_eq!(tell(&directory, start + secs(70)), [("alice".into(), false, false)]);
}

#[test]
fn what_was_not_told_stays_due() {
    let (directory, start) = directory();
    directory.stream_opened(&peer("alice"), None, start);
    assert_eq!(directory.due(start).len(), 1);
    assert_eq!(directory.due(start + secs(1)).len(), 1);
}

#[test]
fn last_seen_is_now_for_an_online_peer_and_the_last_call_for_another() {
    let (directory, start) = directory();
    directory.stream_opened(&peer("alice"), None, start);
    directory.heard(&peer("curl"), start + secs(1));
    let now = start + secs(100);
    let alice = directory.last_seen(&peer("alice"), now).unwrap();
    let curl = directory.last_seen(&peer("curl"), now).unwrap();
    assert_eq!(alice.duration_since(curl).as_secs(), 99);
    assert!(directory.last_seen(&peer("nobody"), now).is_none());
}

/// The devices that others are told of, each named by its first byte; `None` when nothing is due.
fn told_devices(directory: &Directory, now: Instant) -> Option<Vec<u8>> {
    let due = directory.due(now);
    let (peer, presence) = due.first()?;
    directory.told(peer, presence, now);
    Some(presence.devices.iter().map(|device| device.bytes()[0]).collect())
}

fn device(number: u8) -> Option<DeviceId> {
    Some(DeviceId::new([number; 16]))
}

#[test]
fn devices_that_come_are_told_at_once_and_those_that_go_when_they_stay_away() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    assert_eq!(told_devices(&directory, start), Some(vec![1]));
    directory.stream_opened(&alice, device(2), start + secs(1));
    assert_eq!(told_devices(&directory, start + secs(1)), Some(vec![1, 2]));
    directory.stream_closed(&alice, device(1), start + secs(10));
    assert_eq!(directory.presence(&alice, start + secs(10)).devices, [device(2).unwrap()]);
    assert_eq!(told_devices(&directory, start + secs(14)), None);
    assert_eq!(told_devices(&directory, start + secs(15)), Some(vec![2]));
    assert_eq!(told_devices(&directory, start + secs(16)), None);
}

#[test]
fn a_device_that_reloads_is_told_to_nobody_while_another_stays_and_one_comes() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    directory.stream_opened(&alice, device(2), start);
    assert_eq!(told_devices(&directory, start), Some(vec![1, 2]));
    directory.stream_closed(&alice, device(1), start + secs(10));
    directory.stream_opened(&alice, device(3), start + secs(11));
    let now = start + secs(11);
    assert_eq!(
        told_devices(&directory, now),
        Some(vec![1, 2, 3]),
        "the one that is away for a moment too"
    );
    directory.stream_opened(&alice, device(1), start + secs(12));
    assert_eq!(told_devices(&directory, start + secs(100)), None);
    assert_eq!(directory.live_devices(), 3);
}

#[test]
fn a_device_is_live_until_its_last_stream_ends() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    directory.stream_opened(&alice, device(1), start);
    directory.stream_closed(&alice, device(1), start);
    assert_eq!(directory.devices(&alice, None, start), [device(1).unwrap()]);
    directory.stream_closed(&alice, device(1), start);
    assert!(directory.devices(&alice, None, start).is_empty());
    assert_eq!(directory.live_devices(), 0);
}

#[test]
fn a_peer_that_goes_takes_its_devices_along_in_one_event() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    told_devices(&directory, start);
    directory.stream_closed(&alice, device(1), start + secs(10));
    assert_eq!(told_devices(&directory, start + secs(14)), None);
    let due = directory.due(start + secs(15));
    assert!(!due[0].1.online && due[0].1.active && due[0].1.devices.is_empty());
}

/// What an answer shows of a peer: whether it is online, and its devices.
fn ask(directory: &Directory, peer: &PeerKey, now: Instant) -> (bool, Vec<u8>) {
    let shown = &directory.presences([peer], None, now)[0];
    (shown.online, shown.devices.iter().map(|device| device.bytes()[0]).collect())
}

#[test]
fn who_saw_a_device_that_nobody_was_told_of_is_told_that_it_went() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, None, start);
    tell(&directory, start);
    directory.stream_opened(&alice, device(1), start + secs(1));
    assert_eq!(ask(&directory, &alice, start + secs(1)), (true, vec![1]));
    directory.stream_closed(&alice, device(1), start + secs(1));
    assert_eq!(told_devices(&directory, start + secs(2)), Some(vec![]));
    assert_eq!(told_devices(&directory, start + secs(3)), None);
}

#[test]
fn who_saw_a_peer_in_the_midst_of_a_reload_is_told_that_it_is_back() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    tell(&directory, start);
    directory.stream_closed(&alice, device(1), start + secs(10));
    assert_eq!(ask(&directory, &alice, start + secs(10)), (false, vec![]));
    assert_eq!(told_devices(&directory, start + secs(11)), None, "it may be a reload");
    directory.stream_opened(&alice, device(1), start + secs(12));
    assert_eq!(told_devices(&directory, start + secs(12)), Some(vec![1]));
    assert_eq!(told_devices(&directory, start + secs(13)), None);
}

#[test]
fn what_is_shown_between_being_due_and_being_told_is_told_too() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, None, start);
    let due = directory.due(start);
    directory.stream_opened(&alice, device(1), start);
    assert_eq!(ask(&directory, &alice, start), (true, vec![1]));
    directory.told(&due[0].0, &due[0].1, start);
    directory.stream_closed(&alice, device(1), start);
    assert_eq!(told_devices(&directory, start + secs(1)), Some(vec![]));
}

#[test]
fn asking_for_what_others_know_tells_nobody_anything() {
    let (directory, start) = directory();
    let alice = peer("alice");
    directory.stream_opened(&alice, device(1), start);
    tell(&directory, start);
    assert_eq!(ask(&directory, &alice, start + secs(1)), (true, vec![1]));
    assert_eq!(told_devices(&directory, start + secs(2)), None);
    directory.stream_closed(&alice, device(1), start + secs(2));
    directory.presences([&alice], Some(&alice), start + secs(2));
    directory.stream_opened(&alice, device(1), start + secs(3));
    assert_eq!(told_devices(&directory, start + secs(3)), None, "nor does asking for oneself");
}

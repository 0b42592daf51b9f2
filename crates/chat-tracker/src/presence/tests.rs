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
            directory.told(&peer, &presence);
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

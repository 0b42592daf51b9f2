//! Files on their way in.

use std::path::PathBuf;

use wire::PeerId;
use wire::p2p::{CancelReason, DeclineReason, Digest, FILE_BYTES, FileOffer, Frame};

use super::{bob, declined, id, offer, over, remote, table};
use crate::event::FileState;
use crate::transfer::desk::{Desk, Id, Limits, Refusal, Side, Verdict};
use crate::transfer::receive::Received;
use crate::transfer::target::TargetError;

#[test]
fn offers_that_can_not_be_are_refused() {
    let mut table = table();
    table.up(&bob());
    let refused = [
        (
            FileOffer { size: FILE_BYTES + 1, ..offer("alice", 1) },
            declined(1, DeclineReason::TooLarge),
        ),
        (FileOffer { name: String::new(), ..offer("alice", 1) }, over(1, CancelReason::Failed)),
        (FileOffer { name: "x".repeat(256), ..offer("alice", 1) }, over(1, CancelReason::Failed)),
        (offer("carol", 1), over(1, CancelReason::Failed)),
    ];
    for (offer, answer) in refused {
        table.hear(&bob(), Frame::FileOffer(offer));
        assert_eq!(table.said(), [answer]);
    }
    table.accept(1);
    table.hear(&bob(), Frame::FileOffer(FileOffer { size: 5, ..offer("alice", 1) }));
    assert_eq!(table.said(), [over(1, CancelReason::Failed)]);
}

#[test]
fn a_name_is_made_safe_before_anybody_sees_it() {
    let mut table = table();
    table.up(&bob());
    let tricky = FileOffer { name: "../\u{202e}gpj.exe".to_owned(), ..offer("alice", 1) };
    table.hear(&bob(), Frame::FileOffer(tricky));
    assert_eq!(table.desk.list()[0].offer.name, "gpj.exe");
}

#[test]
fn the_thirty_third_offer_of_a_peer_is_refused_and_other_peers_are_heard() {
    let mut table = table();
    table.up(&bob());
    table.up(&remote("carol", 3));
    (0..33).for_each(|n| table.hear(&bob(), Frame::FileOffer(offer("alice", n))));
    assert_eq!(table.said(), [declined(32, DeclineReason::Busy)]);
    table.hear(&remote("carol", 3), Frame::FileOffer(offer("alice", 1)));
    assert!(table.said().is_empty());
    table.desk.decline(&bob().peer, id(0)).unwrap();
    table.hear(&bob(), Frame::FileOffer(offer("alice", 32)));
    table.perform();
    assert_eq!(table.said(), [declined(0, DeclineReason::Declined)]);
}

#[test]
fn a_repeated_offer_bothers_nobody_twice() {
    let mut table = table();
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!(table.news(), 1);
    table.down(&bob());
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!(table.news(), 0);
    // Nor one that was declined when the word was lost; a new offer of the same file is another matter.
    table.desk.decline(&bob().peer, id(1)).unwrap();
    table.perform();
    assert_eq!((table.news(), table.said().len()), (1, 1));
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!((table.news(), table.said()), (0, vec![declined(1, DeclineReason::Declined)]));
    let later = "2026-01-01T00:00:01.000Z".to_owned();
    table.hear(&bob(), Frame::FileOffer(FileOffer { timestamp: later, ..offer("alice", 1) }));
    assert_eq!(table.news(), 1);
}

#[test]
fn an_offer_that_is_taken_back_is_over() {
    let mut table = table();
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    table.hear(&bob(), over(1, CancelReason::Cancelled));
    assert_eq!(table.state(1), FileState::Cancelled(CancelReason::Cancelled));
    assert_eq!(table.desk.accept(&bob().peer, id(1)), Err(Refusal::Unknown));
}

#[test]
fn an_offer_that_is_accepted_while_its_sender_is_away_is_taken_when_it_comes() {
    let mut table = table();
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    table.down(&bob());
    assert!(!table.desk.wants(&bob().peer));
    table.desk.accept(&bob().peer, id(1)).unwrap();
    table.perform();
    assert!(table.desk.wants(&bob().peer) && table.started().is_empty());
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!(table.started().len(), 1);
}

#[test]
fn eight_are_received_at_once_and_a_sender_that_does_not_begin_holds_up_the_ninth_no_longer_than_30_s()
 {
    let mut table = table();
    table.up(&bob());
    (0..9).for_each(|n| table.accept(n));
    let places = table.started();
    assert_eq!(places.len(), 8);
    places.iter().for_each(|(run, key)| table.prepare(*run, key));
    assert_eq!(table.said().len(), 8);
    assert!(matches!(table.desk.channel(table.now, &bob(), id(0)), Verdict::Receive(..)));
    table.wait(31);
    assert_eq!(table.stopped.len(), 7);
    assert_eq!(table.started()[0].1.file, id(8));
    // It is too late for this channel; the sender's next offer is answered at once.
    assert_eq!(table.desk.channel(table.now, &bob(), id(5)), Verdict::Close);
    table.hear(&bob(), Frame::FileOffer(offer("alice", 5)));
    assert_eq!(table.started()[0].1.file, id(5));
}

#[test]
fn a_channel_that_nobody_waits_for_is_closed() {
    let mut table = table();
    table.up(&bob());
    assert_eq!(table.desk.channel(table.now, &bob(), id(1)), Verdict::Close);
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!(table.desk.channel(table.now, &bob(), id(1)), Verdict::Close);
    table.desk.accept(&bob().peer, id(1)).unwrap();
    table.perform();
    let (run, key) = table.started().pop().unwrap();
    table.prepare(run, &key);
    let stranger = remote("bob", 9);
    assert_eq!(table.desk.channel(table.now, &stranger, id(1)), Verdict::Close);
    assert_eq!(table.desk.channel(table.now, &bob(), id(1)), Verdict::Receive(run, key, 100));
    // One channel is enough.
    assert_eq!(table.desk.channel(table.now, &bob(), id(1)), Verdict::Close);
}

#[test]
fn two_never_have_the_same_place_on_disk() {
    let mut table = table();
    table.up(&bob());
    table.accept(1);
    let (first, key) = table.started().pop().unwrap();
    // The link breaks while the place is being found.
    table.down(&bob());
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert!(table.started().is_empty());
    table.prepare(first, &key);
    let (second, _) = table.started().pop().unwrap();
    assert_ne!(first, second);
    table.prepare(second, &key);
    table.desk.channel(table.now, &bob(), id(1));
    // And while it is written to.
    table.down(&bob());
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert!(table.started().is_empty() && table.stopped.contains(&second));
    table.desk.received(second, &key, Received::Interrupted, Some(("/part".into(), 0)));
    table.perform();
    assert_eq!(table.started().len(), 1);
}

#[test]
fn a_full_disk_is_said_and_what_is_here_stays_for_another_try() {
    let mut table = table();
    table.up(&bob());
    let (run, key) = table.receiving(1);
    table.said();
    let left = Some(("/part".into(), 0));
    table.desk.received(run, &key, Received::Failed(TargetError::NoSpace), left);
    table.perform();
    assert_eq!(table.said(), [declined(1, DeclineReason::NoSpace)]);
    assert_eq!(table.state(1), FileState::Declined(DeclineReason::NoSpace));
    assert!(table.discarded.is_empty());
    let later = "2026-01-01T00:00:01.000Z".to_owned();
    table.hear(&bob(), Frame::FileOffer(FileOffer { timestamp: later, ..offer("alice", 1) }));
    assert_eq!(table.started().len(), 1);
}

#[test]
fn who_stops_a_file_has_its_part_removed_once_the_disk_is_free() {
    let mut table = table();
    table.up(&bob());
    let (run, key) = table.receiving(1);
    table.desk.cancel(table.now, &bob().peer, id(1)).unwrap();
    table.perform();
    assert_eq!((table.stopped.clone(), table.discarded.len()), (vec![run], 0));
    table.desk.received(run, &key, Received::Interrupted, Some(("/part".into(), 0)));
    table.perform();
    assert_eq!(table.discarded, [PathBuf::from("/part")]);
    assert_eq!(table.said().pop(), Some(over(1, CancelReason::Cancelled)));
}

#[test]
fn a_file_that_is_here_is_not_taken_again() {
    let mut table = table();
    table.up(&bob());
    let (run, key) = table.receiving(1);
    let total = Digest::new([7; 32]);
    table.desk.received(run, &key, Received::Finished(total, "/here".into()), None);
    table.perform();
    assert_eq!(table.said().pop(), Some(Frame::FileDone { file: id(1) }));
    table.news();
    // The last word was lost.
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert_eq!(table.said(), [Frame::FileAccept { file: id(1), from: 100 }]);
    let verdict = table.desk.channel(table.now, &bob(), id(1));
    let Verdict::Confirm(run, key, 100, said) = verdict else { panic!("{verdict:?}") };
    assert_eq!(said, total);
    table.desk.confirmed(run, &key, Ok(()));
    table.perform();
    assert_eq!((table.said(), table.news()), (vec![Frame::FileDone { file: id(1) }], 0));
}

#[test]
fn of_what_is_over_only_the_newest_is_remembered_and_nothing_before_it_was_told() {
    let limits = Limits { remembered: 3, ..Limits::default() };
    let mut table = table();
    table.desk = Desk::new(PeerId::parse("alice").unwrap(), false, limits);
    table.up(&bob());
    for n in 0..10 {
        table.hear(&bob(), Frame::FileOffer(offer("alice", n)));
        table.desk.decline(&bob().peer, id(n)).unwrap();
    }
    assert_eq!(table.desk.list().len(), 10);
    assert_eq!(table.news(), 10);
    assert_eq!(table.desk.list().len(), 3);
}

#[test]
fn frames_of_who_is_not_linked_are_not_heard() {
    let mut table = table();
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    assert!(table.desk.list().is_empty() && table.said().is_empty());
}

#[test]
fn a_file_that_is_finished_after_its_link_broke_is_told_to_the_sender_that_offers_it_again() {
    let mut table = table();
    table.up(&bob());
    let (run, key) = table.receiving(1);
    // Everything has come, and is being synced.
    table.down(&bob());
    table.up(&bob());
    table.hear(&bob(), Frame::FileOffer(offer("alice", 1)));
    table.said();
    let finished = Received::Finished(Digest::new([7; 32]), "/here".into());
    table.desk.received(run, &key, finished, None);
    table.perform();
    assert_eq!(table.said(), [Frame::FileDone { file: id(1) }]);
}

#[test]
fn a_sender_that_sends_nothing_makes_room_for_one_that_waits() {
    let mut table = table();
    table.up(&bob());
    (0..8).for_each(|n| table.accept(n));
    let places = table.started();
    for (run, key) in &places {
        table.prepare(*run, key);
        table.desk.channel(table.now, &bob(), key.file);
    }
    let standstill = |table: &mut super::Table| {
        table.now += std::time::Duration::from_secs(300);
        for (run, key) in &places {
            table.desk.progress(table.now, *run, &Id { side: Side::In, key: key.clone() }, 0);
        }
        table.perform();
    };
    standstill(&mut table);
    assert!(table.stopped.is_empty(), "nobody waits");
    table.accept(8);
    standstill(&mut table);
    assert_eq!((table.stopped.len(), table.started()[0].1.file), (1, id(8)));
}

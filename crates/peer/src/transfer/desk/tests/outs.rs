//! Files on their way out.

use wire::PeerId;
use wire::p2p::{CancelReason, DeclineReason, Frame};

use super::{accepted, bob, declined, id, offer, over, remote, table};
use crate::event::FileState;
use crate::transfer::desk::{Desk, Id, Limits, Refusal, Side};
use crate::transfer::outgoing::Known;
use crate::transfer::send::Sent;
use crate::transfer::source::Stamp;

#[test]
fn eight_are_sent_at_once_and_the_ninth_takes_the_place_of_the_first_that_ends() {
    let mut table = table();
    table.up(&bob());
    (0..10).for_each(|n| table.send(n));
    (0..10).for_each(|n| table.hear(&bob(), accepted(n)));
    let started = table.started();
    assert_eq!(started.len(), 8);
    table.hear(&bob(), Frame::FileDone { file: id(3) });
    assert_eq!(table.state(3), FileState::Done { path: None });
    assert_eq!(table.stopped, [started[3].0]);
    assert_eq!(table.started()[0].1.file, id(8));
}

#[test]
fn thirty_two_offers_wait_for_an_answer_and_each_answer_lets_another_go() {
    let mut table = table();
    (0..40).for_each(|n| table.send(n));
    assert!(table.offered().is_empty());
    table.up(&bob());
    assert_eq!(table.offered(), (0..32).map(id).collect::<Vec<_>>());
    table.hear(&bob(), declined(5, DeclineReason::Declined));
    assert_eq!(table.offered(), [id(32)]);
    table.hear(&bob(), accepted(7));
    assert_eq!(table.offered(), [id(33)]);
    // Another link is another chance for all of them.
    table.down(&bob());
    table.up(&bob());
    assert_eq!(table.offered().len(), 32);
}

#[test]
fn a_receiver_that_was_busy_is_asked_again_a_little_later() {
    let mut table = table();
    table.up(&bob());
    table.send(1);
    table.said();
    table.hear(&bob(), declined(1, DeclineReason::Busy));
    assert_eq!((table.state(1), table.offered()), (FileState::Offered, vec![]));
    table.wait(14);
    assert!(table.offered().is_empty());
    table.wait(2);
    assert_eq!(table.offered(), [id(1)]);
}

#[test]
fn a_person_who_says_no_says_it_for_all_devices() {
    let mut table = table();
    let (laptop, phone) = (bob(), remote("Bob", 2));
    table.up(&laptop);
    table.up(&phone);
    table.send(1);
    assert_eq!(table.offered().len(), 2);
    table.hear(&phone, declined(1, DeclineReason::Declined));
    assert_eq!(table.said, [(laptop, over(1, CancelReason::Cancelled))]);
    assert_eq!(table.state(1), FileState::Declined(DeclineReason::Declined));
}

#[test]
fn a_device_without_room_leaves_it_to_another_one() {
    let mut table = table();
    let (laptop, phone) = (bob(), remote("Bob", 2));
    table.up(&laptop);
    table.up(&phone);
    table.send(1);
    table.hear(&phone, declined(1, DeclineReason::NoSpace));
    assert_eq!(table.state(1), FileState::Offered);
    table.hear(&laptop, accepted(1));
    assert_eq!(table.started().len(), 1);
    // The phone may not speak about it any more.
    table.hear(&phone, Frame::FileDone { file: id(1) });
    table.hear(&phone, over(1, CancelReason::Cancelled));
    assert!(matches!(table.state(1), FileState::Running { .. }));
    table.said();
    table.hear(&phone, accepted(1));
    assert_eq!(table.said, [(phone, over(1, CancelReason::Cancelled))]);
}

#[test]
fn when_no_device_is_left_that_can_it_is_declined() {
    let mut table = table();
    table.up(&bob());
    table.send(1);
    table.hear(&bob(), declined(1, DeclineReason::NoSpace));
    assert_eq!(table.state(1), FileState::Declined(DeclineReason::NoSpace));
}

#[test]
fn a_device_that_comes_after_another_has_accepted_learns_that_it_is_over_for_it() {
    let mut table = table();
    let (laptop, phone) = (bob(), remote("Bob", 2));
    table.up(&laptop);
    table.up(&phone);
    table.send(1);
    table.down(&laptop);
    table.hear(&phone, accepted(1));
    table.said();
    table.up(&laptop);
    assert_eq!(table.said(), [over(1, CancelReason::Cancelled)]);
}

#[test]
fn an_old_acceptance_is_asked_for_once_more_before_the_channel_is_opened() {
    let mut table = table();
    table.up(&bob());
    (0..9).for_each(|n| table.send(n));
    (0..9).for_each(|n| table.hear(&bob(), accepted(n)));
    table.started();
    table.said();
    table.wait(60);
    table.hear(&bob(), Frame::FileDone { file: id(0) });
    assert_eq!((table.offered(), table.started().len()), (vec![id(8)], 0));
    table.hear(&bob(), accepted(8));
    assert_eq!(table.started()[0].1.file, id(8));
}

#[test]
fn who_does_not_answer_to_that_loses_the_turn_but_not_the_file() {
    let mut table = table();
    table.up(&bob());
    (0..10).for_each(|n| table.send(n));
    (0..10).for_each(|n| table.hear(&bob(), accepted(n)));
    table.started();
    table.wait(60);
    table.hear(&bob(), Frame::FileDone { file: id(0) });
    table.said();
    table.wait(11);
    assert_eq!(table.offered(), [id(9)]);
    table.hear(&bob(), accepted(9));
    assert_eq!(table.started()[0].1.file, id(9));
    table.hear(&bob(), Frame::FileDone { file: id(1) });
    table.hear(&bob(), accepted(8));
    assert_eq!(table.started()[0].1.file, id(8));
}

#[test]
fn a_channel_that_breaks_again_and_again_over_a_good_link_is_given_up() {
    let mut table = table();
    table.up(&bob());
    table.send(1);
    let mut tries = 0;
    loop {
        table.hear(&bob(), accepted(1));
        let Some((run, key)) = table.started().pop() else { break };
        let broken = Sent::Interrupted { delivered: false };
        table.desk.sent(table.now, run, &key, broken, Known::default());
        table.perform();
        table.wait(20);
        tries += 1;
    }
    assert_eq!((tries, table.state(1)), (7, FileState::Cancelled(CancelReason::Failed)));
    assert_eq!(table.said().pop(), Some(over(1, CancelReason::Cancelled)));
}

#[test]
fn the_last_word_may_come_after_the_channel_is_closed_and_is_asked_for_if_it_does_not() {
    let mut table = table();
    table.up(&bob());
    (1..3).for_each(|n| table.send(n));
    (1..3).for_each(|n| table.hear(&bob(), accepted(n)));
    for (run, key) in table.started() {
        let delivered = Sent::Interrupted { delivered: true };
        table.desk.sent(table.now, run, &key, delivered, Known::default());
    }
    table.hear(&bob(), Frame::FileDone { file: id(1) });
    assert_eq!(table.state(1), FileState::Done { path: None });
    table.said();
    table.wait(6);
    assert_eq!(table.offered(), [id(2)]);
}

#[test]
fn a_place_that_is_none_ends_it() {
    let mut table = table();
    table.up(&bob());
    table.send(1);
    table.said();
    table.hear(&bob(), Frame::FileAccept { file: id(1), from: 5 });
    assert_eq!(table.said(), [over(1, CancelReason::Failed)]);
    assert_eq!(table.state(1), FileState::Cancelled(CancelReason::Failed));
}

#[test]
fn more_files_than_may_wait_are_refused() {
    let mut table = table();
    table.desk = Desk::new(
        PeerId::parse("alice").unwrap(),
        false,
        Limits { outgoing: 2, ..Limits::default() },
    );
    (0..2).for_each(|n| table.send(n));
    let stamp = Stamp { size: 100, modified: 0 };
    let refused = table.desk.send(table.now, offer("bob", 2), "/file".into(), stamp);
    assert_eq!(refused, Err(Refusal::TooMany));
}

#[test]
fn a_transfer_that_stands_still_makes_room_for_one_that_waits() {
    let mut table = table();
    table.up(&bob());
    (0..9).for_each(|n| table.send(n));
    (0..8).for_each(|n| table.hear(&bob(), accepted(n)));
    let started = table.started();
    let progress = |table: &mut super::Table, seconds, done| {
        table.now += std::time::Duration::from_secs(seconds);
        for (run, key) in &started {
            let id = Id { side: Side::Out, key: key.clone() };
            // The first one moves.
            table.desk.progress(
                table.now,
                *run,
                &id,
                if key.file == super::id(0) { done } else { 0 },
            );
        }
        table.perform();
    };
    progress(&mut table, 299, 10);
    progress(&mut table, 299, 20);
    assert!(table.stopped.is_empty(), "nobody waits");
    table.hear(&bob(), accepted(8));
    progress(&mut table, 1, 30);
    assert_eq!(table.stopped.len(), 1);
    assert_eq!(table.started()[0].1.file, id(8));
}

//! Files: offers, progress, ends.

use std::path::PathBuf;

use crossterm::event::KeyCode;
use wire::p2p::{CancelReason, DeclineReason, FileId, FileOffer};

use super::support::*;
use crate::event::{Direction, Event, FileState, FileStatus};
use crate::links::Way;
use crate::terminal::effect::{Effect, Outcome};

fn file(byte: u8, direction: Direction, state: FileState) -> FileStatus {
    let (from, to) = match direction {
        Direction::Incoming => ("bob", "alice"),
        Direction::Outgoing => ("alice", "bob"),
    };
    FileStatus {
        offer: FileOffer {
            file: FileId::new([byte; 16]),
            to: peer(to),
            name: format!("photo-{byte}.jpg"),
            size: 45_000_000,
            mime: "image/jpeg".into(),
            timestamp: "2026-03-04T14:00:00Z".into(),
        },
        from: peer(from),
        direction,
        way: Some(Way::Direct),
        state,
        trouble: None,
    }
}

fn offered(byte: u8) -> Event {
    Event::File(file(byte, Direction::Incoming, FileState::Offered))
}

/// Alice in the talk with Bob.
fn desk(size: (u16, u16)) -> Desk {
    let mut desk = Desk::new(size);
    desk.enters("/msg bob");
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result: Ok(vec![]) });
    desk.asked();
    desk
}

#[test]
fn an_offer_is_shown_with_its_keys_and_taken_with_one() {
    let mut desk = desk(WIDE);
    desk.event(offered(1)).shows("↓1 photo-1.jpg  45.0 MB  F5 accepts, F6 declines");
    desk.key(KeyCode::F(5));
    assert_eq!(desk.asked(), [Effect::Accept(peer("bob"), FileId::new([1; 16]))]);
    desk.key(KeyCode::F(6));
    assert_eq!(desk.asked(), [Effect::Decline(peer("bob"), FileId::new([1; 16]))]);
    desk.key(KeyCode::F(7));
    assert_eq!(desk.asked(), [Effect::Cancel(peer("bob"), FileId::new([1; 16]))]);
}

#[test]
fn one_of_several_is_named_by_its_number() {
    let mut desk = desk(WIDE);
    desk.event(offered(1)).event(offered(2)).enters("/decline 2");
    assert_eq!(desk.asked(), [Effect::Decline(peer("bob"), FileId::new([2; 16]))]);
    desk.enters("/accept 3").shows("No file waits for your answer");
}

#[test]
fn progress_tells_how_far_how_fast_and_which_way() {
    let mut desk = desk(WIDE);
    let running = FileState::Running { done: 11_250_000, speed: 3_100_000 };
    desk.event(Event::File(file(1, Direction::Incoming, running.clone())));
    desk.shows("↓1 photo-1.jpg  25%  3.1 MB/s  direct  11.2 MB / 45.0 MB");
    desk.event(Event::File(file(1, Direction::Incoming, FileState::Waiting { done: 11_250_000 })));
    desk.shows("25%  interrupted");
    let mut narrow = self::desk(NARROW);
    narrow.event(Event::File(file(1, Direction::Outgoing, running)));
    narrow.shows("↑1 photo-1.jpg  25%  3.1 MB/s  direct");
}

#[test]
fn an_end_becomes_a_line_of_the_talk() {
    let mut desk = desk(WIDE);
    let ends = [
        (
            1,
            Direction::Incoming,
            FileState::Done { path: Some(PathBuf::from("/tmp/photo-1.jpg")) },
            "photo-1.jpg is here: /tmp/photo-1.jpg",
        ),
        (2, Direction::Outgoing, FileState::Done { path: None }, "photo-2.jpg has reached bob"),
        (
            3,
            Direction::Outgoing,
            FileState::Declined(DeclineReason::NoSpace),
            "photo-3.jpg was not taken: the disk has no room",
        ),
        (
            4,
            Direction::Outgoing,
            FileState::Cancelled(CancelReason::Changed),
            "photo-4.jpg was stopped: it changed on the way",
        ),
    ];
    for (byte, direction, state, text) in ends {
        desk.event(Event::File(file(byte, direction, FileState::Offered)));
        desk.event(Event::File(file(byte, direction, state)));
        desk.shows(&format!("15:00 {text}"));
    }
    desk.hides("F7");
}

#[test]
fn what_went_wrong_on_this_device_is_told() {
    let mut desk = desk(WIDE);
    desk.event(offered(1));
    let mut failed = file(1, Direction::Incoming, FileState::Cancelled(CancelReason::Failed));
    failed.trouble = Some("/tmp is\u{1b} full".into());
    desk.event(Event::File(failed)).shows("a disk or a program failed").shows("(/tmp is␛ full)");
}

#[test]
fn an_offer_in_another_conversation_is_told_and_can_be_answered_there() {
    let mut desk = Desk::new(WIDE);
    desk.event(offered(1)).shows("bob offers photo-1.jpg (45.0 MB): F5 accepts");
    assert_eq!(desk.asked(), [Effect::Bell]);
    desk.key(KeyCode::F(5));
    assert_eq!(desk.asked(), [Effect::Accept(peer("bob"), FileId::new([1; 16]))]);
}

#[test]
fn a_file_is_offered_to_the_one_of_the_open_talk() {
    let mut desk = desk(WIDE);
    desk.enters("/file '/tmp/my photo.jpg'");
    let path = PathBuf::from("/tmp/my photo.jpg");
    assert_eq!(desk.asked(), [Effect::SendFile { to: peer("bob"), path }]);
    desk.event(Event::File(file(1, Direction::Outgoing, FileState::Offered)));
    desk.shows("↑1 photo-1.jpg  waiting for an answer  45.0 MB  F7 stops");
}

#[test]
fn many_files_leave_room_for_the_messages() {
    let mut desk = desk((80, 24));
    for byte in 1..=9 {
        desk.event(offered(byte));
    }
    desk.shows("↓3 photo-3.jpg").hides("↓4 ").shows("6 more files");
    let mut small = self::desk((40, 10));
    small.event(offered(1)).event(offered(2)).shows("↓1 photo").hides("↓2");
}

#[test]
fn after_a_reset_files_are_as_they_are_told_anew() {
    let mut desk = desk(WIDE);
    desk.event(offered(1)).event(offered(2)).event(Event::Reset);
    assert!(desk.asked().contains(&Effect::Files));
    let done = FileState::Done { path: None };
    desk.outcome(Outcome::Files(vec![
        file(2, Direction::Incoming, done.clone()),
        file(3, Direction::Incoming, done),
        file(4, Direction::Incoming, FileState::Waiting { done: 0 }),
    ]));
    desk.hides("↓1 ")
        .hides("↓2 ")
        .shows("photo-2.jpg has reached")
        .hides("photo-3")
        .shows("photo-4.jpg");
}

//! Whole transfers between devices with real disks and stores, over links that break.

use std::collections::HashSet;

use proptest::prelude::*;
use wire::p2p::{CancelReason, DeclineReason, FileId, PIECE_BYTES};

use super::desk::Limits;
use super::lan::{Device, Lan, same};
use crate::event::FileState;

const PIECE: usize = PIECE_BYTES as usize;

#[tokio::test]
async fn a_file_that_is_accepted_arrives() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.device("bob", 2).await);
    lan.link(&alice, &bob).await;
    let path = alice.file("a.bin", 3 * PIECE + 77);
    let file = alice.send(&bob, &path).await;
    let offered = bob.until_offered().await;
    assert_eq!((offered.offer.name.as_str(), &offered.from), ("a.bin", alice.peer()));
    bob.transfers.accept(alice.peer(), file).await.unwrap();
    assert!(same(&path, &bob.until_done(file).await));
    alice.until_done(file).await;
    assert_eq!(bob.received(), ["a.bin"]);
}

#[tokio::test]
async fn files_of_every_awkward_size_arrive_without_asking() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 9 * PIECE] {
        let path = alice.file(&format!("{size}.bin"), size);
        let file = alice.send(&bob, &path).await;
        assert!(same(&path, &bob.until_done(file).await), "{size}");
        alice.until_done(file).await;
    }
}

#[tokio::test]
async fn a_link_that_breaks_in_the_middle_costs_little() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    lan.stop_at(10 * PIECE_BYTES);
    let size = 40 * PIECE;
    let path = alice.file("a.bin", size);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, 10 * PIECE_BYTES).await;
    lan.cut(&alice, &bob).await;
    lan.go_on();
    alice.until(file, |state| matches!(state, FileState::Waiting { .. })).await;
    lan.link(&alice, &bob).await;
    assert!(same(&path, &bob.until_done(file).await));
    alice.until_done(file).await;
    let again = lan.passed() - size as u64;
    assert!(again <= PIECE_BYTES, "{again} bytes were sent again");
}

#[tokio::test]
async fn a_receiver_that_restarts_goes_on_without_asking_again() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.device("bob", 2).await);
    lan.link(&alice, &bob).await;
    lan.stop_at(10 * PIECE_BYTES);
    let size = 40 * PIECE;
    let path = alice.file("a.bin", size);
    let file = alice.send(&bob, &path).await;
    bob.until_offered().await;
    bob.transfers.accept(alice.peer(), file).await.unwrap();
    bob.until_some(file, 10 * PIECE_BYTES).await;
    lan.cut(&alice, &bob).await;
    lan.go_on();
    let mut bob = bob.restart().await;
    lan.link(&alice, &bob).await;
    assert!(same(&path, &bob.until_done(file).await));
    alice.until_done(file).await;
    assert!(lan.passed() < size as u64 + PIECE_BYTES);
    assert_eq!(bob.received(), ["a.bin"]);
}

#[tokio::test]
async fn a_sender_that_restarts_goes_on_by_itself() {
    let lan = Lan::default();
    let (alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    lan.stop_at(10 * PIECE_BYTES);
    let size = 40 * PIECE;
    let path = alice.file("a.bin", size);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, 10 * PIECE_BYTES).await;
    lan.cut(&alice, &bob).await;
    lan.go_on();
    let mut alice = alice.restart().await;
    assert!(alice.transfers.wants(bob.peer()));
    lan.link(&alice, &bob).await;
    assert!(same(&path, &bob.until_done(file).await));
    alice.until_done(file).await;
    assert!(lan.passed() < size as u64 + PIECE_BYTES);
}

#[tokio::test]
async fn a_file_that_changed_while_the_sender_was_away_is_given_up_on_both_sides() {
    let lan = Lan::default();
    let (alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    lan.stop_at(10 * PIECE_BYTES);
    let path = alice.file("a.bin", 40 * PIECE);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, 10 * PIECE_BYTES).await;
    lan.cut(&alice, &bob).await;
    lan.go_on();
    std::fs::write(&path, "other").unwrap();
    let mut alice = alice.restart().await;
    let changed = FileState::Cancelled(CancelReason::Changed);
    let status = alice.until(file, |state| *state == changed).await;
    assert!(status.trouble.unwrap().contains("a.bin"));
    lan.link(&alice, &bob).await;
    bob.until(file, |state| *state == changed).await;
    bob.transfers.close().await;
    assert!(bob.received().is_empty());
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_given_up() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.device("bob", 2).await);
    lan.link(&alice, &bob).await;
    let path = alice.file("a.bin", 40 * PIECE);
    let file = alice.send(&bob, &path).await;
    bob.until_offered().await;
    // The first eight pieces are still as they were.
    let changes = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    changes.set_len(39 * PIECE_BYTES).unwrap();
    bob.transfers.accept(alice.peer(), file).await.unwrap();
    let changed = FileState::Cancelled(CancelReason::Changed);
    alice.until(file, |state| *state == changed).await;
    bob.until(file, |state| *state == changed).await;
    bob.transfers.close().await;
    assert!(bob.received().is_empty());
}

#[tokio::test]
async fn either_side_can_stop_it_and_nothing_stays() {
    for receiver in [false, true] {
        let lan = Lan::default();
        let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
        lan.link(&alice, &bob).await;
        lan.stop_at(10 * PIECE_BYTES);
        let path = alice.file("a.bin", 100 * PIECE);
        let file = alice.send(&bob, &path).await;
        bob.until_some(file, 10 * PIECE_BYTES).await;
        if receiver {
            bob.transfers.cancel(alice.peer(), file).await.unwrap();
        } else {
            alice.transfers.cancel(bob.peer(), file).await.unwrap();
        }
        let cancelled = FileState::Cancelled(CancelReason::Cancelled);
        alice.until(file, |state| *state == cancelled).await;
        bob.until(file, |state| *state == cancelled).await;
        assert!(bob.transfers.cancel(alice.peer(), file).await.is_err());
        bob.transfers.close().await;
        assert!(bob.received().is_empty(), "{:?}", bob.received());
    }
}

#[tokio::test]
async fn who_is_away_when_it_is_stopped_hears_of_it_later() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    lan.stop_at(10 * PIECE_BYTES);
    let path = alice.file("a.bin", 100 * PIECE);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, 10 * PIECE_BYTES).await;
    lan.cut(&alice, &bob).await;
    lan.go_on();
    alice.transfers.cancel(bob.peer(), file).await.unwrap();
    let cancelled = FileState::Cancelled(CancelReason::Cancelled);
    alice.until(file, |state| *state == cancelled).await;
    let alice = alice.restart().await;
    lan.link(&alice, &bob).await;
    bob.until(file, |state| *state == cancelled).await;
}

#[tokio::test]
async fn a_file_that_is_declined_is_not_taken() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.device("bob", 2).await);
    lan.link(&alice, &bob).await;
    let file = alice.send(&bob, &alice.file("a.bin", 5)).await;
    bob.until_offered().await;
    bob.transfers.decline(alice.peer(), file).await.unwrap();
    let declined = FileState::Declined(DeclineReason::Declined);
    alice.until(file, |state| *state == declined).await;
    assert!(bob.transfers.accept(alice.peer(), file).await.is_err());
    assert!(bob.received().is_empty());
}

#[tokio::test]
async fn the_first_device_that_accepts_gets_it() {
    let lan = Lan::default();
    let mut alice = lan.device("alice", 1).await;
    let (mut laptop, mut phone) = (lan.device("bob", 2).await, lan.device("Bob", 3).await);
    lan.link(&alice, &laptop).await;
    lan.link(&alice, &phone).await;
    let path = alice.file("a.bin", PIECE);
    let file = alice.send(&laptop, &path).await;
    laptop.until_offered().await;
    phone.until_offered().await;
    phone.transfers.accept(alice.peer(), file).await.unwrap();
    laptop.until(file, |state| *state == FileState::Cancelled(CancelReason::Cancelled)).await;
    assert!(same(&path, &phone.until_done(file).await));
    alice.until_done(file).await;
    assert!(laptop.received().is_empty());
}

#[tokio::test]
async fn the_same_file_again_is_there_at_once() {
    let lan = Lan::default();
    let (mut alice, mut bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    let path = alice.file("a.bin", 3 * PIECE);
    let file = alice.send(&bob, &path).await;
    let first = bob.until_done(file).await;
    alice.until_done(file).await;
    let passed = lan.passed();
    assert_eq!(alice.send(&bob, &path).await, file);
    alice.until_done(file).await;
    assert_eq!(bob.until_done(file).await, first);
    assert_eq!((lan.passed(), bob.received().len()), (passed, 1));
    // Unless the person has removed it.
    std::fs::remove_file(&first).unwrap();
    alice.send(&bob, &path).await;
    alice.until_done(file).await;
    assert!(same(&path, &bob.until_done(file).await));
}

#[tokio::test]
async fn an_owner_that_does_not_listen_holds_nothing_up() {
    let lan = Lan::default();
    let (mut alice, bob) = (lan.device("alice", 1).await, lan.taker("bob", 2).await);
    lan.link(&alice, &bob).await;
    let mut files = Vec::new();
    for n in 0..200 {
        files.push(alice.send(&bob, &alice.file(&format!("{n}.bin"), n)).await);
    }
    for file in files {
        if !alice
            .told
            .iter()
            .any(|status| status.id() == file && matches!(status.state, FileState::Done { .. }))
        {
            alice.until_done(file).await;
        }
    }
    assert_eq!(bob.received().len(), 200);
}

/// What befalls a set of transfers.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// The link breaks and comes back.
    Link,
    /// The sender's program ends and comes back.
    Sender,
    /// The receiver's.
    Receiver,
}

/// After each so many bytes a blow, until all is through.
async fn survive(sizes: Vec<usize>, blows: Vec<(u64, Blow)>) {
    let lan = Lan::default();
    let limits = Limits { running: 3, ..Limits::default() };
    let mut alice = lan.start("alice", 1, false, limits).await;
    let mut bob = lan.start("bob", 2, true, limits).await;
    lan.link(&alice, &bob).await;
    lan.stop_at(0);
    let mut files = Vec::new();
    for (n, size) in sizes.iter().enumerate() {
        let path = alice.file(&format!("{n}.bin"), *size);
        files.push((alice.send(&bob, &path).await, path));
    }
    for (bytes, blow) in blows {
        let limit = lan.passed() + bytes;
        lan.stop_at(limit);
        lan.reached(limit, || all_done(&alice)).await;
        lan.cut(&alice, &bob).await;
        match blow {
            Blow::Link => (),
            Blow::Sender => alice = alice.restart().await,
            Blow::Receiver => bob = bob.restart().await,
        }
        lan.link(&alice, &bob).await;
    }
    lan.go_on();
    let mut missing: HashSet<FileId> = files.iter().map(|(file, _)| *file).collect();
    for status in alice.transfers.list() {
        if matches!(status.state, FileState::Done { .. }) {
            missing.remove(&status.id());
        }
    }
    // Those that were through before a restart of the sender are no longer in its list.
    let listed: HashSet<FileId> =
        alice.transfers.list().iter().map(crate::event::FileStatus::id).collect();
    for file in missing.intersection(&listed) {
        if !alice.was_told_done(*file) {
            alice.until_done(*file).await;
        }
    }
    bob.transfers.close().await;
    assert_eq!(bob.received().len(), files.len(), "{:?}", bob.received());
    for (_, path) in files {
        assert!(same(&path, &bob.downloads().join(path.file_name().unwrap())), "{path:?}");
    }
}

/// Whether nothing is left that could pass.
fn all_done(alice: &Device) -> bool {
    let done = |state: &FileState| matches!(state, FileState::Done { .. });
    alice.transfers.list().iter().all(|status| done(&status.state))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn whatever_breaks_whenever_all_files_arrive_once(
        sizes in proptest::collection::vec(prop_oneof![0..5_usize, 0..3 * PIECE, Just(2 * PIECE)], 1..8),
        blows in proptest::collection::vec(
            (0..4 * PIECE_BYTES, prop_oneof![Just(Blow::Link), Just(Blow::Sender), Just(Blow::Receiver)]),
            0..5,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(survive(sizes, blows));
    }
}

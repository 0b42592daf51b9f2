//! Files that don't arrive, and why.

use std::path::Path;
use std::process::Command;

use peer::event::FileState;
use peer::transfer::TransferError;
use wire::p2p::{CancelReason, DeclineReason};

use crate::support::{MIB, asking_pair, pair};

#[tokio::test]
async fn either_side_stops_it_in_the_middle_and_nothing_stays() {
    for receiver in [false, true] {
        let (mut alice, mut bob) = pair().await;
        let file = alice.send(&bob, &alice.file("a.bin", 128 * MIB)).await;
        bob.until_some(file, MIB).await;
        if receiver {
            bob.transfers.cancel(alice.peer(), file).await.unwrap();
        } else {
            alice.transfers.cancel(bob.peer(), file).await.unwrap();
        }
        let cancelled = FileState::Cancelled(CancelReason::Cancelled);
        alice.until(file, |state| *state == cancelled).await;
        bob.until(file, |state| *state == cancelled).await;
        bob.transfers.close().await;
        assert!(bob.received().is_empty(), "{:?}", bob.received());
    }
}

#[tokio::test]
async fn a_file_that_is_declined_goes_nowhere() {
    let (mut alice, mut bob) = asking_pair().await;
    let file = alice.send(&bob, &alice.file("a.bin", 10)).await;
    bob.until_offered().await;
    bob.transfers.decline(alice.peer(), file).await.unwrap();
    alice.until(file, |state| *state == FileState::Declined(DeclineReason::Declined)).await;
    assert!(bob.received().is_empty());
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_given_up() {
    let (mut alice, mut bob) = pair().await;
    let path = alice.file("a.bin", 128 * MIB);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, MIB).await;
    std::fs::write(&path, "something else").unwrap();
    let changed = FileState::Cancelled(CancelReason::Changed);
    let status = alice.until(file, |state| *state == changed).await;
    assert!(status.trouble.unwrap().contains("has changed"));
    bob.until(file, |state| *state == changed).await;
    bob.transfers.close().await;
    assert!(bob.received().is_empty());
}

#[tokio::test]
async fn a_file_larger_than_the_disk_is_refused_before_a_byte_of_it_comes() {
    let (alice, mut bob) = asking_pair().await;
    let path = alice.file("huge.bin", 0);
    // All hole: it is large, and takes no room here.
    let huge = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    huge.set_len(8 << 40).unwrap();
    let file = alice.send(&bob, &path).await;
    bob.until_offered().await;
    let refused = bob.transfers.accept(alice.peer(), file).await;
    assert!(matches!(refused, Err(TransferError::NoRoom { needed, .. }) if needed > 8 << 40));
    assert_eq!(bob.transfers.list()[0].state, FileState::Offered);

    // Who isn't asked says it to the sender.
    let (mut alice, bob) = pair().await;
    let file = alice.send(&bob, &path).await;
    alice.until(file, |state| *state == FileState::Declined(DeclineReason::NoSpace)).await;
}

/// In what this test runs when it has a small disk of its own.
const SMALL_DISK: &str = "PEER_TEST_SMALL_DISK";

/// The test starts itself once more with a small disk mounted, in a mount namespace of its own. Where the system allows that to
/// nobody but others, there is nothing to test with.
#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_is_told_and_the_file_goes_on_when_there_is_room() {
    if let Ok(disk) = std::env::var(SMALL_DISK) {
        return fill_up(Path::new(&disk)).await;
    }
    let disk = tempfile::tempdir().unwrap();
    let this = "ending::a_disk_that_fills_up_in_the_middle_is_told_and_the_file_goes_on_when_there_is_room";
    let script = r#"mount -t tmpfs -o size=48m none "$0" || exit 77; exec "$@""#;
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", this, "--nocapture"])
        .env(SMALL_DISK, disk.path())
        .status();
    match status {
        Ok(status) if status.success() => (),
        Ok(status) if status.code() == Some(77) || status.code() == Some(1) => {
            eprintln!("no small disk can be mounted here: not tested");
        }
        other => panic!("{other:?}"),
    }
}

async fn fill_up(disk: &Path) {
    let board = crate::support::Switchboard::default();
    let mut alice = crate::support::device(&board, "alice").await;
    let mut bob = crate::support::taker_at(&board, "bob", &disk.join("downloads")).await;
    crate::support::connect(&mut alice, &mut bob).await;
    let path = alice.file("a.bin", 40 * MIB);
    let file = alice.send(&bob, &path).await;
    bob.until_some(file, MIB).await;
    // Somebody else takes the room that was there when it began.
    let rubbish = disk.join("rubbish");
    let filled = std::fs::write(&rubbish, vec![1; 48 * MIB]);
    assert!(filled.is_err());
    let full = FileState::Declined(DeclineReason::NoSpace);
    alice.until(file, |state| *state == full).await;
    bob.until(file, |state| *state == full).await;
    assert_eq!(bob.received().len(), 2, "{:?}", bob.received());
    std::fs::remove_file(&rubbish).unwrap();
    bob.told.clear();
    alice.send(&bob, &path).await;
    assert!(crate::support::same(&path, &bob.until_done(file).await.unwrap()));
    assert!(bob.told.iter().all(|status| status.state != FileState::Running { done: 0, speed: 0 }));
}

//! Links that break and programs that end in the middle: what is there is not sent again.

use peer::event::{FileState, FileStatus};
use wire::p2p::FileId;

use crate::support::{MIB, connect, cut, pair, same};

const SIZE: usize = 96 * MIB;

/// The least that was there once it ran again.
fn went_on_at(told: &[FileStatus], file: FileId) -> u64 {
    let running = |status: &FileStatus| match status.state {
        FileState::Running { done, .. } if status.id() == file => Some(done),
        _ => None,
    };
    told.iter().filter_map(running).min().expect("it ran")
}

#[tokio::test]
async fn a_link_that_is_cut_in_the_middle_does_not_start_the_file_over() {
    let (mut alice, mut bob) = pair().await;
    let path = alice.file("a.bin", SIZE);
    let file = alice.send(&bob, &path).await;
    let there = bob.until_some(file, 8 * MIB).await;
    cut(&mut alice, &mut bob).await;
    bob.until(file, |state| matches!(state, FileState::Waiting { .. })).await;
    bob.told.clear();
    connect(&mut alice, &mut bob).await;
    assert!(same(&path, &bob.until_done(file).await.unwrap()));
    alice.until_done(file).await;
    assert!(went_on_at(&bob.told, file) >= there, "it had {there}");
}

#[tokio::test]
async fn a_receiver_that_ends_and_starts_again_goes_on_by_itself() {
    let (mut alice, mut bob) = pair().await;
    let path = alice.file("a.bin", SIZE);
    let file = alice.send(&bob, &path).await;
    let there = bob.until_some(file, 8 * MIB).await;
    let mut bob = bob.restart().await;
    alice.until(file, |state| matches!(state, FileState::Waiting { .. })).await;
    connect(&mut alice, &mut bob).await;
    assert!(same(&path, &bob.until_done(file).await.unwrap()));
    alice.until_done(file).await;
    assert!(went_on_at(&bob.told, file) >= there, "it had {there}");
    assert_eq!(bob.received(), ["a.bin"]);
}

#[tokio::test]
async fn a_sender_that_ends_and_starts_again_goes_on_by_itself() {
    let (alice, mut bob) = pair().await;
    let path = alice.file("a.bin", SIZE);
    let file = alice.send(&bob, &path).await;
    let there = bob.until_some(file, 8 * MIB).await;
    let mut alice = alice.restart().await;
    bob.until(file, |state| matches!(state, FileState::Waiting { .. })).await;
    bob.told.clear();
    connect(&mut alice, &mut bob).await;
    assert!(same(&path, &bob.until_done(file).await.unwrap()));
    alice.until_done(file).await;
    assert!(went_on_at(&bob.told, file) >= there, "it had {there}");
}

#[tokio::test]
async fn many_cuts_do_no_harm() {
    let (mut alice, mut bob) = pair().await;
    let path = alice.file("a.bin", SIZE);
    let file = alice.send(&bob, &path).await;
    let mut there = 0;
    for _ in 0..4 {
        there = bob.until_some(file, there as usize + MIB).await;
        cut(&mut alice, &mut bob).await;
        connect(&mut alice, &mut bob).await;
    }
    assert!(same(&path, &bob.until_done(file).await.unwrap()));
    alice.until_done(file).await;
}

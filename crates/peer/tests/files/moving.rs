//! Files that arrive.

use peer::event::FileState;
use peer::links::Way;
use wire::p2p::CancelReason;

use crate::support::{MIB, Switchboard, asking_pair, connect, device, pair, same};

#[tokio::test]
async fn sixty_four_mebibytes_arrive_both_ways_at_once_bit_for_bit() {
    let (mut alice, mut bob) = asking_pair().await;
    let (hers, his) = (alice.file("hers.bin", 64 * MIB), bob.file("his.bin", 64 * MIB + 1));
    let (there, back) = (alice.send(&bob, &hers).await, bob.send(&alice, &his).await);
    assert_eq!((alice.until_offered().await, bob.until_offered().await), (back, there));
    alice.transfers.accept(bob.peer(), back).await.unwrap();
    bob.transfers.accept(alice.peer(), there).await.unwrap();
    assert!(same(&hers, &bob.until_done(there).await.unwrap()));
    assert!(same(&his, &alice.until_done(back).await.unwrap()));
    // What was told on the way: it only ever grew, over a direct link.
    let mut last = 0;
    for status in bob.told.iter().filter(|status| status.id() == there) {
        if let FileState::Running { done, .. } = status.state {
            assert!(done >= last && status.way == Some(Way::Direct), "{status:?}");
            last = done;
        }
    }
}

#[tokio::test]
async fn an_empty_file_arrives() {
    let (mut alice, mut bob) = pair().await;
    let file = alice.send(&bob, &alice.file("empty.txt", 0)).await;
    assert_eq!(std::fs::read(bob.until_done(file).await.unwrap()).unwrap(), b"");
    alice.until_done(file).await;
}

#[tokio::test]
async fn a_file_is_offered_to_all_devices_and_one_gets_it() {
    let board = Switchboard::default();
    let mut alice = device(&board, "alice").await;
    let (mut laptop, mut phone) = (device(&board, "bob").await, device(&board, "Bob").await);
    connect(&mut alice, &mut laptop).await;
    connect(&mut alice, &mut phone).await;
    let path = alice.file("a.bin", MIB);
    let file = alice.send(&laptop, &path).await;
    assert_eq!((laptop.until_offered().await, phone.until_offered().await), (file, file));
    phone.transfers.accept(alice.peer(), file).await.unwrap();
    assert!(same(&path, &phone.until_done(file).await.unwrap()));
    laptop.until(file, |state| *state == FileState::Cancelled(CancelReason::Cancelled)).await;
    alice.until_done(file).await;
    assert!(laptop.received().is_empty());
}

#[tokio::test]
async fn a_file_that_was_accepted_while_the_sender_was_away_arrives_when_it_comes() {
    let (mut alice, mut bob) = asking_pair().await;
    let path = alice.file("a.bin", MIB);
    let file = alice.send(&bob, &path).await;
    bob.until_offered().await;
    crate::support::cut(&mut alice, &mut bob).await;
    bob.transfers.accept(alice.peer(), file).await.unwrap();
    bob.until(file, |state| *state == FileState::Waiting { done: 0 }).await;
    assert!(bob.transfers.wants(alice.peer()) && alice.transfers.wants(bob.peer()));
    connect(&mut alice, &mut bob).await;
    assert!(same(&path, &bob.until_done(file).await.unwrap()));
}

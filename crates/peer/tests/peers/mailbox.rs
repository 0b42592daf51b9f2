//! Messages by way of the tracker's mailbox.

use peer::event::{Delivery, Route};
use wire::limits::MESSAGE_BYTES;

use crate::people::{Person, id, texts};
use crate::support::town;

#[tokio::test(flavor = "multi_thread")]
async fn to_one_who_is_away_it_is_queued_and_delivered_on_return() {
    let town = town().await;
    let alice = town.guest("alice").await;
    town.guest("bob").await.leaves().await;
    let message = alice.writes("bob", "are you there?").await;
    alice.delivery(&message, &Delivery::Queued).await;
    let bob = town.guest("bob").await;
    bob.hears(&["are you there?".to_owned()]).await;
    let direct = bob.heard(&bob.events.borrow()).remove(0);
    assert_eq!(direct.route, Some(Route::Mailbox));
    alice.delivery(&message, &Delivery::Delivered(Route::Mailbox)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_it_goes_there_when_the_patience_is_over() {
    let town = town().await;
    let (alice, bob) = (town.unlinked("alice").await, town.unlinked("bob").await);
    let all = texts("text", 300);
    let mut ids = Vec::new();
    for text in &all {
        ids.push(alice.writes("bob", text).await);
    }
    bob.hears(&all).await;
    let routes = alice.delivered(&ids).await;
    assert!(routes.iter().all(|route| *route == Route::Mailbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_mailbox_is_emptied_page_by_page_in_order() {
    let town = town().await;
    let alice = town.unlinked("alice").await;
    town.unlinked("bob").await.leaves().await;
    let all = texts("text", 450);
    let mut ids = Vec::new();
    for text in &all {
        ids.push(alice.writes("bob", text).await);
    }
    for message in &ids {
        alice.delivery(message, &Delivery::Queued).await;
    }
    let bob = town.unlinked("bob").await;
    bob.hears(&all).await;
    alice.delivered(&ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_tracker_is_away_outlives_a_restart() {
    let mut town = town().await;
    town.guest("bob").await.leaves().await;
    let alice = town.guest("alice").await;
    town.stop().await;
    let message = alice.writes("bob", "written offline").await;
    let alice = alice.again(town.config("alice", "alice")).await;
    let talk = alice.peer.talk(&id("bob"), None, 10).await.unwrap();
    assert_eq!((&talk[0].id, &talk[0].delivery), (&message, &Some(Delivery::Sending)));
    town.start().await;
    alice.delivery(&message, &Delivery::Queued).await;
    let bob = town.guest("bob").await;
    bob.hears(&["written offline".to_owned()]).await;
    alice.delivery(&message, &Delivery::Delivered(Route::Mailbox)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_came_while_one_was_away_is_found_out() {
    let town = town().await;
    let alice = town.guest("alice").await;
    town.guest("bob").await.leaves().await;
    let message = alice.writes("bob", "hi").await;
    alice.delivery(&message, &Delivery::Queued).await;
    alice.leaves().await;
    let bob = town.guest("bob").await;
    bob.hears(&["hi".to_owned()]).await;
    bob.leaves().await;
    let alice = town.guest("alice").await;
    alice.delivery(&message, &Delivery::Delivered(Route::Mailbox)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_one_who_never_was_here_it_fails_and_says_why() {
    let town = town().await;
    let alice = town.guest("alice").await;
    let message = alice.writes("nobody", "hello?").await;
    alice
        .until("it to fail", |events| {
            events.iter().find_map(|event| match event {
                peer::Event::Delivery { id, delivery: Delivery::Failed { reason }, .. }
                    if *id == message =>
                {
                    assert!(reason.contains("nobody"), "{reason}");
                    Some(())
                }
                _ => None,
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_empty_or_too_long_is_not_taken() {
    let town = town().await;
    let alice = town.guest("alice").await;
    for (text, named) in [(String::new(), "empty"), ("x".repeat(MESSAGE_BYTES + 1), "16384")] {
        let error = alice.peer.send(&id("bob"), &text).await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_directly_or_not_at_all_never_reaches_the_mailbox() {
    let town = town().await;
    let alice = town.unlinked("alice").await;
    town.unlinked("bob").await.leaves().await;
    let message = alice.peer.send_direct(&id("bob"), "psst").await.unwrap();
    let other = alice.writes("bob", "by mailbox").await;
    alice.delivery(&other, &Delivery::Queued).await;
    assert!(alice.peer.withdraw(&message, "no link").await.unwrap());
    let failed = Delivery::Failed { reason: "no link".to_owned() };
    alice.delivery(&message, &failed).await;
    assert_eq!(town.content_bytes(), "by mailbox".len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_belongs_to_one_process_and_to_one_name() {
    let town = town().await;
    let alice = town.guest("alice").await;
    let error = |config| async {
        match peer::Peer::start(config).await {
            Ok(_) => panic!("it started"),
            Err(error) => error.to_string(),
        }
    };
    let taken = error(town.config("alice", "alice")).await;
    assert!(taken.contains("in use") && taken.contains("--data-dir"), "{taken}");
    alice.leaves().await;
    let foreign = error(town.config("eve", "alice")).await;
    assert!(foreign.contains("belongs to alice"), "{foreign}");
    let person = Person::start(town.config("ALICE", "alice")).await;
    person.online().await;
}

//! Messages over direct links.

use peer::Event;
use peer::event::{Delivery, Route};
use wire::MessageId;

use crate::people::{Person, id, texts};
use crate::support::town;

async fn write_all(from: &Person, to: &str, texts: &[String]) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(from.writes(to, text).await);
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_each_way_arrive_in_order_and_nothing_passes_the_tracker() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    alice.linked("bob").await;
    bob.linked("alice").await;
    let (hers, his) = (texts("from alice", 1000), texts("from bob", 1000));
    let ids = tokio::join!(write_all(&alice, "bob", &hers), write_all(&bob, "alice", &his));
    tokio::join!(bob.hears(&hers), alice.hears(&his));
    let routes = tokio::join!(alice.delivered(&ids.0), bob.delivered(&ids.1));
    assert!(routes.0.iter().chain(&routes.1).all(|route| *route == Route::Direct));
    assert_eq!(town.content_bytes(), 0);
    for (person, with) in [(&alice, "bob"), (&bob, "alice")] {
        let talk = person.peer.talk(&id(with), None, 5000).await.unwrap();
        assert_eq!(talk.len(), 2000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_makes_the_link() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    let message = bob.writes("alice", "hello").await;
    alice.hears(&["hello".to_owned()]).await;
    bob.delivery(&message, &Delivery::Delivered(Route::Direct)).await;
    assert_eq!(town.content_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_outlive_the_tracker_and_messages_to_others_wait_for_it() {
    let mut town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    town.guest("carol").await.leaves().await;
    alice.linked("bob").await;
    town.stop().await;
    let before = alice.writes("bob", "the tracker is away").await;
    bob.hears(&["the tracker is away".to_owned()]).await;
    alice.delivery(&before, &Delivery::Delivered(Route::Direct)).await;
    let waits = alice.writes("carol", "for later").await;
    town.start().await;
    alice.delivery(&waits, &Delivery::Queued).await;
    bob.online().await;
    let after = alice.writes("bob", "it is back").await;
    alice.delivery(&after, &Delivery::Delivered(Route::Direct)).await;
    assert_eq!(town.content_bytes(), "for later".len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_was_away_in_the_middle_gets_everything_once() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    alice.linked("bob").await;
    let all = texts("text", 90);
    let mut ids = write_all(&alice, "bob", &all[..30]).await;
    bob.leaves().await;
    ids.extend(write_all(&alice, "bob", &all[30..60]).await);
    let bob = town.guest("bob").await;
    ids.extend(write_all(&alice, "bob", &all[60..]).await);
    alice.delivered(&ids).await;
    let mut kept: Vec<String> = bob
        .peer
        .talk(&id("alice"), None, 1000)
        .await
        .unwrap()
        .into_iter()
        .map(|direct| direct.message)
        .collect();
    kept.sort();
    let mut all = all;
    all.sort();
    assert_eq!(kept, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_devices_of_an_account_get_it_once_and_the_writers_other_device_gets_a_copy() {
    let town = town().await;
    let laptop = town.device("alice", "laptop").await;
    let phone = town.device("alice", "phone").await;
    let bob = town.guest("bob").await;
    bob.linked_with("alice", 2).await;
    laptop.linked("alice").await;
    let (his, hers) = (texts("from bob", 50), texts("from alice", 50));
    let sent = write_all(&bob, "alice", &his).await;
    tokio::join!(laptop.hears(&his), phone.hears(&his));
    bob.delivered(&sent).await;
    let sent = write_all(&laptop, "bob", &hers).await;
    laptop.delivered(&sent).await;
    bob.hears(&hers).await;
    phone.hears(&[his, hers].concat()).await;
    let copies = phone.peer.talk(&id("bob"), None, 1000).await.unwrap();
    let copy = copies.iter().find(|direct| direct.from == id("alice")).unwrap();
    assert_eq!((copy.to.as_str(), &copy.delivery), ("bob", &None));
    assert_eq!(town.content_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_oneself_reaches_the_own_other_devices() {
    let town = town().await;
    let (laptop, phone) =
        (town.device("alice", "laptop").await, town.device("alice", "phone").await);
    laptop.linked("alice").await;
    let note = laptop.writes("alice", "buy milk").await;
    laptop.delivery(&note, &Delivery::Delivered(Route::Direct)).await;
    phone.hears(&["buy milk".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_not_used_is_closed_and_made_again_by_the_next_message() {
    let town = town().await;
    let mut config = town.config("alice", "alice");
    config.idle = std::time::Duration::from_secs(1);
    let alice = Person::start(config).await;
    let bob = town.guest("bob").await;
    alice.linked("bob").await;
    alice
        .until("the link to be closed", |events| {
            let gone = |event: &Event| matches!(event, Event::Link { way: None, .. });
            events.iter().any(gone).then_some(())
        })
        .await;
    let message = alice.writes("bob", "again").await;
    alice.delivery(&message, &Delivery::Delivered(Route::Direct)).await;
    bob.hears(&["again".to_owned()]).await;
}

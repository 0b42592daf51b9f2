//! The store over a real file.

use std::path::Path;

use rusqlite::Connection;
use wire::{DeviceId, MessageId, PeerId};

use super::devices::{self, Met};
use super::direct::{self, Arrived, Written};
use super::{Folder, Store};
use crate::event::{Delivery, Direct, Route};

fn peer(id: &str) -> PeerId {
    PeerId::parse(id).unwrap()
}

fn id(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

fn open(folder: &Path) -> Store {
    Store::open(&Folder::take(folder).unwrap()).unwrap()
}

fn written(text: &str, to: &str, at: i64) -> Written {
    Written { id: id(text), to: peer(to), message: text.to_owned(), at, direct_only: false }
}

fn arrived(text: &str, from: &str, to: &str, at: i64) -> Arrived {
    let (from, to) = (peer(from), peer(to));
    Arrived { id: id(text), from, to, message: text.to_owned(), at, route: Route::Direct }
}

/// Has the store run a job for Alice, the owner.
async fn at<T: Send + 'static>(
    store: &Store,
    job: impl FnOnce(&Connection, &PeerId) -> rusqlite::Result<T> + Send + 'static,
) -> T {
    store.run(move |db| job(db, &peer("Alice"))).await.unwrap()
}

fn texts(talk: &[Direct]) -> Vec<&str> {
    talk.iter().map(|direct| direct.message.as_str()).collect()
}

#[tokio::test]
async fn a_message_that_comes_twice_is_kept_once_and_ids_are_each_senders_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = at(&store, |db, me| direct::receive(db, me, arrived("1", "Bob", "alice", 5))).await;
    let first = first.unwrap();
    assert_eq!((first.from.as_str(), first.to.as_str()), ("Bob", "Alice"));
    assert_eq!((first.route, first.delivery), (Some(Route::Direct), None));
    let again = at(&store, |db, me| direct::receive(db, me, arrived("1", "bob", "alice", 9))).await;
    assert_eq!(again, None);
    let other =
        at(&store, |db, me| direct::receive(db, me, arrived("1", "carol", "alice", 5))).await;
    assert!(other.is_some());
    at(&store, |db, me| direct::write(db, me, &written("1", "bob", 7))).await;
    let talk = at(&store, |db, me| direct::talk(db, me, &peer("BOB"), None, 10)).await;
    assert_eq!(talk.len(), 2);
    assert_eq!(talk[1].delivery, Some(Delivery::Sending));
}

#[tokio::test]
async fn a_talk_is_paged_by_time_and_the_latest_talk_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    at(&store, |db, me| {
        for number in 0..10 {
            direct::receive(db, me, arrived(&format!("r{number}"), "bob", "alice", number * 10))?;
            direct::write(db, me, &written(&format!("w{number}"), "Bob", number * 10 + 5))?;
        }
        direct::receive(db, me, arrived("c", "Carol", "alice", 1))
    })
    .await;
    let newest = at(&store, |db, me| direct::talk(db, me, &peer("bob"), None, 3)).await;
    assert_eq!(texts(&newest), ["w8", "r9", "w9"]);
    let (from, first) = (newest[0].from.clone(), newest[0].id.clone());
    let older =
        at(&store, move |db, me| direct::talk(db, me, &peer("bob"), Some((&from, &first)), 2))
            .await;
    assert_eq!(texts(&older), ["w7", "r8"]);
    let talks = at(&store, |db, _| direct::talks(db)).await;
    assert_eq!(talks, [peer("Carol"), peer("Bob")]);
}

#[tokio::test]
async fn the_outbox_comes_back_in_order_with_what_is_still_to_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let states = [
        ("1", Delivery::Sending, true),
        ("2", Delivery::Queued, true),
        ("3", Delivery::Delivered(Route::Mailbox), false),
        ("4", Delivery::Failed { reason: "no".to_owned() }, false),
        ("5", Delivery::Delivered(Route::Relayed), true),
    ];
    for (text, delivery, open) in states.clone() {
        at(&store, move |db, me| {
            direct::write(db, me, &written(text, "bob", 1))?;
            direct::set_delivery(db, me, &id(text), &delivery, open)
        })
        .await;
    }
    at(&store, |db, me| direct::receive(db, me, arrived("9", "bob", "alice", 99))).await;
    store.settle().await;
    drop(store);
    // Another process would find it so.
    let store = open(folder.path());
    let outbox = at(&store, direct::outbox).await;
    let left: Vec<_> =
        outbox.iter().map(|left| (left.text.id.as_str(), left.delivery.clone())).collect();
    let open: Vec<_> =
        states.iter().filter(|state| state.2).map(|state| (state.0, state.1.clone())).collect();
    assert_eq!(left, open);
    let talk = at(&store, |db, me| direct::talk(db, me, &peer("bob"), None, 10)).await;
    assert_eq!(talk[3].delivery, Some(Delivery::Failed { reason: "no".to_owned() }));
    assert_eq!(at(&store, |db, _| direct::last_written(db)).await, 1);
}

#[tokio::test]
async fn a_listener_gets_what_came_from_elsewhere_in_the_order_of_arrival() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    at(&store, |db, me| {
        direct::receive(db, me, arrived("late", "bob", "alice", 50))?;
        direct::write(db, me, &written("own", "bob", 1))?;
        direct::receive(db, me, arrived("early", "bob", "alice", 5))?;
        direct::receive(db, me, arrived("copy", "alice", "bob", 6))
    })
    .await;
    let all = at(&store, |db, me| direct::arrived_after(db, me, 0, 10)).await;
    let came: Vec<&str> = all.iter().map(|came| came.direct.message.as_str()).collect();
    assert_eq!(came, ["late", "early", "copy"]);
    assert_eq!(all[2].direct.from, peer("Alice"));
    let last = all[1].seq;
    let rest = at(&store, move |db, me| direct::arrived_after(db, me, last, 10)).await;
    assert_eq!(rest.len(), 1);
}

#[tokio::test]
async fn a_second_device_of_a_known_peer_is_news_and_the_first_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (one, two) = (DeviceId::new([1; 16]), DeviceId::new([2; 16]));
    let met = at(&store, move |db, _| {
        Ok([
            devices::meet(db, "bob", one, 1)?,
            devices::meet(db, "bob", one, 2)?,
            devices::meet(db, "bob", two, 3)?,
            devices::meet(db, "carol", two, 4)?,
        ])
    })
    .await;
    assert_eq!(met, [Met::First, Met::Before, Met::Another, Met::First]);
    let known = at(&store, move |db, _| {
        devices::mark_compared(db, "bob", two, 5)?;
        devices::of(db, "bob")
    })
    .await;
    let compared: Vec<_> = known.iter().map(|known| (known.device, known.compared)).collect();
    assert_eq!(compared, [(one, false), (two, true)]);
}

#[tokio::test]
async fn a_folder_stays_with_its_first_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let owner = at(&store, |db, _| devices::owner(db, "alice", "http://a")).await;
    assert_eq!(owner, ("alice".to_owned(), "http://a".to_owned()));
    let owner = at(&store, |db, _| {
        devices::owner(db, "bob", "http://b")?;
        devices::moved(db, "http://c")?;
        devices::owner(db, "bob", "http://b")
    })
    .await;
    assert_eq!(owner, ("alice".to_owned(), "http://c".to_owned()));
}

#[tokio::test]
async fn a_job_that_fails_takes_back_its_own_changes_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let jobs = (0..50).map(|number| {
        let store = store.clone();
        async move {
            let job = move |db: &Connection| {
                direct::write(db, &peer("alice"), &written(&number.to_string(), "bob", 1))?;
                if number % 2 == 0 {
                    return Err(rusqlite::Error::InvalidQuery);
                }
                Ok(())
            };
            store.run(job).await
        }
    });
    let outcomes = futures_util::future::join_all(jobs).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 25);
    let outbox = at(&store, direct::outbox).await;
    let kept: Vec<&str> = outbox.iter().map(|left| left.text.id.as_str()).collect();
    let odd: Vec<String> = (0..50).filter(|n| n % 2 == 1).map(|n| n.to_string()).collect();
    assert_eq!(kept, odd, "in the order in which they were asked for");
}

//! How links come up, break, come back and end.

use std::time::Duration;

use peer::links::{NotLinked, Way};
use tokio::time::timeout;
use wire::signal::Signal;

use crate::support::{PATIENCE, Switchboard, linked, settings, text};

#[tokio::test]
async fn either_side_can_ask_for_the_link() {
    for asks in 0..2 {
        let board = Switchboard::default();
        let (mut alice, mut bob) = (board.device("alice").await, board.device("bob").await);
        match asks {
            0 => alice.links.connect(&bob.me),
            _ => bob.links.connect(&alice.me),
        }
        assert_eq!((alice.up(&bob.me).await, bob.up(&alice.me).await), (Way::Direct, Way::Direct));
        assert_eq!(alice.links.up(), [(bob.me.clone(), Way::Direct)]);
    }
}

#[tokio::test]
async fn frames_pass_both_ways_in_order() {
    let (mut alice, mut bob) = linked(&Switchboard::default()).await;
    for number in 0..200 {
        alice.links.send(&bob.me, &text(number, "from alice")).await.unwrap();
        bob.links.send(&alice.me, &text(number, "from bob")).await.unwrap();
    }
    for number in 0..200 {
        assert_eq!(bob.frame().await, text(number, "from alice"));
        assert_eq!(alice.frame().await, text(number, "from bob"));
    }
}

#[tokio::test]
async fn the_longest_messages_pass() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    // Each of these characters takes six bytes in JSON.
    let longest = text(1, &"\u{1}".repeat(16 * 1024));
    alice.links.send(&bob.me, &longest).await.unwrap();
    assert_eq!(bob.frame().await, longest);
}

#[tokio::test]
async fn the_round_trip_is_measured() {
    let (alice, bob) = linked(&Switchboard::default()).await;
    let time = alice.links.ping(&bob.me).await.unwrap();
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[tokio::test]
async fn without_a_link_nothing_is_sent() {
    let board = Switchboard::default();
    let (alice, bob) = (board.device("alice").await, board.device("bob").await);
    assert_eq!(alice.links.send(&bob.me, &text(1, "hello")).await, Err(NotLinked));
    assert_eq!(alice.links.ping(&bob.me).await, Err(NotLinked));
}

#[tokio::test]
async fn a_link_that_is_no_longer_wanted_ends_on_both_sides() {
    let board = Switchboard::default();
    let (mut alice, mut bob) = linked(&board).await;
    // Also when the tracker is away: the link itself carries the goodbye.
    board.cut(true);
    bob.links.forget(&alice.me);
    bob.down(&alice.me).await;
    alice.down(&bob.me).await;
    assert_eq!(alice.links.up(), []);
    assert_eq!(alice.links.send(&bob.me, &text(1, "hello")).await, Err(NotLinked));
}

#[tokio::test]
async fn closing_says_goodbye() {
    let (mut alice, bob) = linked(&Switchboard::default()).await;
    bob.links.close().await;
    alice.down(&bob.me).await;
}

#[tokio::test]
async fn the_engine_ends_with_its_last_handle() {
    let board = Switchboard::default();
    let (mut alice, bob) = linked(&board).await;
    let (me, addr) = (bob.me.clone(), bob.links.addresses()[0]);
    board.remove(&me);
    drop(bob);
    alice.down(&me).await;
    let free = async {
        while tokio::net::UdpSocket::bind(addr).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.expect("the port is free again");
}

#[tokio::test]
async fn a_device_that_started_again_is_linked_again() {
    let board = Switchboard::default();
    let before = settings("bob");
    let after = before.clone();
    let (mut alice, mut bob) = (board.device("alice").await, board.device_with(before).await);
    alice.links.connect(&bob.me);
    alice.up(&bob.me).await;
    bob.up(&alice.me).await;
    // It said no goodbye, and what it was before is heard no more.
    board.remove(&bob.me);
    let mut again = board.device_with(after).await;
    again.links.connect(&alice.me);
    alice.down(&bob.me).await;
    alice.up(&bob.me).await;
    again.up(&alice.me).await;
    alice.links.send(&bob.me, &text(1, "again")).await.unwrap();
    assert_eq!(again.frame().await, text(1, "again"));
    bob.down(&alice.me).await;
    assert!(bob.quiet());
}

#[tokio::test]
async fn an_idle_link_is_closed_and_wanted_no_more() {
    let board = Switchboard::default();
    let mut short = settings("alice");
    short.idle = Duration::from_millis(300);
    let mut alice = board.device_with(short).await;
    let mut bob = board.device("bob").await;
    alice.links.connect(&bob.me);
    alice.up(&bob.me).await;
    alice.down(&bob.me).await;
    bob.down(&alice.me).await;
    let offers =
        || board.passed().iter().filter(|signal| matches!(signal.signal, Signal::Offer(_))).count();
    assert_eq!(offers(), 1);
    // Wanted again, it comes again.
    alice.links.connect(&bob.me);
    alice.up(&bob.me).await;
    assert_eq!(offers(), 2);
}

#[tokio::test]
async fn there_are_only_so_many_links() {
    let board = Switchboard::default();
    let mut one = settings("carol");
    one.links_max = 1;
    let mut carol = board.device_with(one).await;
    let (alice, bob) = (board.device("alice").await, board.device("bob").await);
    alice.links.connect(&carol.me);
    carol.up(&alice.me).await;
    bob.links.connect(&carol.me);
    carol.links.connect(&bob.me);
    carol.links.ping(&alice.me).await.unwrap();
    alice.links.ping(&carol.me).await.unwrap();
    assert_eq!(carol.links.up().len(), 1);
}

#[tokio::test]
async fn lost_signals_delay_a_link_but_do_not_prevent_it() {
    let board = Switchboard::default();
    let (mut alice, bob) = (board.device("alice").await, board.device("bob").await);
    board.cut(true);
    bob.links.connect(&alice.me);
    while !board.passed().iter().any(|signal| signal.signal == Signal::Call) {
        tokio::task::yield_now().await;
    }
    board.cut(false);
    alice.up(&bob.me).await;
}

#[tokio::test]
async fn the_first_address_is_the_one_that_was_asked_for() {
    let board = Switchboard::default();
    let device = board.device("alice").await;
    let addresses = device.links.addresses();
    assert_eq!(addresses.len(), 1);
    assert!(addresses[0].ip().is_loopback() && addresses[0].port() != 0);
}

#[tokio::test]
async fn two_devices_of_one_person_link_as_well() {
    let board = Switchboard::default();
    let (mut laptop, mut phone) = (board.device("alice").await, board.device("Alice").await);
    laptop.links.connect(&phone.me);
    laptop.up(&phone.me).await;
    phone.up(&laptop.me).await;
    let own = laptop.me.clone();
    laptop.links.connect(&own);
    assert_eq!(laptop.links.ping(&own).await, Err(NotLinked), "but none links with itself");
}

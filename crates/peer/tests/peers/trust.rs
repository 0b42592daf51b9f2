//! Devices of partners, and safety numbers.

use peer::Event;

use crate::people::id;
use crate::support::town;

#[tokio::test(flavor = "multi_thread")]
async fn both_see_the_same_safety_number_and_remember_that_it_was_compared() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    alice.linked("bob").await;
    let at_alice = alice.peer.devices(&id("bob")).await.unwrap().remove(0);
    let at_bob = bob.peer.devices(&id("alice")).await.unwrap().remove(0);
    assert_eq!(at_alice.safety_number, at_bob.safety_number);
    assert_eq!(at_alice.device.device, bob.peer.device());
    assert!(at_alice.way.is_some() && at_alice.device.live && !at_alice.compared);
    alice.peer.mark_compared(&id("BOB"), bob.peer.device()).await.unwrap();
    assert!(alice.peer.devices(&id("bob")).await.unwrap()[0].compared);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_of_a_known_partner_is_told() {
    let town = town().await;
    let alice = town.guest("alice").await;
    let bob = town.device("bob", "first").await;
    alice.linked("bob").await;
    let second = town.device("bob", "second").await;
    alice.linked_with("bob", 2).await;
    let new = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::NewDevice { peer, device } => Some((peer.clone(), *device)),
            _ => None,
        })
    };
    let told = alice.until("to be told of the new device", new).await;
    assert_eq!(told, (id("bob"), second.peer.device()));
    drop(bob);
}

//! Channel messages: in the log, and ahead of it over links.

use peer::Event;
use wire::ChannelName;

use crate::people::Person;
use crate::support::town;

fn general() -> ChannelName {
    ChannelName::parse("general").unwrap()
}

/// What was told of a channel message: `post` and `log`.
fn told(events: &[Event], text: &str) -> Vec<&'static str> {
    let of = |event: &Event| match event {
        Event::Post { message, .. } if message == text => Some("post"),
        Event::Message { message, .. } if message.message == text => Some("log"),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

async fn sees(person: &Person, text: &str, how: &str) {
    person
        .until(&format!("{text:?} by {how}"), |events| {
            told(events, text).contains(&how).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_linked_members_directly_and_all_members_by_the_log() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    let carol = town.guest("carol").await;
    for person in [&alice, &bob, &carol] {
        person.peer.join(&general()).await.unwrap();
    }
    alice.linked("bob").await;
    // The first one may come before the members are known.
    alice.peer.broadcast(&general(), "first").await.unwrap();
    sees(&bob, "first", "log").await;
    alice.peer.broadcast(&general(), "second").await.unwrap();
    sees(&carol, "second", "log").await;
    sees(&bob, "second", "log").await;
    assert!(!told(&carol.events.borrow(), "second").contains(&"post"));
    let history = bob.peer.history(&general(), None, 10).await.unwrap();
    assert_eq!(history.messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_to_the_channel_is_not_heard_over_a_link() {
    let town = town().await;
    let (alice, eve) = (town.guest("alice").await, town.guest("eve").await);
    alice.peer.join(&general()).await.unwrap();
    eve.linked("alice").await;
    assert!(eve.peer.broadcast(&general(), "let me in").await.is_err());
    // A message that is known to come after it.
    let marker = eve.writes("alice", "marker").await;
    eve.delivered(&[marker]).await;
    alice.hears(&["marker".to_owned()]).await;
    assert!(told(&alice.events.borrow(), "let me in").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_joined_read_and_left() {
    let town = town().await;
    let (alice, bob) = (town.guest("alice").await, town.guest("bob").await);
    let name = ChannelName::parse("lớp-10A").unwrap();
    alice.peer.join(&name).await.unwrap();
    bob.peer.join(&name).await.unwrap();
    bob.peer.broadcast(&name, "chào").await.unwrap();
    let channel = alice.peer.channels(false).await.unwrap().remove(0);
    assert_eq!((channel.channel.clone(), channel.head_seq, channel.unread), (name.clone(), 1, 1));
    alice.peer.mark_read(&name, 1).await.unwrap();
    assert_eq!(alice.peer.channels(false).await.unwrap()[0].unread, 0);
    assert_eq!(alice.peer.members(&name).await.unwrap().len(), 2);
    alice.peer.leave(&name).await.unwrap();
    assert!(alice.peer.channels(false).await.unwrap().is_empty());
}

//! Someone who sends what would control a terminal.

use peer::config::{Config, Login};
use peer::{Event, Peer};
use wire::PeerId;

use crate::support::town;
use crate::window::Window;

const EVIL: &str = "start\u{1b}]0;owned\u{7}\u{1b}[?1049l\u{1b}[2J\u{9b}31m\u{202e}end";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_cannot_control_the_terminal() {
    let town = town().await;
    let alice = Window::open("alice", 80, 24);
    alice.chats(&town, "").await;
    alice.shows("You are in no channel yet").await;
    let title = alice.fact("pane_title");

    let name = PeerId::parse("mallory").unwrap();
    let config = Config::new(town.url(), Login::Guest { name }, town.home("mallory"));
    let (mallory, mut events) = Peer::start(config).await.unwrap();
    mallory.send(&PeerId::parse("alice").unwrap(), EVIL).await.unwrap();
    while !matches!(
        events.recv().await.unwrap(),
        Event::Delivery { delivery: peer::event::Delivery::Delivered(_), .. }
    ) {}

    alice.shows("Message from mallory").await;
    alice.keys(&["C-n"]);
    alice.shows("mallory: start␛]0;owned␇␛[?1049l␛[2J\u{fffd}31m\u{fffd}end").await;
    assert_eq!(alice.fact("pane_title"), title);
    assert_eq!(alice.fact("alternate_on"), "1");
    mallory.close().await;
}

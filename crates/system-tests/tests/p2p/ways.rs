//! Which way messages go: straight, through a TURN server, or by the mailbox; and what is said about it.

use std::collections::BTreeSet;

use system_tests::lab::{self, Host, Lab};
use system_tests::turn::TurnServer;
use system_tests::{Native, World};

use crate::support::{Watch, content_bytes, link, linked_pair, peer, plan, word};

#[test]
fn two_machines_that_see_only_each_other_and_the_server_link_directly() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, bob) = (
            peer(&lab, &world, "alice", &hosts.0).await,
            peer(&lab, &world, "bob", &hosts.1).await,
        );
        assert_eq!(link(&alice, &bob).await, "direct");
        goes(&alice, &bob, "direct").await;
        goes(&bob, &alice, "direct").await;
    });
}

#[test]
fn the_first_message_makes_the_link_by_itself() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let bob = peer(&lab, &world, "bob", &hosts.1).await;
        let alice = peer(&lab, &world, "alice", &hosts.0).await;
        goes(&bob, &alice, "direct").await;
        assert_eq!(content_bytes(&world).await, 0);
    });
}

#[test]
fn with_udp_blocked_between_them_and_a_turn_server_they_are_relayed_and_it_sees_no_content() {
    lab::run(async |lab| {
        let (world, turn, hosts) = relayed_world(&lab).await;
        let (alice, bob) = (
            peer(&lab, &world, "alice", &hosts.0).await,
            peer(&lab, &world, "bob", &hosts.1).await,
        );
        assert_eq!(link(&alice, &bob).await, "relayed");
        let watch = Watch::start(&world).await;
        let words = [goes(&alice, &bob, "relayed").await, goes(&bob, &alice, "relayed").await];
        let packets = watch.saw_nothing_of(&world, &[&words[0], &words[1]]).await;
        assert!(!packets.is_empty() && turn.log().contains("session"), "{}", turn.log());
    });
}

#[test]
fn with_udp_blocked_and_no_turn_server_messages_are_queued_and_then_delivered_by_the_mailbox() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        lab.block_udp(&hosts.0, &hosts.1);
        let (alice, bob) = (
            peer(&lab, &world, "alice", &hosts.0).await,
            peer(&lab, &world, "bob", &hosts.1).await,
        );
        let text = word();
        let id = alice.writes("bob", &text).await;
        alice.delivery(&id, "queued").await;
        assert_eq!(bob.hears(&text).await["route"], "mailbox");
        assert_eq!(alice.delivery(&id, "delivered").await["route"], "mailbox");
        assert_eq!(content_bytes(&world).await, text.len() as u64);
        // As soon as there is a way, it is taken.
        lab.unblock(&hosts.0, &hosts.1);
        assert_eq!(link(&alice, &bob).await, "direct");
        goes(&alice, &bob, "direct").await;
    });
}

#[test]
fn a_message_to_someone_who_is_away_is_queued_until_they_come_back() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, mut bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let (status, _) = bob.program.terminate().await;
        assert_eq!(status.code(), Some(0));
        alice.unlinked("bob").await;
        let text = word();
        let id = alice.writes("bob", &text).await;
        alice.delivery(&id, "queued").await;
        bob.revive();
        assert_eq!(bob.hears(&text).await["route"], "mailbox");
        assert_eq!(alice.delivery(&id, "delivered").await["route"], "mailbox");
    });
}

#[test]
fn when_the_turn_server_dies_messages_still_arrive() {
    lab::run(async |lab| {
        let (world, mut turn, hosts) = relayed_world(&lab).await;
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        turn.kill().await;
        let text = word();
        let id = alice.writes("bob", &text).await;
        bob.hears(&text).await;
        assert_eq!(alice.delivery(&id, "delivered").await["route"], "mailbox");
    });
}

async fn relayed_world(lab: &Lab) -> (World, TurnServer, (Host, Host)) {
    let addr = lab.server().addr();
    let flags = TurnServer::tracker_flags(addr);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let world = plan().tracker_flags(&flags).start().await;
    let turn = TurnServer::start(addr, world.folder()).await;
    let hosts = (lab.host("alice"), lab.host("bob"));
    lab.block_udp(&hosts.0, &hosts.1);
    (world, turn, hosts)
}

/// A message takes this route, and both sides say so: its text.
async fn goes(from: &Native, to: &Native, route: &str) -> String {
    let text = word();
    let id = from.writes(&to.name, &text).await;
    assert_eq!(to.hears(&text).await["route"], route);
    assert_eq!(from.delivered(&BTreeSet::from([id])).await, BTreeSet::from([route.to_owned()]));
    text
}

//! `peer listen`: nothing lost, nothing twice, and a good end.

use rustix::process::Signal;
use serde_json::json;

use crate::relay::Relay;
use crate::support::{PATIENCE, town};

#[tokio::test(flavor = "multi_thread")]
async fn both_signals_end_it_with_code_0() {
    let town = town().await;
    for signal in [Signal::TERM, Signal::INT] {
        assert_eq!(town.listener("bob").await.end(signal).await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_nobody_listens_is_printed_by_the_next_listener_once() {
    let town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    town.run("alice", &["send", "bob", "one"]).await.exits(3);
    // A short visit takes it out of the mailbox.
    town.run("bob", &["send", "alice", "two"]).await;
    let mut bob = town.listener_from_start("bob").await;
    assert_eq!(bob.next_of("direct").await["message"], "one");
    // What it answers now it says after it has noted that this was printed.
    bob.says(&json!({ "do": "status" })).await;
    bob.next_of("reply").await;
    bob.kill().await;
    town.run("alice", &["send", "bob", "three"]).await;
    let mut bob = town.listener_from_start("bob").await;
    assert_eq!(bob.next_of("direct").await["message"], "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_messages_are_printed_from_where_the_last_listener_was() {
    let town = town().await;
    town.run("bob", &["join", "general"]).await.exits(0);
    town.run("alice", &["join", "general"]).await.exits(0);
    town.run("alice", &["send", "#general", "before anyone listened"]).await.exits(0);
    let mut bob = town.listener("bob").await;
    // The first listener has to have taken its place before something comes.
    bob.says(&json!({ "do": "channels", "ref": 1 })).await;
    bob.next_of("reply").await;
    town.run("alice", &["send", "#general", "one"]).await.exits(0);
    let told = bob.next_of("message").await;
    assert_eq!((&told["channel"], &told["message"]), (&json!("general"), &json!("one")));
    bob.end(Signal::TERM).await;
    town.run("alice", &["send", "#general", "two"]).await.exits(0);
    let mut bob = town.listener("bob").await;
    assert_eq!(bob.next_of("message").await["message"], "two");
    town.run("alice", &["send", "#general", "three"]).await.exits(0);
    assert_eq!(bob.next_of("message").await["message"], "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_does_not_tell_the_channels_holds_up_no_message_and_no_command() {
    let town = town().await;
    let relay = Relay::swallowing("/chat/channels", town.addr).await;
    let mut bob = town.listener_by(&format!("http://{}", relay.addr), "bob");
    bob.next_of("online").await;
    town.run("alice", &["send", "bob", "can you hear me?"]).await.exits(0);
    assert_eq!(bob.next_of("direct").await["message"], "can you hear me?");
    bob.says(&json!({ "do": "status", "ref": 1 })).await;
    assert_eq!(bob.next_of("reply").await["online"], true);
    assert!(!relay.given_up(), "it waited for the channels");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_and_their_end_is_the_end() {
    let town = town().await;
    let mut bob = town.listener("bob").await;
    bob.says(&json!({ "do": "status", "ref": "s" })).await;
    let reply = bob.next_of("reply").await;
    assert_eq!(
        (&reply["ref"], &reply["ok"], &reply["peer"]),
        (&json!("s"), &json!(true), &json!("bob"))
    );
    bob.says(&json!({ "do": "dance", "ref": 2 })).await;
    let reply = bob.next_of("reply").await;
    assert_eq!(
        (&reply["ref"], &reply["ok"], &reply["code"]),
        (&json!(2), &json!(false), &json!("invalid_command"))
    );
    bob.says(&json!({ "do": "send", "to": "bob", "message": "a note", "ref": 3 })).await;
    let id = bob.next_of("reply").await["id"].clone();
    let told = bob.next_of("delivery").await;
    assert_eq!((&told["id"], &told["delivery"]), (&id, &json!("delivered")));
    bob.says(&json!({ "do": "talk", "with": "bob", "ref": 4 })).await;
    assert_eq!(bob.next_of("reply").await["messages"][0]["message"], "a note");
    bob.hangs_up();
    assert_eq!(bob.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_keep_their_order() {
    let town = town().await;
    let mut bob = town.listener("bob").await;
    for number in 0..1000 {
        bob.says(
            &json!({ "do": "send", "to": "bob", "message": number.to_string(), "ref": number }),
        )
        .await;
    }
    for number in 0..1000 {
        assert_eq!(bob.next_of("reply").await["ref"], number);
    }
    bob.says(&json!({ "do": "talk", "with": "bob", "limit": 2000 })).await;
    let talk = bob.next_of("reply").await;
    let texts: Vec<&str> = talk["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    assert_eq!(texts, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_command_goes_through_the_peer_that_runs() {
    let town = town().await;
    town.listener("carol").await.end(Signal::TERM).await;
    let mut bob = town.listener("bob").await;
    let ran = town.run("bob", &["send", "carol", "from another shell"]).await.exits(3);
    assert!(ran.out.contains("queued"), "{ran:?}");
    let told = bob.next_of("delivery").await;
    assert_eq!((&told["to"], &told["delivery"]), (&json!("carol"), &json!("queued")));
    let ran = town.run("bob", &["listen"]).await.exits(2);
    assert!(ran.err.contains("in use"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_reads_it_any_more_it_ends_without_a_word() {
    let town = town().await;
    let bob = town.listener("bob").await;
    let mut child = bob.unread();
    // Something to print; the reader is gone.
    town.run("alice", &["send", "bob", "anyone?"]).await;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    // The line that was not read is printed again.
    let mut bob = town.listener_from_start("bob").await;
    assert_eq!(bob.next_of("direct").await["message"], "anyone?");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_in_the_middle_everything_arrives_once_in_the_end() {
    let town = town().await;
    let (mut alice, mut bob) = (town.listener("alice").await, town.listener("bob").await);
    let mut number = 0;
    for round in 0..6 {
        for _ in 0..30 {
            let text = format!("text {number}");
            alice.says(&json!({ "do": "send", "to": "bob", "message": text, "ref": number })).await;
            number += 1;
        }
        // Until the last one is on disk: what was said yes to is never lost.
        while alice.next_of("reply").await["ref"] != number - 1 {}
        match round % 2 {
            0 => {
                bob.kill().await;
                bob = town.listener("bob").await;
            }
            _ => {
                alice.kill().await;
                alice = town.listener("alice").await;
            }
        }
    }
    let expected: Vec<String> = (0..number).map(|number| format!("text {number}")).collect();
    let arrived = tokio::time::timeout(PATIENCE, async {
        loop {
            bob.says(&json!({ "do": "talk", "with": "alice", "limit": 1000 })).await;
            let talk = bob.next_of("reply").await;
            let messages = talk["messages"].as_array().unwrap();
            let mut texts: Vec<String> = messages
                .iter()
                .map(|message| message["message"].as_str().unwrap().to_owned())
                .collect();
            if texts.len() >= expected.len() {
                texts.sort_by_key(|text| text[5..].parse::<u32>().unwrap());
                return texts;
            }
        }
    });
    assert_eq!(arrived.await.expect("not all have arrived"), expected);
}

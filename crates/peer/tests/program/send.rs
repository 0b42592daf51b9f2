//! `peer send`, `peer list`, `peer devices`, `peer ping`: output and exit codes.

use rustix::process::Signal;
use serde_json::json;

use crate::program::{fed, peer, ran};
use crate::support::town;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_one_who_is_away_is_queued_with_code_3() {
    let town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    let ran = town.run("alice", &["send", "bob", "hi"]).await.exits(3);
    assert!(ran.out.contains("queued") && ran.out.contains("bob"), "{ran:?}");
    let ran = town.run("alice", &["--json", "send", "bob", "hi again"]).await.exits(3);
    let line = &ran.json()[0];
    assert_eq!((&line["type"], &line["delivery"]), (&json!("delivery"), &json!("queued")));
    let mut bob = town.listener("bob").await;
    for text in ["hi", "hi again"] {
        let told = bob.next_of("direct").await;
        assert_eq!((&told["message"], &told["route"]), (&json!(text), &json!("mailbox")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_one_who_listens_goes_directly_with_code_0() {
    let town = town().await;
    let mut bob = town.listener("bob").await;
    let ran = town.run("alice", &["send", "bob", "hi", "--direct-only"]).await.exits(0);
    assert_eq!(ran.out, "delivered directly to bob\n");
    let told = bob.next_of("direct").await;
    assert_eq!((&told["message"], &told["route"]), (&json!("hi"), &json!("direct")));
    assert_eq!(town.content_bytes(), 0);
    let ran = town.run("alice", &["ping", "bob", "--count", "2", "--json"]).await.exits(0);
    let pongs = ran.json();
    assert_eq!(pongs.len(), 2);
    assert!(pongs.iter().all(|pong| pong["millis"].as_f64().unwrap() > 0.0), "{pongs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_delivery_ends_with_code_0_when_it_is_fetched() {
    let town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    let mut alice = town.as_guest("alice");
    alice.args(["send", "bob", "hi", "--wait", "50"]);
    let (ran, _) = tokio::join!(ran(&mut alice), async {
        let mut bob = town.listener("bob").await;
        bob.next_of("direct").await;
        bob.end(Signal::TERM).await
    });
    let ran = ran.exits(0);
    assert!(ran.out.contains("delivered"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn directly_or_not_at_all_fails_without_a_link_and_leaves_nothing_behind() {
    let town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    let args = ["send", "bob", "psst", "--direct-only", "--wait", "1"];
    let ran = town.run("alice", &args).await.exits(1);
    assert!(ran.out.starts_with("failed: "), "{ran:?}");
    let ran = town.run("alice", &["send", "bob", "by mailbox"]).await.exits(3);
    drop(ran);
    let mut bob = town.listener("bob").await;
    assert_eq!(bob.next_of("direct").await["message"], "by mailbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_one_message_or_one_a_line() {
    let town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    let mut whole = town.as_guest("alice");
    fed(whole.args(["send", "bob", "-"]), "two\nlines\n").await.exits(3);
    let mut lines = town.as_guest("alice");
    let ran = fed(lines.args(["send", "bob", "-", "--lines", "--json"]), "one\n\ntwo\n").await;
    assert_eq!(ran.exits(3).json().len(), 2);
    let mut empty = town.as_guest("alice");
    fed(empty.args(["send", "bob", "-"]), "\n").await.exits(1);
    let mut bob = town.listener("bob").await;
    for text in ["two\nlines", "one", "two"] {
        assert_eq!(bob.next_of("direct").await["message"], text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_name_that_nobody_has_it_fails_with_code_1() {
    let town = town().await;
    let ran = town.run("alice", &["send", "nobody", "hello?"]).await.exits(1);
    assert!(ran.out.contains("nobody"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_the_message_is_kept_with_code_5_and_goes_out_later() {
    let mut town = town().await;
    town.listener("bob").await.end(Signal::TERM).await;
    town.stop().await;
    let ran = town.run("alice", &["send", "bob", "later"]).await.exits(5);
    assert!(ran.out.contains("kept here"), "{ran:?}");
    town.run("alice", &["list"]).await.exits(5);
    town.start().await;
    town.run("alice", &["send", "bob", "now"]).await.exits(3);
    let mut bob = town.listener("bob").await;
    assert_eq!(bob.next_of("direct").await["message"], "later");
    assert_eq!(bob.next_of("direct").await["message"], "now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_written_to_by_its_members() {
    let town = town().await;
    let ran = town.run("alice", &["send", "#general", "hi"]).await.exits(1);
    assert!(ran.err.contains("member"), "{ran:?}");
    town.run("alice", &["join", "general"]).await.exits(0);
    let ran = town.run("alice", &["send", "#general", "hi"]).await.exits(0);
    assert_eq!(ran.out, "sent to #general\n");
    town.run("alice", &["leave", "#general"]).await.exits(0);
    town.run("alice", &["send", "#general", "hi"]).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_and_devices_are_listed_without_becoming_one() {
    let town = town().await;
    let bob = town.listener("bob").await;
    let ran = town.run("alice", &["list"]).await.exits(0);
    assert!(ran.out.contains("bob") && ran.out.contains("online"), "{ran:?}");
    assert!(!ran.out.contains("alice"), "who only looks is no peer: {ran:?}");
    let ran = town.run("alice", &["devices", "bob", "--json"]).await.exits(0);
    let device = &ran.json()[0];
    assert_eq!(device["safety_number"].as_str().unwrap().len(), 60);
    let id = device["device"].as_str().unwrap().to_owned();
    let ran = town.run("alice", &["devices", "bob", "--compared", &id, "--json"]).await.exits(0);
    assert_eq!(ran.json()[0]["compared"], true);
    bob.end(Signal::INT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_one_line_and_code_2() {
    let town = town().await;
    let home = town.home("x");
    for args in [
        &["listen"][..],
        &["--guest", "a b", "list"],
        &["--server", "nonsense", "--guest", "a", "list"],
        &["--guest", "a", "send", "not a name", "hi"],
        &["--guest", "a", "send", "bob", "hi", "--lines"],
        &["--guest", "a", "--log-level", "peer=loud", "list"],
        &["--user", "a", "--password-file", "/nowhere", "list"],
    ] {
        let ran = ran(peer(&home).args(args)).await.exits(2);
        assert_eq!((ran.out.as_str(), ran.err.lines().count()), ("", 1), "{args:?}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_shows_examples_and_exit_codes() {
    let town = town().await;
    let ran = ran(peer(&town.home("x")).arg("--help")).await.exits(0);
    for part in ["Examples:", "Exit codes:", "CHAT_PASSWORD", "--data-dir"] {
        assert!(ran.out.contains(part), "{part}");
    }
}

//! What one says another sees, at once.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use system_tests::link::Link;
use system_tests::world::PASSWORD;
use system_tests::{User, World, patience};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use crate::reader::follow;

#[tokio::test]
async fn a_message_reaches_the_other_accounts_stream_within_a_second() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let mut stream = bob.events(None).await.unwrap();
    assert_eq!(stream.next_of("hello").await.data["peer_id"], "bob");
    // Alice is known, and a member, from her first call on.
    alice.get("/chat/me").await.ok();
    let start = Instant::now();
    alice.says("general", "hello, Bob").await.ok();
    let event = stream.next_of("message").await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(event.data["message"], "hello, Bob");
    assert_eq!(event.data["from"], "alice");
    assert_eq!(event.data["seq"], 1);
}

#[tokio::test]
async fn a_stream_goes_on_where_a_broken_link_cut_it() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    alice.get("/chat/me").await.ok();
    let link = Link::to(&world.proxy.addr()).await;
    let far = User::new("bob", link.addr());
    let open = async |cursor: Option<&str>| {
        let mut request =
            far.request(reqwest::Method::GET, "/chat/events").header("Cookie", bob.cookie());
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        system_tests::EventStream::open(request).await
    };
    let mut stream = open(None).await.unwrap();
    stream.next_of("hello").await;
    alice.says("general", "before").await.ok();
    let before = stream.next_of("message").await;

    link.cut();
    while stream.next().await.is_ok() {}
    alice.says("general", "meanwhile").await.ok();
    assert!(open(None).await.is_err());

    link.open();
    let mut stream = open(Some(&before.cursor)).await.unwrap();
    assert_eq!(stream.next_of("message").await.data["message"], "meanwhile");
    alice.says("general", "after").await.ok();
    assert_eq!(stream.next_of("message").await.data["message"], "after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_reading_delays_nobody_and_catches_up_later() {
    const MESSAGES: usize = 1_500;
    // More than the tracker keeps for one reader, in messages that are allowed to be that long.
    let long = "x".repeat(16_000);
    let world = World::plan().tracker_flags(&["--rate", "0"]).start().await;
    let (alice, fast) = (world.account("alice").await, world.account("bob").await);
    alice.get("/chat/me").await.ok();
    fast.get("/chat/me").await.ok();
    let link = Link::to(&world.proxy.addr()).await;
    let slow = User::new("bob", link.addr());
    slow.post("/login", json!({"username": "bob", "password": PASSWORD})).await.ok();

    let (heads, head) = watch::channel(None);
    let mut stream = fast.events(None).await.unwrap();
    stream.next_of("hello").await;
    let slow = tokio::spawn(follow(slow, "general", head));
    alice.says("general", "the first").await.ok();
    stream.next_of("message").await;
    let (before, _) = world.tracker.program.memory();
    link.pause();
    let talk = async {
        for _ in 1..MESSAGES {
            alice.says("general", &long).await.ok();
        }
    };
    let hear = async {
        for seq in 2..=MESSAGES {
            assert_eq!(stream.next_of("message").await.data["seq"], seq);
        }
    };
    tokio::time::timeout(patience() * 3, async { tokio::join!(talk, hear) })
        .await
        .expect("delayed");
    let (_, highest) = world.tracker.program.memory();
    assert!(highest < before + 128 * 1024, "the tracker grew from {before} to {highest} KiB");

    link.open();
    heads.send_replace(Some(MESSAGES as u64));
    let seen = tokio::time::timeout(patience() * 2, slow).await.expect("it lags").unwrap();
    assert_eq!(seen.len(), MESSAGES);
}

#[tokio::test]
async fn a_direct_message_waits_for_its_reader_and_its_sender_learns_of_the_delivery() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    bob.get("/chat/me").await.ok();
    let mut hers = alice.events(None).await.unwrap();
    hers.next_of("hello").await;
    let sent = alice.writes("bob", "for you").await.ok();
    assert_eq!(sent["delivery"], "queued");

    let mailbox = bob.get("/chat/mailbox").await.ok();
    assert_eq!(mailbox["messages"][0]["message"], "for you");
    let messages = json!([{"from": "alice", "id": sent["id"]}]);
    bob.post("/chat/mailbox/ack", json!({"messages": messages})).await.ok();
    let delivered = hers.next_of("delivered").await;
    assert_eq!((&delivered.data["id"], &delivered.data["to"]), (&sent["id"], &json!("bob")));
    assert_eq!(bob.get("/chat/mailbox").await.ok()["count"], 0);
}

#[tokio::test]
async fn a_websocket_through_the_proxy_carries_events_and_commands() {
    let world = World::start().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    bob.get("/chat/me").await.ok();
    let mut socket = alice.web_socket("/chat/ws").await;
    let hello = next_json(&mut socket, "hello").await;
    assert!(hello["cursor"].is_string(), "{hello}");
    let command = json!({
        "type": "broadcast", "ref": 7, "peer_id": "alice", "channel": "general", "message": "by socket"
    });
    socket.send(Message::text(command.to_string())).await.unwrap();
    let reply = next_json(&mut socket, "reply").await;
    assert_eq!(
        (&reply["ref"], &reply["status"], &reply["seq"]),
        (&json!(7), &json!("success"), &json!(1))
    );
    assert_eq!(bob.reads("general").await, ["by socket"]);
}

async fn next_json<S>(socket: &mut S, kind: &str) -> Value
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    let seeking = async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["type"] == kind {
                    return event;
                }
            }
        }
    };
    tokio::time::timeout(patience(), seeking).await.unwrap_or_else(|_| panic!("no {kind} came"))
}

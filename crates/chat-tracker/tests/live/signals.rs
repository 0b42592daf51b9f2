//! Signals: who may send which to whom, how they arrive, and that nothing of them stays.

use std::io::Read;

use reqwest::Method;
use serde_json::{Value, json};
use service::admin::Probe;

use crate::keyed::{Device, call, device};
use crate::streams::{Sse, Ws};
use crate::support::{Running, auth, claims, good, refused, token, tracker, tracker_with};

/// Alice's and Bob's device, registered.
async fn two(tracker: &Running) -> (Device, Device) {
    for peer in ["alice", "bob"] {
        tracker.guest(peer).await;
    }
    let one = device("alice", 1).registered(tracker).await;
    (one, device("bob", 2).registered(tracker).await)
}

/// A counter of the tracker.
fn count(tracker: &Running, counter: &str) -> u64 {
    let text = tracker.tracker().metrics();
    let line = text.lines().find(|line| line.starts_with(counter)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_kind_arrives_as_it_was_sent_on_both_kinds_of_stream() {
    let tracker = tracker().await;
    let (alice, bob) = two(&tracker).await;
    let mut socket = Ws::open(&tracker, &bob.query()).await;
    let mut events = Sse::open(&tracker, &format!("bob&device={}", bob.id()), None).await;
    let cursor = events.cursor.clone();
    let answer = json!({
        "kind": "answer", "sdp": "v=0\r\n", "public_key": alice.public_key(),
        "signature": alice.signs("x"),
    });
    let candidate =
        json!({ "kind": "candidate", "candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host" });
    let kinds = [call(), alice.offer("v=0\r\n"), answer, candidate, json!({ "kind": "bye" })];
    for (session, signal) in kinds.into_iter().enumerate() {
        let sent = alice.signal(&bob, session as u64, signal);
        let reply = tracker.ok("/chat/signal", sent.clone()).await;
        assert_eq!(reply, json!({ "status": "success", "delivered": true }));
        let mut expected = sent;
        expected["type"] = json!("signal");
        assert_eq!(socket.next_of("signal").await, expected, "and no cursor");
        assert_eq!(events.next_of("signal").await, expected);
    }
    assert_eq!(events.cursor, cursor, "no signal has an id");
    assert_eq!(count(&tracker, "tracker_signals_total{delivered=\"yes\"}"), 5);
    assert_eq!(count(&tracker, "tracker_live_devices"), 1);
}

#[tokio::test]
async fn signals_sent_quickly_over_one_socket_arrive_in_order() {
    let tracker = tracker_with(&["--signal-burst", "1000"]).await;
    let (alice, bob) = two(&tracker).await;
    tracker.guest("alice").await.joins("general").await;
    let mut at_alice = Ws::open(&tracker, &alice.query()).await;
    let mut at_bob = Ws::open(&tracker, &bob.query()).await;
    for session in 0..300 {
        let mut command = alice.signal(&bob, session, call());
        // The stream says who sends.
        command.as_object_mut().unwrap().remove("from");
        command["type"] = json!("signal");
        command["ref"] = json!(session);
        at_alice.send(command).await;
        if session % 50 == 0 {
            // Something slower between them: it waits for the disk.
            at_alice
                .send(json!({
                    "type": "broadcast", "ref": "b", "peer_id": "alice", "channel": "general",
                    "message": "x",
                }))
                .await;
        }
    }
    for session in 0..300 {
        let signal = at_bob.next_of("signal").await;
        assert_eq!((&signal["session"], &signal["from"]), (&json!(session), &json!("alice")));
    }
    let mut replies = 0;
    while replies < 300 {
        let reply = at_alice.next_of("reply").await;
        if reply["ref"] != "b" {
            assert_eq!((&reply["ref"], &reply["delivered"]), (&json!(replies), &json!(true)));
            replies += 1;
        }
    }
}

#[tokio::test]
async fn a_device_that_is_not_live_gets_nothing_then_or_later() {
    let tracker = tracker().await;
    let (alice, bob) = two(&tracker).await;
    tracker.guest("bob").await.joins("general").await;
    let send = async |session| {
        let sent = tracker.ok("/chat/signal", alice.signal(&bob, session, call())).await;
        sent["delivered"] == true
    };
    // A stream of the peer that is not the device's.
    let mut beside = Ws::open(&tracker, "peer_id=bob").await;
    assert!(!send(1).await);
    assert_eq!(count(&tracker, "tracker_signals_total{delivered=\"no\"}"), 1);

    let path = format!("bob&device={}", bob.id());
    let mut stream = Sse::open(&tracker, &path, None).await;
    let start = stream.cursor.clone();
    assert!(send(2).await);
    assert_eq!(stream.next_of("signal").await["session"], 2);
    drop(stream);
    // It comes back from where it was before the signals: they are gone, the message is not.
    tracker.guest("bob").await.says("general", "after").await;
    let mut stream = Sse::open(&tracker, &path, Some(&start)).await;
    assert!(send(3).await);
    let mut seen = Vec::new();
    loop {
        let event = stream.next().await.unwrap();
        match event["type"].as_str().unwrap() {
            "message" => seen.push(json!("message")),
            "signal" => {
                seen.push(event["session"].clone());
                break;
            }
            _ => {}
        }
    }
    assert_eq!(seen, [json!("message"), json!(3)]);
    beside.send(json!({ "type": "ping" })).await;
    loop {
        let event = beside.next().await;
        assert_ne!(event["type"], "signal");
        if event["type"] == "pong" {
            return;
        }
    }
}

#[tokio::test]
async fn peers_and_devices_must_belong_together() {
    let auth = auth().await;
    let url = auth.url();
    let tracker = tracker_with(&["--auth-url", &url]).await;
    let (guest, bob) = two_guests(&tracker).await;
    let carol = tracker.account("carol", token(1, &claims("carol")));
    let own = device("carol", 3);
    good(carol.post("/chat/devices", own.registration()).await);
    let _at_bob = Ws::open(&tracker, &bob.query()).await;

    let send = |body: Value| tracker.post("/chat/signal", body);
    // A guest can't speak for an account, nor an account for a guest or for another.
    refused(send(own.signal(&bob, 1, call())).await, 403, "not_your_peer");
    let as_guest = guest.signal(&bob, 1, call());
    refused(carol.post("/chat/signal", as_guest).await, 403, "not_your_peer");
    // Nor for another's device.
    let mut forged = own.signal(&bob, 1, call());
    forged["from_device"] = json!(guest.id());
    refused(carol.post("/chat/signal", forged).await, 404, "device_not_registered");
    // The other side's device must be the named peer's.
    let mut misled = own.signal(&bob, 1, call());
    misled["to"] = json!(guest.peer);
    let message = refused(carol.post("/chat/signal", misled).await, 404, "device_not_registered");
    assert!(message.contains(&bob.id()) && message.contains("anna"), "{message}");
    let unknown = own.signal(&device("bob", 9), 1, call());
    refused(carol.post("/chat/signal", unknown).await, 404, "device_not_registered");
    let nobody = own.signal(&device("ghost", 2), 1, call());
    refused(carol.post("/chat/signal", nobody).await, 404, "peer_not_registered");
    let ghost = device("ghost", 2).signal(&bob, 1, call());
    refused(send(ghost).await, 404, "peer_not_registered");
    let mut unnamed = guest.signal(&bob, 1, call());
    unnamed.as_object_mut().unwrap().remove("from");
    refused(send(unnamed).await, 400, "peer_id_required");

    // What is right passes, with the account's own name where none is given.
    let mut unnamed = own.signal(&bob, 1, call());
    unnamed.as_object_mut().unwrap().remove("from");
    assert_eq!(good(carol.post("/chat/signal", unnamed).await)["delivered"], true);
}

async fn two_guests(tracker: &Running) -> (Device, Device) {
    for peer in ["anna", "bob"] {
        tracker.guest(peer).await;
    }
    let one = device("anna", 1).registered(tracker).await;
    (one, device("bob", 2).registered(tracker).await)
}

#[tokio::test]
async fn sizes_and_shapes_are_checked() {
    let tracker = tracker().await;
    let (alice, bob) = two(&tracker).await;
    let send = |session, signal| tracker.post("/chat/signal", alice.signal(&bob, session, signal));
    let candidate = |bytes| json!({ "kind": "candidate", "candidate": "x".repeat(bytes) });
    good(send((1 << 53) - 1, alice.offer(&"x".repeat(16 * 1024))).await);
    good(send(0, candidate(1024)).await);
    for large in [alice.offer(&"x".repeat(16 * 1024 + 1)), candidate(1025)] {
        refused(send(1, large).await, 413, "signal_too_large");
    }
    refused(send(1 << 53, call()).await, 400, "invalid_body");
    for (field, wrong, part) in [
        ("public_key", json!("short"), "`signal.public_key`"),
        ("public_key", json!("=".repeat(43)), "`signal.public_key`"),
        ("signature", json!("A".repeat(87)), "`signal.signature`"),
        ("signature", json!(7), "string"),
        ("kind", json!("dance"), "dance"),
    ] {
        let mut offer = alice.offer("v=0");
        offer[field] = wrong;
        let message = refused(send(1, offer).await, 400, "invalid_body");
        assert!(message.contains(part), "{message}");
    }
    refused(send(1, json!({ "kind": "offer", "sdp": "v=0" })).await, 400, "invalid_body");
    refused(send(1, Value::Null).await, 400, "invalid_body");
}

#[tokio::test]
async fn a_peer_that_sends_too_many_signals_waits_and_its_calls_do_not() {
    let tracker = tracker_with(&["--signal-rate", "1", "--signal-burst", "3"]).await;
    let (alice, bob) = two(&tracker).await;
    let mut statuses = Vec::new();
    for session in 0..5 {
        let request = tracker.request(Method::POST, "/chat/signal");
        let response = request.json(&alice.signal(&bob, session, call())).send().await.unwrap();
        if response.status() == 429 {
            assert_eq!(response.headers()["retry-after"], "1");
        }
        statuses.push(response.status().as_u16());
    }
    assert!(statuses.starts_with(&[200, 200, 200]) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(tracker.ok("/chat/signal", bob.signal(&alice, 1, call())).await["delivered"], false);
    good(tracker.get("/chat/ice?peer_id=alice").await);
    let mut at_alice = Ws::open(&tracker, &alice.query()).await;
    let mut refusals = 0;
    for session in 0..5 {
        let mut command = alice.signal(&bob, session, call());
        command["type"] = json!("signal");
        command["ref"] = json!(session);
        let reply = at_alice.ask(command).await;
        refusals += usize::from(reply["code"] == "too_many_requests" && reply["code_http"] == 429);
    }
    assert!(refusals > 0);
}

#[tokio::test]
async fn signals_leave_nothing_on_the_disk_and_count_as_no_content() {
    const MARK: &str = "not-to-be-found-again";
    let tracker = tracker().await;
    let (alice, bob) = two(&tracker).await;
    let mut at_bob = Ws::open(&tracker, &bob.query()).await;
    tracker.ok("/chat/signal", alice.signal(&bob, 1, alice.offer(MARK))).await;
    assert_eq!(at_bob.next_of("signal").await["signal"]["sdp"], MARK);
    let content = "tracker_content_bytes_total{kind=\"direct\"}";
    assert_eq!(count(&tracker, content), 0);
    // What goes by the mailbox is found both ways: the search works.
    tracker.guest("alice").await.writes("bob", "kept-for-bob", "d-1").await;
    assert_eq!(count(&tracker, content), 12);
    assert!(on_disk(&tracker, "kept-for-bob"));
    assert!(!on_disk(&tracker, MARK));
}

/// Whether any file of the tracker has this text.
fn on_disk(tracker: &Running, text: &str) -> bool {
    std::fs::read_dir(tracker.folder()).unwrap().any(|file| {
        let mut bytes = Vec::new();
        std::fs::File::open(file.unwrap().path()).unwrap().read_to_end(&mut bytes).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

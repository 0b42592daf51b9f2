//! Devices with live streams: who is told, and what ends them.

use serde_json::{Value, json};

use crate::keyed::device;
use crate::streams::{Sse, Ws, in_time};
use crate::support::{Running, good, refused, tracker, tracker_with};

/// The next event about a peer: `(online, devices)`, devices in order.
async fn about(stream: &mut Ws, peer: &str) -> (bool, Vec<String>) {
    loop {
        let event = stream.next_of("presence").await;
        if event["peer_id"] == peer {
            return (event["online"].as_bool().unwrap(), ids(&event["devices"]));
        }
    }
}

fn ids(devices: &Value) -> Vec<String> {
    let devices = devices.as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> =
        devices.iter().map(|device| device.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted<const N: usize>(mut ids: [String; N]) -> Vec<String> {
    ids.sort();
    ids.to_vec()
}

/// Whether each of a peer's devices is live, in the order of their registration.
async fn live(tracker: &Running, peer: &str) -> Vec<bool> {
    let list = good(tracker.get(&format!("/chat/devices?of={peer}")).await);
    list["devices"].as_array().unwrap().iter().map(|device| device["live"] == true).collect()
}

#[tokio::test]
async fn presence_lists_live_devices_in_events_and_in_answers() {
    let tracker = tracker().await;
    for peer in ["alice", "bob"] {
        tracker.guest(peer).await.joins("general").await;
    }
    let phone = device("bob", 1).registered(&tracker).await;
    let laptop = device("bob", 2).registered(&tracker).await;
    let mut at_alice = Ws::open(&tracker, "peer_id=alice").await;
    let at_phone = Ws::open(&tracker, &phone.query()).await;
    while about(&mut at_alice, "bob").await != (true, vec![phone.id()]) {}
    let _at_laptop = Sse::open(&tracker, &format!("bob&device={}", laptop.id()), None).await;
    let both = sorted([phone.id(), laptop.id()]);
    assert_eq!(about(&mut at_alice, "bob").await, (true, both.clone()));
    for path in ["/chat/members?channel=general", "/chat/peers"] {
        let answer = good(tracker.get(path).await);
        let all = answer["members"].as_array().or(answer["peers"].as_array()).unwrap();
        let bob = all.iter().find(|peer| peer["peer_id"] == "bob").unwrap();
        assert_eq!(ids(&bob["devices"]), both, "{path}");
    }
    assert_eq!(live(&tracker, "bob").await, [true, true]);
    drop(at_phone);
    assert_eq!(about(&mut at_alice, "bob").await, (true, vec![laptop.id()]));
    assert_eq!(live(&tracker, "bob").await, [false, true]);
}

#[tokio::test]
async fn a_stream_takes_registered_devices_of_its_peer_only() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    tracker.guest("bob").await;
    let own = device("alice", 1).registered(&tracker).await;
    let foreign = device("bob", 2).registered(&tracker).await;
    let unknown = device("alice", 3);
    for id in [foreign.id(), unknown.id()] {
        let path = format!("/chat/events?peer_id=alice&device={id}");
        let message = refused(tracker.get(&path).await, 404, "device_not_registered");
        assert!(message.contains(&id), "{message}");
        let query = format!("peer_id=alice&device={id}");
        assert_eq!(Ws::opened(&tracker, &query, &[]).await.err(), Some(404));
    }
    refused(tracker.get("/chat/events?peer_id=alice&device=x").await, 400, "invalid_query");
    assert_eq!(live(&tracker, "alice").await, [false]);
    Ws::open(&tracker, &own.query()).await;
}

#[tokio::test]
async fn a_removed_device_loses_its_streams_and_may_not_come_back() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let lost = device("alice", 1).registered(&tracker).await;
    let kept = device("alice", 2).registered(&tracker).await;
    let mut at_lost = Ws::open(&tracker, &lost.query()).await;
    let mut also = Sse::open(&tracker, &format!("alice&device={}", lost.id()), None).await;
    let mut at_kept = Ws::open(&tracker, &kept.query()).await;
    let remove = json!({ "peer_id": "alice", "device": lost.id() });
    assert_eq!(tracker.ok("/chat/devices/remove", remove).await["removed"], true);
    let code = loop {
        if let Err(code) = at_lost.try_next().await {
            break code;
        }
    };
    assert_eq!(code, Some(1008));
    while also.next().await.is_some() {}
    assert_eq!(Ws::opened(&tracker, &lost.query(), &[]).await.err(), Some(404));
    at_kept.send(json!({ "type": "ping" })).await;
    at_kept.next_of("pong").await;
}

#[tokio::test]
async fn a_live_device_does_not_give_way_unless_all_are_live() {
    let tracker = tracker_with(&["--devices-per-peer", "2"]).await;
    tracker.guest("alice").await;
    // The older one is live: the newer one goes.
    let live_one = device("alice", 1).registered(&tracker).await;
    device("alice", 2).registered(&tracker).await;
    let mut at_one = Ws::open(&tracker, &live_one.query()).await;
    let third = device("alice", 3).registered(&tracker).await;
    let _at_third = Ws::open(&tracker, &third.query()).await;
    assert_eq!(live(&tracker, "alice").await, [true, true]);
    // Now all are live, and the one that came first goes.
    let fourth = device("alice", 4).registered(&tracker).await;
    while at_one.try_next().await.is_ok() {}
    let list = good(tracker.get("/chat/devices?of=alice").await);
    let left = list["devices"].as_array().unwrap();
    let left: Vec<&str> = left.iter().map(|device| device["device"].as_str().unwrap()).collect();
    assert_eq!(left, [third.id(), fourth.id()]);
}

#[tokio::test]
async fn a_live_stream_counts_as_seeing_its_device() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let phone = device("alice", 1).registered(&tracker).await;
    let times = async || {
        let list = good(tracker.get("/chat/devices?of=alice").await);
        let device = &list["devices"][0];
        ["registered_at", "last_seen"].map(|time| device[time].as_str().unwrap().to_owned())
    };
    let [registered, _] = times().await;
    in_time(async {
        loop {
            // Within the same millisecond there is nothing to see yet.
            Ws::open(&tracker, &phone.query()).await;
            let [still, seen] = times().await;
            assert_eq!(still, registered);
            if seen > registered {
                return;
            }
        }
    })
    .await;
}

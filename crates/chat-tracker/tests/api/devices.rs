//! Devices: who may register, list and remove them, and what is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::keyed::device;
use crate::support::{Running, auth, claims, good, masked, refused, token, tracker, tracker_with};

async fn devices_of(tracker: &Running, peer: &str) -> Vec<String> {
    let list = good(tracker.get(&format!("/chat/devices?of={peer}")).await);
    let devices = list["devices"].as_array().unwrap();
    assert_eq!(list["count"], devices.len());
    devices.iter().map(|device| device["device"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_device_is_registered_listed_renewed_and_removed() {
    let tracker = tracker().await;
    tracker.guest("Alice").await;
    let phone = device("alice", 1);
    let registered = tracker.ok("/chat/devices", phone.registration()).await;
    let times = ["registered_at", "last_seen"].map(|time| registered[time].clone());
    assert!(times.iter().all(|time| time.as_str().unwrap().ends_with('Z')));
    let expected = json!({
        "device": phone.id(), "public_key": phone.public_key(), "label": "device 1", "live": false,
        "registered_at": times[0], "last_seen": times[1],
    });
    let list = good(tracker.get("/chat/devices?peer_id=alice").await);
    assert_eq!(list["devices"], json!([expected]));
    assert_eq!((&list["peer_id"], &list["count"]), (&json!("Alice"), &json!(1)));

    let laptop = device("Alice", 2).registered(&tracker).await;
    let mut renewed = phone.registration();
    renewed["label"] = json!("điện thoại");
    let renewed = tracker.ok("/chat/devices", renewed).await;
    assert_eq!((&renewed["label"], &renewed["registered_at"]), (&json!("điện thoại"), &times[0]));
    assert_eq!(devices_of(&tracker, "alice").await, [phone.id(), laptop.id()], "oldest first");

    let remove = json!({ "peer_id": "alice", "device": phone.id() });
    for there_was in [true, false] {
        let removed = tracker.ok("/chat/devices/remove", remove.clone()).await;
        let expected = json!({ "status": "success", "device": phone.id(), "removed": there_was });
        assert_eq!(removed, expected);
    }
    assert_eq!(devices_of(&tracker, "alice").await, [laptop.id()]);
    phone.registered(&tracker).await;
}

#[tokio::test]
async fn a_wrong_key_id_signature_or_label_is_refused_with_the_reason() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let (own, other) = (device("alice", 1), device("alice", 2));
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    let cases: [(&str, Value, &str); 12] = [
        ("public_key", json!("short"), "32 bytes"),
        ("public_key", json!(format!("{}=", own.public_key())), "32 bytes"),
        ("public_key", json!(other.public_key()), "hash"),
        ("device", json!(other.id()), "hash"),
        ("device", json!(own.id().to_uppercase() + "0"), "32 lower-case hex digits"),
        ("device", json!(7), "string"),
        ("signature", json!("short"), "64 bytes"),
        ("signature", json!(zeros + "A"), "64 bytes"),
        ("label", json!(""), "1 to 64"),
        ("label", json!("x".repeat(65)), "1 to 64"),
        ("label", json!("a\u{1b}[31mb"), "control"),
        ("label", json!("a\nb"), "control"),
    ];
    for (field, value, part) in cases {
        let mut wrong = own.registration();
        wrong[field] = value;
        let message = refused(tracker.post("/chat/devices", wrong).await, 400, "invalid_body");
        assert!(message.contains(part), "{field}: {message}");
    }
    let statement = |peer: &str| format!("hybrid-chat device 1\n{peer}\n{}", own.id());
    for signature in [
        other.signs(&statement("alice")),
        own.signs(&statement("bob")),
        own.signs(&format!("{}\n", statement("alice"))),
        URL_SAFE_NO_PAD.encode([0; 64]),
    ] {
        let mut wrong = own.registration();
        wrong["signature"] = json!(signature);
        refused(tracker.post("/chat/devices", wrong).await, 403, "bad_signature");
    }
    assert_eq!(devices_of(&tracker, "alice").await, [] as [&str; 0]);
    let mut long = own.registration();
    long["label"] = json!("ớ".repeat(64));
    good(tracker.post("/chat/devices", long).await);
}

#[tokio::test]
async fn a_key_of_small_order_proves_nothing() {
    use sha2::{Digest, Sha256};
    let tracker = tracker().await;
    tracker.guest("alice").await;
    // The neutral element: with it and a signature of R = it, S = 0, lenient checks accept any message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let id = wire::DeviceId::from_digest(&Sha256::digest(neutral).into());
    let register = json!({
        "peer_id": "alice", "device": id, "label": "x",
        "public_key": URL_SAFE_NO_PAD.encode(neutral), "signature": URL_SAFE_NO_PAD.encode(signature),
    });
    refused(tracker.post("/chat/devices", register).await, 403, "bad_signature");
}

#[tokio::test]
async fn a_key_belongs_to_one_peer() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    tracker.guest("bob").await;
    device("alice", 1).registered(&tracker).await;
    let again = device("bob", 1);
    refused(tracker.post("/chat/devices", again.registration()).await, 409, "device_taken");
    let remove = |peer: &str| json!({ "peer_id": peer, "device": again.id() });
    assert_eq!(tracker.ok("/chat/devices/remove", remove("bob")).await["removed"], false);
    tracker.ok("/chat/devices/remove", remove("alice")).await;
    again.registered(&tracker).await;
}

#[tokio::test]
async fn only_its_owner_may_change_a_peers_devices_and_anybody_may_see_them() {
    let auth = auth().await;
    let url = auth.url();
    let tracker = tracker_with(&["--auth-url", &url]).await;
    let alice = tracker.account("alice", token(1, &claims("alice")));
    let bob = tracker.account("bob", token(1, &claims("bob")));
    good(bob.get("/chat/me").await);
    let own = device("alice", 1);
    let mut unnamed = own.registration();
    unnamed.as_object_mut().unwrap().remove("peer_id");
    good(alice.post("/chat/devices", unnamed.clone()).await);
    refused(tracker.post("/chat/devices", unnamed).await, 400, "peer_id_required");

    let foreign = device("alice", 2).registration();
    let remove = json!({ "peer_id": "alice", "device": own.id() });
    refused(bob.post("/chat/devices", foreign.clone()).await, 403, "not_your_peer");
    refused(tracker.post("/chat/devices", foreign).await, 403, "not_your_peer");
    refused(bob.post("/chat/devices/remove", remove.clone()).await, 403, "not_your_peer");
    refused(tracker.post("/chat/devices/remove", remove).await, 403, "not_your_peer");
    let ghost = device("ghost", 3).registration();
    refused(tracker.post("/chat/devices", ghost).await, 404, "peer_not_registered");

    assert_eq!(good(alice.get("/chat/devices").await)["count"], 1);
    assert_eq!(good(bob.get("/chat/devices?of=alice").await)["devices"][0]["device"], own.id());
    assert_eq!(devices_of(&tracker, "alice").await, [own.id()]);
    refused(tracker.get("/chat/devices?of=ghost").await, 404, "peer_not_registered");
    refused(tracker.get("/chat/devices").await, 400, "peer_id_required");
    refused(tracker.get("/chat/devices?peer_id=alice").await, 403, "not_your_peer");
}

#[tokio::test]
async fn the_one_not_seen_for_longest_gives_way() {
    let tracker = tracker_with(&["--devices-per-peer", "2"]).await;
    tracker.guest("alice").await;
    let [first, second, third] = [1, 2, 3].map(|number| device("alice", number));
    let first = first.registered(&tracker).await;
    let second = second.registered(&tracker).await;
    // Times have milliseconds: the clock goes on before the first one is seen again.
    let seen = good(tracker.get("/chat/devices?of=alice").await)["devices"][1]["last_seen"].clone();
    loop {
        let renewed = tracker.ok("/chat/devices", first.registration()).await;
        if renewed["last_seen"].as_str() > seen.as_str() {
            break;
        }
    }
    let third = third.registered(&tracker).await;
    assert_eq!(devices_of(&tracker, "alice").await, [first.id(), third.id()]);
    let gone = json!({ "peer_id": "alice", "device": second.id() });
    assert_eq!(tracker.ok("/chat/devices/remove", gone).await["removed"], false);
}

#[tokio::test]
async fn a_restart_keeps_devices() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    tracker.guest("bob").await;
    let (one, two) = (device("alice", 1), device("bob", 2));
    for device in [&one, &two] {
        good(tracker.post("/chat/devices", device.registration()).await);
    }
    let before = good(tracker.get("/chat/devices?of=alice").await);
    let tracker = tracker.restarted().await;
    assert_eq!(masked(good(tracker.get("/chat/devices?of=alice").await)), masked(before));
    // The index is there too: both devices are known where a signal is sent.
    let signal = one.signal(&two, 1, crate::keyed::call());
    assert_eq!(tracker.ok("/chat/signal", signal).await["delivered"], false);
}

#[tokio::test]
async fn an_account_that_takes_its_name_finds_no_devices_of_others_there() {
    let auth = auth().await;
    let url = auth.url();
    let tracker = tracker_with(&["--auth-url", &url]).await;
    // Guests had both names before.
    for name in ["alice", "spare"] {
        tracker.guest(name).await;
    }
    let (at_name, at_spare) = (device("alice", 1), device("spare", 2));
    let at_name = at_name.registered(&tracker).await;
    let at_spare = at_spare.registered(&tracker).await;
    let alice = tracker.account("alice", token(1, &claims("alice")));
    good(alice.get("/chat/me").await);
    let submit = json!({ "peer_id": "spare", "ip": "10.0.0.1", "port": 1 });
    good(alice.post("/submit-info", submit).await);
    for name in ["alice", "spare"] {
        assert_eq!(devices_of(&tracker, name).await, [] as [&str; 0], "{name}");
    }
    tracker.guest("bob").await;
    let bob = device("bob", 3).registered(&tracker).await;
    for gone in [&at_name, &at_spare] {
        let signal = bob.signal(gone, 1, crate::keyed::call());
        refused(tracker.post("/chat/signal", signal).await, 404, "device_not_registered");
    }
    // The keys are free: the person may have been the guest.
    good(alice.post("/chat/devices", at_name.registration()).await);
}

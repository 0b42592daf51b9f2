//! `GET /chat/ice`, and the STUN server that it names.

use std::time::Duration;

use serde_json::json;
use tokio::net::UdpSocket;

use crate::support::{auth, claims, good, refused, token, tracker, tracker_with};

#[tokio::test]
async fn the_own_stun_server_answers_at_the_port_that_is_told() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let ice = good(tracker.get("/chat/ice?peer_id=alice").await);
    assert_eq!((&ice["stun"], &ice["turn"]), (&json!([]), &json!(null)));
    let port = u16::try_from(ice["stun_port"].as_u64().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", port)).await.unwrap();
    // A binding request without attributes (RFC 8489 §5), written by hand.
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    socket.send(&request).await.unwrap();
    let mut answer = [0; 100];
    let size = tokio::time::timeout(Duration::from_secs(20), socket.recv(&mut answer)).await;
    assert_eq!((size.unwrap().unwrap(), &answer[..2]), (32, &[1, 1][..]));
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    assert_eq!(port, socket.local_addr().unwrap().port());
}

#[tokio::test]
async fn servers_that_were_named_are_told_with_credentials_that_end() {
    let flags = [
        "--stun-url",
        "stun:stun.example:3478",
        "--stun-url",
        "stun:[::1]",
        "--turn-url",
        "turn:turn.example:3478?transport=udp",
        "--turn-secret",
        "north",
        "--turn-ttl",
        "600",
    ];
    let tracker = tracker_with(&flags).await;
    tracker.guest("alice").await;
    let before = jiff::Timestamp::now().as_second();
    let ice = good(tracker.get("/chat/ice?peer_id=alice").await);
    assert_eq!(ice["stun_port"], json!(null));
    assert_eq!(ice["stun"], json!(["stun:stun.example:3478", "stun:[::1]"]));
    let turn = &ice["turn"];
    assert_eq!(turn["urls"], json!(["turn:turn.example:3478?transport=udp"]));
    let (end, peer) = turn["username"].as_str().unwrap().split_once(':').unwrap();
    let end: i64 = end.parse().unwrap();
    assert!((600..=620).contains(&(end - before)) && peer == "alice", "{turn}");
    let expires: jiff::Timestamp = turn["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires.as_second(), end);
    assert_eq!(turn["credential"].as_str().unwrap().len(), 28);
    assert!(!ice.to_string().contains("north"));
}

#[tokio::test]
async fn a_tracker_without_stun_tells_of_none() {
    let tracker = tracker_with(&["--stun", "off"]).await;
    tracker.guest("alice").await;
    let ice = good(tracker.get("/chat/ice?peer_id=alice").await);
    assert_eq!(ice, json!({ "status": "success", "stun_port": null, "stun": [], "turn": null }));
}

#[tokio::test]
async fn credentials_are_for_known_peers_and_their_owners() {
    let auth = auth().await;
    let url = auth.url();
    let tracker = tracker_with(&["--auth-url", &url]).await;
    let alice = tracker.account("alice", token(1, &claims("alice")));
    good(alice.get("/chat/ice").await);
    refused(tracker.get("/chat/ice?peer_id=alice").await, 403, "not_your_peer");
    refused(tracker.get("/chat/ice?peer_id=ghost").await, 404, "peer_not_registered");
    refused(tracker.get("/chat/ice").await, 400, "peer_id_required");
}

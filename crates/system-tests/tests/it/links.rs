//! Devices find each other: through the proxy, over its live streams, and by STUN.

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::binaries::binary;
use system_tests::{EventStream, User, World, patience};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;

/// A device of a person, with the signature that its key made once: `(peer, device, public key, signature)`.
type Device = (&'static str, &'static str, &'static str, &'static str);

const ALICES: Device = (
    "alice",
    "34750f98bd59fcfc946da45aaabe933b",
    "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w",
    "jlKVGN9MvHd8P-vdcUf_8B7_wO0y_pBAT1VnRb7XlM_BzKlvgeH-y31Ktya-FJEjE6Ll36kXuVbJ80dUmv_CCQ",
);
const BOBS: Device = (
    "bob",
    "6a3803d5f059902a1c6dafbc9ba47292",
    "gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q",
    "srgp5wfrPf_KAI2r2wrv6RfoL5tSYCl5W86o78aNeWa8EhAr7eNEMm_OU3ACTNFwCaAI6sdqXv9FnRI4cGudCQ",
);

fn registration((_, device, public_key, signature): Device) -> Value {
    json!({
        "device": device, "public_key": public_key, "signature": signature, "label": "a browser",
    })
}

/// An account with its device.
async fn person(world: &World, device: Device) -> User {
    let user = world.account(device.0).await;
    let registered = user.post("/chat/devices", registration(device)).await.ok();
    assert_eq!((&registered["device"], &registered["live"]), (&json!(device.1), &json!(false)));
    user
}

async fn events(user: &User, device: Device) -> EventStream {
    let path = format!("/chat/events?device={}", device.1);
    let mut stream = EventStream::open(user.request(Method::GET, &path)).await.unwrap();
    stream.next_of("hello").await;
    stream
}

fn signal(from: Device, to: Device, session: u64) -> Value {
    json!({
        "from_device": from.1, "to": to.0, "to_device": to.1, "session": session,
        "signal": { "kind": "call" },
    })
}

#[tokio::test]
async fn devices_meet_and_signal_through_the_proxy() {
    let world = World::start().await;
    let (alice, bob) = (person(&world, ALICES).await, person(&world, BOBS).await);
    let mut at_bob = events(&bob, BOBS).await;

    let mut at_alice = alice.web_socket(&format!("/chat/ws?device={}", ALICES.1)).await;
    for session in 1..=20 {
        let mut command = signal(ALICES, BOBS, session);
        command["type"] = json!("signal");
        at_alice.send(Message::text(command.to_string())).await.unwrap();
    }
    for session in 1..=20 {
        let event = at_bob.next_of("signal").await;
        assert_eq!(event.cursor, "");
        let mut expected = signal(ALICES, BOBS, session);
        expected["from"] = json!("alice");
        expected["type"] = json!("signal");
        assert_eq!(event.data, expected);
    }
    bob.post("/chat/signal", signal(BOBS, ALICES, 21)).await.ok();
    let answered = async {
        loop {
            if let Message::Text(text) = at_alice.next().await.unwrap().unwrap() {
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["type"] == "signal" {
                    return event["session"].clone();
                }
            }
        }
    };
    assert_eq!(tokio::time::timeout(patience(), answered).await.unwrap(), 21);

    let list = bob.get("/chat/devices?of=alice").await.ok();
    assert_eq!(
        (&list["devices"][0]["device"], &list["devices"][0]["live"]),
        (&json!(ALICES.1), &json!(true))
    );
    let peers = bob.get("/chat/peers").await.ok();
    assert_eq!(peers["peers"][0]["devices"], json!([ALICES.1]));

    // Nobody acts with another's device, and without a session there is nothing at all.
    bob.post("/chat/signal", signal(ALICES, BOBS, 1)).await.fails(404, "device_not_registered");
    let stranger = world.stranger();
    for path in ["/chat/ice", "/chat/devices?of=alice"] {
        stranger.get(path).await.fails(401, "unauthenticated");
    }
    for path in ["/chat/signal", "/chat/devices", "/chat/devices/remove"] {
        stranger.post(path, json!({})).await.fails(401, "unauthenticated");
    }
    let remove = json!({ "device": BOBS.1 });
    assert_eq!(bob.post("/chat/devices/remove", remove).await.ok()["removed"], true);
    while at_bob.next().await.is_ok() {}
}

#[tokio::test]
async fn devices_outlive_a_killed_tracker() {
    let mut world = World::start().await;
    let (alice, bob) = (person(&world, ALICES).await, person(&world, BOBS).await);
    let before = alice.get("/chat/devices").await.ok();
    world.tracker.kill().await;
    world.tracker.restart().await;
    system_tests::eventually("the proxy finds the tracker", || alice.get_if_up("/chat/me")).await;
    let mut at_bob = events(&bob, BOBS).await;
    let sent = alice.post("/chat/signal", signal(ALICES, BOBS, 1)).await.ok();
    assert_eq!(sent["delivered"], true);
    assert_eq!(at_bob.next_of("signal").await.data["from"], "alice");
    assert_eq!(alice.get("/chat/devices").await.ok()["devices"], before["devices"]);
}

#[tokio::test]
async fn the_stun_port_that_is_told_answers_and_turn_comes_with_credentials() {
    let flags = ["--turn-url", "turn:turn.example:3478?transport=udp", "--turn-secret", "north"];
    let world = World::plan().tracker_flags(&flags).start().await;
    let alice = world.account("alice").await;
    let ice = alice.get("/chat/ice").await.ok();
    assert!(ice["turn"]["username"].as_str().unwrap().ends_with(":alice"), "{ice}");
    assert!(!world.tracker.program.log().contains("north"), "the secret is logged");
    let port = u16::try_from(ice["stun_port"].as_u64().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", port)).await.unwrap();
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    socket.send(&request).await.unwrap();
    let mut answer = [0; 100];
    let received = tokio::time::timeout(patience(), socket.recv(&mut answer)).await;
    assert_eq!(received.expect("STUN is silent").unwrap(), 32);
    assert_eq!((&answer[..2], &answer[4..20]), (&[1, 1][..], &request[4..20]));
}

#[tokio::test]
async fn a_taken_stun_port_and_turn_without_a_secret_end_the_start_with_one_line() {
    let taken = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    for (flags, parts) in [
        (["--stun-port", port.as_str()], [port.as_str(), "--stun-port"]),
        (["--turn-url", "turn:turn.example"], ["--turn-secret", "TURN_SECRET"]),
    ] {
        let ended = Command::new(binary("chat-tracker"))
            .args(["--server-port", "0"])
            .args(flags)
            .env_clear()
            .current_dir(folder.path())
            .output();
        let ended = tokio::time::timeout(patience(), ended).await.expect("it goes on").unwrap();
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

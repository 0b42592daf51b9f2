//! A tracker that lies about the signals between two devices gets no message and no link.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use system_tests::lab::{self, Lab};
use system_tests::liar::Liar;
use system_tests::{Native, World};
use wire::signal::{LinkStatement, Role, fingerprint};
use wire::{DeviceId, PeerId};

use crate::support::{link, peer, plan, word};

/// The control: what is changed below is what keeps them apart, not the liar as such.
#[test]
fn a_tracker_that_changes_nothing_brings_them_together() {
    lab::run(async |lab| {
        let (_town, alice, bob) = meet(&lab, |_| ()).await;
        assert_eq!(link(&alice, &bob).await, "direct");
    });
}

#[test]
fn a_changed_fingerprint_is_refused() {
    lab::run(async |lab| refused(&lab, change_fingerprint).await);
}

#[test]
fn a_changed_signature_is_refused() {
    lab::run(async |lab| {
        refused(&lab, |signal| {
            let Some(description) = description(signal) else { return };
            flip(&mut description["signature"]);
        })
        .await;
    });
}

/// The whole attack: the man in the middle puts in his own fingerprint and signs it, with his own key.
#[test]
fn a_fingerprint_signed_with_another_key_is_refused() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut offered = None;
    let forge = move |signal: &mut Value| {
        change_fingerprint(signal);
        let id = |name: &str| PeerId::parse(signal[name].as_str().unwrap()).unwrap();
        let device = |name: &str| signal[name].as_str().unwrap().parse::<DeviceId>().unwrap();
        let (from, to) = (id("from"), id("to"));
        let (from_device, to_device) = (device("from_device"), device("to_device"));
        let (session, kind) =
            (signal["session"].as_u64().unwrap(), signal["signal"]["kind"].clone());
        let Some(description) = description(signal) else { return };
        let own = fingerprint(description["sdp"].as_str().unwrap()).unwrap();
        let role = if kind == "offer" { Role::Offer } else { Role::Answer };
        if kind == "offer" {
            offered = Some(own.clone());
        }
        let statement = LinkStatement {
            role,
            session,
            from: (&from, from_device),
            to: (&to, to_device),
            own: &own,
            offered: offered.as_deref().filter(|_| kind == "answer"),
        };
        let signature = key.sign(statement.text().as_bytes()).to_bytes();
        description["public_key"] = json!(URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()));
        description["signature"] = json!(URL_SAFE_NO_PAD.encode(signature));
    };
    lab::run(async |lab| refused(&lab, forge).await);
}

/// No link, the person is told, and the message goes by the mailbox.
async fn refused(lab: &Lab, lie: impl FnMut(&mut Value) + Send + 'static) {
    let (_town, alice, bob) = meet(lab, lie).await;
    let text = word();
    let id = alice.writes("bob", &text).await;
    // The one to whom the false offer came.
    let told = bob.told("refused", 0, |event| event["peer"] == "alice").await;
    assert!(told["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told}");
    assert_eq!(bob.hears(&text).await["route"], "mailbox");
    assert_eq!(alice.delivery(&id, "delivered").await["route"], "mailbox");
    for peer in [&alice, &bob] {
        let up = peer.events().into_iter().find(|e| e["type"] == "link" && !e["way"].is_null());
        assert_eq!(up, None);
    }
}

/// Two peers and a tracker that passes each signal through `lie`.
async fn meet(
    lab: &Lab,
    lie: impl FnMut(&mut Value) + Send + 'static,
) -> ((World, Liar), Native, Native) {
    let liar = Liar::with(lie).await;
    let world = plan().tracker_server(liar.addr()).start().await;
    liar.knows(&world.tracker.addr());
    let hosts = (lab.host("alice"), lab.host("bob"));
    let alice = peer(lab, &world, "alice", &hosts.0).await;
    let bob = peer(lab, &world, "bob", &hosts.1).await;
    ((world, liar), alice, bob)
}

/// What an offer or an answer says; nothing in other signals.
fn description(signal: &mut Value) -> Option<&mut Value> {
    let signal = &mut signal["signal"];
    signal["sdp"].is_string().then_some(signal)
}

/// Another fingerprint of the same form.
fn change_fingerprint(signal: &mut Value) {
    let Some(description) = description(signal) else { return };
    let sdp = description["sdp"].as_str().unwrap();
    let (before, rest) = sdp.split_once("a=fingerprint:sha-256 ").expect("an SDP has one");
    let (hex, after) = rest.split_at(95);
    let other: String = hex
        .chars()
        .map(|c| {
            if c == 'A' {
                'B'
            } else if c == 'B' {
                'A'
            } else {
                c
            }
        })
        .collect();
    assert_ne!(hex, other);
    description["sdp"] = json!(format!("{before}a=fingerprint:sha-256 {other}{after}"));
}

/// Another text of the same form.
fn flip(text: &mut Value) {
    let mut letters: Vec<char> = text.as_str().unwrap().chars().collect();
    letters[10] = if letters[10] == 'x' { 'y' } else { 'x' };
    *text = json!(letters.into_iter().collect::<String>());
}

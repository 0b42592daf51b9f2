//! A device with its key, and the signals it sends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::device::device_statement;
use wire::{DeviceId, PeerId};

use crate::support::{Running, good};

/// A device of a peer.
pub(crate) struct Device {
    pub(crate) peer: String,
    key: SigningKey,
}

/// The device with this number, which it would be under any peer.
pub(crate) fn device(peer: &str, number: u8) -> Device {
    Device { peer: peer.to_owned(), key: SigningKey::from_bytes(&[number; 32]) }
}

impl Device {
    pub(crate) fn id(&self) -> String {
        self.device_id().to_string()
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::from_digest(&Sha256::digest(self.key.verifying_key()).into())
    }

    pub(crate) fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.verifying_key())
    }

    pub(crate) fn signs(&self, statement: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(statement.as_bytes()).to_bytes())
    }

    /// The body of `POST /chat/devices`.
    pub(crate) fn registration(&self) -> Value {
        let peer = PeerId::parse(&self.peer).unwrap();
        json!({
            "peer_id": self.peer, "device": self.id(), "public_key": self.public_key(),
            "signature": self.signs(&device_statement(&peer, self.device_id())),
            "label": format!("device {}", self.key.as_bytes()[0]),
        })
    }

    /// Registers it with a tracker.
    pub(crate) async fn registered(self, tracker: &Running) -> Self {
        good(tracker.post("/chat/devices", self.registration()).await);
        self
    }

    /// The query of its live stream.
    pub(crate) fn query(&self) -> String {
        format!("peer_id={}&device={}", self.peer, self.id())
    }

    /// The body of `POST /chat/signal`.
    pub(crate) fn signal(&self, to: &Self, session: u64, signal: Value) -> Value {
        json!({
            "from": self.peer, "from_device": self.id(), "to": to.peer, "to_device": to.id(),
            "session": session, "signal": signal,
        })
    }

    /// An offer whose SDP is this text. The tracker looks at sizes only.
    pub(crate) fn offer(&self, sdp: &str) -> Value {
        json!({
            "kind": "offer", "sdp": sdp, "public_key": self.public_key(),
            "signature": self.signs(sdp),
        })
    }
}

/// A signal without content.
pub(crate) fn call() -> Value {
    json!({ "kind": "call" })
}

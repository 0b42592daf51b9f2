//! Devices of partners: which are really theirs, and the numbers that two people compare.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use wire::device::{Device, safety_digits, safety_number, safety_statement};
use wire::{DeviceId, PeerId};

/// The safety number of two devices: 60 digits, the same on both sides.
pub(super) fn number(me: (&PeerId, &str), other: (&PeerId, &str)) -> String {
    let half = |(peer, key)| safety_digits(&Sha256::digest(safety_statement(peer, key)).into());
    safety_number(&half(me), &half(other))
}

/// Whether a device's id is the hash of the key that the tracker tells for it. A key that doesn't fit would make a number
/// that says nothing.
pub(super) fn fits(device: &Device) -> bool {
    let key: Option<[u8; 32]> =
        URL_SAFE_NO_PAD.decode(&device.public_key).ok().and_then(|key| key.try_into().ok());
    key.is_some_and(|key| DeviceId::from_digest(&Sha256::digest(key).into()) == device.device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;

    #[test]
    fn both_sides_compute_the_same_number_and_a_foreign_key_changes_it() {
        let (alice, bob) = (PeerId::parse("Alice").unwrap(), PeerId::parse("bob").unwrap());
        let keys = [DeviceKey::generate(), DeviceKey::generate(), DeviceKey::generate()];
        let at_alice = number((&alice, keys[0].public_key()), (&bob, keys[1].public_key()));
        let at_bob = number((&bob, keys[1].public_key()), (&alice, keys[0].public_key()));
        assert_eq!(at_alice, at_bob);
        assert_eq!(at_alice.len(), 60);
        assert_ne!(at_alice, number((&alice, keys[0].public_key()), (&bob, keys[2].public_key())));
    }

    #[test]
    fn a_key_has_to_be_the_one_that_the_id_is_made_of() {
        let (one, other) = (DeviceKey::generate(), DeviceKey::generate());
        let mut device = Device {
            device: one.device(),
            public_key: one.public_key().to_owned(),
            label: String::new(),
            live: true,
            registered_at: String::new(),
            last_seen: String::new(),
        };
        assert!(fits(&device));
        device.public_key = other.public_key().to_owned();
        assert!(!fits(&device));
        device.public_key = "x".to_owned();
        assert!(!fits(&device));
    }
}

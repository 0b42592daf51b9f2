//! Devices: registering, listing and removing them.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use service::Problem;
use sha2::{Digest, Sha256};
use wire::device::{
    Device, Devices, ListDevices, RegisterDevice, RemoveDevice, RemovedDevice, device_statement,
};
use wire::{DeviceId, PeerId};

use crate::answer::problem;
use crate::caller::{Caller, not_registered};
use crate::clock::rfc3339_millis;
use crate::store::{self, StoredDevice, devices_of};
use crate::tracker::Tracker;

/// Characters of a device's label at most.
const LABEL_CHARS: usize = 64;

/// `POST /chat/devices`
///
/// # Errors
/// An unknown or foreign peer, a wrong key, id, signature or label, a key that is another peer's, the store.
pub async fn register_device(
    tracker: &Tracker,
    caller: &Caller,
    request: RegisterDevice,
) -> Result<Device, Problem> {
    let registration = caller.acting_as(tracker, request.peer_id.as_ref())?;
    check_label(&request.label)?;
    let peer = registration.peer.clone();
    let public_key = check_key(&request, peer.id())?;
    let register = store::RegisterDevice {
        peer: registration,
        device: request.device,
        public_key,
        label: request.label,
        most: tracker.limits.devices_per_peer,
        presence: tracker.presence.clone(),
    };
    let registered = tracker.store.write(register).await.map_err(problem)?;
    let live = tracker.presence.devices(&peer, Some(&peer), Instant::now());
    Ok(shown(registered.device, &live))
}

/// `GET /chat/devices`
///
/// # Errors
/// An unknown or foreign peer, an unknown one whose devices are asked for, the store.
pub async fn devices(
    tracker: &Tracker,
    caller: &Caller,
    request: ListDevices,
) -> Result<Devices, Problem> {
    let (asker, of) = match &request.of {
        Some(of) => {
            let asker = caller.acting_as_or_guest(tracker, request.peer_id.as_ref())?;
            (asker, tracker.peers.get(of).ok_or_else(|| not_registered(of))?)
        }
        None => {
            let own = caller.acting_as(tracker, request.peer_id.as_ref())?;
            (Some(own.clone()), own)
        }
    };
    let peer = of.id;
    let found = tracker.store.read(move |db| devices_of(db, peer)).await.map_err(problem)?;
    let asker = asker.as_ref().map(|asker| &asker.peer);
    let live = tracker.presence.devices(&of.peer, asker, Instant::now());
    let devices: Vec<Device> = found.into_iter().map(|device| shown(device, &live)).collect();
    Ok(Devices { peer_id: of.peer.id().clone(), count: devices.len(), devices })
}

/// `POST /chat/devices/remove`
///
/// # Errors
/// An unknown or foreign peer, the store.
pub async fn remove_device(
    tracker: &Tracker,
    caller: &Caller,
    request: RemoveDevice,
) -> Result<RemovedDevice, Problem> {
    let peer = caller.acting_as(tracker, request.peer_id.as_ref())?;
    let device = request.device;
    let remove = store::RemoveDevice { peer, device };
    let removed = tracker.store.write(remove).await.map_err(problem)?;
    Ok(RemovedDevice { device, removed })
}

/// 404 `device_not_registered`
pub(crate) fn device_not_registered(device: DeviceId, peer: &PeerId) -> Problem {
    Problem::not_found(
        "device_not_registered",
        format!("{device} is no device of {peer}: POST /chat/devices registers one"),
    )
}

/// Bytes in base64url without padding, exactly so many.
pub(super) fn base64url<const N: usize>(text: &str) -> Option<[u8; N]> {
    // What can't fit is not decoded.
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn check_label(label: &str) -> Result<(), Problem> {
    let chars = label.chars().count();
    if !(1..=LABEL_CHARS).contains(&chars) || label.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "invalid_body",
            format!(
                "field `label`: must have 1 to {LABEL_CHARS} characters, no control characters"
            ),
        ));
    }
    Ok(())
}

/// The key, once it is proven that the caller holds it (RFC 8032; strictly, so that no key of small order
/// passes).
fn check_key(request: &RegisterDevice, peer: &PeerId) -> Result<[u8; 32], Problem> {
    let wrong = |message: &str| Problem::bad_request("invalid_body", message);
    let key = base64url::<32>(&request.public_key);
    let key = key.ok_or_else(|| wrong("field `public_key`: must be 32 bytes in base64url"))?;
    if DeviceId::from_digest(&Sha256::digest(key).into()) != request.device {
        return Err(wrong("field `device`: is not the hash of `public_key`"));
    }
    let signature = base64url::<64>(&request.signature);
    let signature =
        signature.ok_or_else(|| wrong("field `signature`: must be 64 bytes in base64url"))?;
    let verifying = VerifyingKey::from_bytes(&key)
        .map_err(|_| wrong("field `public_key`: is no Ed25519 key"))?;
    let statement = device_statement(peer, request.device);
    verifying.verify_strict(statement.as_bytes(), &Signature::from_bytes(&signature)).map_err(
        |_| Problem::forbidden("bad_signature", "the signature does not fit the key and the peer"),
    )?;
    Ok(key)
}

fn shown(device: StoredDevice, live: &[DeviceId]) -> Device {
    Device {
        live: live.contains(&device.device),
        device: device.device,
        public_key: URL_SAFE_NO_PAD.encode(device.public_key),
        label: device.label,
        registered_at: rfc3339_millis(device.registered_at),
        last_seen: rfc3339_millis(device.last_seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_the_exact_number_of_bytes_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(base64url::<32>(&text).is_some(), bytes.len() == 32);
            prop_assert_eq!(base64url::<64>(&text).is_some(), bytes.len() == 64);
        }

        #[test]
        fn any_text_is_either_one_spelling_of_bytes_or_refused(text in "[A-Za-z0-9_=+/-]{43}") {
            if let Some(bytes) = base64url::<32>(&text) {
                prop_assert_eq!(URL_SAFE_NO_PAD.encode(bytes), text);
            }
        }
    }
}

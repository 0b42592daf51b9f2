//! Devices: each has a key of its own, and an id that is the key's hash. `docs/p2p.md` tells the rules.

use serde::{Deserialize, Serialize};

use crate::PeerId;
use crate::hex::hex_id;

hex_id! {
    /// A device's id: the first 16 bytes of SHA-256 over its public key, as 32 lower-case hex digits.
    DeviceId
}

/// `POST /chat/devices`: registers a device's key under a peer, or renews its label.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterDevice {
    /// Whose device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// The hash of `public_key`.
    pub device: DeviceId,
    /// Ed25519, base64url without padding: 43 characters.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"))]
    pub public_key: String,
    /// Over [`device_statement`], base64url without padding: 86 characters.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{85}[AQgw]$"))]
    pub signature: String,
    /// What people call it, such as `Chromium on Linux`: at most 64 characters.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")
    )]
    pub label: String,
}

/// A registered device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its id.
    pub device: DeviceId,
    /// Its key, base64url without padding.
    pub public_key: String,
    /// What people call it.
    pub label: String,
    /// Holds a live stream right now.
    pub live: bool,
    /// When it was registered (RFC 3339, UTC).
    pub registered_at: String,
    /// When it last opened a live stream, or was registered (RFC 3339, UTC).
    pub last_seen: String,
}

/// `GET /chat/devices`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListDevices {
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Whose devices; the asker's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<PeerId>,
}

/// Answer to [`ListDevices`], oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Devices {
    /// Whose.
    pub peer_id: PeerId,
    /// The devices.
    pub devices: Vec<Device>,
    /// How many.
    pub count: usize,
}

/// `POST /chat/devices/remove`: a device that is lost or no longer used. Its live streams end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RemoveDevice {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Which.
    pub device: DeviceId,
}

/// Answer to [`RemoveDevice`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RemovedDevice {
    /// Which.
    pub device: DeviceId,
    /// Whether there was one.
    pub removed: bool,
}

/// What a device signs to register.
pub fn device_statement(peer: &PeerId, device: DeviceId) -> String {
    format!("hybrid-chat device 1\n{}\n{device}", peer.folded())
}

/// What the half of a safety number is made from, before hashing.
pub fn safety_statement(peer: &PeerId, public_key: &str) -> String {
    format!("hybrid-chat safety number 1\n{}\n{public_key}", peer.folded())
}

/// Thirty digits out of a digest (SHA-256 over [`safety_statement`]): one side's half of a safety number.
pub fn safety_digits(digest: &[u8; 32]) -> String {
    digest
        .chunks_exact(5)
        .map(|group| group.iter().fold(0_u64, |number, &byte| (number << 8) | u64::from(byte)))
        .map(|number| format!("{:05}", number % 100_000))
        .collect()
}

/// A safety number out of both halves: 60 digits, the same on both sides.
pub fn safety_number(one: &str, other: &str) -> String {
    if one <= other { format!("{one}{other}") } else { format!("{other}{one}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_sixty_digits() {
        let (one, other) = (safety_digits(&[7; 32]), safety_digits(&[200; 32]));
        assert_eq!(one.len(), 30);
        assert_eq!(safety_number(&one, &other), safety_number(&other, &one));
        assert_eq!(safety_number(&one, &other).len(), 60);
    }

    #[test]
    fn a_device_statement_is_the_same_for_all_spellings() {
        let device = DeviceId::from_digest(&[0xab; 32]);
        let statement = device_statement(&PeerId::parse("Alice").unwrap(), device);
        assert_eq!(
            statement,
            format!("hybrid-chat device 1\nalice\n{}", "ab".repeat(16)),
            "this text is signed: it never changes"
        );
    }
}

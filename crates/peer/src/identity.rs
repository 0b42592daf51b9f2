//! The device's Ed25519 key (RFC 8032), and what is signed and verified with such keys.

use std::path::Path;

use wire::DeviceId;

/// This device's key. It never leaves the device.
pub struct DeviceKey {}

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("{path}: {source}")]
    File {
        /// The key's file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("{path} holds no device key: move it away to get a new one")]
    Damaged {
        /// The key's file.
        path: String,
    },
}

impl DeviceKey {
    /// A new key that is kept nowhere.
    pub fn generate() -> Self {
        todo!()
    }

    /// Loads the key from a file, or makes one there (mode 0600).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load_or_create(_path: &Path) -> Result<Self, KeyError> {
        todo!()
    }

    /// The device's id.
    pub fn device(&self) -> DeviceId {
        todo!()
    }

    /// The public key, base64url without padding.
    pub fn public_key(&self) -> &str {
        todo!()
    }

    /// Signs a statement; base64url without padding.
    pub fn sign(&self, _statement: &str) -> String {
        todo!()
    }
}

/// Whether a key belongs to a device id and a signature of it fits a statement.
pub fn verify(_device: DeviceId, _public_key: &str, _statement: &str, _signature: &str) -> bool {
    todo!()
}

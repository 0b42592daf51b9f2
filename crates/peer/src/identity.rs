//! The device's Ed25519 key (RFC 8032), and what is signed and verified with such keys.
//!
//! The key is made at the first start and kept as PKCS#8 PEM, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use wire::DeviceId;

/// Characters of a public key in base64url without padding.
const KEY_CHARS: usize = 43;
/// Characters of a signature in base64url without padding.
const SIGNATURE_CHARS: usize = 86;

/// This device's key. It never leaves the device.
pub struct DeviceKey {
    key: SigningKey,
    device: DeviceId,
    public_key: String,
}

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("{path}: {source}")]
    File {
        /// The key's file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no key.
    #[error("{path} holds no device key: move it away to get a new one")]
    Damaged {
        /// The key's file.
        path: String,
    },
    /// The system has no randomness.
    #[error("no device key: {0}")]
    Random(#[from] getrandom::Error),
}

impl DeviceKey {
    /// A new key that is kept nowhere.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn generate() -> Self {
        Self::random().expect("the system has randomness")
    }

    /// Loads the key from a file, or makes one there (mode 0600).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.display().to_string(), source };
        match fs::read_to_string(path) {
            Ok(pem) => Self::parse(path, &pem),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(KeyError::Damaged { path: path.display().to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::random()?;
                let pem = made
                    .key
                    .to_pkcs8_pem(LineEnding::LF)
                    .map_err(|error| file(io::Error::other(error)))?;
                if write_private(path, pem.as_bytes()).map_err(file)? {
                    return Ok(made);
                }
                // Another program that started at the same moment was first: its key is this device's.
                Self::parse(path, &fs::read_to_string(path).map_err(file)?)
            }
            Err(error) => Err(file(error)),
        }
    }

    /// The device's id.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The public key, base64url without padding.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs a statement; base64url without padding.
    pub fn sign(&self, statement: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(statement.as_bytes()).to_bytes())
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::new(SigningKey::from_bytes(&seed)))
    }

    fn parse(path: &Path, pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem)
            .map_err(|_| KeyError::Damaged { path: path.display().to_string() })?;
        warn_if_shared(path);
        Ok(Self::new(key))
    }

    fn new(key: SigningKey) -> Self {
        let public = key.verifying_key().to_bytes();
        Self { device: device_id(&public), public_key: URL_SAFE_NO_PAD.encode(public), key }
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceKey").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Whether a key belongs to a device id and a signature of it fits a statement.
pub fn verify(device: DeviceId, public_key: &str, statement: &str, signature: &str) -> bool {
    let Some(public) = decode::<32>(public_key, KEY_CHARS) else { return false };
    let Some(signature) = decode::<64>(signature, SIGNATURE_CHARS) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&public) else { return false };
    // Strict: a weak key would let one signature fit many statements.
    device_id(&public) == device
        && key.verify_strict(statement.as_bytes(), &Signature::from_bytes(&signature)).is_ok()
}

fn device_id(public: &[u8; 32]) -> DeviceId {
    DeviceId::from_digest(&Sha256::digest(public).into())
}

fn decode<const N: usize>(text: &str, chars: usize) -> Option<[u8; N]> {
    if text.len() != chars {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Writes a file that only its owner may read, whole or not at all. `false` when there is one already.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, not a rename: it never takes the place of another key.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        other => other?,
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(true)
}

fn warn_if_shared(path: &Path) {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others may read the device key: chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_key_of_the_first_start_is_the_key_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key");
        let first = DeviceKey::load_or_create(&path).unwrap();
        let again = DeviceKey::load_or_create(&path).unwrap();
        assert_eq!(first.public_key(), again.public_key());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn programs_that_start_at_the_same_moment_share_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key");
        assert!(write_private(&path, b"one").unwrap());
        assert!(!write_private(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn a_damaged_file_is_named_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key");
        for damage in [&b"no key"[..], &[0xff, 0xfe]] {
            fs::write(&path, damage).unwrap();
            let error = DeviceKey::load_or_create(&path).unwrap_err();
            assert!(matches!(&error, KeyError::Damaged { .. }), "{error}");
            assert_eq!(fs::read(&path).unwrap(), damage);
        }
    }

    #[test]
    fn a_known_key_has_its_known_id_and_signature() {
        // RFC 8032 §7.1, test 1, whose message is empty.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
            .parse::<wire::p2p::Digest>()
            .unwrap();
        let key = DeviceKey::new(SigningKey::from_bytes(seed.bytes()));
        assert_eq!(key.public_key(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.device().to_string(), "21fe31dfa154a261626bf854046fd227");
        assert_eq!(
            key.sign(""),
            "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc-bRr0lv18FlbviRlUUFDjnoQCw"
        );
    }

    #[test]
    fn the_right_signature_of_the_right_device_is_taken() {
        let (mine, other) = (DeviceKey::generate(), DeviceKey::generate());
        let signature = mine.sign("text");
        assert!(verify(mine.device(), mine.public_key(), "text", &signature));
        assert!(!verify(mine.device(), mine.public_key(), "texT", &signature));
        assert!(!verify(other.device(), mine.public_key(), "text", &signature));
        assert!(!verify(other.device(), other.public_key(), "text", &signature));
        assert!(!verify(mine.device(), mine.public_key(), "text", &other.sign("text")));
    }

    #[test]
    fn a_weak_key_proves_nothing() {
        // The neutral point with the zero signature fits every text where weak keys are let in.
        let mut public = [0; 32];
        public[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let (key, signature) = (URL_SAFE_NO_PAD.encode(public), URL_SAFE_NO_PAD.encode(signature));
        assert!(!verify(device_id(&public), &key, "text", &signature));
    }

    proptest! {
        #[test]
        fn no_text_makes_verifying_panic(key in ".{0,60}", signature in ".{0,100}", statement in ".*") {
            let device = DeviceKey::generate();
            prop_assert!(!verify(device.device(), &key, &statement, &signature));
            prop_assert!(!verify(device.device(), device.public_key(), &statement, &signature));
        }

        #[test]
        fn a_changed_signature_does_not_fit(at in 0..64_usize, bit in 0..8_u8) {
            let device = DeviceKey::generate();
            let mut signature = decode::<64>(&device.sign("text"), SIGNATURE_CHARS).unwrap();
            signature[at] ^= 1 << bit;
            let signature = URL_SAFE_NO_PAD.encode(signature);
            prop_assert!(!verify(device.device(), device.public_key(), "text", &signature));
        }
    }
}

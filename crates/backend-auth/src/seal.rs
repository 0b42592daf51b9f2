//! What the database keeps sealed: secrets that must be read again, and so can't be hashed (the seeds of one-time codes).
//!
//! XChaCha20-Poly1305 with a random nonce of 192 bits. The key lies beside the database in a file of its own, readable by its owner
//! only, so that a copy of the database alone opens nothing. A sealed value is bound to its account: in another
//! account's row it doesn't open.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Why there is no key, or a value doesn't open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file can't be read or written.
    #[error("key of second factors {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("key of second factors {path} is not 32 bytes in base64url: restore it from a backup")]
    Format {
        /// The file.
        path: String,
    },
    /// The database holds what only the missing key opens.
    #[error(
        "key of second factors {path} is missing, and accounts have one-time codes that only it opens: restore it from a \
         backup, or take those factors away with `backend-auth remove-factors USER`"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The system has no randomness.
    #[error("key of second factors: {0}")]
    Random(#[from] getrandom::Error),
    /// A value was sealed with another key, for another account, or changed.
    #[error(
        "a seed in the database doesn't open with the key of second factors: was one of the two files replaced?"
    )]
    Unsealable,
}

/// The key; never shown.
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// Reads the key, or makes it unless something is sealed already.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn load(path: &Path, in_use: bool) -> Result<Self, SealError> {
        let shown = || path.display().to_string();
        let file = |source| SealError::File { path: shown(), source };
        let mut key = [0; KEY_BYTES];
        match fs::read_to_string(path) {
            Ok(text) => {
                let read = URL_SAFE_NO_PAD.decode(text.trim_end());
                let read = read.ok().and_then(|bytes| bytes.try_into().ok());
                key = read.ok_or_else(|| SealError::Format { path: shown() })?;
                warn_if_shared(path);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && in_use => {
                return Err(SealError::Missing { path: shown() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                getrandom::fill(&mut key)?;
                let text = format!("{}\n", URL_SAFE_NO_PAD.encode(key));
                service::file::replace(path, text.as_bytes(), 0o600).map_err(file)?;
            }
            Err(error) => return Err(file(error)),
        }
        Ok(Self(XChaCha20Poly1305::new(&key.into())))
    }

    /// Seals a value for an account.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, account: &str, value: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: value, aad: account.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let mut whole = nonce.to_vec();
        whole.extend(sealed.map_err(|_| SealError::Unsealable)?);
        Ok(whole)
    }

    /// Opens what was sealed for an account.
    ///
    /// # Errors
    /// [`SealError::Unsealable`].
    pub fn open(&self, account: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, value) =
            sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Unsealable)?;
        let payload = Payload { msg: value, aad: account.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Unsealable)
    }
}

fn warn_if_shared(path: &Path) {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others may read the key of second factors: chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_after_a_restart_for_the_same_account_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("factors-key");
        let sealed = Seal::load(&path, false).unwrap().seal("alice", b"seed").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let seal = Seal::load(&path, true).unwrap();
        assert_eq!(seal.open("alice", &sealed).unwrap(), b"seed");
        assert!(
            seal.open("bob", &sealed).is_err(),
            "a row copied to another account opens nothing"
        );
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(seal.open("alice", &changed).is_err() && seal.open("alice", b"short").is_err());
        assert_ne!(seal.seal("alice", b"seed").unwrap(), sealed, "a nonce is never used twice");
    }

    #[test]
    fn a_missing_or_broken_key_is_named_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("factors-key");
        let text = Seal::load(&path, true).err().unwrap().to_string();
        assert!(
            text.contains("factors-key is missing") && text.contains("remove-factors"),
            "{text}"
        );
        fs::write(&path, "nonsense").unwrap();
        let text = Seal::load(&path, false).err().unwrap().to_string();
        assert!(text.contains("factors-key is not") && !text.contains('\n'), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense");
    }
}

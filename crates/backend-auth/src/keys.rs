//! The keys that sign identities, in `identity-keys.json` in the data folder, readable by its owner only.
//!
//! A key is *next* until its time comes, then *active*: the one that signs; then, once another is active, *retired*: tokens that
//! it signed still verify. All three are published, so that
//! 1. verifiers know a key before it signs anything: it is next for the overlap, twice as long as key sets are cached;
//! 2. no token outlives the key that verifies it: a retired key is kept for longer than any token lives.
//!
//! A key's state follows from the times in the file and the clock. Keys change by age, or by `backend-auth rotate-key`,
//! which the running server notices within a second. In an emergency the new key signs at once and all others are gone
//! at once: their tokens are refused, by trackers within seconds.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::identity::{Key, TOKEN_TYPE};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("identity keys {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "identity keys {path} has no Ed25519 keys in PKCS#8 PEM: restore it, or remove it to have a new one made"
    )]
    Format {
        /// The file.
        path: String,
    },
    /// The system has no randomness.
    #[error("identity keys: {0}")]
    Random(#[from] getrandom::Error),
}

/// How keys change; in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// A key signs for so long.
    pub lifetime: i64,
    /// A key is known for so long before it signs.
    pub overlap: i64,
    /// A key is kept for so long after it signed.
    pub keep: i64,
}

/// A key, ready for use.
pub struct Signing {
    /// It signs.
    pub key: SigningKey,
    /// What verifies it, for others.
    pub public: Key,
    /// What verifies it, for us.
    pub verifier: DecodingKey,
    /// The encoded header, the same for each token.
    pub header: String,
    active_from: i64,
}

/// Keys, the one that becomes active first of all first.
pub struct Ring {
    keys: Vec<Signing>,
    keep: i64,
}

/// The file.
pub struct KeyFile {
    path: PathBuf,
    rotation: Rotation,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    keys: Vec<WrittenKey>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WrittenKey {
    pem: String,
    active_from: i64,
}

impl Signing {
    /// A key that signs from a time on.
    pub fn new(key: SigningKey, active_from: i64) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // RFC 7638 §3: the required members in lexical order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        let header = URL_SAFE_NO_PAD
            .encode(format!(r#"{{"alg":"EdDSA","typ":"{TOKEN_TYPE}","kid":"{kid}"}}"#));
        // For Ed25519, "DER" is the bare 32 bytes.
        let verifier = DecodingKey::from_ed_der(key.verifying_key().as_bytes());
        let public = Key {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x,
            kid,
            alg: "EdDSA".into(),
            purpose: "sig".into(),
        };
        Self { key, public, verifier, header, active_from }
    }
}

impl Ring {
    /// These keys, of which there is one at least.
    pub fn new(mut keys: Vec<Signing>, keep: i64) -> Self {
        keys.sort_by_key(|key| key.active_from);
        Self { keys, keep }
    }

    /// The key that signs now. A clock that was set back finds the oldest.
    pub fn active(&self, now: i64) -> Option<&Signing> {
        self.keys.iter().rev().find(|key| key.active_from <= now).or(self.keys.first())
    }

    /// The keys that verify now, the signing one first.
    pub fn published(&self, now: i64) -> Vec<&Signing> {
        let active = self.active(now);
        let others = self.keys.iter().enumerate().filter(|(at, key)| {
            let signing = active.is_some_and(|active| active.public.kid == key.public.kid);
            !signing && !self.is_over(*at, now)
        });
        active.into_iter().chain(others.map(|(_, key)| key)).collect()
    }

    /// The key of an id, as long as it verifies.
    pub fn find(&self, kid: &str, now: i64) -> Option<&Signing> {
        let at = self.keys.iter().position(|key| key.public.kid == kid)?;
        (!self.is_over(at, now)).then(|| &self.keys[at])
    }

    /// Whether a key was retired long enough ago.
    fn is_over(&self, at: usize, now: i64) -> bool {
        is_over(self.keys.get(at + 1).map(|next| next.active_from), self.keep, now)
    }
}

fn is_over(retired_at: Option<i64>, keep: i64, now: i64) -> bool {
    retired_at.is_some_and(|retired| now >= retired.saturating_add(keep))
}

impl KeyFile {
    /// The file in a data folder.
    pub fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation }
    }

    /// Reads the keys; makes the first one, or takes the single one of an older version over.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(&self, older: &Path, now: i64) -> Result<Ring, KeyError> {
        let _lock = self.lock()?;
        if let Some(written) = self.read()? {
            self.warn_if_shared();
            return self.ring(&written);
        }
        let pem = match fs::read_to_string(older) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.fresh()?,
            Err(error) => return Err(self.failed(error)),
        };
        let written = Written { keys: vec![WrittenKey { pem, active_from: now }] };
        let ring = self.ring(&written)?;
        self.write(&written)?;
        // What signs has one place.
        match fs::remove_file(older) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(ring),
        }
    }

    /// Reads the keys as they are now.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn reload(&self) -> Result<Ring, KeyError> {
        let written = self.read()?.ok_or_else(|| self.wrong())?;
        self.ring(&written)
    }

    /// When the file last changed, as far as the file system tells.
    pub fn stamp(&self) -> Option<(std::time::SystemTime, u64)> {
        let meta = fs::metadata(&self.path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    /// Whether the newest key has grown so old that its successor has to be made known.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn is_due(&self, now: i64) -> Result<bool, KeyError> {
        let written = self.read()?.ok_or_else(|| self.wrong())?;
        let newest = written.keys.iter().map(|key| key.active_from).max().unwrap_or(i64::MIN);
        Ok(now >= newest.saturating_add(self.rotation.lifetime - self.rotation.overlap))
    }

    /// Makes a new key: the next one, or in an emergency the only one. Its id, and from when on it signs.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn rotate(&self, emergency: bool, now: i64) -> Result<(String, i64), KeyError> {
        let _lock = self.lock()?;
        let mut written = self.read()?.ok_or_else(|| self.wrong())?;
        written.keys.sort_by_key(|key| key.active_from);
        let active_from = if emergency { now } else { now.saturating_add(self.rotation.overlap) };
        if emergency {
            written.keys.clear();
        } else {
            // A next one that hasn't come to sign makes room; keys that are over go.
            written.keys.retain(|key| key.active_from <= now);
            let starts: Vec<i64> = written.keys.iter().map(|key| key.active_from).collect();
            let mut at = 0;
            written.keys.retain(|_| {
                at += 1;
                !is_over(starts.get(at).copied(), self.rotation.keep, now)
            });
        }
        let pem = self.fresh()?;
        let kid = self.key(&pem, active_from)?.public.kid;
        written.keys.push(WrittenKey { pem, active_from });
        self.write(&written)?;
        Ok((kid, active_from))
    }

    fn fresh(&self) -> Result<String, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let pem = SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF);
        Ok(pem.map_err(|_| self.wrong())?.to_string())
    }

    fn key(&self, pem: &str, active_from: i64) -> Result<Signing, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|_| self.wrong())?;
        Ok(Signing::new(key, active_from))
    }

    fn ring(&self, written: &Written) -> Result<Ring, KeyError> {
        if written.keys.is_empty() {
            return Err(self.wrong());
        }
        let keys = written.keys.iter().map(|key| self.key(&key.pem, key.active_from));
        Ok(Ring::new(keys.collect::<Result<_, _>>()?, self.rotation.keep))
    }

    fn read(&self) -> Result<Option<Written>, KeyError> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| self.wrong()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn write(&self, written: &Written) -> Result<(), KeyError> {
        let json = serde_json::to_vec_pretty(written).map_err(|error| self.failed(error.into()))?;
        service::file::replace(&self.path, &json, 0o600).map_err(|error| self.failed(error))
    }

    /// The server and a command on the host may want to change it at once.
    fn lock(&self) -> Result<File, KeyError> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(|error| self.failed(error))?;
        file.lock().map_err(|error| self.failed(error))?;
        Ok(file)
    }

    fn warn_if_shared(&self) {
        if let Ok(meta) = fs::metadata(&self.path)
            && meta.permissions().mode() & 0o077 != 0
        {
            tracing::warn!(path = %self.path.display(), "others may read the identity keys: chmod 600 them");
        }
    }

    fn failed(&self, source: io::Error) -> KeyError {
        KeyError::File { path: self.path.display().to_string(), source }
    }

    fn wrong(&self) -> KeyError {
        KeyError::Format { path: self.path.display().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const MINUTE: i64 = 60;

    fn file(folder: &tempfile::TempDir) -> KeyFile {
        let rotation = Rotation { lifetime: 30 * DAY, overlap: 10 * MINUTE, keep: 60 * MINUTE };
        KeyFile::new(folder.path().join("identity-keys.json"), rotation)
    }

    fn load(file: &KeyFile, folder: &tempfile::TempDir) -> Ring {
        file.load(&folder.path().join("identity-key"), 0).unwrap()
    }

    fn published(ring: &Ring, now: i64) -> Vec<String> {
        ring.published(now).into_iter().map(|key| key.public.kid.clone()).collect()
    }

    #[test]
    fn a_key_is_next_then_active_then_retired_then_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        let first = load(&file, &folder).active(0).unwrap().public.kid.clone();
        assert!(!file.is_due(30 * DAY - 11 * MINUTE).unwrap());
        let due = 30 * DAY - 10 * MINUTE;
        assert!(file.is_due(due).unwrap());
        let (second, from) = file.rotate(false, due).unwrap();
        assert_eq!(from, 30 * DAY);
        assert!(!file.is_due(due + 1).unwrap(), "once is enough");
        let ring = file.reload().unwrap();
        assert_eq!(published(&ring, due), [first.clone(), second.clone()], "known before it signs");
        assert_eq!(ring.active(from - 1).unwrap().public.kid, first);
        assert_eq!(
            published(&ring, from),
            [second.clone(), first.clone()],
            "known after it signed"
        );
        assert!(ring.find(&first, from + 60 * MINUTE - 1).is_some());
        assert!(ring.find(&first, from + 60 * MINUTE).is_none());
        assert_eq!(published(&ring, from + 60 * MINUTE), [second]);
    }

    #[test]
    fn in_an_emergency_the_new_key_is_the_only_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        let first = load(&file, &folder).active(0).unwrap().public.kid.clone();
        file.rotate(false, 100).unwrap();
        let (only, from) = file.rotate(true, 200).unwrap();
        assert_eq!(from, 200);
        let ring = file.reload().unwrap();
        assert_eq!(published(&ring, 200), [only]);
        assert!(ring.find(&first, 200).is_none());
    }

    #[test]
    fn two_rotations_in_a_row_leave_one_next_key_and_what_is_over_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        load(&file, &folder);
        file.rotate(false, 100).unwrap();
        file.rotate(false, 101).unwrap();
        assert_eq!(file.reload().unwrap().keys.len(), 2);
        file.rotate(false, DAY).unwrap();
        let ring = file.reload().unwrap();
        assert_eq!(ring.keys.len(), 2, "the first was retired long ago");
    }

    #[test]
    fn the_key_of_an_older_version_goes_on_signing_in_its_new_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        let older = folder.path().join("identity-key");
        fs::write(&older, file.fresh().unwrap()).unwrap();
        let kid = file.key(&fs::read_to_string(&older).unwrap(), 0).unwrap().public.kid;
        assert_eq!(load(&file, &folder).active(0).unwrap().public.kid, kid);
        assert!(!older.exists());
        assert_eq!(load(&file, &folder).active(0).unwrap().public.kid, kid);
    }

    #[test]
    fn only_their_owner_may_read_them_and_nonsense_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        load(&file, &folder);
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        for nonsense in
            ["nonsense", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"pem":"x","active_from":0}]}"#]
        {
            fs::write(&file.path, nonsense).unwrap();
            let text = file.load(Path::new("none"), 0).err().unwrap().to_string();
            assert!(text.contains("identity-keys.json") && text.contains("restore"), "{text}");
        }
    }
}

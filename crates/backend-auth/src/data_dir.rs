//! The data folder: made if missing, ours alone, and in one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder, held until dropped. Sessions are kept in memory, so a second process on the same folder
/// would not see the first one's logouts.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why the folder can't be used; one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It can't be made or written.
    #[error("--data-dir {path}: {source}; name a folder that this user may write")]
    Unusable {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "--data-dir {path} is in use by another backend-auth: stop that, or name another folder"
    )]
    InUse {
        /// The folder.
        path: String,
    },
}

impl DataDir {
    /// Takes the folder.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let shown = || path.display().to_string();
        let unusable = |source| DataDirError::Unusable { path: shown(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join("backend-auth.lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse { path: shown() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        // Opening a lock file may work where new files don't; the database needs those.
        let draft = path.join("backend-auth.try");
        File::create(&draft).and_then(|_| fs::remove_file(&draft)).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        database(&self.path)
    }

    /// The file of the key that seals seeds of one-time codes.
    pub fn factors_key(&self) -> PathBuf {
        self.path.join("factors-key")
    }

    /// The file of the keys that sign identities.
    pub fn identity_keys(&self) -> PathBuf {
        identity_keys(&self.path)
    }

    /// Where older versions had the only one.
    pub fn older_identity_key(&self) -> PathBuf {
        self.path.join("identity-key")
    }
}

/// The database's file in a folder that someone else may hold.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("auth.db")
}

/// The file of the keys in a folder that someone else may hold.
pub fn identity_keys(folder: &Path) -> PathBuf {
    folder.join("identity-keys.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let held = DataDir::take(&path).unwrap();
        let text = DataDir::take(&path).unwrap_err().to_string();
        assert!(text.contains("in use") && text.contains("--data-dir"), "{text}");
        drop(held);
        assert!(DataDir::take(&path).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_its_flag() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = DataDir::take(&file.path().join("data")).unwrap_err().to_string();
        assert!(text.contains("--data-dir") && !text.contains('\n'), "{text}");
    }
}

//! The data folder, which belongs to one process at a time: two with one device key would answer each other's signals.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The file that marks the folder as taken.
const LOCK: &str = "peer.lock";

/// Why the folder could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It could not be made, or its lock not be opened.
    #[error("{path}: {source} (check --data-dir and its permissions)")]
    Unusable {
        /// The folder, or the lock in it.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another peer works in it.
    #[error(
        "{path} is in use by another peer that runs: stop that one, or choose another --data-dir"
    )]
    InUse {
        /// The folder.
        path: String,
    },
}

/// A data folder that this process has taken. It is free again when this is dropped, and when the process ends in whatever
/// way.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing (mode 0700), and takes it.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let unusable = |path: &Path, source| FolderError::Unusable {
            path: path.display().to_string(),
            source,
        };
        make(path).map_err(|source| unusable(path, source))?;
        let lock = path.join(LOCK);
        let file = File::create(&lock).map_err(|source| unusable(&lock, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => {
                Err(FolderError::InUse { path: path.display().to_string() })
            }
            Err(TryLockError::Error(source)) => Err(unusable(&lock, source)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a folder that nobody else may look into, and those above it.
///
/// # Errors
/// What the system said.
pub fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_taken_once() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let taken = Folder::take(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let error = Folder::take(&path).unwrap_err();
        assert!(matches!(error, FolderError::InUse { .. }));
        assert!(error.to_string().contains("--data-dir"), "{error}");
        drop(taken);
        Folder::take(&path).unwrap();
    }
}

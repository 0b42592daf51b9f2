//! Whether a file has changed: looked at once a second, since that costs nothing and works on every file
//! system, for every way of writing a file, and through symbolic links.
//!
//! A change counts once the file has stayed the same for one more look: nobody wants half of a file that
//! is still being written.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What tells two contents of a file apart without reading them; a link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// `None` when there is no file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// A file that may change.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    /// What was last reported, or there at first.
    known: Option<Stamp>,
    /// What the last look found.
    seen: Option<Stamp>,
}

impl Follow {
    /// Starts with the file as it is.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let stamp = Stamp::of(path);
        Self { path: path.to_owned(), known: stamp, seen: stamp }
    }

    /// Waits until there is another content. Nothing is lost when the wait is broken off.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if self.look() {
                return;
            }
        }
    }

    /// The file is going to be read now: as it is, it is no news any more.
    pub fn read(&mut self) {
        self.known = Stamp::of(&self.path);
        self.seen = self.known;
    }

    /// Whether the file has changed, and has settled. A file that is gone is no content to take into use:
    /// most likely somebody is about to put another one in its place.
    fn look(&mut self) -> bool {
        let now = Stamp::of(&self.path);
        let settled = now == self.seen;
        self.seen = now;
        if !settled || now.is_none() || now == self.known {
            return false;
        }
        self.known = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(follow: &mut Follow, times: usize) -> usize {
        (0..times).filter(|_| follow.look()).count()
    }

    #[test]
    fn a_change_counts_once_and_only_after_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proxy.conf");
        std::fs::write(&path, "a").unwrap();
        let mut follow = Follow::new(&path);
        assert_eq!(looks(&mut follow, 3), 0);
        std::fs::write(&path, "half").unwrap();
        assert!(!follow.look(), "seen for the first time");
        std::fs::write(&path, "half and half").unwrap();
        assert!(!follow.look(), "still being written");
        assert!(follow.look());
        assert_eq!(looks(&mut follow, 3), 0);
        std::fs::write(&path, "asked for by a signal").unwrap();
        follow.read();
        assert_eq!(looks(&mut follow, 3), 0);
    }

    #[test]
    fn a_file_put_in_its_place_and_a_link_that_turns_count() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second, link] =
            ["first", "second", "proxy.conf"].map(|name| dir.path().join(name));
        std::fs::write(&first, "same").unwrap();
        std::fs::write(&second, "same").unwrap();
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let mut follow = Follow::new(&link);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(looks(&mut follow, 3), 0, "a file that is gone is no change yet");
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert_eq!(looks(&mut follow, 3), 1);
        std::fs::rename(&first, &second).unwrap();
        assert_eq!(looks(&mut follow, 3), 1);
    }
}

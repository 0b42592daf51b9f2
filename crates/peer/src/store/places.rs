//! How far a listener has come, so that the next one goes on there.
//!
//! A place is written after what it stands for was written to standard output. So that a listener that is killed in between
//! repeats as little as possible, each place is a small file that is overwritten at once and isn't synced: the system has
//! it within microseconds, and a power failure costs a few repeated lines.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wire::ChannelName;

/// The folder in the data folder.
const FOLDER: &str = "listened";
/// Where the direct messages' place is kept; a channel's is under its name's digest.
const DIRECT: &str = "direct";

/// How far a listener has come.
#[derive(Debug)]
pub struct Places {
    folder: PathBuf,
    open: HashMap<String, Place>,
}

#[derive(Debug)]
struct Place {
    file: File,
    number: Option<u64>,
}

impl Places {
    /// Opens the places of a data folder.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join(FOLDER);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, open: HashMap::new() })
    }

    /// The number of the last direct message that was listened to; 0 at first.
    ///
    /// # Errors
    /// What the system said.
    pub fn direct(&mut self) -> io::Result<u64> {
        Ok(self.place(DIRECT)?.number.unwrap_or(0))
    }

    /// Direct messages up to this number were listened to.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_direct(&mut self, seq: u64) -> io::Result<()> {
        self.place(DIRECT)?.set(seq)
    }

    /// The `seq` of the last message of a channel that was listened to; `None` when nobody has listened yet.
    ///
    /// # Errors
    /// What the system said.
    pub fn channel(&mut self, channel: &ChannelName) -> io::Result<Option<u64>> {
        Ok(self.place(&file_of(channel))?.number)
    }

    /// Messages of a channel up to this `seq` were listened to.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_channel(&mut self, channel: &ChannelName, seq: u64) -> io::Result<()> {
        self.place(&file_of(channel))?.set(seq)
    }

    fn place(&mut self, name: &str) -> io::Result<&mut Place> {
        if !self.open.contains_key(name) {
            let place = Place::open(&self.folder.join(name))?;
            self.open.insert(name.to_owned(), place);
        }
        self.open.get_mut(name).ok_or_else(|| io::Error::other("a place is missing"))
    }
}

impl Place {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut bytes = [0; 8];
        let number = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Some(u64::from_le_bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok(Self { file, number })
    }

    /// Never backwards.
    fn set(&mut self, number: u64) -> io::Result<()> {
        if self.number.is_some_and(|now| now >= number) {
            return Ok(());
        }
        self.file.write_all_at(&number.to_le_bytes(), 0)?;
        self.number = Some(number);
        Ok(())
    }
}

/// Names of any script and length become short names of files.
fn file_of(channel: &ChannelName) -> String {
    let digest = Sha256::digest(channel.as_str());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("channel-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_and_never_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let general = ChannelName::parse("general").unwrap();
        let mut places = Places::open(folder.path()).unwrap();
        assert_eq!((places.direct().unwrap(), places.channel(&general).unwrap()), (0, None));
        places.set_direct(7).unwrap();
        places.set_direct(3).unwrap();
        places.set_channel(&general, 0).unwrap();
        let mut places = Places::open(folder.path()).unwrap();
        assert_eq!((places.direct().unwrap(), places.channel(&general).unwrap()), (7, Some(0)));
        let other = ChannelName::parse("lớp-10A").unwrap();
        assert_eq!(places.channel(&other).unwrap(), None);
    }
}

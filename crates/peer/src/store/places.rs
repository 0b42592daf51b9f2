//! How far a listener has come, so that the next one goes on there.
//!
//! A place is written after what it stands for was written to standard output. So that a listener that is killed in between
//! repeats as little as possible, this is a file of its own that isn't synced: the system has it at once, and a power
//! failure costs a few repeated lines.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use wire::ChannelName;

use super::StoreError;

/// The file's name in the data folder.
const FILE: &str = "listened.db";
/// Where the direct messages' place is kept; no channel has such a name.
const DIRECT: &str = "direct messages";

/// How far a listener has come.
#[derive(Debug)]
pub struct Places(Connection);

impl Places {
    /// Opens the places of a data folder.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let db = Connection::open(folder.join(FILE))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS places
                (what TEXT PRIMARY KEY, place INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        )?;
        Ok(Self(db))
    }

    /// The number of the last direct message that was listened to; 0 at first.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn direct(&self) -> Result<u64, StoreError> {
        Ok(self.get(DIRECT)?.unwrap_or(0))
    }

    /// Direct messages up to this number were listened to.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn set_direct(&self, seq: u64) -> Result<(), StoreError> {
        self.set(DIRECT, seq)
    }

    /// The `seq` of the last message of a channel that was listened to; `None` when nobody has listened yet.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn channel(&self, channel: &ChannelName) -> Result<Option<u64>, StoreError> {
        self.get(channel.as_str())
    }

    /// Messages of a channel up to this `seq` were listened to.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn set_channel(&self, channel: &ChannelName, seq: u64) -> Result<(), StoreError> {
        self.set(channel.as_str(), seq)
    }

    fn get(&self, what: &str) -> Result<Option<u64>, StoreError> {
        let mut query = self.0.prepare_cached("SELECT place FROM places WHERE what = ?1")?;
        Ok(query.query_row([what], |row| row.get(0)).optional()?)
    }

    /// Never backwards.
    fn set(&self, what: &str, place: u64) -> Result<(), StoreError> {
        self.0
            .prepare_cached(
                "INSERT INTO places (what, place) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET place = max(place, excluded.place)",
            )?
            .execute((what, place))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_and_never_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let general = ChannelName::parse("general").unwrap();
        let places = Places::open(folder.path()).unwrap();
        assert_eq!((places.direct(), places.channel(&general)), (Ok(0), Ok(None)));
        places.set_direct(7).unwrap();
        places.set_direct(3).unwrap();
        places.set_channel(&general, 4).unwrap();
        drop(places);
        let places = Places::open(folder.path()).unwrap();
        assert_eq!((places.direct(), places.channel(&general)), (Ok(7), Ok(Some(4))));
    }
}

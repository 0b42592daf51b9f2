//! The database file: how it is opened, and its schema in numbered steps.
//!
//! `PRAGMA user_version` holds the number of steps that a file has gone through. A file from a newer
//! program is refused: an older one would not know what it breaks.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Steps, applied in order, never edited once released.
const STEPS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// How long a connection waits for another one's lock (a backup tool's, for instance).
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection.
const STATEMENTS: usize = 64;

/// Why a tracker could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder could not be made.
    #[error("{path}: {source} (check --data-dir and its permissions)")]
    Folder {
        /// The data folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another tracker works on it.
    #[error("{path} is in use by another tracker: stop it, or choose another --data-dir")]
    InUse {
        /// The data folder.
        path: String,
    },
    /// A newer program has written it.
    #[error(
        "{path} has schema {found}, this program knows up to {known}: run the newer version, or restore a backup"
    )]
    Newer {
        /// The file.
        path: String,
        /// The file's schema.
        found: u32,
        /// The program's schema.
        known: usize,
    },
    /// Anything else SQLite said.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The STUN server could not be bound.
    #[error(transparent)]
    Stun(#[from] crate::stun::BindError),
    /// The flags contradict each other.
    #[error(transparent)]
    Ice(#[from] crate::ice::NoSecret),
    /// The metrics could not be set up.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Opens the one connection that writes, and brings the schema up to date.
///
/// # Errors
/// [`OpenError`], with the file in its text.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let named = |source| OpenError::Sqlite { path: path.display().to_string(), source };
    let mut db = Connection::open(path).map_err(named)?;
    configure(&db).map_err(named)?;
    // FULL: in WAL mode the log is synced at each commit, so that an acknowledged message survives a
    // power failure, not only a crash of the program.
    db.pragma_update(None, "journal_mode", "WAL").map_err(named)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(named)?;
    db.pragma_update(None, "foreign_keys", true).map_err(named)?;
    let found: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(named)?;
    if found as usize > STEPS.len() {
        let path = path.display().to_string();
        return Err(OpenError::Newer { path, found, known: STEPS.len() });
    }
    migrate(&mut db, found).map_err(named)?;
    Ok(db)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let named = |source| OpenError::Sqlite { path: path.display().to_string(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(named)?;
    configure(&db).map_err(named)?;
    Ok(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn migrate(db: &mut Connection, found: u32) -> rusqlite::Result<()> {
    for (step, version) in STEPS.iter().zip(1u32..).skip(found as usize) {
        let step_done = db.transaction()?;
        step_done.execute_batch(step)?;
        step_done.pragma_update(None, "user_version", version)?;
        step_done.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tracker.db");
        let db = open_writer(&path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let text = open_writer(&path).unwrap_err().to_string();
        assert!(text.contains("schema 99") && text.contains("tracker.db"), "{text}");
    }

    #[test]
    fn a_file_of_the_first_step_keeps_what_it_has_and_gets_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tracker.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO peers (id, folded, name, ip, port, registered_at)
             VALUES (7, 'alice', 'Alice', '10.0.0.1', 1, 0)",
        )
        .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let db = open_writer(&path).unwrap();
        let count = |table: &str| -> u32 {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!((count("peers"), count("devices")), (1, 0));
    }

    #[test]
    fn opening_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tracker.db");
        drop(open_writer(&path).unwrap());
        let db = open_writer(&path).unwrap();
        let channels: u32 =
            db.query_row("SELECT count(*) FROM channels", [], |row| row.get(0)).unwrap();
        assert_eq!(channels, 1, "general is there from the start, once");
    }
}

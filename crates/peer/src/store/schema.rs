//! The database file: how it is opened, and its schema in numbered steps.
//!
//! `PRAGMA user_version` holds the number of steps that a file has gone through. A file from a newer program is refused: an
//! older one would not know what it breaks.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// Steps, applied in order, never edited once released.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// How long to wait for another one's lock (a backup tool's, for instance).
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements that are kept.
const STATEMENTS: usize = 64;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program has written it.
    #[error("{path} has schema {found}, this program knows up to {known}: run the newer version")]
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
    /// The system has no room for a thread.
    #[error("the store's thread: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
}

/// Opens the file and brings its schema up to date.
///
/// # Errors
/// [`OpenError`], with the file in its text.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let named = |source| OpenError::Sqlite { path: path.display().to_string(), source };
    let mut db = Connection::open(path).map_err(named)?;
    configure(&db).map_err(named)?;
    let found: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(named)?;
    if found as usize > STEPS.len() {
        let path = path.display().to_string();
        return Err(OpenError::Newer { path, found, known: STEPS.len() });
    }
    migrate(&mut db, found).map_err(named)?;
    Ok(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // FULL: in WAL mode the log is synced at each commit, so that an acknowledged message survives a power failure, not
    // only a crash of the program.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)
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
    fn a_file_of_a_newer_program_is_refused_and_opening_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peer.db");
        drop(open(&path).unwrap());
        let db = open(&path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let text = open(&path).unwrap_err().to_string();
        assert!(text.contains("schema 99") && text.contains("peer.db"), "{text}");
    }
}

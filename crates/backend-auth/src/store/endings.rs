//! Accounts whose sessions are to end because of what was done on the host. Sessions are in a running server's memory too, so
//! that the server itself ends them: at its start, and every few seconds.

use rusqlite::Connection;

use super::sessions;
use crate::sessions::Ended;

/// Asks for an end of an account's sessions.
///
/// # Errors
/// What SQLite says.
pub fn ask(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.execute("INSERT OR IGNORE INTO endings (account) VALUES (?)", [account])?;
    Ok(())
}

/// Whether there is anything to end.
///
/// # Errors
/// What SQLite says.
pub fn any(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM endings)")?.query_row([], |row| row.get(0))
}

/// Ends what was asked for.
///
/// # Errors
/// What SQLite says.
pub fn carry_out(db: &Connection, now: i64) -> rusqlite::Result<Vec<Ended>> {
    let accounts = db
        .prepare_cached("DELETE FROM endings RETURNING account")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut ended = Vec::new();
    for account in accounts {
        ended.extend(sessions::delete_all(db, &account, now)?);
    }
    Ok(ended)
}

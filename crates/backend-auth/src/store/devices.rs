//! Marks of devices on which an account signed in before: they keep an owner out of the delays that an
//! attack on the account causes. A mark is no credential; it opens nothing.

use rusqlite::{Connection, params};

use crate::secret::SecretHash;

/// Devices remembered per account; the one unused for longest is forgotten first.
const PER_ACCOUNT: usize = 20;

/// Whether the account signed in on this device before.
///
/// # Errors
/// What SQLite says.
pub fn is_known(db: &Connection, mark: SecretHash, account: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE mark = ? AND account = ?)")?
        .query_row(params![mark, account], |row| row.get(0))
}

/// Whether any account signed in on this device before.
///
/// # Errors
/// What SQLite says.
pub fn is_anyones(db: &Connection, mark: SecretHash) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE mark = ?)")?
        .query_row([mark], |row| row.get(0))
}

/// Remembers a device.
///
/// # Errors
/// What SQLite says.
pub fn remember(
    db: &Connection,
    mark: SecretHash,
    account: &str,
    now: i64,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO devices (mark, account, last_used) VALUES (?1, ?2, ?3)
         ON CONFLICT (mark) DO UPDATE SET account = ?2, last_used = ?3",
    )?
    .execute(params![mark, account, now])?;
    db.prepare_cached(
        "DELETE FROM devices WHERE mark IN
             (SELECT mark FROM devices WHERE account = ?1 ORDER BY last_used DESC, mark LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![account, PER_ACCOUNT])?;
    Ok(())
}

/// Forgets the devices of an account, but one.
///
/// # Errors
/// What SQLite says.
pub fn forget_others(
    db: &Connection,
    account: &str,
    keep: Option<SecretHash>,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM devices WHERE account = ?1 AND mark IS NOT ?2")?
        .execute(params![account, keep])?;
    Ok(())
}

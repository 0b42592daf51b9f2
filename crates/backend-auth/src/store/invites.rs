//! Invites: a code known by its hash, good for so many accounts until a time.

use rusqlite::{Connection, params};

use crate::secret::SecretHash;

/// Stores a new invite.
///
/// # Errors
/// What SQLite says.
pub fn create(
    db: &Connection,
    code: SecretHash,
    created_by: &str,
    now: i64,
    expires_at: i64,
    uses: u32,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM invites WHERE expires_at <= ?")?.execute([now])?;
    db.prepare_cached(
        "INSERT INTO invites (code, created_by, created_at, expires_at, uses_left) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![code, created_by, now, expires_at, uses])?;
    Ok(())
}

/// Whether an invite still lets someone in.
///
/// # Errors
/// What SQLite says.
pub fn is_good(db: &Connection, code: SecretHash, now: i64) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM invites WHERE code = ? AND expires_at > ? AND uses_left > 0)",
    )?
    .query_row(params![code, now], |row| row.get(0))
}

/// Takes one use from a good invite, in the transaction that makes the account.
///
/// # Errors
/// What SQLite says.
pub fn use_up(db: &Connection, code: SecretHash) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE invites SET uses_left = uses_left - 1 WHERE code = ?")?
        .execute([code])?;
    Ok(())
}

//! Links by which someone chooses a new password without knowing the old one: a code known by its hash, good once and for
//! a quarter of an hour. An account has one at most; a new one replaces it.

use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{self, Account};
use crate::secret::SecretHash;

/// Seconds that a link is good.
pub const LIFETIME: i64 = 15 * 60;

/// Stores a new code for an account.
///
/// # Errors
/// What SQLite says.
pub fn create(db: &Connection, code: SecretHash, account: &str, now: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM resets WHERE account = ? OR expires_at <= ?")?
        .execute(params![account, now])?;
    db.prepare_cached("INSERT INTO resets (code, account, expires_at) VALUES (?, ?, ?)")?
        .execute(params![code, account, now + LIFETIME])?;
    Ok(())
}

/// The account of a good code, unless it is disabled.
///
/// # Errors
/// What SQLite says.
pub fn account_of(
    db: &Connection,
    code: SecretHash,
    now: i64,
) -> rusqlite::Result<Option<Account>> {
    let id: Option<String> = db
        .prepare_cached("SELECT account FROM resets WHERE code = ? AND expires_at > ?")?
        .query_row(params![code, now], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    let known = accounts::of(db, &id)?;
    Ok(known.map(|(account, _)| account).filter(|account| account.disabled_at.is_none()))
}

/// Uses a good code up, and with it whatever else would let someone choose a password.
///
/// # Errors
/// What SQLite says.
pub fn use_up(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM resets WHERE account = ?")?.execute([account])?;
    Ok(())
}

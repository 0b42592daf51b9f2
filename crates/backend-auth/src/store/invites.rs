//! Invites: a code known by its hash, good for so many accounts until a time.

use rusqlite::{Connection, params};

use crate::secret::SecretHash;

/// An invite about to be stored.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// The hash of its code.
    pub code: SecretHash,
    /// Its public id.
    pub id: String,
    /// Accounts that it lets in.
    pub uses: u32,
    /// When it ends.
    pub expires_at: i64,
}

/// An invite as administrators see it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public id.
    pub id: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// Accounts that it let in or still lets in.
    pub uses: u32,
    /// Accounts that it still lets in.
    pub uses_left: u32,
}

/// Stores a new invite.
///
/// # Errors
/// What SQLite says.
pub fn create(
    db: &Connection,
    new: &NewInvite,
    created_by: &str,
    now: i64,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM invites WHERE expires_at <= ?")?.execute([now])?;
    db.prepare_cached(
        "INSERT INTO invites (code, id, created_by, created_at, expires_at, uses, uses_left)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?
    .execute(params![new.code, new.id, created_by, now, new.expires_at, new.uses])?;
    Ok(())
}

/// Invites that still let someone in, the newest first.
///
/// # Errors
/// What SQLite says.
pub fn list(db: &Connection, now: i64) -> rusqlite::Result<Vec<Listed>> {
    db.prepare_cached(
        "SELECT i.id, a.name, i.created_at, i.expires_at, i.uses, i.uses_left
         FROM invites i JOIN accounts a ON a.id = i.created_by
         WHERE i.expires_at > ? AND i.uses_left > 0 ORDER BY i.created_at DESC, i.id",
    )?
    .query_map([now], |row| {
        Ok(Listed {
            id: row.get(0)?,
            created_by: row.get(1)?,
            created_at: row.get(2)?,
            expires_at: row.get(3)?,
            uses: row.get(4)?,
            uses_left: row.get(5)?,
        })
    })?
    .collect()
}

/// Takes an invite back; says whether there was one.
///
/// # Errors
/// What SQLite says.
pub fn revoke(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    Ok(db.prepare_cached("DELETE FROM invites WHERE id = ?")?.execute([id])? == 1)
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

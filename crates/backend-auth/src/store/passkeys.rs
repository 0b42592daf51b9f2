//! Passkeys: public keys, so that nothing here is secret.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::{self, Account};
use crate::passkeys::Kept;
use crate::passkeys::kept::STATE;

/// A passkey as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When someone last signed in with it.
    pub last_used: Option<i64>,
    /// The host name that it belongs to, if that is known.
    pub host: Option<String>,
}

/// A new one.
#[derive(Debug, Clone)]
pub struct New {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The host name that it belongs to.
    pub host: String,
    /// What checks it.
    pub kept: Kept,
}

/// Why one isn't kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is somebody's already.
    Known,
    /// The account has too many.
    TooMany,
}

/// The passkeys of an account, the oldest first.
///
/// # Errors
/// What SQLite says.
pub fn of_account(db: &Connection, account: &str) -> rusqlite::Result<Vec<Listed>> {
    db.prepare_cached(
        "SELECT id, name, created_at, last_used, host FROM passkeys WHERE account = ? ORDER BY created_at, id",
    )?
    .query_map([account], |row| {
        Ok(Listed {
            id: row.get(0)?,
            name: row.get(1)?,
            created_at: row.get(2)?,
            last_used: row.get(3)?,
            host: row.get(4)?,
        })
    })?
    .collect()
}

/// What checks the passkeys of an account that may belong to a host.
///
/// # Errors
/// What SQLite says.
pub fn kept_of(db: &Connection, account: &str, host: &str) -> rusqlite::Result<Vec<Kept>> {
    db.prepare_cached(
        "SELECT credential, key, state, transports FROM passkeys
         WHERE account = ? AND (host IS NULL OR host = ?)",
    )?
    .query_map([account, host], kept)?
    .collect()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        credential: row.get("credential")?,
        key: row.get("key")?,
        state: row.get("state")?,
        transports: row.get("transports")?,
    })
}

/// The account of a passkey, and what checks it.
///
/// # Errors
/// What SQLite says.
pub fn find(db: &Connection, credential: &[u8]) -> rusqlite::Result<Option<(Account, Kept)>> {
    let found: Option<(String, Kept)> = db
        .prepare_cached(
            "SELECT account, credential, key, state, transports FROM passkeys WHERE credential = ?",
        )?
        .query_row([credential], |row| Ok((row.get("account")?, kept(row)?)))
        .optional()?;
    let Some((account, kept)) = found else { return Ok(None) };
    Ok(accounts::of(db, &account)?.map(|(account, _)| (account, kept)))
}

/// Keeps a passkey.
///
/// # Errors
/// What SQLite says.
pub fn add(
    db: &Connection,
    account: &str,
    new: &New,
    limit: usize,
    now: i64,
) -> rusqlite::Result<Result<(), Refusal>> {
    let count: usize = db
        .prepare_cached("SELECT count(*) FROM passkeys WHERE account = ?")?
        .query_row([account], |row| row.get(0))?;
    if count >= limit {
        return Ok(Err(Refusal::TooMany));
    }
    let added = db
        .prepare_cached(
            "INSERT INTO passkeys (id, credential, account, name, key, state, transports, created_at, host)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (credential) DO NOTHING",
        )?
        .execute(params![
            new.id,
            new.kept.credential,
            account,
            new.name,
            new.kept.key,
            new.kept.state,
            new.kept.transports,
            now,
            new.host
        ])?;
    Ok(if added == 1 { Ok(()) } else { Err(Refusal::Known) })
}

/// Notes a use, unless the account has this passkey no longer or it was used in between (its counter would be another).
///
/// # Errors
/// What SQLite says.
pub fn used(
    db: &Connection,
    account: &str,
    checked: &Kept,
    state: [u8; STATE],
    now: i64,
) -> rusqlite::Result<bool> {
    let used = db
        .prepare_cached(
            "UPDATE passkeys SET state = ?4, last_used = ?5
             WHERE credential = ?1 AND account = ?2 AND state = ?3",
        )?
        .execute(params![checked.credential, account, checked.state, state, now])?;
    Ok(used == 1)
}

/// Gives one another name; says whether the account has it.
///
/// # Errors
/// What SQLite says.
pub fn rename(db: &Connection, account: &str, id: &str, name: &str) -> rusqlite::Result<bool> {
    let renamed = db
        .prepare_cached("UPDATE passkeys SET name = ?3 WHERE account = ?1 AND id = ?2")?
        .execute([account, id, name])?;
    Ok(renamed == 1)
}

/// Removes one; says whether the account had it.
///
/// # Errors
/// What SQLite says.
pub fn remove(db: &Connection, account: &str, id: &str) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached("DELETE FROM passkeys WHERE account = ?1 AND id = ?2")?
        .execute([account, id])?;
    Ok(removed == 1)
}

/// Removes all of an account.
///
/// # Errors
/// What SQLite says.
pub fn remove_all(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM passkeys WHERE account = ?")?.execute([account])?;
    Ok(())
}

//! Sessions on disk; [`crate::sessions`] holds the same in memory.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::accounts;
use crate::secret::SecretHash;
use crate::sessions::{Session, Stored};

/// A new session, and what is only kept on disk about it.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The hash of its token.
    pub token: SecretHash,
    /// The session.
    pub session: Arc<Session>,
    /// The client's address.
    pub ip: String,
    /// The client's User-Agent, cut to a sane length.
    pub user_agent: String,
}

/// All sessions that aren't over.
///
/// # Errors
/// What SQLite says.
pub fn load(db: &Connection, now: i64) -> rusqlite::Result<Vec<Stored>> {
    db.execute("DELETE FROM sessions WHERE ends_at <= ?1 OR last_seen + idle <= ?1", [now])?;
    let mut statement = db.prepare(
        "SELECT a.id, a.name, a.role, a.created_at,
                s.token, s.sid, s.auth_time, s.last_seen, s.idle, s.ends_at, s.remember
         FROM sessions s JOIN accounts a ON a.id = s.account",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            token: row.get(4)?,
            last_seen: row.get(7)?,
            session: Arc::new(Session {
                account: Arc::new(accounts::read(row)?),
                sid: row.get(5)?,
                auth_time: row.get(6)?,
                idle: row.get(8)?,
                ends_at: row.get(9)?,
                remember: row.get(10)?,
            }),
        })
    })?;
    rows.collect()
}

/// Stores a session; ends the account's sessions beyond `limit`, those unused for longest first.
/// Returns the tokens that ended.
///
/// # Errors
/// What SQLite says.
pub fn insert(
    db: &Connection,
    new: &NewSession,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<SecretHash>> {
    let session = &new.session;
    db.prepare_cached(
        "INSERT INTO sessions
             (token, sid, account, created_at, auth_time, last_seen, idle, ends_at, remember, ip, user_agent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.token,
        session.sid,
        session.account.id,
        now,
        session.auth_time,
        now,
        session.idle,
        session.ends_at,
        session.remember,
        new.ip,
        new.user_agent,
    ])?;
    let mut statement = db.prepare_cached(
        "DELETE FROM sessions WHERE token IN
             (SELECT token FROM sessions WHERE account = ?1 AND token <> ?2
              ORDER BY last_seen DESC, created_at DESC LIMIT -1 OFFSET ?3)
         RETURNING token",
    )?;
    statement
        .query_map(params![session.account.id, new.token, limit - 1], |row| row.get(0))?
        .collect()
}

/// Ends a session.
///
/// # Errors
/// What SQLite says.
pub fn delete(db: &Connection, token: SecretHash) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE token = ?")?.execute([token])?;
    Ok(())
}

/// Ends all sessions of an account; returns their tokens.
///
/// # Errors
/// What SQLite says.
pub fn delete_all(db: &Connection, account: &str) -> rusqlite::Result<Vec<SecretHash>> {
    let mut statement =
        db.prepare_cached("DELETE FROM sessions WHERE account = ? RETURNING token")?;
    statement.query_map([account], |row| row.get(0))?.collect()
}

/// Writes down when sessions were last used, and forgets those that are over.
///
/// # Errors
/// What SQLite says.
pub fn flush(
    db: &Connection,
    seen: &[(SecretHash, i64)],
    over: &[SecretHash],
) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached("UPDATE sessions SET last_seen = ?2 WHERE token = ?1")?;
    for (token, last_seen) in seen {
        update.execute(params![token, last_seen])?;
    }
    for token in over {
        delete(db, *token)?;
    }
    Ok(())
}

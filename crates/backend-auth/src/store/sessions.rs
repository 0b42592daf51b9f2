//! Sessions on disk; [`crate::sessions`] holds the same in memory.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{accounts, revocations, tokens};
use crate::handlers::entry::BRIEF;
use crate::secret::SecretHash;
use crate::sessions::{Ended, Kind, Session, Stored};

/// What may be done with a session that a person signed in for.
pub const EVERYTHING: &str = "chat:read chat:write";

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
        "SELECT a.id, a.name, a.role, a.created_at, a.disabled_at,
                s.token, s.sid, s.auth_time, s.last_seen, s.idle, s.ends_at, s.remember, s.amr
         FROM sessions s JOIN accounts a ON a.id = s.account",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            token: row.get(5)?,
            last_seen: row.get(8)?,
            session: Arc::new(Session {
                account: Arc::new(accounts::read(row)?),
                sid: row.get(6)?,
                auth_time: row.get(7)?,
                idle: row.get(9)?,
                ends_at: row.get(10)?,
                remember: row.get(11)?,
                amr: row.get(12)?,
                scope: EVERYTHING.to_owned(),
                kind: Kind::Cookie,
            }),
        })
    })?;
    rows.collect()
}

/// Stores a session; ends the account's sessions beyond `limit`: first those that end within minutes anyway, since programs that sign in again
/// and again must not put people out, then those unused for longest.
/// Returns what ended.
///
/// # Errors
/// What SQLite says.
pub fn insert(
    db: &Connection,
    new: &NewSession,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Ended>> {
    let session = &new.session;
    db.prepare_cached(
        "INSERT INTO sessions
             (token, sid, account, created_at, auth_time, last_seen, idle, ends_at, remember, amr, ip, user_agent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        session.amr,
        new.ip,
        new.user_agent,
    ])?;
    end(
        db,
        "DELETE FROM sessions WHERE token IN
             (SELECT token FROM sessions WHERE account = ?1 AND token <> ?2
              ORDER BY ends_at > ?4 DESC, last_seen DESC, created_at DESC LIMIT -1 OFFSET ?3)
         RETURNING token, sid",
        params![session.account.id, new.token, limit.saturating_sub(1), now.saturating_add(BRIEF)],
        now,
    )
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The hash of its token.
    pub token: SecretHash,
    /// Its public id.
    pub sid: String,
    /// When it began.
    pub created_at: i64,
    /// When it was last used, as far as that was written down.
    pub last_seen: i64,
    /// When it ends in any case.
    pub ends_at: i64,
    /// Asked to stay signed in.
    pub remember: bool,
    /// The client's address when it began.
    pub ip: String,
    /// The client's User-Agent when it began.
    pub user_agent: String,
}

/// The sessions of an account.
///
/// # Errors
/// What SQLite says.
pub fn of_account(db: &Connection, account: &str) -> rusqlite::Result<Vec<Listed>> {
    db.prepare_cached(
        "SELECT token, sid, created_at, last_seen, ends_at, remember, ip, user_agent
         FROM sessions WHERE account = ?",
    )?
    .query_map([account], |row| {
        Ok(Listed {
            token: row.get(0)?,
            sid: row.get(1)?,
            created_at: row.get(2)?,
            last_seen: row.get(3)?,
            ends_at: row.get(4)?,
            remember: row.get(5)?,
            ip: row.get(6)?,
            user_agent: row.get(7)?,
        })
    })?
    .collect()
}

/// Whether a session wasn't ended.
///
/// # Errors
/// What SQLite says.
pub fn is_there(db: &Connection, token: SecretHash) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM sessions WHERE token = ?)")?
        .query_row([token], |row| row.get(0))
}

/// Ends a session.
///
/// # Errors
/// What SQLite says.
pub fn delete(db: &Connection, token: SecretHash, now: i64) -> rusqlite::Result<Vec<Ended>> {
    end(db, "DELETE FROM sessions WHERE token = ? RETURNING token, sid", [token], now)
}

/// Ends an account's session, known by its public id.
///
/// # Errors
/// What SQLite says.
pub fn delete_one(
    db: &Connection,
    account: &str,
    sid: &str,
    now: i64,
) -> rusqlite::Result<Vec<Ended>> {
    let sql = "DELETE FROM sessions WHERE account = ? AND sid = ? RETURNING token, sid";
    end(db, sql, [account, sid], now)
}

/// Ends all sessions of an account but one.
///
/// # Errors
/// What SQLite says.
pub fn delete_others(
    db: &Connection,
    account: &str,
    keep: SecretHash,
    now: i64,
) -> rusqlite::Result<Vec<Ended>> {
    let sql = "DELETE FROM sessions WHERE account = ? AND token <> ? RETURNING token, sid";
    end(db, sql, params![account, keep], now)
}

/// Ends all sessions of an account.
///
/// # Errors
/// What SQLite says.
pub fn delete_all(db: &Connection, account: &str, now: i64) -> rusqlite::Result<Vec<Ended>> {
    end(db, "DELETE FROM sessions WHERE account = ? RETURNING token, sid", [account], now)
}

/// Whatever ends a session notes it as revoked, in the same transaction.
fn end(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    now: i64,
) -> rusqlite::Result<Vec<Ended>> {
    let mut statement = db.prepare_cached(sql)?;
    let ended = statement
        .query_map(params, |row| Ok(Ended { token: row.get(0)?, sid: row.get(1)? }))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for Ended { sid, .. } in &ended {
        revocations::add(db, sid, now)?;
    }
    Ok(ended)
}

/// Writes down when sessions were last used, and forgets those that are over.
///
/// # Errors
/// What SQLite says.
pub fn flush(
    db: &Connection,
    seen: &[(SecretHash, i64)],
    over: &[SecretHash],
    now: i64,
) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached("UPDATE sessions SET last_seen = ?2 WHERE token = ?1")?;
    for (token, last_seen) in seen {
        update.execute(params![token, last_seen])?;
    }
    tokens::flush(db, seen)?;
    for token in over {
        delete(db, *token, now)?;
    }
    Ok(())
}

//! Personal access tokens: known by their hash, with a name, scopes and an end. In memory they are sessions of their own
//! kind, so that `GET /auth/verify` asks no disk for them either.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::{accounts, revocations};
use crate::secret::{SecretHash, public_id};
use crate::sessions::{Ended, Kind, Session, Stored};

/// Seconds that an expired token stays in its owner's list.
const SHOWN_AFTER: i64 = 30 * 86_400;

/// A token about to be stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The hash of its text.
    pub hash: SecretHash,
    /// Its public id, in lists.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// As a session.
    pub session: Arc<Session>,
}

/// A token as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, separated by spaces.
    pub scope: String,
    /// When it was made.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// When it was last used; in the last minute, maybe not up to date.
    pub last_used: Option<i64>,
}

/// Why there is no new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The account has as many as it may.
    TooMany,
    /// The account was disabled, removed, or given another role, while the token was made.
    Changed,
}

/// Stores a token, unless its account has `limit` of them or isn't what it was any more.
///
/// # Errors
/// What SQLite says.
pub fn create(
    db: &Connection,
    new: &NewToken,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Result<(), Refusal>> {
    let session = &new.session;
    let owner = accounts::of(db, &session.account.id)?.map(|(account, _)| account);
    if owner.is_none_or(|owner| owner.disabled_at.is_some() || owner.role != session.account.role) {
        return Ok(Err(Refusal::Changed));
    }
    let count: usize = db
        .prepare_cached("SELECT count(*) FROM tokens WHERE account = ? AND expires_at > ?")?
        .query_row(params![session.account.id, now], |row| row.get(0))?;
    if count >= limit {
        return Ok(Err(Refusal::TooMany));
    }
    db.prepare_cached(
        "INSERT INTO tokens (hash, id, sid, account, name, scope, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.hash,
        new.id,
        session.sid,
        session.account.id,
        new.name,
        session.scope,
        now,
        session.ends_at
    ])?;
    Ok(Ok(()))
}

/// The tokens of an account, the newest first.
///
/// # Errors
/// What SQLite says.
pub fn of_account(db: &Connection, account: &str) -> rusqlite::Result<Vec<Listed>> {
    db.prepare_cached(
        "SELECT id, name, scope, created_at, expires_at, last_used FROM tokens
         WHERE account = ? ORDER BY created_at DESC, id",
    )?
    .query_map([account], |row| {
        Ok(Listed {
            id: row.get(0)?,
            name: row.get(1)?,
            scope: row.get(2)?,
            created_at: row.get(3)?,
            expires_at: row.get(4)?,
            last_used: row.get(5)?,
        })
    })?
    .collect()
}

/// Removes a token of an account; gives its name and what ended.
///
/// # Errors
/// What SQLite says.
pub fn delete(
    db: &Connection,
    account: &str,
    id: &str,
    now: i64,
) -> rusqlite::Result<Option<(String, Ended)>> {
    let found = db
        .prepare_cached(
            "DELETE FROM tokens WHERE account = ? AND id = ? RETURNING name, hash, sid",
        )?
        .query_row([account, id], |row| {
            Ok((row.get(0)?, Ended { token: row.get(1)?, sid: row.get(2)? }))
        })
        .optional()?;
    if let Some((_, ended)) = &found {
        revocations::add(db, &ended.sid, now)?;
    }
    Ok(found)
}

/// All tokens that work.
///
/// # Errors
/// What SQLite says.
pub fn load(db: &Connection, now: i64) -> rusqlite::Result<Vec<Stored>> {
    load_of(db, None, now)
}

/// Those of one account.
///
/// # Errors
/// What SQLite says.
pub fn load_of(db: &Connection, account: Option<&str>, now: i64) -> rusqlite::Result<Vec<Stored>> {
    db.prepare_cached(
        "SELECT a.id, a.name, a.role, a.created_at, a.disabled_at,
                t.hash, t.sid, t.scope, t.created_at, t.expires_at, coalesce(t.last_used, t.created_at)
         FROM tokens t JOIN accounts a ON a.id = t.account
         WHERE a.disabled_at IS NULL AND t.expires_at > ?1 AND (?2 IS NULL OR a.id = ?2)",
    )?
    .query_map(params![now, account], |row| {
        Ok(Stored {
            token: row.get(5)?,
            last_seen: row.get(10)?,
            session: Arc::new(Session {
                account: Arc::new(accounts::read(row)?),
                sid: row.get(6)?,
                auth_time: row.get(8)?,
                idle: i64::MAX,
                ends_at: row.get(9)?,
                remember: false,
                amr: TOKEN_AMR.to_owned(),
                scope: row.get(7)?,
                kind: Kind::Token,
            }),
        })
    })?
    .collect()
}

/// Ends what is open with an account's tokens, and gives them new public session ids: the tokens themselves stay, for when
/// the account may use them again or in another role.
///
/// # Errors
/// What SQLite says.
pub fn renew(db: &Connection, account: &str, now: i64) -> rusqlite::Result<Vec<Ended>> {
    let open: Vec<Ended> = db
        .prepare_cached("SELECT hash, sid FROM tokens WHERE account = ? AND expires_at > ?")?
        .query_map(params![account, now], |row| Ok(Ended { token: row.get(0)?, sid: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()?;
    for ended in &open {
        let sid = public_id()
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.to_string().into()))?;
        db.prepare_cached("UPDATE tokens SET sid = ?2 WHERE hash = ?1")?
            .execute(params![ended.token, sid])?;
        revocations::add(db, &ended.sid, now)?;
    }
    Ok(open)
}

/// How a token shows who its bearer is (there is no value for it in RFC 8176).
pub const TOKEN_AMR: &str = "pat";

/// Writes down when tokens were last used.
///
/// # Errors
/// What SQLite says.
pub fn flush(db: &Connection, seen: &[(SecretHash, i64)]) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached("UPDATE tokens SET last_used = ?2 WHERE hash = ?1")?;
    for (token, last_used) in seen {
        update.execute(params![token, last_used])?;
    }
    Ok(())
}

/// Forgets those that ended long ago.
///
/// # Errors
/// What SQLite says.
pub fn sweep(db: &Connection, now: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM tokens WHERE expires_at < ?")?.execute([now - SHOWN_AFTER])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use wire::PeerId;

    use super::*;
    use crate::store::people;
    use crate::store::ways::Doors;

    #[test]
    fn no_token_is_made_for_an_account_that_was_disabled_or_removed_meanwhile() {
        let db = crate::store::in_memory();
        let bot =
            |name| accounts::create_bot(&db, &PeerId::parse(name).unwrap(), 1).unwrap().unwrap();
        let token = |account: &accounts::Account, number: i64| NewToken {
            hash: SecretHash::digest(&number.to_string()),
            id: number.to_string(),
            name: "ci".into(),
            session: Arc::new(Session {
                account: Arc::new(account.clone()),
                sid: number.to_string(),
                auth_time: 1,
                idle: i64::MAX,
                ends_at: 100,
                remember: false,
                amr: TOKEN_AMR.into(),
                scope: "chat:read".into(),
                kind: Kind::Token,
            }),
        };
        let helper = bot("helper");
        assert_eq!(create(&db, &token(&helper, 1), 2, 2).unwrap(), Ok(()));
        assert_eq!(create(&db, &token(&helper, 2), 2, 1).unwrap(), Err(Refusal::TooMany));
        people::disable(&db, &helper.id, &Doors::default(), 3).unwrap().unwrap();
        assert_eq!(create(&db, &token(&helper, 3), 4, 9).unwrap(), Err(Refusal::Changed));
        assert!(load(&db, 4).unwrap().is_empty(), "nor do those that it has work");
        let other = bot("other");
        people::remove(&db, &other.id, &Doors::default(), 5).unwrap().unwrap();
        assert_eq!(create(&db, &token(&other, 4), 6, 9).unwrap(), Err(Refusal::Changed));
        people::enable(&db, &helper.id, 7).unwrap().unwrap();
        assert_eq!(load(&db, 8).unwrap().len(), 1);
        assert!(load(&db, 100).unwrap().is_empty(), "over");
    }
}

//! The ways into an account, so that nobody takes the last one away by mistake.

use rusqlite::{Connection, params};

/// By what an account's owner can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// It has a password.
    pub password: bool,
    /// Its passkeys.
    pub passkeys: usize,
    /// It is linked with the provider that is asked today (OpenID Connect).
    pub linked: bool,
}

/// The ways into an account, with the issuer that is asked today.
///
/// # Errors
/// What SQLite says.
pub fn of(db: &Connection, account: &str, issuer: Option<&str>) -> rusqlite::Result<Ways> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1 AND password <> ''),
                (SELECT count(*) FROM passkeys WHERE account = ?1),
                EXISTS (SELECT 1 FROM linked WHERE account = ?1 AND issuer = ?2)",
    )?
    .query_row(params![account, issuer], |row| {
        Ok(Ways { password: row.get(0)?, passkeys: row.get(1)?, linked: row.get(2)? })
    })
}

//! Second factors: the sealed seed of one-time codes, hashes of recovery codes, and [`passkeys`]. An account that has a seed or a passkey is asked
//! for it after its password.

use rusqlite::{Connection, OptionalExtension, params};

use super::passkeys;
use crate::secret::SecretHash;

/// Seconds that a seed waits for its first code.
pub const ENROLMENT: i64 = 15 * 60;

/// What an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Factors {
    /// Since when it has one-time codes.
    pub totp: Option<i64>,
    /// Recovery codes that aren't used.
    pub recovery_codes: usize,
    /// Passkeys.
    pub passkeys: usize,
}

impl Factors {
    /// Whether a password alone is not enough.
    pub fn any(&self) -> bool {
        self.totp.is_some() || self.passkeys > 0
    }
}

/// A seed, and the step of the last code that was accepted.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Sealed.
    pub sealed: Vec<u8>,
    /// The step.
    pub last_step: i64,
}

/// What an account has.
///
/// # Errors
/// What SQLite says.
pub fn of(db: &Connection, account: &str) -> rusqlite::Result<Factors> {
    db.prepare_cached(
        "SELECT (SELECT confirmed_at FROM totp WHERE account = ?1),
                (SELECT count(*) FROM recovery_codes WHERE account = ?1),
                (SELECT count(*) FROM passkeys WHERE account = ?1)",
    )?
    .query_row([account], |row| {
        Ok(Factors { totp: row.get(0)?, recovery_codes: row.get(1)?, passkeys: row.get(2)? })
    })
}

/// Whether any seed is kept.
///
/// # Errors
/// What SQLite says.
pub fn any_seed(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM totp)", [], |row| row.get(0))
}

/// Keeps a seed until its first code; says whether the account has no codes yet.
///
/// # Errors
/// What SQLite says.
pub fn enrol(db: &Connection, account: &str, sealed: &[u8], now: i64) -> rusqlite::Result<bool> {
    let changed = db
        .prepare_cached(
            "INSERT INTO totp (account, seed, created_at, last_step) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (account) DO UPDATE SET seed = ?2, created_at = ?3 WHERE confirmed_at IS NULL",
        )?
        .execute(params![account, sealed, now])?;
    Ok(changed == 1)
}

/// The seed that waits for its first code.
///
/// # Errors
/// What SQLite says.
pub fn enrolled(db: &Connection, account: &str, now: i64) -> rusqlite::Result<Option<Seed>> {
    seed(
        db,
        "SELECT seed, last_step FROM totp WHERE account = ? AND confirmed_at IS NULL AND created_at > ?",
        params![account, now - ENROLMENT],
    )
}

/// The seed in use.
///
/// # Errors
/// What SQLite says.
pub fn confirmed(db: &Connection, account: &str) -> rusqlite::Result<Option<Seed>> {
    seed(
        db,
        "SELECT seed, last_step FROM totp WHERE account = ? AND confirmed_at IS NOT NULL",
        [account],
    )
}

fn seed(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Option<Seed>> {
    db.prepare_cached(sql)?
        .query_row(params, |row| Ok(Seed { sealed: row.get(0)?, last_step: row.get(1)? }))
        .optional()
}

/// Puts the very seed that was checked to use; says whether it still waited.
///
/// # Errors
/// What SQLite says.
pub fn confirm(
    db: &Connection,
    account: &str,
    seed: &Seed,
    step: i64,
    now: i64,
) -> rusqlite::Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE totp SET confirmed_at = ?4, last_step = ?3
             WHERE account = ?1 AND seed = ?2 AND confirmed_at IS NULL",
        )?
        .execute(params![account, seed.sealed, step, now])?;
    Ok(changed == 1)
}

/// Accepts the code of a step of the very seed that was checked, once.
///
/// # Errors
/// What SQLite says.
pub fn use_step(db: &Connection, account: &str, seed: &Seed, step: i64) -> rusqlite::Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE totp SET last_step = ?3
             WHERE account = ?1 AND seed = ?2 AND confirmed_at IS NOT NULL AND last_step < ?3",
        )?
        .execute(params![account, seed.sealed, step])?;
    Ok(changed == 1)
}

/// Takes the one-time codes away; with the last factor the recovery codes go. Says whether there were any.
///
/// # Errors
/// What SQLite says.
pub fn remove_totp(db: &Connection, account: &str) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached("DELETE FROM totp WHERE account = ? AND confirmed_at IS NOT NULL")?
        .execute([account])?;
    forget_codes_without_factor(db, account)?;
    Ok(removed == 1)
}

/// Takes a passkey away; with the last factor the recovery codes go. Says whether there was one.
///
/// # Errors
/// What SQLite says.
pub fn remove_passkey(db: &Connection, account: &str, id: &str) -> rusqlite::Result<bool> {
    let removed = passkeys::remove(db, account, id)?;
    forget_codes_without_factor(db, account)?;
    Ok(removed)
}

fn forget_codes_without_factor(db: &Connection, account: &str) -> rusqlite::Result<()> {
    if of(db, account)?.any() { Ok(()) } else { remove_recovery_codes(db, account) }
}

/// Gives an account other recovery codes.
///
/// # Errors
/// What SQLite says.
pub fn set_recovery_codes(
    db: &Connection,
    account: &str,
    codes: &[SecretHash],
) -> rusqlite::Result<()> {
    remove_recovery_codes(db, account)?;
    let mut insert =
        db.prepare_cached("INSERT INTO recovery_codes (code, account) VALUES (?, ?)")?;
    for code in codes {
        insert.execute(params![code, account])?;
    }
    Ok(())
}

/// Uses a recovery code up; says whether the account had it.
///
/// # Errors
/// What SQLite says.
pub fn use_recovery_code(
    db: &Connection,
    account: &str,
    code: SecretHash,
) -> rusqlite::Result<bool> {
    let used = db
        .prepare_cached("DELETE FROM recovery_codes WHERE code = ? AND account = ?")?
        .execute(params![code, account])?;
    Ok(used == 1)
}

fn remove_recovery_codes(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM recovery_codes WHERE account = ?")?.execute([account])?;
    Ok(())
}

/// Takes all second factors of an account away.
///
/// # Errors
/// What SQLite says.
pub fn remove_all(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM totp WHERE account = ?")?.execute([account])?;
    passkeys::remove_all(db, account)?;
    remove_recovery_codes(db, account)
}

/// Forgets seeds whose first code never came.
///
/// # Errors
/// What SQLite says.
pub fn sweep(db: &Connection, now: i64) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM totp WHERE confirmed_at IS NULL AND created_at <= ?",
        [now - ENROLMENT],
    )?;
    Ok(())
}

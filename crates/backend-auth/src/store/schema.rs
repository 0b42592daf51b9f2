//! The tables, and how an older file becomes today's: forward only, each step in one transaction with
//! its number in `user_version`. Steps are never edited once released; new ones are appended.

use std::cmp::Ordering;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::OpenError;

/// Step `n` brings a file from schema `n` to `n + 1`. Times are seconds since 1970, UTC.
const STEPS: &[&str] = &[
    "
    CREATE TABLE accounts (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        folded     TEXT NOT NULL UNIQUE,
        role       TEXT NOT NULL CHECK (role IN ('admin', 'member', 'bot')),
        password   TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE sessions (
        token      BLOB PRIMARY KEY,
        sid        TEXT NOT NULL UNIQUE,
        account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        created_at INTEGER NOT NULL,
        auth_time  INTEGER NOT NULL,
        last_seen  INTEGER NOT NULL,
        idle       INTEGER NOT NULL,
        ends_at    INTEGER NOT NULL,
        remember   INTEGER NOT NULL,
        ip         TEXT NOT NULL,
        user_agent TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_of_account ON sessions (account);

    CREATE TABLE devices (
        mark      BLOB PRIMARY KEY,
        account   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        last_used INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX devices_of_account ON devices (account);

    CREATE TABLE invites (
        code       BLOB PRIMARY KEY,
        created_by TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        uses_left  INTEGER NOT NULL CHECK (uses_left >= 0)
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE accounts ADD COLUMN disabled_at INTEGER;
    ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';

    -- Names of removed accounts: nobody else gets them, nor what is still addressed to them.
    CREATE TABLE former_names (
        folded     TEXT PRIMARY KEY,
        removed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Sessions that ended before their time, in the order in which they did.
    CREATE TABLE revocations (
        n   INTEGER PRIMARY KEY AUTOINCREMENT,
        sid TEXT NOT NULL,
        at  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE revocations_epoch (epoch TEXT NOT NULL) STRICT;
    INSERT INTO revocations_epoch VALUES (lower(hex(randomblob(8))));

    -- Who did what. Rows are only ever added; those that are too old go while the gate is open.
    CREATE TABLE audit (
        n          INTEGER PRIMARY KEY AUTOINCREMENT,
        at         INTEGER NOT NULL,
        event      TEXT NOT NULL,
        result     TEXT NOT NULL,
        actor      TEXT,
        actor_name TEXT NOT NULL,
        target     TEXT,
        target_name TEXT NOT NULL,
        detail     TEXT NOT NULL,
        ip         TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        request_id TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_by_time ON audit (at);
    CREATE INDEX audit_failures ON audit (n) WHERE result <> 'success';
    CREATE TABLE audit_gate (open INTEGER NOT NULL) STRICT;
    INSERT INTO audit_gate VALUES (0);
    CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
        BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
        WHEN (SELECT open FROM audit_gate) = 0
        BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
",
    "
    ALTER TABLE invites ADD COLUMN id TEXT NOT NULL DEFAULT '';
    ALTER TABLE invites ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
    UPDATE invites SET id = lower(hex(randomblob(16))), uses = uses_left;
    CREATE UNIQUE INDEX invites_by_id ON invites (id);

    CREATE TABLE resets (
        code       BLOB PRIMARY KEY,
        account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE tokens (
        hash       BLOB PRIMARY KEY,
        id         TEXT NOT NULL UNIQUE,
        sid        TEXT NOT NULL UNIQUE,
        account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        name       TEXT NOT NULL,
        scope      TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        last_used  INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_of_account ON tokens (account);
",
    "
    -- Seeds of one-time codes, sealed; without confirmed_at they wait for their first code.
    CREATE TABLE totp (
        account      TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
        seed         BLOB NOT NULL,
        created_at   INTEGER NOT NULL,
        confirmed_at INTEGER,
        last_step    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE recovery_codes (
        code    BLOB PRIMARY KEY,
        account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX recovery_codes_of_account ON recovery_codes (account);

    -- Accounts whose sessions the server ends because of what was done on the host.
    CREATE TABLE endings (
        account TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE passkeys (
        id         TEXT PRIMARY KEY,
        credential BLOB NOT NULL UNIQUE,
        account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        name       TEXT NOT NULL,
        key        BLOB NOT NULL,
        state      BLOB NOT NULL,
        transports INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        last_used  INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX passkeys_of_account ON passkeys (account);
",
    "
    -- Who an account's owner is at providers of OpenID Connect; `name` is for its owner to see, and finds nobody.
    CREATE TABLE linked (
        id         TEXT PRIMARY KEY,
        issuer     TEXT NOT NULL,
        subject    TEXT NOT NULL,
        account    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        name       TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_used  INTEGER,
        UNIQUE (issuer, subject),
        UNIQUE (account, issuer)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- The host that a passkey belongs to; of those made before this was kept, nobody knows.
    ALTER TABLE passkeys ADD COLUMN host TEXT;
",
];

/// In the header of each of our files from schema 2 on (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"HCau");

/// Brings a file up to date.
///
/// # Errors
/// [`OpenError::Newer`] for a file that a newer program wrote, [`OpenError::Sqlite`] otherwise.
pub fn migrate(connection: &mut Connection, path: &str) -> Result<(), OpenError> {
    let broken = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let found = version(connection, path)?;
    if found > STEPS.len() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: STEPS.len() });
    }
    if found == STEPS.len() {
        return Ok(());
    }
    // Nothing is built on a file that is damaged already, and nothing is left that doesn't fit together.
    check(connection, path)?;
    for (number, step) in STEPS.iter().enumerate().skip(found) {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        transaction.execute_batch(step).map_err(broken)?;
        transaction.pragma_update(None, "user_version", number + 1).map_err(broken)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(broken)?;
        check(&transaction, path)?;
        transaction.commit().map_err(broken)?;
    }
    Ok(())
}

/// Whether a file is as this program writes it.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Older`].
pub(super) fn check_current(connection: &Connection, path: &str) -> Result<(), OpenError> {
    let (found, known, path) = (version(connection, path)?, STEPS.len(), path.to_owned());
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(OpenError::Older { path, found, known }),
        Ordering::Greater => Err(OpenError::Newer { path, found, known }),
    }
}

fn version(connection: &Connection, path: &str) -> Result<usize, OpenError> {
    connection
        .query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0))
        .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
}

/// Whether a file is a database of ours. Those of the first schema have no mark yet, but our tables.
pub(crate) fn is_ours(connection: &Connection) -> bool {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('accounts', 'sessions', 'invites')";
    match number("SELECT application_id FROM pragma_application_id") {
        Ok(APPLICATION_ID) => true,
        Ok(0) => number(tables) == Ok(3),
        Ok(_) | Err(_) => false,
    }
}

/// Whether a file is whole, and its rows refer to rows that are there.
///
/// # Errors
/// [`OpenError::Damaged`].
pub(crate) fn check(connection: &Connection, path: &str) -> Result<(), OpenError> {
    let broken = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let damaged = |found: String| Err(OpenError::Damaged { path: path.to_owned(), found });
    let found: String =
        connection.query_row("PRAGMA integrity_check (1)", [], |row| row.get(0)).map_err(broken)?;
    if found != "ok" {
        return damaged(found);
    }
    let orphan: Option<String> = connection
        .query_row("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(broken)?;
    orphan.map_or(Ok(()), |table| damaged(format!("a row of {table} refers to nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_and_a_newer_file_is_refused() {
        let mut connection = super::super::in_memory();
        migrate(&mut connection, "auth.db").unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let text = migrate(&mut connection, "auth.db").unwrap_err().to_string();
        assert!(text.contains("schema 99") && text.contains("newer program"), "{text}");
    }

    /// A file of an earlier program.
    fn of_schema(version: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        STEPS[..version].iter().for_each(|step| connection.execute_batch(step).unwrap());
        connection.pragma_update(None, "user_version", version).unwrap();
        connection
    }

    fn tables(connection: &Connection) -> Vec<String> {
        let mut found = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql <> '' ORDER BY name")
            .unwrap();
        found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_each_earlier_schema_becomes_what_a_new_one_is() {
        let new = tables(&of_schema(STEPS.len()));
        for version in 0..STEPS.len() {
            let mut old = of_schema(version);
            migrate(&mut old, "auth.db").unwrap();
            assert_eq!(tables(&old), new, "from schema {version}");
            assert!(is_ours(&old) && check_current(&old, "auth.db").is_ok());
        }
    }

    #[test]
    fn a_file_that_does_not_fit_together_is_left_as_it_is() {
        let mut old = of_schema(1);
        old.execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO sessions VALUES (x'00', 'sid', 'nobody', 1, 1, 1, 1, 1, 0, '::1', '');",
        )
        .unwrap();
        let before = tables(&old);
        let text = migrate(&mut old, "auth.db").unwrap_err().to_string();
        assert!(text.contains("a row of sessions refers to nothing"), "{text}");
        assert_eq!((version(&old, "auth.db").unwrap(), tables(&old)), (1, before));
    }
}

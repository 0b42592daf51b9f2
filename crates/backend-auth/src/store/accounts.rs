//! Accounts: made once, found by name, their password replaced.

use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::PeerId;
use wire::auth::Registration;

use super::invites;
use crate::secret::SecretHash;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Looks after the others; the very first account.
    Admin,
    /// Chats.
    Member,
    /// A program: has tokens and no password.
    Bot,
}

impl Role {
    /// As it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Bot => "bot",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Member, Self::Bot].into_iter().find(|role| role.as_str() == text)
    }
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// A UUID, never given twice.
    pub id: String,
    /// The name as it was registered.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Since when it can't be used.
    pub disabled_at: Option<i64>,
}

/// Why nobody gets an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Registration is closed.
    Closed,
    /// Registration is by invite, and none was given.
    InviteNeeded,
    /// The invite is unknown, used up or over: not told apart.
    InviteInvalid,
    /// The name is somebody's.
    NameTaken,
}

/// Someone who wants an account.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// The name as typed.
    pub name: PeerId,
    /// The invite's hash; `Some(None)` when what was given can't be one.
    pub invite: Option<Option<SecretHash>>,
}

/// How an applicant gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    role: Role,
    invite: Option<SecretHash>,
}

/// Whether any account exists.
///
/// # Errors
/// What SQLite says.
pub fn any(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM accounts)")?.query_row([], |row| row.get(0))
}

/// Decides on an applicant; changes nothing. The very first account always gets in, and administers.
///
/// # Errors
/// What SQLite says.
pub fn admit(
    db: &Connection,
    applicant: &Applicant,
    mode: Registration,
    now: i64,
) -> rusqlite::Result<Result<Admission, Refusal>> {
    if !any(db)? {
        return Ok(Ok(Admission { role: Role::Admin, invite: None }));
    }
    let invite = match (mode, applicant.invite) {
        (Registration::Closed, _) => return Ok(Err(Refusal::Closed)),
        (Registration::Invite, None) => return Ok(Err(Refusal::InviteNeeded)),
        (Registration::Open, None) => None,
        // An invite that is given is checked, needed or not: a wrong one is a mistake to tell.
        (_, Some(code)) => match code {
            Some(code) if invites::is_good(db, code, now)? => Some(code),
            _ => return Ok(Err(Refusal::InviteInvalid)),
        },
    };
    if is_taken(db, &applicant.name)? {
        return Ok(Err(Refusal::NameTaken));
    }
    Ok(Ok(Admission { role: Role::Member, invite }))
}

/// Makes the account and uses up its invite, or refuses; decides anew, since time passed since [`admit`].
///
/// # Errors
/// What SQLite says.
pub fn create(
    db: &Connection,
    applicant: &Applicant,
    mode: Registration,
    password: &str,
    now: i64,
) -> rusqlite::Result<Result<Account, Refusal>> {
    let admission = match admit(db, applicant, mode, now)? {
        Ok(admission) => admission,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(code) = admission.invite {
        invites::use_up(db, code)?;
    }
    insert(db, &applicant.name, admission.role, password, now).map(Ok)
}

/// Whether someone without an invite gets an account: the very first one always does.
///
/// # Errors
/// What SQLite says.
pub fn takes_strangers(db: &Connection, mode: Registration) -> rusqlite::Result<bool> {
    Ok(mode == Registration::Open || !any(db)?)
}

/// Makes the account of someone whom a provider vouches for: it has no password.
///
/// # Errors
/// What SQLite says.
pub fn create_linked(
    db: &Connection,
    name: PeerId,
    mode: Registration,
    now: i64,
) -> rusqlite::Result<Result<Account, Refusal>> {
    create(db, &Applicant { name, invite: None }, mode, NO_PASSWORD, now)
}

/// Makes the account of a program, which can't sign in.
///
/// # Errors
/// What SQLite says.
pub fn create_bot(
    db: &Connection,
    name: &PeerId,
    now: i64,
) -> rusqlite::Result<Result<Account, Refusal>> {
    if is_taken(db, name)? {
        return Ok(Err(Refusal::NameTaken));
    }
    insert(db, name, Role::Bot, NO_PASSWORD, now).map(Ok)
}

/// What stands in place of a hash where there is no password.
const NO_PASSWORD: &str = "";

/// A name stays its owner's after the account was removed: others may still write to it.
fn is_taken(db: &Connection, name: &PeerId) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE folded = ?1)
             OR EXISTS (SELECT 1 FROM former_names WHERE folded = ?1)",
    )?
    .query_row([name.folded()], |row| row.get(0))
}

fn insert(
    db: &Connection,
    name: &PeerId,
    role: Role,
    password: &str,
    now: i64,
) -> rusqlite::Result<Account> {
    let account = Account {
        id: uuid::Uuid::new_v4().to_string(),
        name: name.as_str().to_owned(),
        role,
        created_at: now,
        disabled_at: None,
    };
    db.prepare_cached(
        "INSERT INTO accounts (id, name, folded, role, password, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![account.id, account.name, name.folded(), role.as_str(), password, now])?;
    Ok(account)
}

/// An account, and the hash of its password where it has one.
pub type Known = (Account, Option<String>);

/// The account of a name, in any case.
///
/// # Errors
/// What SQLite says.
pub fn find(db: &Connection, name: &PeerId) -> rusqlite::Result<Option<Known>> {
    db.prepare_cached(
        "SELECT id, name, role, created_at, disabled_at, password FROM accounts WHERE folded = ?",
    )?
    .query_row([name.folded()], known)
    .optional()
}

/// The account of an id.
///
/// # Errors
/// What SQLite says.
pub fn of(db: &Connection, id: &str) -> rusqlite::Result<Option<Known>> {
    db.prepare_cached(
        "SELECT id, name, role, created_at, disabled_at, password FROM accounts WHERE id = ?",
    )?
    .query_row([id], known)
    .optional()
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    let password: String = row.get(5)?;
    Ok((read(row)?, Some(password).filter(|hash| hash != NO_PASSWORD)))
}

/// Whether an account is still as it was when its password was checked: the same password and role, and
/// not disabled. Time passed since, and whoever changes one of these ends all sessions.
///
/// # Errors
/// What SQLite says.
pub fn is_unchanged(db: &Connection, account: &Account, password: &str) -> rusqlite::Result<bool> {
    Ok(of(db, &account.id)?.is_some_and(|(now, stored)| {
        now.disabled_at.is_none() && now.role == account.role && stored.as_deref() == Some(password)
    }))
}

/// Gives an account a new password, whatever the old one was.
///
/// # Errors
/// What SQLite says.
pub fn set_password(db: &Connection, account: &str, fresh: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE accounts SET password = ?2 WHERE id = ?1")?
        .execute([account, fresh])?;
    Ok(())
}

/// Replaces a password's hash if it is still the one that was checked (none, where there was none); says whether it was.
///
/// # Errors
/// What SQLite says.
pub fn replace_password(
    db: &Connection,
    account: &str,
    checked: Option<&str>,
    fresh: &str,
) -> rusqlite::Result<bool> {
    let changed = db
        .prepare_cached("UPDATE accounts SET password = ?3 WHERE id = ?1 AND password = ?2")?
        .execute([account, checked.unwrap_or(NO_PASSWORD), fresh])?;
    Ok(changed == 1)
}

/// Reads `id, name, role, created_at, disabled_at`, the first five columns.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        // The table admits no fourth; the least powerful is the safe reading.
        role: Role::parse(row.get_ref(2)?.as_str()?).unwrap_or(Role::Member),
        created_at: row.get(3)?,
        disabled_at: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applicant(name: &str) -> Applicant {
        Applicant { name: PeerId::parse(name).unwrap(), invite: None }
    }

    #[test]
    fn the_first_account_gets_in_in_every_mode_and_administers() {
        for mode in [Registration::Open, Registration::Invite, Registration::Closed] {
            let db = crate::store::in_memory();
            let first = create(&db, &applicant("ada"), mode, "hash", 1).unwrap().unwrap();
            assert_eq!(first.role, Role::Admin);
            let second = create(&db, &applicant("bob"), mode, "hash", 2).unwrap();
            match mode {
                Registration::Open => assert_eq!(second.unwrap().role, Role::Member),
                Registration::Invite => assert_eq!(second.unwrap_err(), Refusal::InviteNeeded),
                Registration::Closed => assert_eq!(second.unwrap_err(), Refusal::Closed),
            }
        }
    }

    #[test]
    fn a_name_is_taken_in_every_case_and_kept_as_typed() {
        let db = crate::store::in_memory();
        create(&db, &applicant("Ada"), Registration::Open, "hash", 1).unwrap().unwrap();
        let again = create(&db, &applicant("aDA"), Registration::Open, "hash", 1).unwrap();
        assert_eq!(again.unwrap_err(), Refusal::NameTaken);
        let (found, _) = find(&db, &PeerId::parse("ADA").unwrap()).unwrap().unwrap();
        assert_eq!(found.name, "Ada");
    }
}

//! Accounts as an administrator sees and changes them. There is always one administrator who can get in.

use rusqlite::{Connection, params};

use super::accounts::{self, Account, Role};
use super::ways::{self, Doors, Ways};
use super::{factors, linked, sessions, tokens};
use crate::sessions::{Ended, Stored};

/// Which accounts are looked for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A part of the name, in any case.
    pub text: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Disabled ones, or the others.
    pub disabled: Option<bool>,
    /// After this name.
    pub after: Option<String>,
    /// Accounts at most.
    pub limit: usize,
}

/// An account in the list.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub account: Account,
    /// Its sessions.
    pub sessions: u64,
    /// Whether it is linked with a provider (OpenID Connect).
    pub linked: bool,
    /// Whether a password alone is not enough: it has an authenticator app or a passkey.
    pub factors: bool,
    /// When it was last seen; in the last minute, maybe not up to date.
    pub last_seen: Option<i64>,
}

/// Why a change isn't made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    Unknown,
    /// Nobody would be left to administer.
    LastAdmin,
    /// A bot can't become a person, nor a person a bot.
    OtherKind,
}

/// What a change came to.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The account as it is now; as it was, where it was removed.
    pub account: Account,
    /// The sessions that ended with the change, and what was open with tokens.
    pub ended: Vec<Ended>,
    /// The tokens that work after it.
    pub tokens: Vec<Stored>,
}

type Outcome = rusqlite::Result<Result<Changed, Refusal>>;

/// Accounts by name.
///
/// # Errors
/// What SQLite says.
pub fn list(db: &Connection, search: &Search) -> rusqlite::Result<Vec<Person>> {
    db.prepare_cached(
        "SELECT a.id, a.name, a.role, a.created_at, a.disabled_at,
                (SELECT count(*) FROM sessions s WHERE s.account = a.id),
                (SELECT max(s.last_seen) FROM sessions s WHERE s.account = a.id),
                EXISTS (SELECT 1 FROM linked l WHERE l.account = a.id),
                EXISTS (SELECT 1 FROM totp t WHERE t.account = a.id AND t.confirmed_at IS NOT NULL)
                  OR EXISTS (SELECT 1 FROM passkeys p WHERE p.account = a.id)
         FROM accounts a
         WHERE (?1 IS NULL OR instr(a.folded, lower(?1)) > 0)
           AND (?2 IS NULL OR a.role = ?2)
           AND (?3 IS NULL OR (a.disabled_at IS NOT NULL) = ?3)
           AND (?4 IS NULL OR a.folded > lower(?4))
         ORDER BY a.folded LIMIT ?5",
    )?
    .query_map(
        params![
            search.text,
            search.role.map(Role::as_str),
            search.disabled,
            search.after,
            search.limit
        ],
        |row| {
            Ok(Person {
                account: accounts::read(row)?,
                sessions: row.get(5)?,
                last_seen: row.get(6)?,
                linked: row.get(7)?,
                factors: row.get(8)?,
            })
        },
    )?
    .collect()
}

/// Gives an account another role and ends its sessions: they carry the old one.
///
/// # Errors
/// What SQLite says.
pub fn set_role(db: &Connection, id: &str, role: Role, doors: &Doors, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    if (account.role == Role::Bot) != (role == Role::Bot) {
        return Ok(Err(Refusal::OtherKind));
    }
    if account.role == role {
        return Ok(Ok(Changed { account, ended: Vec::new(), tokens: Vec::new() }));
    }
    if role != Role::Admin && is_last_admin(db, &account, doors)? {
        return Ok(Err(Refusal::LastAdmin));
    }
    db.prepare_cached("UPDATE accounts SET role = ?2 WHERE id = ?1")?
        .execute([id, role.as_str()])?;
    changed(db, Account { role, ..account }, now)
}

/// Disables an account: all that is open on it ends.
///
/// # Errors
/// What SQLite says.
pub fn disable(db: &Connection, id: &str, doors: &Doors, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    if is_last_admin(db, &account, doors)? {
        return Ok(Err(Refusal::LastAdmin));
    }
    db.prepare_cached("UPDATE accounts SET disabled_at = coalesce(disabled_at, ?2) WHERE id = ?1")?
        .execute(params![id, now])?;
    let disabled_at = account.disabled_at.or(Some(now));
    changed(db, Account { disabled_at, ..account }, now)
}

/// Lets a disabled account in again.
///
/// # Errors
/// What SQLite says.
pub fn enable(db: &Connection, id: &str, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    db.prepare_cached("UPDATE accounts SET disabled_at = NULL WHERE id = ?1")?.execute([id])?;
    changed(db, Account { disabled_at: None, ..account }, now)
}

/// Ends all sessions of an account.
///
/// # Errors
/// What SQLite says.
pub fn end_sessions(db: &Connection, id: &str, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    let ended = sessions::delete_all(db, id, now)?;
    Ok(Ok(Changed { account, ended, tokens: Vec::new() }))
}

/// Takes the second factors of an account away, passkeys among them, and ends its sessions.
///
/// # Errors
/// What SQLite says.
pub fn remove_factors(db: &Connection, id: &str, doors: &Doors, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    let left = Ways { passkeys: 0, ..ways::open(db, id, doors)? };
    if !left.any() && is_last_admin(db, &account, doors)? {
        return Ok(Err(Refusal::LastAdmin));
    }
    factors::remove_all(db, id)?;
    end_sessions(db, id, now)
}

/// Takes the links of an account with providers away, and ends its sessions.
///
/// # Errors
/// What SQLite says.
pub fn unlink(db: &Connection, id: &str, doors: &Doors, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    let left = Ways { linked: false, ..ways::open(db, id, doors)? };
    if !left.any() && is_last_admin(db, &account, doors)? {
        return Ok(Err(Refusal::LastAdmin));
    }
    linked::remove_all(db, id)?;
    end_sessions(db, id, now)
}

/// Removes an account with all that is its own. Its name stays taken.
///
/// # Errors
/// What SQLite says.
pub fn remove(db: &Connection, id: &str, doors: &Doors, now: i64) -> Outcome {
    let Some((account, _)) = accounts::of(db, id)? else { return Ok(Err(Refusal::Unknown)) };
    if is_last_admin(db, &account, doors)? {
        return Ok(Err(Refusal::LastAdmin));
    }
    let mut ended = sessions::delete_all(db, id, now)?;
    ended.extend(tokens::renew(db, id, now)?);
    db.prepare_cached(
        "INSERT OR IGNORE INTO former_names (folded, removed_at) SELECT folded, ?2 FROM accounts WHERE id = ?1",
    )?
    .execute(params![id, now])?;
    db.prepare_cached("DELETE FROM accounts WHERE id = ?")?.execute([id])?;
    Ok(Ok(Changed { account, ended, tokens: Vec::new() }))
}

/// Ends everything that was open on an account as it was.
fn changed(db: &Connection, account: Account, now: i64) -> Outcome {
    let mut ended = sessions::delete_all(db, &account.id, now)?;
    ended.extend(tokens::renew(db, &account.id, now)?);
    let tokens = tokens::load_of(db, Some(&account.id), now)?;
    Ok(Ok(Changed { account, ended, tokens }))
}

/// Whether nobody else could administer: no other administrator can get in.
fn is_last_admin(db: &Connection, account: &Account, doors: &Doors) -> rusqlite::Result<bool> {
    if account.role != Role::Admin || account.disabled_at.is_some() {
        return Ok(false);
    }
    Ok(!ways::another_administers(db, &account.id, doors)?)
}

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::auth::Registration;

    use super::*;
    use crate::store::accounts::Applicant;

    fn account(db: &Connection, name: &str) -> Account {
        let name = PeerId::parse(name).unwrap();
        let applicant = Applicant { name, invite: None };
        accounts::create(db, &applicant, Registration::Open, "hash", 1).unwrap().unwrap()
    }

    #[test]
    fn the_last_administrator_can_not_be_demoted_disabled_or_removed() {
        let db = crate::store::in_memory();
        let (ada, bob) = (account(&db, "ada"), account(&db, "bob"));
        let doors = Doors::default();
        let refused = |outcome: Outcome| outcome.unwrap().err();
        for refusal in [
            refused(set_role(&db, &ada.id, Role::Member, &doors, 2)),
            refused(disable(&db, &ada.id, &doors, 2)),
            refused(remove(&db, &ada.id, &doors, 2)),
        ] {
            assert_eq!(refusal, Some(Refusal::LastAdmin));
        }
        // A second one who is disabled doesn't count.
        assert_eq!(refused(set_role(&db, &bob.id, Role::Admin, &doors, 2)), None);
        assert_eq!(refused(disable(&db, &bob.id, &doors, 2)), None);
        assert_eq!(refused(remove(&db, &ada.id, &doors, 2)), Some(Refusal::LastAdmin));
        assert_eq!(refused(enable(&db, &bob.id, 2)), None);
        assert_eq!(refused(remove(&db, &ada.id, &doors, 2)), None);
        assert_eq!(
            refused(set_role(&db, &bob.id, Role::Member, &doors, 3)),
            Some(Refusal::LastAdmin)
        );
    }

    #[test]
    fn a_removed_account_s_name_stays_taken() {
        let db = crate::store::in_memory();
        account(&db, "ada");
        let bob = account(&db, "bob");
        remove(&db, &bob.id, &Doors::default(), 2).unwrap().unwrap();
        let again = Applicant { name: PeerId::parse("BOB").unwrap(), invite: None };
        let refused = accounts::create(&db, &again, Registration::Open, "hash", 3).unwrap();
        assert_eq!(refused.unwrap_err(), accounts::Refusal::NameTaken);
    }

    #[test]
    fn the_list_is_searched_and_paged_by_name() {
        let db = crate::store::in_memory();
        for name in ["Zoe", "anna", "Hannah", "bob"] {
            account(&db, name);
        }
        let names = |search: Search| -> Vec<String> {
            let found = list(&db, &Search { limit: 2, ..search }).unwrap();
            found.into_iter().map(|person| person.account.name).collect()
        };
        assert_eq!(names(Search::default()), ["anna", "bob"]);
        assert_eq!(
            names(Search { after: Some("Bob".into()), ..Search::default() }),
            ["Hannah", "Zoe"]
        );
        assert_eq!(
            names(Search { text: Some("ANNA".into()), ..Search::default() }),
            ["anna", "Hannah"]
        );
        assert_eq!(names(Search { role: Some(Role::Admin), ..Search::default() }), ["Zoe"]);
        assert!(names(Search { disabled: Some(true), ..Search::default() }).is_empty());
    }
}

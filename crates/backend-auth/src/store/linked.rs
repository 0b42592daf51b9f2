//! Who an account's owner is at a provider of OpenID Connect: issuer and subject, which together are given to one person for ever
//! (OpenID Connect Core 1.0 §5.7). Nothing else finds an account: neither a name nor an address.

use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{self, Account};

/// Who someone is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person, as that provider numbers it.
    pub subject: String,
}

/// A link as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public id.
    pub id: String,
    /// The provider.
    pub issuer: String,
    /// What the provider called the person when it was linked.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When someone last signed in by it.
    pub last_used: Option<i64>,
}

/// A new link.
#[derive(Debug, Clone)]
pub struct New {
    /// Its public id.
    pub id: String,
    /// Who that is.
    pub identity: Identity,
    /// What the provider calls the person; may be empty.
    pub name: String,
}

/// Why one isn't made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is another account's.
    OfAnother,
    /// The account has one of this provider.
    HasOne,
}

/// The links of an account, the oldest first.
///
/// # Errors
/// What SQLite says.
pub fn of_account(db: &Connection, account: &str) -> rusqlite::Result<Vec<Listed>> {
    db.prepare_cached(
        "SELECT id, issuer, name, created_at, last_used FROM linked WHERE account = ? ORDER BY created_at, id",
    )?
    .query_map([account], |row| {
        Ok(Listed {
            id: row.get(0)?,
            issuer: row.get(1)?,
            name: row.get(2)?,
            created_at: row.get(3)?,
            last_used: row.get(4)?,
        })
    })?
    .collect()
}

/// The account of an identity.
///
/// # Errors
/// What SQLite says.
pub fn find(db: &Connection, identity: &Identity) -> rusqlite::Result<Option<Account>> {
    let account: Option<String> = db
        .prepare_cached("SELECT account FROM linked WHERE issuer = ? AND subject = ?")?
        .query_row([&identity.issuer, &identity.subject], |row| row.get(0))
        .optional()?;
    let Some(account) = account else { return Ok(None) };
    Ok(accounts::of(db, &account)?.map(|(account, _)| account))
}

/// Whether an identity still opens an account as it was found: the same role, and not disabled. Time passed since.
///
/// # Errors
/// What SQLite says.
pub fn still_opens(
    db: &Connection,
    identity: &Identity,
    account: &Account,
) -> rusqlite::Result<bool> {
    Ok(find(db, identity)?.is_some_and(|now| {
        now.id == account.id && now.role == account.role && now.disabled_at.is_none()
    }))
}

/// Notes that someone signed in by it.
///
/// # Errors
/// What SQLite says.
pub fn used(db: &Connection, identity: &Identity, now: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE linked SET last_used = ?3 WHERE issuer = ?1 AND subject = ?2")?
        .execute(params![identity.issuer, identity.subject, now])?;
    Ok(())
}

/// Links an identity to an account.
///
/// # Errors
/// What SQLite says.
pub fn add(
    db: &Connection,
    account: &str,
    new: &New,
    now: i64,
) -> rusqlite::Result<Result<(), Refusal>> {
    let owner: Option<String> = db
        .prepare_cached("SELECT account FROM linked WHERE issuer = ? AND subject = ?")?
        .query_row([&new.identity.issuer, &new.identity.subject], |row| row.get(0))
        .optional()?;
    if owner.is_some_and(|owner| owner != account) {
        return Ok(Err(Refusal::OfAnother));
    }
    let added = db
        .prepare_cached(
            "INSERT INTO linked (id, issuer, subject, account, name, created_at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            new.id,
            new.identity.issuer,
            new.identity.subject,
            account,
            new.name,
            now
        ])?;
    Ok(if added == 1 { Ok(()) } else { Err(Refusal::HasOne) })
}

/// Takes a link of an account away; says whether there was one.
///
/// # Errors
/// What SQLite says.
pub fn remove(db: &Connection, account: &str, id: &str) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached("DELETE FROM linked WHERE account = ? AND id = ?")?
        .execute([account, id])?;
    Ok(removed == 1)
}

/// Takes all links of an account away.
///
/// # Errors
/// What SQLite says.
pub fn remove_all(db: &Connection, account: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM linked WHERE account = ?")?.execute([account])?;
    Ok(())
}

/// Whether an account has a link to this provider.
///
/// # Errors
/// What SQLite says.
pub fn has(db: &Connection, account: &str, issuer: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM linked WHERE account = ? AND issuer = ?)")?
        .query_row([account, issuer], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::auth::Registration;

    use super::*;
    use crate::store::accounts::Applicant;

    fn account(db: &Connection, name: &str) -> Account {
        let applicant = Applicant { name: PeerId::parse(name).unwrap(), invite: None };
        accounts::create(db, &applicant, Registration::Open, "hash", 1).unwrap().unwrap()
    }

    fn new(id: &str, issuer: &str, subject: &str) -> New {
        let identity = Identity { issuer: issuer.into(), subject: subject.into() };
        New { id: id.into(), identity, name: String::new() }
    }

    #[test]
    fn an_identity_belongs_to_one_account_and_an_account_has_one_of_a_provider() {
        let db = crate::store::in_memory();
        let (ada, bob) = (account(&db, "ada"), account(&db, "bob"));
        let link = new("1", "https://a", "7");
        add(&db, &ada.id, &link, 1).unwrap().unwrap();
        let again = |account: &Account, new: New| add(&db, &account.id, &new, 1).unwrap();
        assert_eq!(again(&bob, new("2", "https://a", "7")), Err(Refusal::OfAnother));
        assert_eq!(again(&ada, new("3", "https://a", "8")), Err(Refusal::HasOne));
        assert_eq!(again(&ada, new("4", "https://a", "7")), Err(Refusal::HasOne));
        assert_eq!(again(&ada, new("5", "https://b", "7")), Ok(()));
        assert_eq!(find(&db, &link.identity).unwrap().unwrap().id, ada.id);
        assert!(find(&db, &new("", "https://a/", "7").identity).unwrap().is_none());
        assert!(!remove(&db, &bob.id, "1").unwrap(), "of another");
        assert!(remove(&db, &ada.id, "1").unwrap());
        assert!(find(&db, &link.identity).unwrap().is_none());
    }

    #[test]
    fn an_identity_opens_the_account_as_it_was_found_and_no_other() {
        let db = crate::store::in_memory();
        let (ada, bob) = (account(&db, "ada"), account(&db, "bob"));
        let link = new("1", "https://a", "7");
        add(&db, &ada.id, &link, 1).unwrap().unwrap();
        assert!(still_opens(&db, &link.identity, &ada).unwrap());
        assert!(!still_opens(&db, &link.identity, &bob).unwrap());
        db.execute("UPDATE accounts SET disabled_at = 1", []).unwrap();
        assert!(!still_opens(&db, &link.identity, &ada).unwrap());
    }
}

//! The ways into an account, so that nobody takes the last one away by mistake.

use rusqlite::{Connection, params};

use super::passkeys;

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

/// What lets people in here today.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The provider that is asked (OpenID Connect).
    pub issuer: Option<String>,
    /// The host whose passkeys are asked for.
    pub host: Option<String>,
}

impl Ways {
    /// Whether there is one.
    pub fn any(self) -> bool {
        self.password || self.linked || self.passkeys > 0
    }
}

/// Whether there is an administrator besides this account who can get in.
///
/// # Errors
/// What SQLite says.
pub fn another_administers(
    db: &Connection,
    account: &str,
    doors: &Doors,
) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM accounts a
             WHERE a.role = 'admin' AND a.disabled_at IS NULL AND a.id <> ?1 AND (a.password <> ''
                 OR (?2 IS NOT NULL AND EXISTS
                     (SELECT 1 FROM passkeys p WHERE p.account = a.id AND (p.host IS NULL OR p.host = ?2)))
                 OR EXISTS (SELECT 1 FROM linked l WHERE l.account = a.id AND l.issuer = ?3)))",
    )?
    .query_row(params![account, doors.host, doors.issuer], |row| row.get(0))
}

/// The ways into an account that open today.
///
/// # Errors
/// What SQLite says.
pub fn open(db: &Connection, account: &str, doors: &Doors) -> rusqlite::Result<Ways> {
    let passkeys = match &doors.host {
        Some(host) => passkeys::kept_of(db, account, host)?.len(),
        None => 0,
    };
    Ok(Ways { passkeys, ..of(db, account, doors.issuer.as_deref())? })
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

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::auth::Registration;

    use super::*;
    use crate::store::accounts;
    use crate::store::linked::{self, Identity, New};

    #[test]
    fn only_who_gets_in_today_administers() {
        let db = crate::store::in_memory();
        let name = PeerId::parse("ada").unwrap();
        let ada = accounts::create_linked(&db, name, Registration::Open, 1).unwrap().unwrap();
        let by = |issuer: &str| Doors { issuer: Some(issuer.to_owned()), host: None };
        let administers = |doors: &Doors| another_administers(&db, "somebody else", doors).unwrap();
        assert!(!administers(&by("https://a")), "she has no way in");
        let identity = Identity { issuer: "https://a".into(), subject: "7".into() };
        let new = New { id: "1".into(), identity, name: String::new() };
        linked::add(&db, &ada.id, &new, 1).unwrap().unwrap();
        assert!(administers(&by("https://a")));
        assert!(!another_administers(&db, &ada.id, &by("https://a")).unwrap(), "but for her");
        assert!(!administers(&by("https://b")) && !administers(&Doors::default()), "not asked");
        accounts::set_password(&db, &ada.id, "hash").unwrap();
        assert!(administers(&Doors::default()));
    }
}

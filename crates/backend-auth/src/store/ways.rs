//! The ways into an account, so that nobody takes the last one away by mistake.

use rusqlite::{Connection, params};

/// By what an account's owner can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// It has a password.
    pub password: bool,
    /// Its passkeys that are asked for today.
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
    but_for(db, account, doors, None)
}

/// The ways that would be left without one of its passkeys, by its public id.
///
/// # Errors
/// What SQLite says.
pub fn without_passkey(
    db: &Connection,
    account: &str,
    doors: &Doors,
    passkey: &str,
) -> rusqlite::Result<Ways> {
    but_for(db, account, doors, Some(passkey))
}

fn but_for(
    db: &Connection,
    account: &str,
    doors: &Doors,
    passkey: Option<&str>,
) -> rusqlite::Result<Ways> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1 AND password <> ''),
                (SELECT count(*) FROM passkeys WHERE account = ?1
                     AND ?2 IS NOT NULL AND (host IS NULL OR host = ?2) AND (?4 IS NULL OR id <> ?4)),
                EXISTS (SELECT 1 FROM linked WHERE account = ?1 AND issuer = ?3)",
    )?
    .query_row(params![account, doors.host, doors.issuer, passkey], |row| {
        Ok(Ways { password: row.get(0)?, passkeys: row.get(1)?, linked: row.get(2)? })
    })
}

#[cfg(test)]
mod tests {
    use wire::PeerId;
    use wire::auth::Registration;

    use super::*;
    use crate::passkeys::Kept;
    use crate::passkeys::kept::STATE;
    use crate::store::accounts;
    use crate::store::linked::{self, Identity, New};
    use crate::store::passkeys;

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

    #[test]
    fn only_passkeys_of_the_host_that_is_asked_are_ways_in() {
        let db = crate::store::in_memory();
        let name = PeerId::parse("ada").unwrap();
        let ada = accounts::create_linked(&db, name, Registration::Open, 1).unwrap().unwrap();
        for (id, host) in [("1", "chat.example.org"), ("2", "chat.example.org"), ("3", "localhost")]
        {
            let kept =
                Kept { credential: id.into(), key: Vec::new(), state: [0; STATE], transports: 0 };
            let new = passkeys::New { id: id.into(), name: id.into(), host: host.into(), kept };
            passkeys::add(&db, &ada.id, &new, 20, 1).unwrap().unwrap();
        }
        let at = |host: Option<&str>| Doors { issuer: None, host: host.map(str::to_owned) };
        let open = |host| open(&db, &ada.id, &at(host)).unwrap().passkeys;
        assert_eq!((open(Some("chat.example.org")), open(Some("localhost"))), (2, 1));
        assert_eq!((open(Some("elsewhere")), open(None)), (0, 0));
        let without = |id, host| without_passkey(&db, &ada.id, &at(Some(host)), id).unwrap();
        assert!(without("1", "chat.example.org").any() && without("1", "localhost").any());
        assert!(!without("3", "localhost").any(), "those of another host open nothing here");
        // Those that were made before hosts were noted may be of any.
        db.execute("UPDATE passkeys SET host = NULL WHERE id = '1'", []).unwrap();
        assert!(without("3", "localhost").any());
    }
}

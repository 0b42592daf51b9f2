//! Devices that were proved to be a partner's, or one's own.

use rusqlite::{Connection, OptionalExtension};
use wire::DeviceId;

/// What is remembered of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub device: DeviceId,
    /// Whether two people have compared its safety number.
    pub compared: bool,
}

/// How a device was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is known.
    Before,
    /// It is its peer's first one here.
    First,
    /// It is new, and others of its peer are known: the person should look.
    Another,
}

/// Remembers a device that has proved to be a peer's. `peer` is in lower case.
///
/// # Errors
/// What SQLite said.
pub fn meet(db: &Connection, peer: &str, device: DeviceId, now: i64) -> rusqlite::Result<Met> {
    let others: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE peer = ?1)")?
        .query_row([peer], |row| row.get(0))?;
    let new = db
        .prepare_cached(
            "INSERT INTO devices (peer, device, first_seen) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute((peer, device.to_string(), now))?;
    Ok(match (new > 0, others) {
        (false, _) => Met::Before,
        (true, false) => Met::First,
        (true, true) => Met::Another,
    })
}

/// Two people have compared the safety number of this device.
///
/// # Errors
/// What SQLite said.
pub fn mark_compared(
    db: &Connection,
    peer: &str,
    device: DeviceId,
    now: i64,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO devices (peer, device, first_seen, compared) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT DO UPDATE SET compared = 1",
    )?
    .execute((peer, device.to_string(), now))?;
    Ok(())
}

/// The devices of a peer that are remembered, the one that was met first at the top.
///
/// # Errors
/// What SQLite said.
pub fn of(db: &Connection, peer: &str) -> rusqlite::Result<Vec<Known>> {
    let mut query = db.prepare_cached(
        "SELECT device, compared FROM devices WHERE peer = ?1 ORDER BY first_seen, device",
    )?;
    let rows = query.query_map([peer], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut known = Vec::new();
    for row in rows {
        let (device, compared) = row?;
        known.extend(device.parse().ok().map(|device| Known { device, compared }));
    }
    Ok(known)
}

/// Whose folder this is, and at which server; written by the first who asks. `peer` is in lower case.
///
/// # Errors
/// What SQLite said.
pub fn owner(db: &Connection, peer: &str, server: &str) -> rusqlite::Result<(String, String)> {
    let found = db
        .query_row("SELECT peer, server FROM owner", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    db.execute("INSERT INTO owner (one, peer, server) VALUES (1, ?1, ?2)", (peer, server))?;
    Ok((peer.to_owned(), server.to_owned()))
}

/// The same server is found at another address from now on.
///
/// # Errors
/// What SQLite said.
pub fn moved(db: &Connection, server: &str) -> rusqlite::Result<()> {
    db.execute("UPDATE owner SET server = ?1", [server]).map(drop)
}

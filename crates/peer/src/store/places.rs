//! How far a listener has come, so that the next one goes on there.

use rusqlite::{Connection, OptionalExtension};
use wire::ChannelName;

/// Where the direct messages' place is kept; no channel has such a name.
const DIRECT: &str = "direct messages";

/// The `seq` of the last direct message that was listened to; 0 at first.
///
/// # Errors
/// What SQLite said.
pub fn direct(db: &Connection) -> rusqlite::Result<u64> {
    Ok(get(db, DIRECT)?.unwrap_or(0))
}

/// Direct messages up to this `seq` were listened to.
///
/// # Errors
/// What SQLite said.
pub fn set_direct(db: &Connection, seq: u64) -> rusqlite::Result<()> {
    set(db, DIRECT, seq)
}

/// The `seq` of the last message of a channel that was listened to; `None` when nobody has listened yet.
///
/// # Errors
/// What SQLite said.
pub fn channel(db: &Connection, channel: &ChannelName) -> rusqlite::Result<Option<u64>> {
    get(db, channel.as_str())
}

/// Messages of a channel up to this `seq` were listened to.
///
/// # Errors
/// What SQLite said.
pub fn set_channel(db: &Connection, channel: &ChannelName, seq: u64) -> rusqlite::Result<()> {
    set(db, channel.as_str(), seq)
}

fn get(db: &Connection, what: &str) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT place FROM places WHERE what = ?1")?
        .query_row([what], |row| row.get(0))
        .optional()
}

/// Never backwards.
fn set(db: &Connection, what: &str, place: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO places (what, place) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET place = max(place, excluded.place)",
    )?
    .execute((what, place))?;
    Ok(())
}

//! Direct messages and the outbox.

use rusqlite::{Connection, OptionalExtension, Row};
use wire::{MessageId, PeerId};

use crate::delivery::Text;
use crate::delivery::stamp;
use crate::event::{Delivery, Direct, Route};

/// An own message that was just written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its id.
    pub id: MessageId,
    /// To whom.
    pub to: PeerId,
    /// The text.
    pub message: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// It goes over links only.
    pub direct_only: bool,
}

/// A message that came from elsewhere.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it: another peer, or this one on another device.
    pub from: PeerId,
    /// To whom.
    pub to: PeerId,
    /// The text.
    pub message: String,
    /// Under which time it is filed, in milliseconds since 1970.
    pub at: i64,
    /// How it came.
    pub route: Route,
}

/// A message that an earlier run has left unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its place in the outbox.
    pub place: u64,
    /// The message.
    pub text: Text,
    /// How far it has come.
    pub delivery: Delivery,
}

/// Messages in the order in which they came to this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// The message's number here.
    pub seq: u64,
    /// The message.
    pub direct: Direct,
}

const COLUMNS: &str = "seq, sender, id, name, body, at, state, route, reason";

/// Stores an own message; gives its place in the outbox.
///
/// # Errors
/// What SQLite said.
pub fn write(db: &Connection, me: &PeerId, written: &Written) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "INSERT INTO direct (sender, id, partner, name, body, at, state, direct_only, open)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 1)",
    )?
    .execute((
        me.folded(),
        written.id.as_str(),
        written.to.folded(),
        written.to.as_str(),
        &written.message,
        written.at,
        written.direct_only,
    ))?;
    Ok(db.last_insert_rowid().unsigned_abs())
}

/// Stores a message that came from elsewhere; `None` when it is known.
///
/// # Errors
/// What SQLite said.
pub fn receive(db: &Connection, me: &PeerId, arrived: Arrived) -> rusqlite::Result<Option<Direct>> {
    let own = arrived.from.folded() == me.folded();
    let partner = if own { &arrived.to } else { &arrived.from };
    let new = db
        .prepare_cached(
            "INSERT INTO direct (sender, id, partner, name, body, at, route)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (sender, id) DO NOTHING",
        )?
        .execute((
            arrived.from.folded(),
            arrived.id.as_str(),
            partner.folded(),
            partner.as_str(),
            &arrived.message,
            arrived.at,
            number(arrived.route),
        ))?;
    Ok((new > 0).then(|| Direct {
        id: arrived.id,
        from: if own { me.clone() } else { arrived.from },
        to: if own { arrived.to } else { me.clone() },
        message: arrived.message,
        timestamp: stamp::wire(arrived.at),
        route: Some(arrived.route),
        delivery: None,
    }))
}

/// Keeps how far an own message has come, and whether something remains to be done.
///
/// # Errors
/// What SQLite said.
pub fn set_delivery(
    db: &Connection,
    me: &PeerId,
    id: &MessageId,
    delivery: &Delivery,
    open: bool,
) -> rusqlite::Result<()> {
    let (state, route, reason) = match delivery {
        Delivery::Sending => (0, None, None),
        Delivery::Queued => (1, None, None),
        Delivery::Delivered(route) => (2, Some(number(*route)), None),
        Delivery::Failed { reason } => (3, None, Some(reason)),
    };
    db.prepare_cached(
        "UPDATE direct SET state = ?3, route = ?4, reason = ?5, open = ?6
         WHERE sender = ?1 AND id = ?2 AND state IS NOT NULL",
    )?
    .execute((me.folded(), id.as_str(), state, route, reason, open))?;
    Ok(())
}

/// What earlier runs have left unfinished, in order.
///
/// # Errors
/// What SQLite said.
pub fn outbox(db: &Connection, me: &PeerId) -> rusqlite::Result<Vec<Unfinished>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS}, direct_only FROM direct WHERE open = 1 ORDER BY seq"
    ))?
    .query_map([], |row| {
        let Numbered { seq, direct } = numbered(row, me)?;
        let text = Text {
            id: direct.id,
            to: direct.to,
            message: direct.message,
            timestamp: direct.timestamp,
            direct_only: row.get(9)?,
        };
        let delivery = direct.delivery.unwrap_or(Delivery::Sending);
        Ok(Unfinished { place: seq, text, delivery })
    })?
    .collect()
}

/// Own messages of this device by their ids; those that aren't known are left out.
///
/// # Errors
/// What SQLite said.
pub fn written(db: &Connection, me: &PeerId, ids: &[MessageId]) -> rusqlite::Result<Vec<Direct>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM direct WHERE sender = ?1 AND id = ?2 AND state IS NOT NULL"
    ))?;
    let mut found = Vec::new();
    for id in ids {
        let row =
            query.query_row((me.folded(), id.as_str()), |row| numbered(row, me)).optional()?;
        found.extend(row.map(|numbered| numbered.direct));
    }
    Ok(found)
}

/// The time of the last message that was written on this device; 0 when there is none.
///
/// # Errors
/// What SQLite said.
pub fn last_written(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(at), 0) FROM direct WHERE state IS NOT NULL", [], |row| {
        row.get(0)
    })
}

/// A page of a talk, oldest first: the newest messages, or those before one of them.
///
/// # Errors
/// What SQLite said.
pub fn talk(
    db: &Connection,
    me: &PeerId,
    with: &PeerId,
    before: Option<(&PeerId, &MessageId)>,
    limit: u32,
) -> rusqlite::Result<Vec<Direct>> {
    let bound = match before {
        None => (i64::MAX, i64::MAX),
        Some((from, id)) => db
            .prepare_cached("SELECT at, seq FROM direct WHERE sender = ?1 AND id = ?2")?
            .query_row((from.folded(), id.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or((i64::MAX, i64::MAX)),
    };
    let mut page: Vec<Direct> = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM direct WHERE partner = ?1 AND (at, seq) < (?2, ?3)
             ORDER BY at DESC, seq DESC LIMIT ?4"
        ))?
        .query_map((with.folded(), bound.0, bound.1, limit), |row| {
            numbered(row, me).map(|numbered| numbered.direct)
        })?
        .collect::<rusqlite::Result<_>>()?;
    page.reverse();
    Ok(page)
}

/// Peers with whom there are direct messages, the most recent first.
///
/// # Errors
/// What SQLite said.
pub fn talks(db: &Connection) -> rusqlite::Result<Vec<PeerId>> {
    // SQLite gives the other columns of the row that has the maximum.
    db.prepare_cached(
        "SELECT name, max(seq) AS newest FROM direct GROUP BY partner ORDER BY newest DESC",
    )?
    .query_map([], |row| peer_id(row, 0))?
    .collect()
}

/// Messages that came from elsewhere after this number, in the order in which they came.
///
/// # Errors
/// What SQLite said.
pub fn arrived_after(
    db: &Connection,
    me: &PeerId,
    seq: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Numbered>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM direct WHERE seq > ?1 AND state IS NULL ORDER BY seq LIMIT ?2"
    ))?
    .query_map((seq, limit), |row| numbered(row, me))?
    .collect()
}

/// The number of the newest message; 0 when there is none.
///
/// # Errors
/// What SQLite said.
pub fn newest(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT coalesce(max(seq), 0) FROM direct", [], |row| row.get(0))
}

fn numbered(row: &Row<'_>, me: &PeerId) -> rusqlite::Result<Numbered> {
    let own = row.get_ref(1)?.as_str()? == me.folded();
    let partner = peer_id(row, 3)?;
    let route: Option<i64> = row.get(7)?;
    let route = route.and_then(from_number);
    let state: Option<i64> = row.get(6)?;
    let delivery = match state {
        None => None,
        Some(1) => Some(Delivery::Queued),
        Some(2) => Some(Delivery::Delivered(route.unwrap_or(Route::Direct))),
        Some(3) => {
            let reason: Option<String> = row.get(8)?;
            Some(Delivery::Failed { reason: reason.unwrap_or_default() })
        }
        Some(_) => Some(Delivery::Sending),
    };
    let (from, to) = if own { (me.clone(), partner) } else { (partner, me.clone()) };
    let direct = Direct {
        id: message_id(row, 2)?,
        from,
        to,
        message: row.get(4)?,
        timestamp: stamp::wire(row.get(5)?),
        route: route.filter(|_| state.is_none()),
        delivery,
    };
    Ok(Numbered { seq: row.get(0)?, direct })
}

fn number(route: Route) -> i64 {
    match route {
        Route::Direct => 0,
        Route::Relayed => 1,
        Route::Mailbox => 2,
    }
}

fn from_number(number: i64) -> Option<Route> {
    match number {
        0 => Some(Route::Direct),
        1 => Some(Route::Relayed),
        2 => Some(Route::Mailbox),
        _ => None,
    }
}

fn peer_id(row: &Row<'_>, column: usize) -> rusqlite::Result<PeerId> {
    parse(row, column, PeerId::try_from)
}

fn message_id(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageId> {
    parse(row, column, MessageId::try_from)
}

fn parse<T, E>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(String) -> Result<T, E>,
) -> rusqlite::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    parse(row.get(column)?).map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}

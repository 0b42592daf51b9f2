//! The channels' logs.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use wire::MessageId;
use wire::event::Event;
use wire::tracker::StoredMessage;

use super::channels::{is_member, move_marker};
use super::load::{message_id, peer_id};
use super::{Command, Failure, Live, Refusal};
use crate::channels::Channel;
use crate::clock::rfc3339_millis;
use crate::hub::Audience;
use crate::peers::Registration;

/// Appends a message to a channel's log.
pub(crate) struct Append {
    pub(crate) sender: Registration,
    pub(crate) channel: Channel,
    pub(crate) id: MessageId,
    pub(crate) body: String,
}

/// Where a message is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) seq: u64,
    pub(crate) at: i64,
    /// It had been stored before.
    pub(crate) duplicate: bool,
}

impl Command for Append {
    type Answer = Appended;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<Appended, Failure> {
        if let Some(first) = self.first(db)? {
            return first;
        }
        if !is_member(db, self.channel.id, self.sender.id)? {
            return Err(Refusal::NotAMember.into());
        }
        // One writer and one transaction: the number and the message come into being together, so
        // that the log has no gap and no double.
        let seq: u64 = db
            .prepare_cached("UPDATE channels SET head = head + 1 WHERE id = ?1 RETURNING head")?
            .query_row([self.channel.id], |row| row.get(0))?;
        let at = now.as_millisecond();
        db.prepare_cached(
            "INSERT INTO messages (channel, seq, sender, client_id, body, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            self.channel.id,
            seq,
            self.sender.id,
            self.id.as_str(),
            &self.body,
            at,
        ))?;
        move_marker(db, self.sender.id, self.channel.id, seq)?;
        Ok(Appended { seq, at, duplicate: false })
    }

    fn committed(&self, appended: &Appended, live: &Live) {
        if appended.duplicate {
            return;
        }
        let Some(members) = live.channels.grew(&self.channel.name, appended.seq) else { return };
        let message = StoredMessage {
            from: self.sender.peer.id().clone(),
            message: self.body.clone(),
            timestamp: rfc3339_millis(appended.at),
            seq: appended.seq,
            id: self.id.clone(),
        };
        let event = Event::Message { channel: self.channel.name.clone(), message };
        live.hub.publish(Audience::Channel(members), &event);
    }
}

impl Append {
    /// What became of this sender's first message with this id.
    fn first(&self, db: &Connection) -> rusqlite::Result<Option<Result<Appended, Failure>>> {
        db.prepare_cached(
            "SELECT channel = ?3 AND body = ?4, seq, at FROM messages
             WHERE sender = ?1 AND client_id = ?2",
        )?
        .query_row((self.sender.id, self.id.as_str(), self.channel.id, &self.body), |row| {
            Ok(if row.get(0)? {
                Ok(Appended { seq: row.get(1)?, at: row.get(2)?, duplicate: true })
            } else {
                Err(Refusal::IdConflict.into())
            })
        })
        .optional()
    }
}

/// Which part of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: u32,
}

/// A page of a channel's log, oldest first: the newest messages that fit the bounds, or, where only a
/// lower bound is given, the oldest ones after it.
pub(crate) fn page(
    db: &Connection,
    channel: i64,
    page: Page,
) -> rusqlite::Result<Vec<StoredMessage>> {
    let forward = page.after.is_some() && page.before.is_none();
    let order = if forward { "ASC" } else { "DESC" };
    let mut query = db.prepare_cached(&format!(
        "SELECT p.name, m.body, m.at, m.seq, m.client_id
         FROM messages m JOIN peers p ON p.id = m.sender
         WHERE m.channel = ?1 AND m.seq > ?2 AND m.seq < ?3
         ORDER BY m.seq {order} LIMIT ?4"
    ))?;
    let after = page.after.unwrap_or(0).min(MAX_SEQ);
    let before = page.before.unwrap_or(MAX_SEQ).min(MAX_SEQ);
    let mut messages: Vec<StoredMessage> = query
        .query_map((channel, after, before, page.limit), |row| {
            Ok(StoredMessage {
                from: peer_id(row, 0)?,
                message: row.get(1)?,
                timestamp: rfc3339_millis(row.get(2)?),
                seq: row.get(3)?,
                id: message_id(row, 4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    if !forward {
        messages.reverse();
    }
    Ok(messages)
}

/// SQLite's integers are signed.
const MAX_SEQ: u64 = i64::MAX as u64;

/// The names and heads of all channels, for checks of the whole.
#[cfg(test)]
pub(super) fn heads(db: &Connection) -> rusqlite::Result<Vec<(wire::ChannelName, i64, u64)>> {
    db.prepare("SELECT id, name, head FROM channels ORDER BY id")?
        .query_map([], |row| Ok((super::load::channel_name(row, 1)?, row.get(0)?, row.get(2)?)))?
        .collect()
}

//! The mailboxes: direct messages that wait for their recipients.
//!
//! A message stays until its recipient acknowledges it, or its time is over. An acknowledged one loses
//! its text and stays as a receipt: the sender can ask for it, and a late retry meets it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use wire::chat::{DirectMessage, DirectRef};
use wire::event::Event;
use wire::tracker::Delivery;
use wire::{MessageId, PeerId};

use super::load::{message_id, peer_id};
use super::{Command, Failure, Live, Refusal};
use crate::clock::rfc3339_millis;
use crate::hub::Audience;
use crate::peers::{PeerKey, Registration};

/// Rows that one run of [`Expire`] removes at most, so that it never holds up the others for long.
const EXPIRE_AT_ONCE: usize = 1_000;

/// Room in a mailbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Puts a message into the recipient's mailbox.
pub(crate) struct Queue {
    pub(crate) sender: Registration,
    pub(crate) recipient: Registration,
    pub(crate) id: MessageId,
    pub(crate) body: String,
    pub(crate) room: Room,
    pub(crate) keep: SignedDuration,
}

/// What became of a direct message.
pub(crate) struct Queued {
    pub(crate) at: i64,
    pub(crate) delivery: Delivery,
    /// It had been stored before.
    pub(crate) duplicate: bool,
}

impl Command for Queue {
    type Answer = Queued;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<Queued, Failure> {
        let digest = Sha256::digest(self.body.as_bytes());
        if let Some(first) = self.first(db, &digest)? {
            return first;
        }
        let bytes = self.body.len() as u64;
        let (messages, held) = db
            .prepare_cached(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM direct
                 WHERE recipient = ?1 AND delivered_at IS NULL",
            )?
            .query_row([self.recipient.id], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
            })?;
        if messages >= self.room.messages || held + bytes > self.room.bytes {
            return Err(Refusal::MailboxFull.into());
        }
        let at = now.as_millisecond();
        db.prepare_cached(
            "INSERT INTO direct (sender, client_id, recipient, body, bytes, digest, at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            self.sender.id,
            self.id.as_str(),
            self.recipient.id,
            &self.body,
            bytes,
            digest.as_slice(),
            at,
            expiry(now, self.keep),
        ))?;
        Ok(Queued { at, delivery: Delivery::Queued, duplicate: false })
    }

    fn committed(&self, queued: &Queued, live: &Live) {
        if queued.duplicate {
            return;
        }
        let event = Event::Direct(DirectMessage {
            id: self.id.clone(),
            from: self.sender.peer.id().clone(),
            to: self.recipient.peer.id().clone(),
            message: self.body.clone(),
            timestamp: rfc3339_millis(queued.at),
        });
        live.hub.publish(both(&self.recipient.peer, &self.sender.peer), &event);
    }
}

impl Queue {
    /// What became of this sender's first message with this id.
    fn first(
        &self,
        db: &Connection,
        digest: &[u8],
    ) -> rusqlite::Result<Option<Result<Queued, Failure>>> {
        db.prepare_cached(
            "SELECT recipient = ?3 AND digest = ?4, at, delivered_at IS NOT NULL FROM direct
             WHERE sender = ?1 AND client_id = ?2",
        )?
        .query_row((self.sender.id, self.id.as_str(), self.recipient.id, digest), |row| {
            if !row.get(0)? {
                return Ok(Err(Refusal::IdConflict.into()));
            }
            Ok(Ok(Queued { at: row.get(1)?, delivery: delivery(row.get(2)?), duplicate: true }))
        })
        .optional()
    }
}

/// The recipient and the sender, each once: a note to oneself has one reader.
fn both(to: &PeerKey, from: &PeerKey) -> Audience {
    if to == from {
        return Audience::peer(to.clone());
    }
    Audience::Peers(Arc::new([to.clone(), from.clone()]))
}

/// The recipient has stored these messages.
pub(crate) struct Acknowledge {
    pub(crate) recipient: Registration,
    pub(crate) messages: Vec<DirectRef>,
    /// How long the receipt is kept.
    pub(crate) keep: SignedDuration,
}

impl Command for Acknowledge {
    /// Those that had been waiting.
    type Answer = Vec<DirectRef>;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<Vec<DirectRef>, Failure> {
        let mut update = db.prepare_cached(
            "UPDATE direct SET body = NULL, delivered_at = ?1, expires_at = ?2
             WHERE sender = (SELECT id FROM peers WHERE folded = ?3) AND client_id = ?4
               AND recipient = ?5 AND delivered_at IS NULL",
        )?;
        let mut acked = Vec::new();
        for message in &self.messages {
            let changed = update.execute((
                now.as_millisecond(),
                expiry(now, self.keep),
                message.from.folded(),
                message.id.as_str(),
                self.recipient.id,
            ))?;
            if changed > 0 {
                acked.push(message.clone());
            }
        }
        Ok(acked)
    }

    fn committed(&self, acked: &Vec<DirectRef>, live: &Live) {
        for message in acked {
            let Some(sender) = live.peers.get(&message.from) else { continue };
            let event =
                Event::Delivered { id: message.id.clone(), to: self.recipient.peer.id().clone() };
            live.hub.publish(Audience::peer(sender.peer), &event);
        }
    }
}

/// Removes what is over: messages that nobody fetched, and old receipts.
pub(crate) struct Expire {
    pub(crate) now: Timestamp,
}

impl Command for Expire {
    /// How many; as long as it isn't 0, there may be more.
    type Answer = usize;

    fn run(&self, db: &Connection, _now: Timestamp) -> Result<usize, Failure> {
        let removed = db
            .prepare_cached(
                "DELETE FROM direct WHERE id IN
                    (SELECT id FROM direct WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute((self.now.as_millisecond(), EXPIRE_AT_ONCE))?;
        Ok(removed)
    }

    fn committed(&self, _removed: &usize, _live: &Live) {}
}

/// What waits for a recipient, oldest first.
pub(crate) fn waiting(
    db: &Connection,
    recipient: i64,
    to: &PeerId,
    limit: u32,
) -> rusqlite::Result<Vec<DirectMessage>> {
    db.prepare_cached(
        "SELECT d.client_id, p.name, d.body, d.at FROM direct d JOIN peers p ON p.id = d.sender
         WHERE d.recipient = ?1 AND d.delivered_at IS NULL ORDER BY d.id LIMIT ?2",
    )?
    .query_map((recipient, limit), |row| {
        Ok(DirectMessage {
            id: message_id(row, 0)?,
            from: peer_id(row, 1)?,
            to: to.clone(),
            message: row.get(2)?,
            timestamp: rfc3339_millis(row.get(3)?),
        })
    })?
    .collect()
}

/// How far a sender's messages have come; those that aren't known are left out.
pub(crate) fn deliveries(
    db: &Connection,
    sender: i64,
    ids: &[MessageId],
) -> rusqlite::Result<HashMap<MessageId, Delivery>> {
    let mut query = db.prepare_cached(
        "SELECT delivered_at IS NOT NULL FROM direct WHERE sender = ?1 AND client_id = ?2",
    )?;
    let mut found = HashMap::new();
    for id in ids {
        let row = query.query_row((sender, id.as_str()), |row| row.get(0)).optional()?;
        if let Some(delivered) = row {
            found.insert(id.clone(), delivery(delivered));
        }
    }
    Ok(found)
}

fn delivery(delivered: bool) -> Delivery {
    if delivered { Delivery::Delivered } else { Delivery::Queued }
}

fn expiry(now: Timestamp, keep: SignedDuration) -> i64 {
    now.checked_add(keep).unwrap_or(Timestamp::MAX).as_millisecond()
}

//! Fills the index in memory from the database, at the start.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Connection;
use wire::{ChannelName, DeviceId, PeerId};

use super::Live;
use crate::channels::{Channel, MemberSet};
use crate::peers::{PeerKey, Registration};

pub(super) fn load(db: &Connection, live: &Live) -> rusqlite::Result<()> {
    let mut peers = HashMap::new();
    let mut rows = db.prepare("SELECT id, name, ip, port, owner FROM peers")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let registration = registration(row)?;
        peers.insert(registration.id, registration.peer.clone());
        live.peers.put(registration);
    }

    let mut rows = db.prepare("SELECT device, peer FROM devices")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(peer) = peers.get(&row.get::<_, i64>(1)?) {
            live.devices.put(DeviceId::new(row.get(0)?), peer.clone());
        }
    }

    let mut members: HashMap<i64, Vec<PeerKey>> = HashMap::new();
    let mut rows = db.prepare("SELECT channel, peer FROM members")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(peer) = peers.get(&row.get::<_, i64>(1)?) {
            members.entry(row.get(0)?).or_default().push(peer.clone());
        }
    }

    let mut rows = db.prepare("SELECT id, name, private, head FROM channels")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        live.channels.put(Channel {
            name: channel_name(row, 1)?,
            id,
            private: row.get(2)?,
            members: Arc::new(MemberSet::from_iter(members.remove(&id).unwrap_or_default())),
            head: row.get(3)?,
        });
    }
    Ok(())
}

/// `id, name, ip, port, owner`
pub(super) fn registration(row: &rusqlite::Row<'_>) -> rusqlite::Result<Registration> {
    let ip: String = row.get(2)?;
    Ok(Registration {
        id: row.get(0)?,
        peer: PeerKey::of(peer_id(row, 1)?),
        ip: ip.parse::<IpAddr>().map_err(|error| unreadable(2, error))?,
        port: row.get(3)?,
        owner: row.get::<_, Option<String>>(4)?.map(Arc::from),
    })
}

pub(super) fn peer_id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<PeerId> {
    PeerId::try_from(row.get::<_, String>(column)?).map_err(|error| unreadable(column, error))
}

pub(super) fn channel_name(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<ChannelName> {
    ChannelName::try_from(row.get::<_, String>(column)?).map_err(|error| unreadable(column, error))
}

pub(super) fn message_id(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<wire::MessageId> {
    wire::MessageId::try_from(row.get::<_, String>(column)?)
        .map_err(|error| unreadable(column, error))
}

/// A value in the file that this program can't have written.
fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

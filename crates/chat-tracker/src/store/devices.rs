//! Devices and their keys.

use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use wire::DeviceId;

use super::{Command, Failure, Live, Refusal};
use crate::peers::Registration;
use crate::presence::Directory;

/// A device as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredDevice {
    pub(crate) device: DeviceId,
    pub(crate) public_key: [u8; 32],
    pub(crate) label: String,
    pub(crate) registered_at: i64,
    pub(crate) last_seen: i64,
}

/// Registers a device, or renews its label. Where a peer has as many as it may, others give way: those
/// that were not seen for longest, and of those that are live now only when there are no others.
pub(crate) struct RegisterDevice {
    pub(crate) peer: Registration,
    pub(crate) device: DeviceId,
    pub(crate) public_key: [u8; 32],
    pub(crate) label: String,
    /// Devices of one peer.
    pub(crate) most: usize,
    /// Tells which of them are live.
    pub(crate) presence: Directory,
}

/// What registering a device came to.
pub(crate) struct RegisteredDevice {
    pub(crate) device: StoredDevice,
    gave_way: Vec<DeviceId>,
}

impl Command for RegisterDevice {
    type Answer = RegisteredDevice;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<RegisteredDevice, Failure> {
        let known = db
            .prepare_cached("SELECT peer, public_key FROM devices WHERE device = ?1")?
            .query_row([self.device.bytes()], |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?)))
            .optional()?;
        let gave_way = match known {
            Some((peer, key)) if (peer, key) != (self.peer.id, self.public_key) => {
                return Err(Refusal::DeviceTaken.into());
            }
            Some(_) => Vec::new(),
            None => self.make_room(db)?,
        };
        let registered_at = db
            .prepare_cached(
                "INSERT INTO devices (device, peer, public_key, label, registered_at, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                 ON CONFLICT (device) DO UPDATE SET
                    label = excluded.label, last_seen = excluded.last_seen
                 RETURNING registered_at",
            )?
            .query_row(
                (
                    self.device.bytes(),
                    self.peer.id,
                    self.public_key,
                    &self.label,
                    now.as_millisecond(),
                ),
                |row| row.get(0),
            )?;
        let device = StoredDevice {
            device: self.device,
            public_key: self.public_key,
            label: self.label.clone(),
            registered_at,
            last_seen: now.as_millisecond(),
        };
        Ok(RegisteredDevice { device, gave_way })
    }

    fn committed(&self, registered: &RegisteredDevice, live: &Live) {
        live.devices.put(self.device, self.peer.peer.clone());
        for &device in &registered.gave_way {
            removed(live, &self.peer, device);
        }
    }
}

impl RegisterDevice {
    fn make_room(&self, db: &Connection) -> rusqlite::Result<Vec<DeviceId>> {
        let mut devices = devices_of(db, self.peer.id)?;
        let too_many = (devices.len() + 1).saturating_sub(self.most.max(1));
        if too_many == 0 {
            return Ok(Vec::new());
        }
        let live = self.presence.devices(&self.peer.peer, Some(&self.peer.peer), Instant::now());
        devices.sort_by_key(|device| (live.contains(&device.device), device.last_seen));
        devices.truncate(too_many);
        devices.iter().map(|device| delete(db, device.device).map(|_| device.device)).collect()
    }
}

/// Forgets a device.
pub(crate) struct RemoveDevice {
    pub(crate) peer: Registration,
    pub(crate) device: DeviceId,
}

impl Command for RemoveDevice {
    /// Whether there was one.
    type Answer = bool;

    fn run(&self, db: &Connection, _now: Timestamp) -> Result<bool, Failure> {
        let removed = db
            .prepare_cached("DELETE FROM devices WHERE device = ?1 AND peer = ?2")?
            .execute((self.device.bytes(), self.peer.id))?;
        Ok(removed > 0)
    }

    fn committed(&self, there_was: &bool, live: &Live) {
        if *there_was {
            removed(live, &self.peer, self.device);
        }
    }
}

/// A device has opened a live stream.
pub(crate) struct SawDevice {
    pub(crate) device: DeviceId,
}

impl Command for SawDevice {
    type Answer = ();

    fn run(&self, db: &Connection, now: Timestamp) -> Result<(), Failure> {
        db.prepare_cached("UPDATE devices SET last_seen = ?2 WHERE device = ?1")?
            .execute((self.device.bytes(), now.as_millisecond()))?;
        Ok(())
    }

    fn committed(&self, (): &(), _live: &Live) {}
}

/// A peer's devices, oldest first.
pub(crate) fn devices_of(db: &Connection, peer: i64) -> rusqlite::Result<Vec<StoredDevice>> {
    db.prepare_cached(
        "SELECT device, public_key, label, registered_at, last_seen FROM devices
         WHERE peer = ?1 ORDER BY registered_at, device",
    )?
    .query_map([peer], |row| {
        Ok(StoredDevice {
            device: DeviceId::new(row.get(0)?),
            public_key: row.get(1)?,
            label: row.get(2)?,
            registered_at: row.get(3)?,
            last_seen: row.get(4)?,
        })
    })?
    .collect()
}

/// A peer gets another owner: devices of the one before must not speak for it.
pub(super) fn forget_devices(db: &Connection, peer: i64) -> rusqlite::Result<Vec<DeviceId>> {
    db.prepare_cached("DELETE FROM devices WHERE peer = ?1 RETURNING device")?
        .query_map([peer], |row| row.get(0).map(DeviceId::new))?
        .collect()
}

fn delete(db: &Connection, device: DeviceId) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM devices WHERE device = ?1")?.execute([device.bytes()])
}

/// First the index, then the streams: one that opens between the two asks the index again.
fn removed(live: &Live, peer: &Registration, device: DeviceId) {
    live.devices.remove(device);
    live.hub.end(&peer.peer, Some(device));
}

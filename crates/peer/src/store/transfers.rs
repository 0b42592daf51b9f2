//! Files under way, those that were received, and what partners must still be told of those that are over.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use wire::p2p::{Digest, FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use crate::event::Direction;

/// How long it is known what was received, and what is still to be told.
const REMEMBERED_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Received files that are known at most; the newest stay.
const RECEIVED: u32 = 1_000;

/// What is kept of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which way it goes.
    pub direction: Direction,
    /// The other side.
    pub peer: PeerId,
    /// What was offered.
    pub offer: FileOffer,
    /// How it stands.
    pub stage: Stage,
}

/// How a kept file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// To be sent from here.
    Sending {
        /// The file.
        path: PathBuf,
        /// Its time of change, in milliseconds since 1970.
        modified: i64,
        /// The device that has accepted it.
        device: Option<DeviceId>,
    },
    /// Accepted by this person.
    Receiving {
        /// The partial file, once there is one.
        part: Option<PathBuf>,
        /// The device that sends it.
        device: DeviceId,
    },
    /// Here, complete.
    Received {
        /// Where.
        path: PathBuf,
        /// The digest over its pieces.
        total: Digest,
    },
    /// It is over, and these devices don't know yet.
    Over {
        /// What to tell them.
        word: Frame,
        /// Whom.
        devices: Vec<DeviceId>,
    },
}

/// Keeps a file as it stands now. `now` in milliseconds since 1970.
///
/// # Errors
/// What SQLite said.
pub fn keep(db: &Connection, kept: &Kept, now: i64) -> rusqlite::Result<()> {
    let text = |value: serde_json::Result<String>| {
        value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    };
    let offer = text(serde_json::to_string(&kept.offer))?;
    let mut columns = Columns::default();
    match &kept.stage {
        Stage::Sending { path, modified, device } => {
            columns.path = Some(path);
            columns.modified = Some(*modified);
            columns.devices = device.map(|device| device.to_string());
        }
        Stage::Receiving { part, device } => {
            columns.stage = 1;
            columns.path = part.as_deref();
            columns.devices = Some(device.to_string());
        }
        Stage::Received { path, total } => {
            columns.stage = 2;
            columns.path = Some(path);
            columns.total = Some(total.to_string());
        }
        Stage::Over { word, devices } => {
            columns.stage = 3;
            columns.word = Some(text(serde_json::to_string(word))?);
            let devices: Vec<String> = devices.iter().map(DeviceId::to_string).collect();
            columns.devices = Some(devices.join(" "));
        }
    }
    db.prepare_cached(
        "INSERT OR REPLACE INTO transfers
         (direction, peer, file, name, offer, stage, path, modified, devices, total, word, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute((
        number(kept.direction),
        kept.peer.folded(),
        kept.offer.file.to_string(),
        kept.peer.as_str(),
        offer,
        columns.stage,
        columns.path.map(|path| path.as_os_str().as_bytes()),
        columns.modified,
        columns.devices,
        columns.total,
        columns.word,
        now,
    ))?;
    Ok(())
}

/// Forgets a file.
///
/// # Errors
/// What SQLite said.
pub fn forget(
    db: &Connection,
    direction: Direction,
    peer: &PeerId,
    file: FileId,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM transfers WHERE direction = ?1 AND peer = ?2 AND file = ?3")?
        .execute((number(direction), peer.folded(), file.to_string()))?;
    Ok(())
}

/// All that is kept, what changed last at the end, without what is too old to matter. `now` in milliseconds since 1970.
///
/// # Errors
/// What SQLite said.
pub fn all(db: &Connection, now: i64) -> rusqlite::Result<Vec<Kept>> {
    db.execute(
        "DELETE FROM transfers WHERE stage >= 2 AND at < ?1",
        [now.saturating_sub(REMEMBERED_MILLIS)],
    )?;
    db.execute(
        "DELETE FROM transfers WHERE stage = 2 AND rowid NOT IN
         (SELECT rowid FROM transfers WHERE stage = 2 ORDER BY at DESC, rowid DESC LIMIT ?1)",
        [RECEIVED],
    )?;
    let mut query = db.prepare_cached(
        "SELECT direction, name, offer, stage, path, modified, devices, total, word
         FROM transfers ORDER BY at, rowid",
    )?;
    let rows = query.query_map([], |row| Ok(read(row)))?;
    // A row that this version can't read is left alone: it stands for a file that is nobody's business here.
    rows.filter_map(|row| row.and_then(|row| row).transpose()).collect()
}

#[derive(Default)]
struct Columns<'a> {
    stage: u8,
    path: Option<&'a Path>,
    modified: Option<i64>,
    devices: Option<String>,
    total: Option<String>,
    word: Option<String>,
}

fn number(direction: Direction) -> u8 {
    match direction {
        Direction::Outgoing => 0,
        Direction::Incoming => 1,
    }
}

/// `None` for what this version doesn't understand.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<Kept>> {
    let direction =
        if row.get::<_, u8>(0)? == 0 { Direction::Outgoing } else { Direction::Incoming };
    let (name, offer): (String, String) = (row.get(1)?, row.get(2)?);
    let path: Option<PathBuf> =
        row.get::<_, Option<Vec<u8>>>(4)?.map(|bytes| OsString::from_vec(bytes).into());
    let devices: Option<String> = row.get(6)?;
    let devices: Vec<DeviceId> =
        devices.iter().flat_map(|all| all.split(' ')).filter_map(|one| one.parse().ok()).collect();
    let modified: Option<i64> = row.get(5)?;
    let total: Option<Digest> =
        row.get::<_, Option<String>>(7)?.and_then(|total| total.parse().ok());
    let word: Option<Frame> =
        row.get::<_, Option<String>>(8)?.and_then(|word| serde_json::from_str(&word).ok());
    let first = devices.first().copied();
    let stage = match (row.get::<_, u8>(3)?, path, modified, first, total, word) {
        (0, Some(path), Some(modified), device, ..) => {
            Some(Stage::Sending { path, modified, device })
        }
        (1, part, _, Some(device), ..) => Some(Stage::Receiving { part, device }),
        (2, Some(path), _, _, Some(total), _) => Some(Stage::Received { path, total }),
        (3, _, _, _, _, Some(word)) => Some(Stage::Over { word, devices }),
        _ => None,
    };
    let peer = PeerId::parse(&name).ok();
    let offer = serde_json::from_str(&offer).ok();
    Ok(match (peer, offer, stage) {
        (Some(peer), Some(offer), Some(stage)) => Some(Kept { direction, peer, offer, stage }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use wire::p2p::CancelReason;

    use super::*;

    fn db() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema/1.sql")).unwrap();
        db
    }

    fn kept(n: u8, stage: Stage) -> Kept {
        let peer = PeerId::parse("Bob").unwrap();
        let direction = match stage {
            Stage::Sending { .. } | Stage::Over { .. } => Direction::Outgoing,
            Stage::Receiving { .. } | Stage::Received { .. } => Direction::Incoming,
        };
        let offer = FileOffer {
            file: FileId::new([n; 16]),
            to: peer.clone(),
            name: "é.txt".to_owned(),
            size: 3,
            mime: String::new(),
            timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
        };
        Kept { direction, peer, offer, stage }
    }

    fn received(n: u8) -> Kept {
        let path = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
        kept(n, Stage::Received { path, total: Digest::new([n; 32]) })
    }

    #[test]
    fn every_stage_comes_back_as_it_was_kept() {
        let db = db();
        let device = DeviceId::new([1; 16]);
        let path = PathBuf::from("/a/é.txt");
        let word = Frame::FileCancel { file: FileId::new([4; 16]), reason: CancelReason::Changed };
        let all_of_them = [
            kept(1, Stage::Sending { path: path.clone(), modified: -5, device: Some(device) }),
            kept(2, Stage::Receiving { part: None, device }),
            received(3),
            kept(4, Stage::Over { word, devices: vec![device, DeviceId::new([2; 16])] }),
        ];
        for (now, kept) in (0..).zip(&all_of_them) {
            keep(&db, kept, now).unwrap();
        }
        assert_eq!(all(&db, 10).unwrap(), all_of_them);
        // The same file again takes the place of what was known.
        let later = kept(2, Stage::Receiving { part: Some(path), device });
        keep(&db, &later, 2).unwrap();
        let now = all(&db, 10).unwrap();
        assert!(now.len() == 4 && now.contains(&later));
        let bob = PeerId::parse("bOB").unwrap();
        forget(&db, Direction::Incoming, &bob, FileId::new([2; 16])).unwrap();
        assert_eq!(all(&db, 10).unwrap().len(), 3);
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_what_is_under_way_is_not() {
        let db = db();
        let device = DeviceId::new([1; 16]);
        keep(&db, &kept(1, Stage::Receiving { part: None, device }), 0).unwrap();
        keep(&db, &received(2), 0).unwrap();
        assert_eq!(all(&db, REMEMBERED_MILLIS).unwrap().len(), 2);
        assert_eq!(all(&db, REMEMBERED_MILLIS + 1).unwrap().len(), 1);
    }
}

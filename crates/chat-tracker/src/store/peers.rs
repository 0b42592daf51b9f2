//! Registering peers, and the first sight of accounts.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use wire::{DeviceId, PeerId};

use super::channels::{Joined, add_member, announce_join};
use super::devices::forget_devices;
use super::{Command, Failure, Live, Refusal};
use crate::peers::{PeerKey, Registration};

/// Where an account comes in.
const FIRST_CHANNEL: &str = "general";

/// Registers a peer or renews its address. An account takes the ownership of a peer that has none; what the
/// guests before it had there ends.
pub(crate) struct Register {
    pub(crate) peer_id: PeerId,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    /// The caller's account; `None` for a guest.
    pub(crate) account: Option<Arc<str>>,
}

/// What registering came to.
pub(crate) struct Registered {
    pub(crate) registration: Registration,
    /// The peer has another owner now.
    taken: Option<Taken>,
}

impl Command for Register {
    type Answer = Registered;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<Registered, Failure> {
        let known = find(db, &self.peer_id)?;
        let taken = known.as_ref().filter(|known| known.owner != self.account);
        let taken = taken.map(|known| known.id);
        let owner = match (&known, &self.account) {
            (Some(Registration { owner: Some(owner), .. }), Some(account)) if owner == account => {
                Some(owner.clone())
            }
            (Some(Registration { owner: Some(_), .. }), _) => return Err(Refusal::NotYours.into()),
            (_, account) => account.clone(),
        };
        let peer = known.map_or_else(|| PeerKey::of(self.peer_id.clone()), |known| known.peer);
        let registration = put(db, peer, self.ip, self.port, owner, now)?;
        let taken = taken.map(|peer| Taken::over(db, peer)).transpose()?;
        Ok(Registered { registration, taken })
    }

    fn committed(&self, answer: &Registered, live: &Live) {
        live.peers.put(answer.registration.clone());
        if let Some(taken) = &answer.taken {
            taken.end(&answer.registration.peer, live);
        }
    }
}

/// A peer that someone else had before.
struct Taken {
    devices: Vec<DeviceId>,
}

impl Taken {
    fn over(db: &Connection, peer: i64) -> rusqlite::Result<Self> {
        Ok(Self { devices: forget_devices(db, peer)? })
    }

    /// Nobody listens or speaks for it any more but its new owner.
    fn end(&self, peer: &PeerKey, live: &Live) {
        self.devices.iter().for_each(|&device| live.devices.remove(device));
        live.hub.end(peer, None);
    }
}

/// An account comes by: the first time it becomes a known peer and joins the first channel. Its own name
/// is its own, even where a guest (or another account) had used it before.
pub(crate) struct SignIn {
    pub(crate) account: Arc<str>,
    pub(crate) name: PeerId,
    /// The caller's address, for a peer that has not registered one.
    pub(crate) ip: IpAddr,
}

/// What a sign-in came to.
pub(crate) struct SignedIn {
    pub(crate) registration: Registration,
    /// The name is new to the account; with what another owner had there.
    new: Option<Option<Taken>>,
    joined: Option<Joined>,
}

impl Command for SignIn {
    type Answer = SignedIn;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<SignedIn, Failure> {
        let known = find(db, &self.name)?;
        match known {
            Some(registration) if registration.owner.as_ref() == Some(&self.account) => {
                Ok(SignedIn { registration, new: None, joined: None })
            }
            known => {
                let taken = known.as_ref().map(|known| Taken::over(db, known.id)).transpose()?;
                let (ip, port) = known.map_or((self.ip, 0), |known| (known.ip, known.port));
                let peer = PeerKey::of(self.name.clone());
                let registration = put(db, peer, ip, port, Some(self.account.clone()), now)?;
                let channel = db
                    .prepare_cached("SELECT id FROM channels WHERE name = ?1 AND NOT private")?
                    .query_row([FIRST_CHANNEL], |row| row.get(0))
                    .optional()?;
                let joined = match channel {
                    Some(channel) => Some(add_member(db, channel, registration.id, now)?),
                    None => None,
                };
                Ok(SignedIn { registration, new: Some(taken), joined })
            }
        }
    }

    fn committed(&self, answer: &SignedIn, live: &Live) {
        let Some(taken) = &answer.new else { return };
        live.peers.put(answer.registration.clone());
        if let Some(taken) = taken {
            taken.end(&answer.registration.peer, live);
        }
        live.channels.respell(&answer.registration.peer);
        let Ok(general) = wire::ChannelName::parse(FIRST_CHANNEL) else { return };
        if let Some(joined) = &answer.joined {
            announce_join(live, &general, &answer.registration.peer, joined);
        }
    }
}

/// The registration of a peer, inside the writer's transaction.
fn find(db: &Connection, id: &PeerId) -> rusqlite::Result<Option<Registration>> {
    db.prepare_cached("SELECT id, name, ip, port, owner FROM peers WHERE folded = ?1")?
        .query_row([id.folded()], super::load::registration)
        .optional()
}

fn put(
    db: &Connection,
    peer: PeerKey,
    ip: IpAddr,
    port: u16,
    owner: Option<Arc<str>>,
    now: Timestamp,
) -> Result<Registration, Failure> {
    let id = db
        .prepare_cached(
            "INSERT INTO peers (folded, name, ip, port, owner, registered_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (folded) DO UPDATE SET
                name = excluded.name, ip = excluded.ip, port = excluded.port, owner = excluded.owner
             RETURNING id",
        )?
        .query_row(
            (
                peer.folded(),
                peer.id().as_str(),
                ip.to_string(),
                port,
                owner.as_deref(),
                now.as_millisecond(),
            ),
            |row| row.get(0),
        )?;
    Ok(Registration { peer, id, ip, port, owner })
}

//! Channels, memberships and read markers.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use wire::ChannelName;
use wire::event::Event;

use super::{Command, Failure, Live, Refusal};
use crate::channels::{Channel, MemberSet};
use crate::hub::Audience;
use crate::peers::{PeerKey, Registration};

/// What joining or leaving came to.
pub(crate) struct Joined {
    /// Whether it changed anything.
    pub(crate) changed: bool,
    /// Members now.
    pub(crate) members_count: usize,
}

/// Makes a channel with its first member.
pub(crate) struct Create {
    pub(crate) peer: Registration,
    pub(crate) channel: ChannelName,
    pub(crate) private: bool,
}

/// A channel that came into being, in the store.
pub(crate) struct Created {
    id: i64,
    pub(crate) joined: Joined,
}

impl Command for Create {
    type Answer = Created;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<Created, Failure> {
        if find(db, &self.channel)?.is_some() {
            return Err(Refusal::ChannelExists.into());
        }
        create(db, &self.channel, self.private, self.peer.id, now)
    }

    fn committed(&self, created: &Created, live: &Live) {
        announce_channel(live, &self.channel, created, self.private);
        announce_join(live, &self.channel, &self.peer.peer, &created.joined);
    }
}

/// Adds a member.
pub(crate) struct Join {
    /// Who asks.
    pub(crate) by: Registration,
    /// Who joins.
    pub(crate) member: Registration,
    pub(crate) channel: ChannelName,
    /// Makes the channel when there is none (as the original call does).
    pub(crate) create: bool,
}

/// What joining came to; with the channel, if it had to be made.
pub(crate) struct JoinedOrMade {
    pub(crate) joined: Joined,
    made: Option<Created>,
}

impl Command for Join {
    type Answer = JoinedOrMade;

    fn run(&self, db: &Connection, now: Timestamp) -> Result<JoinedOrMade, Failure> {
        let Some((channel, private)) = find(db, &self.channel)? else {
            if !self.create {
                return Err(Refusal::NoSuchChannel.into());
            }
            let made = create(db, &self.channel, false, self.member.id, now)?;
            let joined = Joined { changed: true, members_count: made.joined.members_count };
            return Ok(JoinedOrMade { joined, made: Some(made) });
        };
        let adds_another = self.by.peer != self.member.peer;
        if (private || adds_another) && !is_member(db, channel, self.by.id)? {
            return Err(if private { Refusal::Private } else { Refusal::NotAMember }.into());
        }
        Ok(JoinedOrMade { joined: add_member(db, channel, self.member.id, now)?, made: None })
    }

    fn committed(&self, answer: &JoinedOrMade, live: &Live) {
        if let Some(made) = &answer.made {
            announce_channel(live, &self.channel, made, false);
        }
        announce_join(live, &self.channel, &self.member.peer, &answer.joined);
    }
}

/// Takes a member out. Leaving a channel one is not in is no error.
pub(crate) struct Leave {
    pub(crate) peer: Registration,
    pub(crate) channel: ChannelName,
}

impl Command for Leave {
    type Answer = Joined;

    fn run(&self, db: &Connection, _now: Timestamp) -> Result<Joined, Failure> {
        let (channel, private) = find(db, &self.channel)?.ok_or(Refusal::NoSuchChannel)?;
        let changed = db
            .prepare_cached("DELETE FROM members WHERE channel = ?1 AND peer = ?2")?
            .execute((channel, self.peer.id))?
            > 0;
        if private && !changed {
            return Err(Refusal::NoSuchChannel.into());
        }
        Ok(Joined { changed, members_count: count_members(db, channel)? })
    }

    fn committed(&self, left: &Joined, live: &Live) {
        if !left.changed {
            return;
        }
        // Those who were in it are told, the one who left included.
        if let Some((before, _)) = live.channels.set_member(&self.channel, &self.peer.peer, false) {
            let event = Event::Membership {
                channel: self.channel.clone(),
                peer_id: self.peer.peer.id().clone(),
                joined: false,
                members_count: left.members_count,
            };
            live.hub.publish(Audience::Channel(before), &event);
        }
    }
}

/// Moves a read marker forward, to the newest message at most.
pub(crate) struct MarkRead {
    pub(crate) peer: Registration,
    pub(crate) channel: Channel,
    pub(crate) seq: u64,
}

/// Where a read marker is.
pub(crate) struct Marker {
    pub(crate) read_seq: u64,
    pub(crate) head: u64,
    changed: bool,
}

impl Command for MarkRead {
    type Answer = Marker;

    fn run(&self, db: &Connection, _now: Timestamp) -> Result<Marker, Failure> {
        if !is_member(db, self.channel.id, self.peer.id)? {
            return Err(Refusal::NotAMember.into());
        }
        let head: u64 = db
            .prepare_cached("SELECT head FROM channels WHERE id = ?1")?
            .query_row([self.channel.id], |row| row.get(0))?;
        let before = read_seq(db, self.peer.id, self.channel.id)?;
        let read_seq = before.max(self.seq.min(head));
        if read_seq > before {
            move_marker(db, self.peer.id, self.channel.id, read_seq)?;
        }
        Ok(Marker { read_seq, head, changed: read_seq > before })
    }

    fn committed(&self, marker: &Marker, live: &Live) {
        if marker.changed {
            let channel = self.channel.name.clone();
            let event = Event::Read { channel, read_seq: marker.read_seq };
            live.hub.publish(Audience::peer(self.peer.peer.clone()), &event);
        }
    }
}

/// A peer's read markers, by the channel's key.
pub(crate) fn markers(
    db: &Connection,
    peer: i64,
) -> rusqlite::Result<std::collections::HashMap<i64, u64>> {
    db.prepare_cached("SELECT channel, read_seq FROM markers WHERE peer = ?1")?
        .query_map([peer], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn find(db: &Connection, name: &ChannelName) -> rusqlite::Result<Option<(i64, bool)>> {
    db.prepare_cached("SELECT id, private FROM channels WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn create(
    db: &Connection,
    name: &ChannelName,
    private: bool,
    first: i64,
    now: Timestamp,
) -> Result<Created, Failure> {
    let id = db
        .prepare_cached(
            "INSERT INTO channels (name, private, created_at) VALUES (?1, ?2, ?3) RETURNING id",
        )?
        .query_row((name.as_str(), private, now.as_millisecond()), |row| row.get(0))?;
    Ok(Created { id, joined: add_member(db, id, first, now)? })
}

/// Adds a member. What was said before it came counts as read: a newcomer isn't met by thousands of
/// unread messages.
pub(super) fn add_member(
    db: &Connection,
    channel: i64,
    peer: i64,
    now: Timestamp,
) -> rusqlite::Result<Joined> {
    let changed = db
        .prepare_cached(
            "INSERT INTO members (channel, peer, joined_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute((channel, peer, now.as_millisecond()))?
        > 0;
    if changed {
        db.prepare_cached(
            "INSERT INTO markers (peer, channel, read_seq)
             SELECT ?1, id, head FROM channels WHERE id = ?2
             ON CONFLICT (peer, channel) DO UPDATE SET read_seq = excluded.read_seq",
        )?
        .execute((peer, channel))?;
    }
    Ok(Joined { changed, members_count: count_members(db, channel)? })
}

pub(super) fn is_member(db: &Connection, channel: i64, peer: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM members WHERE channel = ?1 AND peer = ?2")?
        .exists((channel, peer))
}

fn count_members(db: &Connection, channel: i64) -> rusqlite::Result<usize> {
    db.prepare_cached("SELECT count(*) FROM members WHERE channel = ?1")?
        .query_row([channel], |row| row.get(0))
}

fn read_seq(db: &Connection, peer: i64, channel: i64) -> rusqlite::Result<u64> {
    let found = db
        .prepare_cached("SELECT read_seq FROM markers WHERE peer = ?1 AND channel = ?2")?
        .query_row((peer, channel), |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// Sets a marker; never back.
pub(super) fn move_marker(
    db: &Connection,
    peer: i64,
    channel: i64,
    seq: u64,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO markers (peer, channel, read_seq) VALUES (?1, ?2, ?3)
         ON CONFLICT (peer, channel) DO UPDATE SET read_seq = max(read_seq, excluded.read_seq)",
    )?
    .execute((peer, channel, seq))?;
    Ok(())
}

fn announce_channel(live: &Live, name: &ChannelName, created: &Created, private: bool) {
    live.channels.put(Channel {
        name: name.clone(),
        id: created.id,
        private,
        members: std::sync::Arc::new(MemberSet::default()),
        head: 0,
    });
    if !private {
        live.hub.publish(Audience::Everyone, &Event::Channel { channel: name.clone() });
    }
}

/// The index follows a join, and the members are told, the new one included.
pub(super) fn announce_join(live: &Live, name: &ChannelName, peer: &PeerKey, joined: &Joined) {
    if !joined.changed {
        return;
    }
    if let Some((_, members)) = live.channels.set_member(name, peer, true) {
        let event = Event::Membership {
            channel: name.clone(),
            peer_id: peer.id().clone(),
            joined: true,
            members_count: joined.members_count,
        };
        live.hub.publish(Audience::Channel(members), &event);
    }
}

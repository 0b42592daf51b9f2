//! Channels, memberships and read markers.

use std::time::Instant;

use service::Problem;
use wire::chat::{
    Channel, Channels, CreateChannel, JoinChannel, ListChannels, ListMembers, MarkRead, Members,
    Membership, ReadMarker, Scope,
};
use wire::tracker::{AddList, Added};

use super::check_room;
use crate::answer::{no_such_channel, not_a_member, problem};
use crate::caller::{Caller, not_registered};
use crate::store::{self, Create, Join, Leave, markers};
use crate::tracker::Tracker;

/// `POST /add-list`
///
/// # Errors
/// An unknown or foreign peer, a private channel, the store.
pub async fn add_list(
    tracker: &Tracker,
    caller: &Caller,
    request: AddList,
) -> Result<Added, Problem> {
    let peer = caller.acting_as(tracker, Some(&request.peer_id))?;
    let channel = request.channel;
    if tracker.channels.get(&channel).is_none() {
        check_channels(tracker)?;
    }
    let join = Join { by: peer.clone(), member: peer, channel: channel.clone(), create: true };
    let answer = tracker.store.write(join).await.map_err(problem)?;
    Ok(Added {
        message: format!("Added to channel {channel}"),
        channel,
        members_count: answer.joined.members_count,
    })
}

/// `GET /chat/channels`
///
/// # Errors
/// An unknown or foreign peer, the store.
pub async fn channels(
    tracker: &Tracker,
    caller: &Caller,
    request: &ListChannels,
) -> Result<Channels, Problem> {
    let peer = match request.scope {
        Scope::Mine => Some(caller.acting_as(tracker, request.peer_id.as_ref())?),
        Scope::All => caller.acting_as_or_guest(tracker, request.peer_id.as_ref())?,
    };
    let read = match &peer {
        Some(peer) => {
            let id = peer.id;
            tracker.store.read(move |db| markers(db, id)).await.map_err(problem)?
        }
        None => Default::default(),
    };
    let peer = peer.as_ref().map(|peer| &peer.peer);
    let found = match (request.scope, peer) {
        (Scope::Mine, Some(peer)) => tracker.channels.of(peer),
        (_, peer) => tracker.channels.visible_to(peer),
    };
    let channels: Vec<Channel> = found
        .into_iter()
        .map(|channel| {
            let read_seq = read.get(&channel.id).copied().unwrap_or(0);
            Channel {
                joined: peer.is_some_and(|peer| channel.members.contains(peer)),
                channel: channel.name,
                private: channel.private,
                members_count: channel.members.len(),
                head_seq: channel.head,
                read_seq,
                unread: channel.head.saturating_sub(read_seq),
            }
        })
        .collect();
    Ok(Channels { count: channels.len(), channels })
}

/// `POST /chat/channels`
///
/// # Errors
/// An unknown or foreign peer, a name that is taken, the store.
pub async fn create(
    tracker: &Tracker,
    caller: &Caller,
    request: CreateChannel,
) -> Result<Membership, Problem> {
    let peer = caller.acting_as(tracker, request.peer_id.as_ref())?;
    check_channels(tracker)?;
    let peer_id = peer.peer.id().clone();
    let channel = request.channel;
    let create = Create { peer, channel: channel.clone(), private: request.private };
    let created = tracker.store.write(create).await.map_err(problem)?;
    Ok(Membership { channel, peer_id, joined: true, members_count: created.joined.members_count })
}

/// `POST /chat/channels/join`
///
/// # Errors
/// An unknown or foreign peer, an unknown or private channel, the store.
pub async fn join(
    tracker: &Tracker,
    caller: &Caller,
    request: JoinChannel,
) -> Result<Membership, Problem> {
    let by = caller.acting_as(tracker, request.peer_id.as_ref())?;
    let member = match &request.member {
        Some(id) => tracker.peers.get(id).ok_or_else(|| not_registered(id))?,
        None => by.clone(),
    };
    let peer_id = member.peer.id().clone();
    let channel = request.channel;
    let join = Join { by, member, channel: channel.clone(), create: false };
    let answer = tracker.store.write(join).await.map_err(problem)?;
    Ok(Membership { channel, peer_id, joined: true, members_count: answer.joined.members_count })
}

/// `POST /chat/channels/leave`
///
/// # Errors
/// An unknown or foreign peer, an unknown channel, the store.
pub async fn leave(
    tracker: &Tracker,
    caller: &Caller,
    request: JoinChannel,
) -> Result<Membership, Problem> {
    let peer = caller.acting_as(tracker, request.peer_id.as_ref())?;
    let peer_id = peer.peer.id().clone();
    let channel = request.channel;
    let left = tracker.store.write(Leave { peer, channel: channel.clone() }).await;
    let left = left.map_err(problem)?;
    Ok(Membership { channel, peer_id, joined: false, members_count: left.members_count })
}

/// `GET /chat/members`
///
/// # Errors
/// An unknown channel, a private one of which the caller isn't a member.
pub fn members(
    tracker: &Tracker,
    caller: &Caller,
    request: ListMembers,
) -> Result<Members, Problem> {
    let reader = caller.acting_as_or_guest(tracker, request.peer_id.as_ref())?;
    let channel = tracker.channels.get(&request.channel).ok_or_else(no_such_channel)?;
    if channel.private
        && !reader.as_ref().is_some_and(|reader| channel.members.contains(&reader.peer))
    {
        return Err(not_a_member());
    }
    let asker = reader.as_ref().map(|reader| &reader.peer);
    let members = tracker.presence.presences(channel.members.iter(), asker, Instant::now());
    Ok(Members { channel: request.channel, count: members.len(), members })
}

/// `POST /chat/read`
///
/// # Errors
/// An unknown or foreign peer, an unknown channel or one that the peer isn't in, the store.
pub async fn mark_read(
    tracker: &Tracker,
    caller: &Caller,
    request: MarkRead,
) -> Result<ReadMarker, Problem> {
    let peer = caller.acting_as(tracker, request.peer_id.as_ref())?;
    let channel = tracker.channels.get(&request.channel).ok_or_else(no_such_channel)?;
    let mark = store::MarkRead { peer, channel, seq: request.seq };
    let marker = tracker.store.write(mark).await.map_err(problem)?;
    Ok(ReadMarker {
        channel: request.channel,
        read_seq: marker.read_seq,
        unread: marker.head.saturating_sub(marker.read_seq),
    })
}

fn check_channels(tracker: &Tracker) -> Result<(), Problem> {
    let most = tracker.limits.channels_max;
    check_room(tracker.channels.count(), most, "too_many_channels", "channels")
}

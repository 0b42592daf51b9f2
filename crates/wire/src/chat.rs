//! The newer calls, under `/chat/`. Where a call takes an optional `peer_id`, a caller with an identity
//! may leave it out and acts under the account's own name; a guest must give it.

use serde::{Deserialize, Serialize};

use crate::device::DeviceId;
use crate::tracker::Delivery;
use crate::{ChannelName, MessageId, PeerId};

/// Answer to `GET /chat/me`: as whom the tracker sees the caller.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The account's name; `null` for a guest.
    pub peer_id: Option<PeerId>,
    /// Whether the caller came without an identity.
    pub guest: bool,
    /// `admin`, `member`, `bot`; empty for a guest.
    pub roles: Vec<String>,
}

/// Which channels to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Those the peer is a member of.
    #[default]
    Mine,
    /// Those, and all public ones.
    All,
}

/// `GET /chat/channels`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListChannels {
    /// Whose memberships and read markers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// `mine` (default) or `all`.
    #[serde(default)]
    pub scope: Scope,
}

/// Answer to [`ListChannels`], by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Channels {
    /// The channels.
    pub channels: Vec<Channel>,
    /// How many.
    pub count: usize,
}

/// A channel as one peer sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Channel {
    /// Its name.
    pub channel: ChannelName,
    /// Only members see it and read it.
    pub private: bool,
    /// Whether the peer is a member.
    pub joined: bool,
    /// Its members.
    pub members_count: usize,
    /// The newest message's `seq`; 0 when it is empty.
    pub head_seq: u64,
    /// The peer's read marker; 0 when nothing was read.
    pub read_seq: u64,
    /// `head_seq - read_seq`.
    pub unread: u64,
}

/// `POST /chat/channels`: makes a channel and joins it. 409 `channel_exists` when there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateChannel {
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Its name.
    pub channel: ChannelName,
    /// Only members see it; a member adds others with [`JoinChannel::member`].
    #[serde(default)]
    pub private: bool,
}

/// `POST /chat/channels/join` (404 when there is no such channel) and `POST /chat/channels/leave`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinChannel {
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Which channel.
    pub channel: ChannelName,
    /// Join only: adds this peer instead of the caller, who must be a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<PeerId>,
}

/// Answer to creating, joining and leaving.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Membership {
    /// Which channel.
    pub channel: ChannelName,
    /// Who joined or left.
    pub peer_id: PeerId,
    /// Whether it is a member now.
    pub joined: bool,
    /// Members now.
    pub members_count: usize,
}

/// `GET /chat/members`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListMembers {
    /// Which channel.
    pub channel: ChannelName,
    /// Who asks; needed by guests for a private channel only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
}

/// Answer to [`ListMembers`], by id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Members {
    /// Which channel.
    pub channel: ChannelName,
    /// Its members.
    pub members: Vec<Presence>,
    /// How many.
    pub count: usize,
}

/// Whether a peer is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Presence {
    /// Who.
    pub peer_id: PeerId,
    /// Heard from lately.
    pub active: bool,
    /// Holds a live stream right now.
    pub online: bool,
    /// When it was last heard from (RFC 3339, UTC); `null` when not since the tracker started.
    pub last_seen: Option<String>,
    /// Its devices that hold a live stream right now, in no order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceId>,
}

/// Answer to `GET /chat/peers`: all known peers, for choosing whom to write to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Peers {
    /// By id.
    pub peers: Vec<Presence>,
    /// How many.
    pub count: usize,
}

/// `POST /chat/read`: moves the read marker forward; it never moves back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MarkRead {
    /// Whose marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Which channel.
    pub channel: ChannelName,
    /// The newest message that was read.
    pub seq: u64,
}

/// Answer to [`MarkRead`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadMarker {
    /// Which channel.
    pub channel: ChannelName,
    /// Where the marker is now.
    pub read_seq: u64,
    /// What is left to read.
    pub unread: u64,
}

/// `GET /chat/mailbox`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct GetMailbox {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Messages at most: 1-200, 50 by default. After acknowledging a page, ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 200),
        param(minimum = 1, maximum = 200)
    )]
    pub limit: Option<u32>,
}

/// Answer to [`GetMailbox`]: what waits to be acknowledged, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mailbox {
    /// The messages.
    pub messages: Vec<DirectMessage>,
    /// How many are in this page.
    pub count: usize,
    /// Whether more wait.
    pub more: bool,
}

/// A direct message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DirectMessage {
    /// Its id; the receiver keeps one copy of it.
    pub id: MessageId,
    /// Who sent it.
    pub from: PeerId,
    /// To whom.
    pub to: PeerId,
    /// Its text.
    pub message: String,
    /// When it was stored (RFC 3339, UTC).
    pub timestamp: String,
}

/// `POST /chat/mailbox/ack`: the receiver has stored these; the tracker forgets their text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AckMailbox {
    /// Whose mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Which messages: 1-500 senders and ids.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 500))]
    pub messages: Vec<DirectRef>,
}

/// Names a direct message: an id is unique only for its sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DirectRef {
    /// Who sent it.
    pub from: PeerId,
    /// Its id.
    pub id: MessageId,
}

/// Answer to [`AckMailbox`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acked {
    /// How many had been waiting; acknowledging twice is no error.
    pub acked: usize,
}

/// `POST /chat/direct/status`: the sender asks how far its messages have come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskDelivery {
    /// Who sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Which: 1-500 ids.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 500))]
    pub ids: Vec<MessageId>,
}

/// Answer to [`AskDelivery`], in the order asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deliveries {
    /// Each id's state.
    pub deliveries: Vec<DeliveryState>,
}

/// One message's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryState {
    /// Which message.
    pub id: MessageId,
    /// How far it has come.
    pub delivery: Delivery,
}

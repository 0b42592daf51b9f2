//! The seven calls of the original API. Their fields keep the original names; some were added.

use serde::{Deserialize, Serialize};

use crate::{ChannelName, MessageId, PeerId};

/// Where a peer says it listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerInfo {
    /// Who.
    pub peer_id: PeerId,
    /// Its IP address, as it said.
    pub ip: String,
    /// Its UDP port; 0 for a browser, which listens on none.
    #[cfg_attr(feature = "openapi", schema(maximum = 65535))]
    pub port: u16,
    /// `false` when the peer is known but away; left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// `POST /submit-info`: registers a peer or renews its address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitInfo {
    /// Who.
    pub peer_id: PeerId,
    /// Its IPv4 or IPv6 address.
    #[cfg_attr(feature = "openapi", schema(schema_with = address))]
    pub ip: String,
    /// Its port, 0-65535.
    #[cfg_attr(feature = "openapi", schema(maximum = 65535))]
    pub port: u16,
}

/// A text that is an IPv4 or an IPv6 address.
#[cfg(feature = "openapi")]
fn address() -> utoipa::openapi::Schema {
    use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
    let text = |format| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.format(Some(SchemaFormat::KnownFormat(format)))
    };
    AnyOfBuilder::new().item(text(KnownFormat::Ipv4)).item(text(KnownFormat::Ipv6)).build().into()
}

/// Answer to [`SubmitInfo`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Submitted {
    /// `Peer registered`
    pub message: String,
    /// Who.
    pub peer_id: PeerId,
}

/// Answer to `GET /get-list`: the active peers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerList {
    /// Active peers, by id.
    pub peers: Vec<ListedPeer>,
    /// How many.
    pub count: usize,
}

/// One active peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedPeer {
    /// Who.
    pub peer_id: PeerId,
    /// Its IP address, as it said.
    pub ip: String,
    /// Its port.
    #[cfg_attr(feature = "openapi", schema(maximum = 65535))]
    pub port: u16,
    /// When it was last heard from (RFC 3339, UTC).
    pub last_seen: String,
}

/// `POST /add-list`: joins a channel, which comes into being with its first member.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddList {
    /// Who joins.
    pub peer_id: PeerId,
    /// Which channel.
    pub channel: ChannelName,
}

/// Answer to [`AddList`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Added {
    /// `Added to channel NAME`
    pub message: String,
    /// Which channel.
    pub channel: ChannelName,
    /// Its members, the new one included.
    pub members_count: usize,
}

/// `POST /connect-peer`: asks where another peer is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectPeer {
    /// Who asks.
    pub from_peer: PeerId,
    /// Whom it wants to reach.
    pub to_peer: PeerId,
}

/// Answer to [`ConnectPeer`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Connected {
    /// `Peer info retrieved`
    pub message: String,
    /// Where it is.
    pub peer_info: PeerInfo,
}

/// `POST /broadcast-peer`: a message to a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BroadcastPeer {
    /// Who sends; must be a member.
    pub peer_id: PeerId,
    /// To which channel.
    pub channel: ChannelName,
    /// The text: 1 byte to 16 KiB.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub message: String,
    /// The client's own id: a retry with the same id gives the first result again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
}

/// Answer to [`BroadcastPeer`], given after the message is on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Broadcasted {
    /// `Message broadcasted`
    pub message: String,
    /// The other members.
    pub recipients: Vec<PeerId>,
    /// The channel.
    pub channel: ChannelName,
    /// The message's id, the client's own where it gave one.
    pub id: MessageId,
    /// Its place in the channel's log: 1, 2, 3, … without gaps.
    pub seq: u64,
    /// When it was stored (RFC 3339, UTC).
    pub timestamp: String,
    /// `true` when this id had been stored before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `POST /send-peer`: a direct message by way of the recipient's mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendPeer {
    /// Who sends.
    pub from_peer: PeerId,
    /// To whom.
    pub to_peer: PeerId,
    /// The text: 1 byte to 16 KiB.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub message: String,
    /// The client's own id: a retry with the same id gives the first result again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
}

/// Answer to [`SendPeer`], given after the message is on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sent {
    /// `Message sent`
    pub message: String,
    /// Where the recipient is.
    pub peer_info: PeerInfo,
    /// The message's id.
    pub id: MessageId,
    /// When it was stored (RFC 3339, UTC).
    pub timestamp: String,
    /// `queued` until the recipient has acknowledged it, then `delivered`.
    pub delivery: Delivery,
    /// `true` when this id had been stored before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// How far a direct message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// In the recipient's mailbox, on disk.
    Queued,
    /// Acknowledged by the recipient.
    Delivered,
    /// Nothing is known of it: never sent, or forgotten after its time.
    Unknown,
}

/// `GET` or `POST /get-messages`, and `GET /chat/messages`: a page of a channel's history.
///
/// Without a bound it is the newest page; `before_seq` pages back, `after_seq` pages forward.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct GetMessages {
    /// Which channel.
    pub channel: ChannelName,
    /// Who reads; needed by guests for a private channel only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Messages at most: 1-200, 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 200),
        param(minimum = 1, maximum = 200)
    )]
    pub limit: Option<u32>,
    /// Only messages before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<u64>,
    /// Only messages after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<u64>,
}

/// Answer to [`GetMessages`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Messages {
    /// Which channel.
    pub channel: ChannelName,
    /// Oldest first.
    pub messages: Vec<StoredMessage>,
    /// How many are in this page.
    pub count: usize,
    /// The newest message's `seq` in the channel; 0 when it is empty.
    pub head_seq: u64,
}

/// One message of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredMessage {
    /// Who sent it.
    pub from: PeerId,
    /// Its text.
    pub message: String,
    /// When it was stored (RFC 3339, UTC).
    pub timestamp: String,
    /// Its place in the channel's log.
    pub seq: u64,
    /// Its id.
    pub id: MessageId,
}

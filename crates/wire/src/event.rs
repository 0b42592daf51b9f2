//! What a live stream carries.
//!
//! `GET /chat/events` (Server-Sent Events) and `GET /chat/ws` (WebSocket) carry the same events. Each
//! has a cursor `epoch:offset`: the `id:` line of an SSE event, the `cursor` field of a WebSocket
//! message. A client that comes back with its last cursor (`Last-Event-ID`, or `?cursor=`) gets what it
//! missed, once; when that can't be had any more it gets [`Event::Reset`], reloads, and goes on from
//! the cursor of that event.

use serde::{Deserialize, Serialize};

use crate::chat::{DirectMessage, DirectRef, Presence};
use crate::signal::{SendSignal, Signalling};
use crate::tracker::{BroadcastPeer, SendPeer, StoredMessage};
use crate::{ChannelName, MessageId, PeerId};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// First on every stream.
    Hello {
        /// As whom the stream listens.
        peer_id: PeerId,
        /// Seconds between heartbeats; three missed ones mean the link is dead.
        heartbeat: u32,
    },
    /// A message in a channel of the peer, its own included.
    Message {
        /// Which channel.
        channel: ChannelName,
        /// The message.
        #[serde(flatten)]
        message: StoredMessage,
    },
    /// A direct message to the peer, or one that it sent from another device.
    Direct(DirectMessage),
    /// The recipient has acknowledged a direct message of the peer.
    Delivered {
        /// Which message.
        id: MessageId,
        /// By whom.
        to: PeerId,
    },
    /// Someone who shares a channel with the peer came or went.
    Presence(Presence),
    /// Someone joined or left a channel of the peer; or the peer itself did.
    Membership {
        /// Which channel.
        channel: ChannelName,
        /// Who.
        peer_id: PeerId,
        /// Whether it is a member now.
        joined: bool,
        /// Members now.
        members_count: usize,
    },
    /// A public channel was made.
    Channel {
        /// Its name.
        channel: ChannelName,
    },
    /// The peer's read marker moved, on another device perhaps.
    Read {
        /// Which channel.
        channel: ChannelName,
        /// Where it is now.
        read_seq: u64,
    },
    /// Another device wants to tell this one something about a link. It has no cursor and is not replayed.
    Signal(Signalling),
    /// What was missed can't be told one by one: reload channels, unread counts, history and mailbox.
    Reset {
        /// `too_old`, `restarted` or `slow_reader`.
        reason: ResetReason,
    },
}

/// Why a stream could not be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The cursor is older than what the tracker keeps.
    TooOld,
    /// The tracker restarted since.
    Restarted,
    /// The reader was too slow for its queue; the stream ends after this event.
    SlowReader,
}

/// What a client sends over `GET /chat/ws`. `ref` comes back in the answer, which has `"type":"reply"`,
/// the HTTP status as `code_http`, and the fields that the HTTP call would have answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// As `POST /broadcast-peer`.
    Broadcast(BroadcastPeer),
    /// As `POST /send-peer`.
    Send(SendPeer),
    /// As `POST /chat/mailbox/ack`.
    Ack {
        /// Which messages.
        messages: Vec<DirectRef>,
    },
    /// As `POST /chat/read`.
    Read {
        /// Which channel.
        channel: ChannelName,
        /// The newest message that was read.
        seq: u64,
    },
    /// As `POST /chat/signal`.
    Signal(SendSignal),
    /// Answered with `{"type":"pong"}`.
    Ping,
}

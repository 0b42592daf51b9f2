//! The JSON of hybrid chat: what callers, the tracker and backend-auth say to each other.
//!
//! # Layout
//! - [`ids`]: [`PeerId`], [`ChannelName`], [`MessageId`]: names that cannot be wrong once parsed.
//! - [`limits`]: sizes and counts that both sides of the wire know.
//! - [`tracker`]: the seven calls of the original API: requests and answers.
//! - [`chat`]: the newer calls under `/chat/`: channels, members, history, read markers, mailbox.
//! - [`event`]: what a live stream carries, and the commands a WebSocket takes.
//! - [`auth`]: accounts and sessions: register, log in, tokens, invites.
//! - [`account`]: one's own sessions and tokens.
//! - [`admin`]: what administrators ask: accounts, the audit log.
//! - [`device`]: a peer's devices and their keys.
//! - [`signal`]: how two devices agree on a link, by way of the tracker.
//! - [`p2p`]: what linked devices say to each other.
//! - `headers`: headers of answers, for the OpenAPI documents (feature `openapi`).
//! - [`hex`]: ids and digests in hex.
//! - [`identity`]: the claims of the signed identity that backend-auth mints and the tracker verifies.
//!
//! Every answer has `"status": "success"`, which the types here leave to [`Success`]; errors are the
//! envelope of the `service` crate.

pub mod account;
pub mod admin;
pub mod auth;
pub mod chat;
pub mod device;
pub mod event;
pub mod factors;
#[cfg(feature = "openapi")]
pub mod headers;
pub mod hex;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod p2p;
pub mod signal;
pub mod tracker;

pub use device::DeviceId;
pub use ids::{ChannelName, MessageId, PeerId};

use serde::{Deserialize, Serialize};

/// What someone calls a thing of theirs, as the OpenAPI documents have it: not blank, and without control characters.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
pub struct Label(#[expect(dead_code, reason = "it is read by the derive only")] String);

/// `"status": "success"` around an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Success<T> {
    /// Always `success`; an error has an envelope of its own.
    pub status: Status,
    /// The fields of the answer, beside `status`.
    #[serde(flatten)]
    pub answer: T,
}

/// The one value of `status` in a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The call did what was asked.
    #[default]
    Success,
}

impl<T> Success<T> {
    /// Wraps an answer.
    pub fn of(answer: T) -> Self {
        Self { status: Status::Success, answer }
    }
}

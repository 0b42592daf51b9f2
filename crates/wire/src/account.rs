//! What people ask backend-auth about their own account: where they are signed in, and their tokens.

use serde::{Deserialize, Serialize};

/// Answer to `GET /auth/sessions`: where the caller is signed in, the latest use first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sessions {
    /// The sessions.
    pub sessions: Vec<Session>,
}

/// A session of the caller's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its public id; not its token.
    pub id: String,
    /// The one that asks.
    pub current: bool,
    /// A name for the device, made from its User-Agent: `Firefox on Linux`.
    pub device: String,
    /// The address from which it signed in.
    pub ip: String,
    /// When (RFC 3339, UTC).
    pub created_at: String,
    /// When it was last used (RFC 3339, UTC).
    pub last_seen: String,
    /// When it ends in any case (RFC 3339, UTC).
    pub ends_at: String,
    /// Asked to stay signed in.
    pub remember: bool,
}

/// `POST /auth/sessions/revoke`: ends one session, or several; one of the two fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeSessions {
    /// The id of the one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub which: Option<WhichSessions>,
}

/// Several sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WhichSessions {
    /// All but the one that asks.
    Others,
    /// All.
    All,
}

/// Answer to [`RevokeSessions`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revoked {
    /// Sessions that ended.
    pub ended: usize,
}

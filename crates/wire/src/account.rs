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

/// [`RevokeSessions`] as the OpenAPI document has it: exactly one of the two.
#[cfg(feature = "openapi")]
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum RevokeOneOf {
    /// One session.
    One {
        /// Its id.
        id: String,
    },
    /// Several.
    Several {
        /// Which ones.
        which: WhichSessions,
    },
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

/// `POST /auth/tokens`: a personal access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateToken {
    /// What its owner calls it, 1-64 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::Label))]
    pub name: String,
    /// What it may do: `chat:read`, `chat:write` (both by default), and for administrators `audit:read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Scope>>, min_items = 1))]
    pub scopes: Option<Vec<String>>,
    /// Seconds that it lives: 60 to 366 days, 90 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 60, maximum = 31_622_400))]
    pub expires_in: Option<u64>,
}

/// What a token may do, as the OpenAPI document has it.
#[cfg(feature = "openapi")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub enum Scope {
    /// Look and listen.
    #[serde(rename = "chat:read")]
    Read,
    /// Say and change.
    #[serde(rename = "chat:write")]
    Write,
    /// Read the audit log.
    #[serde(rename = "audit:read")]
    Audit,
}

/// Answer to [`CreateToken`]: the only time that the token is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The token itself: `chat_pat_` and 43 characters.
    pub token: String,
    /// What there is to know of it later.
    #[serde(flatten)]
    pub about: Token,
}

/// A personal access token, as its owner sees it later.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made (RFC 3339, UTC).
    pub created_at: String,
    /// When it ends (RFC 3339, UTC).
    pub expires_at: String,
    /// When it was last used (RFC 3339, UTC; to the minute).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// Answer to `GET /auth/tokens`, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// The tokens.
    pub tokens: Vec<Token>,
}

/// `POST /auth/tokens/revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeToken {
    /// Its public id.
    pub id: String,
}

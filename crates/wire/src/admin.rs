//! What administrators ask backend-auth, under `/auth/admin/`.

use serde::{Deserialize, Serialize};

/// `GET /auth/admin/users`: which accounts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListUsers {
    /// A part of the name, in any case.
    #[serde(default)]
    pub q: Option<String>,
    /// `admin`, `member` or `bot`; empty for all.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^(admin|member|bot)?$"),
        param(pattern = "^(admin|member|bot)?$")
    )]
    pub role: Option<String>,
    /// Disabled ones only, or none of them.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Names after this one: `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
    /// Accounts in the answer, 1-200; 100 by default.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 200),
        param(minimum = 1, maximum = 200)
    )]
    pub limit: Option<usize>,
}

/// Answer to [`ListUsers`], by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Users {
    /// The accounts.
    pub users: Vec<User>,
    /// `after` of the next page, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An account as an administrator sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Never changes, never given twice.
    pub user_id: String,
    /// The name as it was registered.
    pub username: String,
    /// `admin`, `member` or `bot`.
    pub role: String,
    /// Can't sign in, and nothing of it works.
    pub disabled: bool,
    /// When it was made (RFC 3339, UTC).
    pub created_at: String,
    /// Its sessions.
    pub sessions: u64,
    /// It can be signed in to by OpenID Connect.
    #[serde(default)]
    pub linked: bool,
    /// It has an authenticator app or a passkey.
    #[serde(default)]
    pub factors: bool,
    /// When one of its sessions was last used (RFC 3339, UTC; to the minute).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

/// The account that something is done to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AboutUser {
    /// The account's id.
    pub user_id: String,
}

/// `POST /auth/admin/users/role`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetRole {
    /// The account's id.
    pub user_id: String,
    /// `admin` or `member`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(admin|member)$"))]
    pub role: String,
}

/// Answer to a change of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedUser {
    /// The account's id.
    pub user_id: String,
    /// Its name.
    pub username: String,
    /// `admin`, `member` or `bot`.
    pub role: String,
    /// Can't sign in, and nothing of it works.
    pub disabled: bool,
    /// Sessions that ended with the change, and tokens that were in use.
    pub ended_sessions: usize,
}

/// Answer to `POST /auth/admin/users/reset-link`: the only time that the link is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResetLink {
    /// Whose password it is.
    pub username: String,
    /// 128 random bits, base64url; for `POST /reset`.
    pub code: String,
    /// The path that a browser opens: `/reset#code=CODE`. What follows the `#` stays in the browser.
    pub path: String,
    /// When it ends (RFC 3339, UTC).
    pub expires_at: String,
}

/// `POST /auth/admin/bots`: an account for a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateBot {
    /// Its name: a valid [`crate::PeerId`] that nobody has or had.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::PeerId))]
    pub username: String,
}

/// `POST /auth/admin/tokens`: a token for a bot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateBotToken {
    /// The bot's account.
    pub user_id: String,
    /// The token.
    #[serde(flatten)]
    pub token: crate::account::CreateToken,
}

/// `POST /auth/admin/tokens/revoke`: takes a token of any account back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeUserToken {
    /// The account.
    pub user_id: String,
    /// The token's public id.
    pub id: String,
}

/// Answer to `GET /auth/admin/invites`: those that still let someone in, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invites {
    /// The invites.
    pub invites: Vec<OpenInvite>,
}

/// An invite that still lets someone in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenInvite {
    /// Its public id.
    pub id: String,
    /// Who made it.
    pub created_by: String,
    /// When (RFC 3339, UTC).
    pub created_at: String,
    /// When it ends (RFC 3339, UTC).
    pub expires_at: String,
    /// Accounts that it lets in, all in all.
    pub uses: u32,
    /// Accounts that it still lets in.
    pub uses_left: u32,
}

/// `POST /auth/admin/invites/revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeInvite {
    /// Its public id.
    pub id: String,
}

/// `GET /auth/admin/audit`: which entries. Fields that are left out don't matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct SearchAudit {
    /// `login`, `role`, …
    #[serde(default)]
    pub event: Option<String>,
    /// `success`, another result, or `failure` for everything but success.
    #[serde(default)]
    pub result: Option<String>,
    /// An account's name or id, as who did it or to whom.
    #[serde(default)]
    pub who: Option<String>,
    /// The client's address.
    #[serde(default)]
    pub ip: Option<String>,
    /// The request's id.
    #[serde(default)]
    pub request_id: Option<String>,
    /// A part of names, details, address or User-Agent, in any case.
    #[serde(default)]
    pub q: Option<String>,
    /// Not older than this (RFC 3339).
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(schema_with = time_or_empty),
        param(schema_with = time_or_empty)
    )]
    pub from: Option<String>,
    /// Older than this (RFC 3339).
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(schema_with = time_or_empty),
        param(schema_with = time_or_empty)
    )]
    pub to: Option<String>,
    /// Before the entry of this number: `next` of the page before.
    #[serde(default)]
    pub before: Option<i64>,
    /// Entries in a page, 1-500; 100 by default. An export has no pages.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 500),
        param(minimum = 1, maximum = 500)
    )]
    pub limit: Option<usize>,
    /// Of the export: `jsonl` (by default) or `csv`.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^(jsonl|csv)$"),
        param(pattern = "^(jsonl|csv)$")
    )]
    pub format: Option<String>,
}

/// A time (RFC 3339), or empty for none.
#[cfg(feature = "openapi")]
fn time_or_empty() -> utoipa::openapi::Schema {
    use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let time = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    AnyOfBuilder::new().item(time).item(text().max_length(Some(0))).build().into()
}

/// Answer to [`SearchAudit`], newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// `before` of the next page, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Something that happened. A line of the export is one of these as well.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its number; later ones are higher.
    pub n: i64,
    /// When (RFC 3339, UTC).
    pub at: String,
    /// What: `login`, `role`, …
    pub event: String,
    /// `success`, `refused`, `throttled`, `error`, or the code of the problem that the caller was told.
    pub result: String,
    /// Who did it: a name, or empty.
    pub who: String,
    /// Who did it: an account's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who_id: Option<String>,
    /// To whom: a name, or empty.
    pub about: String,
    /// To whom: an account's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about_id: Option<String>,
    /// What else is to be known.
    pub detail: String,
    /// The client's address, or `host`.
    pub ip: String,
    /// The client's User-Agent.
    pub user_agent: String,
    /// The proxy's id of the request.
    pub request_id: String,
}

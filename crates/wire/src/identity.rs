//! The signed identity: a JWT (RFC 7519) that backend-auth mints with EdDSA (RFC 8037) and the tracker
//! verifies offline with the keys of `/.well-known/jwks.json`.

use serde::{Deserialize, Serialize};

/// The header in which the proxy passes the identity on.
pub const IDENTITY_HEADER: &str = "x-chat-identity";
/// `typ` of the token's header: no other kind of token is accepted in its place (RFC 8725 §3.11).
pub const TOKEN_TYPE: &str = "chat-id+jwt";
/// The audience for which the tracker's tokens are made.
pub const TRACKER_AUDIENCE: &str = "chat-tracker";
/// `iss` as long as no public origin is configured.
pub const DEFAULT_ISSUER: &str = "hybrid-chat";
/// The scope that looks and listens.
pub const SCOPE_READ: &str = "chat:read";
/// The scope that says and changes.
pub const SCOPE_WRITE: &str = "chat:write";
/// Seconds that an identity passed on by the proxy lives.
pub const PROXIED_LIFETIME: i64 = 60;
/// Seconds that a token from `POST /token` lives; no token lives longer.
pub const DIRECT_LIFETIME: i64 = 300;
/// Seconds that two clocks may disagree.
pub const LEEWAY: i64 = 5;

/// The claims. All of them are required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who minted it: the public origin, or [`DEFAULT_ISSUER`].
    pub iss: String,
    /// For whom: contains [`TRACKER_AUDIENCE`].
    pub aud: Vec<String>,
    /// The account: a UUID that is never given twice.
    pub sub: String,
    /// The session's public id (never the cookie's token).
    pub sid: String,
    /// The account's name: a valid [`crate::PeerId`].
    pub name: String,
    /// `admin`, `member`, `bot`.
    pub roles: Vec<String>,
    /// What it may do, separated by spaces: `chat:read chat:write`.
    pub scope: String,
    /// How the account signed in (RFC 8176): `pwd`.
    pub amr: Vec<String>,
    /// When it signed in, seconds since 1970.
    pub auth_time: i64,
    /// When it was minted, seconds since 1970.
    pub iat: i64,
    /// Not valid before: equals `iat`.
    pub nbf: i64,
    /// Not valid after: at most [`DIRECT_LIFETIME`] past `iat`.
    pub exp: i64,
    /// 128 random bits.
    pub jti: String,
}

/// Answer to `GET /internal/revocations`, which the tracker asks every few seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revocations {
    /// `since` of the next question.
    pub cursor: String,
    /// What ended since the last question isn't known any more: every session may have.
    pub reset: bool,
    /// The public ids of the sessions that ended since, oldest first.
    pub sids: Vec<String>,
    /// There are more: ask again at once.
    pub more: bool,
    /// The ids of the keys that verify now; others are not to be trusted any longer.
    pub keys: Vec<String>,
}

/// A JSON Web Key Set (RFC 7517 §5) as backend-auth serves it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeySet {
    /// The keys that verify, the signing one first.
    pub keys: Vec<Key>,
    /// `iss` of the tokens that these keys sign (an additional member, which RFC 7517 allows), so that
    /// a tracker needs no configuration of its own for it.
    pub issuer: String,
}

/// An Ed25519 public key (RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `OKP`
    pub kty: String,
    /// `Ed25519`
    pub crv: String,
    /// The public key, base64url without padding.
    pub x: String,
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// `EdDSA`
    pub alg: String,
    /// `sig`
    #[serde(rename = "use")]
    pub purpose: String,
}

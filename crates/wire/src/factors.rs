//! Second factors: what shows who one is besides the password.

use serde::{Deserialize, Serialize};

/// Something that can be shown after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// A six-digit code of an authenticator app: `POST /login/code`.
    Totp,
    /// One of the ten codes that were told when the first factor was added: `POST /login/code`.
    RecoveryCode,
    /// A passkey: `POST /login/second/passkey`, then `POST /login/second/passkey/finish`.
    Passkey,
}

/// Answer to `POST /login`, with 403: the password is right, and that isn't enough.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecondFactorNeeded {
    /// `error`, as for everything that isn't a success: nobody is signed in yet.
    pub status: String,
    /// For people.
    pub message: String,
    /// `second_factor_needed`
    pub code: String,
    /// What this account can show, one of which is enough.
    pub factors: Vec<Factor>,
    /// Seconds within which it has to be shown, with the cookie that this answer sets.
    pub expires_in: i64,
}

/// `POST /login/code` (form or JSON): completes a sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnterCode {
    /// Six digits of the app, or a recovery code; gaps, dashes and case don't matter.
    pub code: String,
}

/// Answer to `POST /auth/totp`: the only time that the secret is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TotpEnrolment {
    /// The secret in base 32, for apps into which it is typed.
    pub secret: String,
    /// The same for apps on this device: `otpauth://totp/…`
    pub uri: String,
    /// The same as a QR code (SVG).
    pub qr_svg: String,
}

/// `POST /auth/totp/confirm`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmTotp {
    /// The code that the app shows.
    pub code: String,
}

/// Answer to what adds a factor, and to `POST /auth/recovery-codes`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryCodes {
    /// Ten codes, each good once in place of a second factor. They are told this one time. Empty when the account has
    /// codes from before, which stay good.
    pub recovery_codes: Vec<String>,
}

/// Answer to `GET /auth/factors`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Factors {
    /// The authenticator app, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpFactor>,
    /// Recovery codes that are left.
    pub recovery_codes: usize,
    /// Passkeys, the oldest first.
    pub passkeys: Vec<Passkey>,
    /// Why no passkey can be added here, when that is so: passkeys need a host name, and https or localhost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkeys_unavailable: Option<String>,
    /// Whether the account has a password.
    pub password: bool,
    /// What the provider is called by which the account can be signed in to as well, where there is one (OpenID Connect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<String>,
    /// Who the account's owner is at providers, the oldest first.
    pub linked: Vec<Linked>,
}

/// Who an account's owner is at a provider of OpenID Connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Linked {
    /// Its public id.
    pub id: String,
    /// The provider.
    pub issuer: String,
    /// What the provider calls the person; may be empty.
    pub name: String,
    /// When it was linked (RFC 3339, UTC).
    pub created_at: String,
    /// When someone last signed in by it (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// It is the provider that is asked today, so that it signs in.
    pub current: bool,
}

/// A passkey, as its owner sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Passkey {
    /// Its public id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was added (RFC 3339, UTC).
    pub created_at: String,
    /// When someone last signed in with it (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// The host name at which it works, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// `POST /auth/passkeys/rename`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenamePasskey {
    /// Its public id.
    pub id: String,
    /// What its owner calls it from now on, 1-64 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::Label))]
    pub name: String,
}

/// `POST /auth/passkeys/remove`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RemovePasskey {
    /// Its public id.
    pub id: String,
}

/// An authenticator app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TotpFactor {
    /// Since when (RFC 3339, UTC).
    pub since: String,
}

//! Accounts and sessions, as backend-auth speaks of them.

use serde::{Deserialize, Serialize};

/// `POST /register` (form or JSON).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Register {
    /// The account's name: a valid [`crate::PeerId`], unique whatever its case.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::PeerId))]
    pub username: String,
    /// The password.
    pub password: String,
    /// An invite's code; needed when registration is by invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// Where a form's sender goes next: a path on this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /login` (form or JSON).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Login {
    /// The account's name, in any case.
    pub username: String,
    /// The password.
    pub password: String,
    /// Stay signed in for longer (30 days idle, 90 in all) than a working day.
    #[serde(default)]
    pub remember: bool,
    /// For a program that wants one token: the session ends with it, after some minutes, whatever `remember` says. No device is remembered.
    #[serde(default)]
    pub brief: bool,
    /// Where a form's sender goes next: a path on this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer to [`Register`], [`Login`] and `GET /me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// The name as it was registered.
    pub username: String,
    /// Never changes, never given twice.
    pub user_id: String,
    /// `admin`, `member`, `bot`.
    pub roles: Vec<String>,
    /// When it was made (RFC 3339, UTC).
    pub created_at: String,
}

/// `POST /password`: changes the caller's password, ends its other sessions and renews this one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangePassword {
    /// The password so far. An account without one leaves it out, and must have signed in a moment ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_password: Option<String>,
    /// The password from now on.
    pub new_password: String,
}

/// `POST /auth/reauth`: shows the caller's password again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reauth {
    /// The password.
    pub password: String,
}

/// `POST /reset`: chooses a new password by a link that an administrator made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reset {
    /// The link's code.
    pub code: String,
    /// The password from now on.
    pub new_password: String,
}

/// `POST /auth/password/strength`: how good a new password would be. Nothing of it is kept or logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskStrength {
    /// The password.
    pub password: String,
    /// The name of its account, which makes no good part of it.
    #[serde(default)]
    pub username: String,
}

/// Answer to [`AskStrength`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Strength {
    /// From 0 (the first guess) to 4 (nobody will); 3 is needed.
    pub score: u8,
    /// It would be taken.
    pub acceptable: bool,
    /// Why not: `password_too_short`, `password_too_long`, `password_too_common`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answer to `POST /token` (RFC 6749 §5.1), and to the tracker's `POST /login`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessToken {
    /// The identity token.
    pub access_token: String,
    /// `Bearer`
    pub token_type: String,
    /// Seconds that it lives.
    pub expires_in: i64,
    /// The account's name.
    pub username: String,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anyone who reaches the page.
    Open,
    /// Holders of an invite (and the very first account).
    Invite,
    /// Nobody (but the very first account).
    Closed,
}

/// Answer to `GET /auth/info`: what the login and registration pages need, open to all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Info {
    /// Who may make an account.
    pub registration: Registration,
    /// No account exists yet: the first one administers.
    pub first_run: bool,
    /// The fewest characters of a password.
    pub password_min: usize,
    /// Passkeys work here: `POST /login/passkey`.
    #[serde(default)]
    pub passkeys: bool,
    /// The provider by which one may sign in too, where there is one: `GET /auth/oidc/login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcProvider>,
}

/// A provider of OpenID Connect, as the pages show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OidcProvider {
    /// What it is called.
    pub name: String,
    /// Whom nobody knows here gets an account by signing in there.
    pub register: bool,
}

/// `POST /login/name` (form or JSON): the name of the account that a first sign-in by OpenID Connect makes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChooseName {
    /// The account's name: a valid [`crate::PeerId`], unique whatever its case.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::PeerId))]
    pub username: String,
}

/// Answer to `POST /auth/oidc/link`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoThere {
    /// The provider's page, where the browser goes on.
    pub location: String,
}

/// `POST /auth/oidc/unlink`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unlink {
    /// Its public id, from `GET /auth/factors`.
    pub id: String,
}

/// Answer to `GET /auth/addresses` (needs a session): where others can open this chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Addresses {
    /// Likely addresses, the best first; empty when none is known.
    pub addresses: Vec<String>,
}

/// `POST /auth/qr`: a text as a picture. In a body, because the text may be a link that nobody else should have.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskQr {
    /// An address, say; 1 to 512 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 512))]
    pub text: String,
}

/// Answer to [`AskQr`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Qr {
    /// The QR code (SVG), with the text as its title.
    pub svg: String,
}

/// `POST /invites` (administrators).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateInvite {
    /// Accounts that it lets in: 1-1000, 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub uses: Option<u32>,
    /// Seconds that it lives: 60 to 30 days, 7 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 60, maximum = 2_592_000))]
    pub expires_in: Option<u64>,
}

/// Answer to [`CreateInvite`]: the only time that the code is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invite {
    /// Its public id, by which it is listed and taken back.
    pub id: String,
    /// 128 random bits, base64url.
    pub code: String,
    /// The path that a browser opens: `/register#invite=CODE`. What stands behind the `#` is sent to no server.
    pub path: String,
    /// When it ends (RFC 3339, UTC).
    pub expires_at: String,
    /// Accounts that it still lets in.
    pub uses: u32,
}

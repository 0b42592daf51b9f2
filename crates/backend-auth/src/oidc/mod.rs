//! Sign-in by OpenID Connect. This server is a client (relying party) of one provider that its configuration names; any issuer will do that
//! speaks OpenID Connect Core 1.0 and tells about itself by OpenID Connect Discovery 1.0.
//!
//! 1. Someone asks for it ([`Provider::begin`]): what the answer has to fit is kept here for ten minutes ([`pending`]), bound to the browser
//!    by a cookie, and the browser is sent to the provider with `state`, `nonce` and a PKCE challenge (RFC 7636, S256).
//! 2. The provider sends it back with a code, or says why not. State and cookie find what was kept, once ([`pending::Pending::take`]).
//! 3. The code is exchanged for an ID token ([`Provider::person`]), with the PKCE verifier and our secret, where we have one.
//! 4. The token is checked ([`id_token`]): its signature by a key of the provider's ([`keys`]), issuer, audience, times, nonce.
//! 5. Issuer and subject find the account. Nothing else does.
//!
//! What the provider says of itself is fetched when it is first needed and kept for a while ([`provider`], [`metadata`]): that it is down stops neither our
//! start nor any other way to sign in. It is asked over bounded connections that follow no redirect ([`fetch`]). Only the ID token is used: the
//! access token is thrown away unread.
//!
//! - [`settings`], [`address`]: which provider, and who we are to it.

pub mod address;
pub mod fetch;
pub mod id_token;
mod kept;
pub mod keys;
pub mod metadata;
pub mod pending;
pub mod provider;
pub mod settings;

pub use self::id_token::Person;
pub use self::pending::{Flow, Newcomer, Pending, Purpose};
pub use self::provider::{Failure, Provider};
pub use self::settings::{OidcArgs, Settings};

/// By what someone showed who it is: the provider says so. RFC 8176 has no word for that.
pub const OIDC: &str = "oidc";
/// Seconds by which the provider's clock may differ from ours.
pub const SKEW: i64 = 60;

/// What of someone else's text may go into a log: an error's name, say.
pub(crate) fn tame(text: &str) -> String {
    let tame = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().filter(tame).take(40).collect()
}

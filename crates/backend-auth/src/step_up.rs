//! Step-up: what matters most asks anew who is there, unless that was shown a moment ago.
//!
//! A session says when its account last showed who it is ([`Session::auth_time`]) and by what ([`Session::amr`]).
//! `POST /auth/reauth` renews both. What else can show it (a second factor, a passkey) only has to issue a session with
//! its own `auth_time` and `amr`.

use service::Problem;

use crate::sessions::Session;

/// Whether the account showed who it is within so many seconds.
///
/// # Errors
/// 403 `reauth_required`.
pub fn fresh(session: &Session, now: i64, within: i64) -> Result<(), Problem> {
    if now.saturating_sub(session.auth_time) <= within {
        return Ok(());
    }
    Err(Problem::forbidden(
        "reauth_required",
        "this asks for your password again: POST /auth/reauth with it, then repeat the call",
    ))
}

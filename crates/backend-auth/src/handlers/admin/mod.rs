//! What only administrators may do, under `/auth/admin/`. Everyone else hears 403 `not_an_admin`; a change also asks for a
//! recent sign-in ([`crate::step_up`]).

pub mod audit;
pub mod bots;
pub mod factors;
pub mod invites;
pub mod resets;
pub mod users;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use service::Problem;

use super::tokens::AUDIT_SCOPE;
use super::{Fresh, Known, SignedIn, refusals};
use crate::App;
use crate::sessions::Kind;
use crate::store::accounts::Role;

/// An administrator's session.
pub struct Admin(pub SignedIn);

/// An administrator's session, of someone who signed in a moment ago.
pub struct FreshAdmin(pub SignedIn);

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = SignedIn::from_request_parts(parts, app).await?;
        if caller.session.account.role != Role::Admin {
            return Err(refusals::note(parts, app, Some(&caller), not_an_admin()).await);
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<App>> for FreshAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Admin(caller) = Admin::from_request_parts(parts, app).await?;
        Fresh::of(parts, app, caller).await.map(|Fresh(caller)| Self(caller))
    }
}

/// An administrator, in person or by a token with the scope `audit:read`.
pub struct Auditor;

impl FromRequestParts<Arc<App>> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Known(caller) = Known::from_request_parts(parts, app).await?;
        if caller.session.account.role != Role::Admin {
            return Err(refusals::note(parts, app, Some(&caller), not_an_admin()).await);
        }
        if caller.session.kind == Kind::Token && !caller.session.may(AUDIT_SCOPE) {
            let message = format!("this token lacks the scope {AUDIT_SCOPE}");
            return Err(Problem::insufficient_scope(AUDIT_SCOPE, message));
        }
        Ok(Self)
    }
}

fn not_an_admin() -> Problem {
    Problem::forbidden("not_an_admin", "only an administrator may do this")
}

//! `POST /invites`: an administrator makes a link that lets others register.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use service::Problem;
use wire::auth::{CreateInvite, Invite};

use super::admin::FreshAdmin;
use super::{SignedIn, entry, respond};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::secret::Secret;
use crate::store::invites::{self, NewInvite};

const USES: std::ops::RangeInclusive<u32> = 1..=1000;
const MINUTE: u64 = 60;
const WEEK: u64 = 7 * 86_400;
const MONTH: u64 = 30 * 86_400;

/// Make an invite. Its code is told once and kept as a hash.
#[utoipa::path(post, path = "/invites", tag = "accounts", request_body = wire::auth::CreateInvite,
    responses(
        (status = 200, body = wire::Success<wire::auth::Invite>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`; `reauth_required`: POST /auth/reauth first")))]
pub async fn create(
    State(app): State<Arc<App>>,
    client: Client,
    FreshAdmin(caller): FreshAdmin,
    request: Request,
) -> Response {
    respond(make(&app, &client, &caller, request).await)
}

async fn make(
    app: &Arc<App>,
    client: &Client,
    caller: &SignedIn,
    request: Request,
) -> Result<Invite, Problem> {
    let account = &caller.session.account;
    let wanted: CreateInvite = body::read_optional(app, request).await?;
    let entry = Entry::new("invite", client).by(account);
    let (uses, lifetime) =
        fields(&wanted).map_err(|problem| app.audit.refuse(entry.clone(), problem))?;
    let code = Secret::code().map_err(|error| Problem::internal(&error))?;
    let now = clock::now();
    let expires_at = now + i64::try_from(lifetime).unwrap_or(0);
    let id = crate::secret::public_id().map_err(entry::random)?;
    let new = NewInvite { code: code.hash, id: id.clone(), uses, expires_at };
    let by = account.id.clone();
    let entry = entry.detail(format!("for {uses} accounts"));
    app.change(entry, move |db, _| invites::create(db, &new, &by, now).map(Ok), |()| ()).await?;
    Ok(Invite {
        id,
        path: format!("/register#invite={}", code.text),
        code: code.text,
        expires_at: clock::rfc3339(expires_at),
        uses,
    })
}

/// How many accounts it is for, and for how many seconds.
fn fields(wanted: &CreateInvite) -> Result<(u32, u64), Problem> {
    let (uses, lifetime) = (wanted.uses.unwrap_or(1), wanted.expires_in.unwrap_or(WEEK));
    if !USES.contains(&uses) {
        return Err(Problem::bad_request("invalid_field", "uses: from 1 to 1000"));
    }
    if !(MINUTE..=MONTH).contains(&lifetime) {
        return Err(Problem::bad_request(
            "invalid_field",
            "expires_in: from 60 seconds to 2592000 (30 days)",
        ));
    }
    Ok((uses, lifetime))
}

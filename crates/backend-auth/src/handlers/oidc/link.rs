//! `POST /auth/oidc/link`, `/unlink`: who an account's owner is at the provider; and showing that again.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use service::Problem;
use wire::auth::{GoThere, Unlink};

use super::{WAY, failed, last_way_in, provider, refused};
use crate::App;
use crate::audit::{self, Entry};
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::handlers::entry::too_many;
use crate::handlers::factors::Changer;
use crate::handlers::{Done, Fresh, SignedIn, doors, entry, sign_in_first, success};
use crate::oidc::pending::WITHIN;
use crate::oidc::{OIDC, Purpose, SKEW};
use crate::store::linked::{self, Identity, New};
use crate::store::ways::{self, Doors};

/// Begin to link the account with who its owner is at the provider: the browser goes there next, and comes back to /account.
#[utoipa::path(post, path = "/auth/oidc/link", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<GoThere>, description = "Where the browser goes next; Set-Cookie is good for 10 minutes", headers(("set-cookie" = String, description = "The sign-in"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`no_provider`: this server has none"),
        (status = 429, description = "`too_many_requests`, with Retry-After: this address begins too many sign-ins"),
        (status = 503, description = "`oidc_unavailable`, with Retry-After")))]
pub async fn begin(State(app): State<Arc<App>>, client: Client, Fresh(caller): Fresh) -> Response {
    let begun = async {
        let purpose = Purpose::Link(caller.session.account.id.clone());
        let provider = provider(&app)?;
        app.throttle.begin(client.ip, Instant::now()).map_err(too_many)?;
        let begun = provider.begin(purpose, None, clock::now()).await;
        begun.map_err(|failure| failed(&failure))
    };
    match begun.await {
        Ok(begun) => {
            let cookie = app.cookies.set_oidc(&begun.browser.text, WITHIN);
            entry::with_cookies(success(GoThere { location: begun.location }), cookie)
        }
        Err(problem) => problem.into_response(),
    }
}

/// Unlink the account from a provider. All other sessions of the account end, this one gets a new token.
#[utoipa::path(post, path = "/auth/oidc/unlink", tag = "accounts", request_body = Unlink,
    responses(
        (status = 200, body = wire::Success<Done>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`unknown_link`"),
        (status = 409, description = "`last_way_in`: there is neither a password nor a passkey")))]
pub async fn unlink(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let changer = Changer { app: &app, client: &client, headers: &headers, caller: &caller };
    let removed = async {
        let Unlink { id } = body::read(&app, request).await?;
        let entry = Entry::new("unlink", &client).about(&caller.session.account).detail(WAY);
        let doors = Doors { issuer: None, ..doors(&app, &client) };
        let remove = move |db: &rusqlite::Transaction<'_>, account: &str| {
            let ways = ways::open(db, account, &doors)?;
            let is_there = linked::of_account(db, account)?.iter().any(|listed| listed.id == id);
            if is_there && !ways.any() {
                return Ok(Err(last_way_in()));
            }
            Ok(if linked::remove(db, account, &id)? { Ok(()) } else { Err(unknown()) })
        };
        changer.change(entry, None, remove, |()| true).await
    };
    match removed.await {
        Ok(((), cookies)) => entry::with_cookies(success(Done {}), cookies),
        Err(problem) => problem.into_response(),
    }
}

fn unknown() -> Problem {
    Problem::not_found("unknown_link", "you are linked with no provider under this id")
}

/// Who came back, in which browser.
pub(super) type Visitor<'a> = (&'a Arc<App>, &'a Client, &'a HeaderMap);

/// The session of someone who is signed in to the account that went to the provider.
fn same(app: &App, headers: &HeaderMap, account: &str) -> Result<SignedIn, Problem> {
    let caller = SignedIn::find(app, headers)?;
    caller.filter(|caller| caller.session.account.id == account).ok_or_else(sign_in_first)
}

/// Links the account that asked for it with who came back. With the cookies to set: the session gets a new token.
///
/// # Errors
/// 401 when somebody else is signed in by now, or nobody; 409, 503.
pub(super) async fn add(
    (app, client, headers): Visitor<'_>,
    account: &str,
    identity: Identity,
    name: String,
) -> Result<Vec<HeaderValue>, Problem> {
    let caller = same(app, headers, account)?;
    let changer = Changer { app, client, headers, caller: &caller };
    let new = New { id: crate::secret::public_id().map_err(entry::random)?, identity, name };
    let entry = Entry::new("link", client).about(&caller.session.account).detail(WAY);
    let now = clock::now();
    let ((), cookies) = changer
        .change(
            entry,
            None,
            move |db, account| Ok(linked::add(db, account, &new, now)?.map_err(refused)),
            |()| false,
        )
        .await?;
    Ok(cookies)
}

/// Renews the session of someone who showed the provider again who it is: since then, and not just once upon a time.
///
/// # Errors
/// 401 when somebody else is signed in by now, or nobody; 403 `oidc_not_fresh`, `oidc_other_person`; 503.
pub(super) async fn again(
    (app, client, headers): Visitor<'_>,
    account: &str,
    identity: Identity,
    shown_at: Option<i64>,
    begun_at: i64,
) -> Result<Vec<HeaderValue>, Problem> {
    let caller = same(app, headers, account)?;
    let entry = Entry::new("reauth", client).detail(WAY);
    // A provider that passes over `max_age` lets through whoever sits before an unlocked screen.
    if shown_at.is_none_or(|shown_at| shown_at < begun_at.saturating_sub(SKEW)) {
        app.audit.note(entry.by(&caller.session.account).result(audit::REFUSED));
        return Err(Problem::forbidden(
            "oidc_not_fresh",
            "the provider didn't ask you again who you are: show it another way",
        ));
    }
    let changer = Changer { app, client, headers, caller: &caller };
    let ((), cookies) = changer
        .change(
            entry,
            Some(OIDC),
            move |db, account| {
                let owner = linked::find(db, &identity)?;
                if owner.is_none_or(|owner| owner.id != account) {
                    return Ok(Err(Problem::forbidden(
                        "oidc_other_person",
                        "at the provider you are someone who isn't linked with this account",
                    )));
                }
                linked::used(db, &identity, clock::now())?;
                Ok(Ok(()))
            },
            |()| false,
        )
        .await?;
    Ok(cookies)
}

//! `/auth/sessions`: where one is signed in, and signing out elsewhere.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use service::Problem;
use wire::account::{RevokeSessions, Revoked, Session, Sessions, WhichSessions};

use super::{Fresh, SignedIn, entry, respond, success};
use crate::App;
use crate::audit::Entry;
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::store::sessions;
use crate::user_agent;

/// Where the caller is signed in, the latest use first.
#[utoipa::path(get, path = "/auth/sessions", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<Sessions>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn list(State(app): State<Arc<App>>, caller: SignedIn) -> Response {
    respond(find(&app, &caller).await.map(|sessions| Sessions { sessions }))
}

async fn find(app: &App, caller: &SignedIn) -> Result<Vec<Session>, Problem> {
    let account = caller.session.account.id.clone();
    let stored = app.store.read(move |db| sessions::of_account(db, &account)).await?;
    let now = clock::now();
    // Memory knows the latest uses, and which sessions are over although their rows are still there.
    let mut live: Vec<_> = stored
        .into_iter()
        .filter_map(|listed| Some((app.sessions.last_seen(&listed.token, now)?, listed)))
        .collect();
    live.sort_by_key(|(last_seen, listed)| std::cmp::Reverse((*last_seen, listed.created_at)));
    let shown = live.into_iter().map(|(last_seen, listed)| Session {
        current: listed.token == caller.token,
        device: user_agent::device(&listed.user_agent),
        id: listed.sid,
        ip: listed.ip,
        created_at: clock::rfc3339(listed.created_at),
        last_seen: clock::rfc3339(last_seen),
        ends_at: clock::rfc3339(listed.ends_at),
        remember: listed.remember,
    });
    Ok(shown.collect())
}

/// End one session, all others, or all. Whoever ends another one than its own must have signed in a moment ago.
#[utoipa::path(post, path = "/auth/sessions/revoke", tag = "accounts", request_body = wire::account::RevokeOneOf,
    responses(
        (status = 200, body = wire::Success<Revoked>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`unknown_session`")))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    client: Client,
    caller: SignedIn,
    request: Request,
) -> Response {
    match end(&app, &client, caller, request).await {
        Ok((ended, cookie)) => entry::with_cookies(success(Revoked { ended }), cookie),
        Err(problem) => problem.into_response(),
    }
}

enum Wanted {
    One(String),
    Others,
    All,
}

async fn end(
    app: &Arc<App>,
    client: &Client,
    caller: SignedIn,
    request: Request,
) -> Result<(usize, Option<http::HeaderValue>), Problem> {
    let asked: RevokeSessions = body::read(app, request).await?;
    let wanted = match (asked.id, asked.which) {
        (Some(id), None) => Wanted::One(id),
        (None, Some(WhichSessions::Others)) => Wanted::Others,
        (None, Some(WhichSessions::All)) => Wanted::All,
        _ => return Err(Problem::bad_request("invalid_field", "give one of id and which")),
    };
    let own = matches!(&wanted, Wanted::One(id) if *id == caller.session.sid);
    let entry = Entry::new("end_sessions", client)
        .by(&caller.session.account)
        .about(&caller.session.account)
        .detail(match wanted {
            Wanted::One(_) => "one",
            Wanted::Others => "others",
            Wanted::All => "all",
        });
    let caller = if own {
        caller
    } else {
        let fresh = Fresh::check(app, caller);
        fresh.map_err(|problem| app.audit.refuse(entry.clone(), problem))?.0
    };
    let (account, token, now) = (caller.session.account.id.clone(), caller.token, clock::now());
    let table = app.sessions.clone();
    let ended = app
        .change(
            entry,
            move |db, _| {
                let ended = match &wanted {
                    Wanted::One(sid) => sessions::delete_one(db, &account, sid, now)?,
                    Wanted::Others => sessions::delete_others(db, &account, token, now)?,
                    Wanted::All => sessions::delete_all(db, &account, now)?,
                };
                if ended.is_empty() && matches!(wanted, Wanted::One(_)) {
                    return Ok(Err(Problem::not_found(
                        "unknown_session",
                        "you have no session with this id; it may be over",
                    )));
                }
                Ok(Ok(ended))
            },
            move |ended| table.end(ended),
        )
        .await?;
    let signed_out = ended.iter().any(|ended| ended.token == token);
    let cookie = signed_out.then(|| app.cookies.clear_session()).flatten();
    Ok((ended.len(), cookie))
}

//! `/auth/factors`, `/auth/recovery-codes`: what the caller can show besides its password.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use rusqlite::Transaction;
use service::Problem;
use wire::factors::{Factors, Linked, Passkey, RecoveryCodes, TotpFactor};

use super::entry::{self, Issue};
use super::{Fresh, SignedIn, respond, sign_in_first, success};
use crate::App;
use crate::audit::Entry;
use crate::client::Client;
use crate::clock;
use crate::oidc::Provider;
use crate::recovery::Codes;
use crate::store::{accounts, factors, linked, passkeys, sessions};

/// The caller's second factors.
#[utoipa::path(get, path = "/auth/factors", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<Factors>),
        (status = 401, description = "`unauthenticated`")))]
pub async fn list(State(app): State<Arc<App>>, client: Client, caller: SignedIn) -> Response {
    let account = caller.session.account.id.clone();
    let found = app
        .store
        .read(move |db| {
            Ok((
                factors::of(db, &account)?,
                passkeys::of_account(db, &account)?,
                linked::of_account(db, &account)?,
                accounts::of(db, &account)?.is_some_and(|(_, password)| password.is_some()),
            ))
        })
        .await;
    let issuer = app.oidc.as_ref().map(Provider::issuer);
    match found {
        Ok((found, listed, linked, password)) => success(Factors {
            totp: found.totp.map(|since| TotpFactor { since: clock::rfc3339(since) }),
            recovery_codes: found.recovery_codes,
            passkeys: listed.into_iter().map(shown).collect(),
            passkeys_unavailable: app.passkeys.host(&client).err(),
            password,
            oidc: app.oidc.as_ref().map(|provider| provider.settings().name.clone()),
            linked: linked
                .into_iter()
                .map(|listed| Linked {
                    current: issuer == Some(&listed.issuer),
                    id: listed.id,
                    issuer: listed.issuer,
                    name: listed.name,
                    created_at: clock::rfc3339(listed.created_at),
                    last_used: listed.last_used.map(clock::rfc3339),
                })
                .collect(),
        }),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// A passkey as it is told.
pub(super) fn shown(listed: passkeys::Listed) -> Passkey {
    Passkey {
        id: listed.id,
        name: listed.name,
        created_at: clock::rfc3339(listed.created_at),
        last_used: listed.last_used.map(clock::rfc3339),
        host: listed.host,
    }
}

/// Make ten new recovery codes; the old ones are good no longer.
#[utoipa::path(post, path = "/auth/recovery-codes", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<RecoveryCodes>),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 409, description = "`no_second_factor`: there is nothing that they could stand for")))]
pub async fn renew_codes(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
) -> Response {
    let made = make_codes(&app, &client, &caller).await;
    respond(made.map(|recovery_codes| RecoveryCodes { recovery_codes }))
}

async fn make_codes(app: &App, client: &Client, caller: &SignedIn) -> Result<Vec<String>, Problem> {
    let Codes { texts, hashes } = Codes::new().map_err(entry::random)?;
    let account = caller.session.account.clone();
    let token = caller.token;
    app.change(
        Entry::new("recovery_codes", client).by(&account),
        move |db, _| {
            if !sessions::is_there(db, token)? {
                return Ok(Err(sign_in_first()));
            }
            if !factors::of(db, &account.id)?.any() {
                return Ok(Err(Problem::new(
                    StatusCode::CONFLICT,
                    "no_second_factor",
                    "recovery codes stand for a second factor: add one first",
                )));
            }
            factors::set_recovery_codes(db, &account.id, &hashes).map(Ok)
        },
        |()| (),
    )
    .await?;
    Ok(texts)
}

/// Who changes how it signs in.
pub(super) struct Changer<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) client: &'a Client,
    pub(super) headers: &'a HeaderMap,
    pub(super) caller: &'a SignedIn,
}

impl Changer<'_> {
    /// Makes such a change: the session gets a new token and, if `alone`, all others of the account end, in the same transaction. `shown` is
    /// what the caller showed just now; what `work` refuses must have changed nothing. With the cookies to set.
    ///
    /// # Errors
    /// What `work` refuses, 401 when the session was ended meanwhile, 503.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        entry: Entry,
        shown: Option<&str>,
        work: impl FnOnce(&Transaction<'_>, &str) -> rusqlite::Result<Result<T, Problem>>
        + Send
        + 'static,
        alone: impl FnOnce(&T) -> bool + Send + 'static,
    ) -> Result<(T, Vec<HeaderValue>), Problem> {
        let Self { app, client, headers, caller } = self;
        let now = clock::now();
        let Issue { new, cookies, .. } =
            Issue::renew(app, client, headers, &caller.session, shown, now)?;
        let account = caller.session.account.clone();
        let (token, limit, table) =
            (caller.token, app.config.sessions_per_account, app.sessions.clone());
        let renewed = new.clone();
        let (made, _) = app
            .change(
                entry.by(&account),
                move |db, _| {
                    // Whoever changed the account meanwhile ended this session.
                    if !sessions::is_there(db, token)? {
                        return Ok(Err(sign_in_first()));
                    }
                    let made = match work(db, &account.id)? {
                        Ok(made) => made,
                        Err(problem) => return Ok(Err(problem)),
                    };
                    let mut ended = if alone(&made) {
                        sessions::delete_all(db, &account.id, now)?
                    } else {
                        sessions::delete(db, token, now)?
                    };
                    ended.extend(sessions::insert(db, &new, now, limit)?);
                    Ok(Ok((made, ended)))
                },
                move |(_, ended)| {
                    table.end(ended);
                    table.insert(renewed.token, renewed.session.clone(), now);
                },
            )
            .await?;
        Ok((made, cookies))
    }
}

/// With the first factor come recovery codes: gives the account the prepared ones unless it has some, and says what to tell.
pub(super) fn give_codes(
    db: &Transaction<'_>,
    account: &str,
    codes: Codes,
) -> rusqlite::Result<Vec<String>> {
    if factors::of(db, account)?.recovery_codes > 0 {
        return Ok(Vec::new());
    }
    factors::set_recovery_codes(db, account, &codes.hashes)?;
    Ok(codes.texts)
}

//! `/auth/passkeys`: the caller's passkeys, made, listed (`GET /auth/factors`), renamed and removed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Problem;
use utoipa::ToSchema;
use webauthn_rp::response::register::ser_relaxed::RegistrationRelaxed;
use wire::factors::{RecoveryCodes, RemovePasskey, RenamePasskey};

use super::factors::{Changer, give_codes};
use super::{Done, Fresh, SignedIn, doors, entry, success};
use crate::App;
use crate::audit::{self, Entry};
use crate::body;
use crate::client::Client;
use crate::clock;
use crate::passkeys::host::{CheckError, Owner, Used};
use crate::passkeys::{Exchange, Host, Kept};
use crate::recovery::Codes;
use crate::store::passkeys::{self, New, Refusal};
use crate::store::{factors, ways};

const NAME_CHARS: usize = 64;

/// Answer to what begins an exchange with an authenticator.
#[derive(Serialize, ToSchema)]
pub struct Options {
    /// `{"publicKey": …}` in the JSON form of WebAuthn Level 3: for `PublicKeyCredential.parseCreationOptionsFromJSON` or
    /// `parseRequestOptionsFromJSON`, and then `navigator.credentials.create` or `get`.
    #[schema(value_type = Object)]
    pub options: Value,
}

/// `POST /auth/passkeys`
#[derive(Deserialize, ToSchema)]
pub struct AddPasskey {
    /// What its owner calls it, 1-64 characters.
    #[schema(value_type = wire::Label)]
    pub name: String,
    /// What `navigator.credentials.create` gave, by its `toJSON()`; of that, `response.attestationObject` and `response.clientDataJSON` are needed.
    #[schema(value_type = Object)]
    pub credential: RegistrationRelaxed,
}

/// A passkey that was shown and is right, still to be noted as used.
pub(super) struct Checked {
    kept: Kept,
    used: Used,
}

impl Checked {
    /// What a check comes to: nothing when the answer was refused.
    ///
    /// # Errors
    /// 500, when what is kept of the passkey is damaged.
    pub(super) fn of(kept: Kept, used: Result<Used, CheckError>) -> Result<Option<Self>, Problem> {
        match used {
            Ok(used) => Ok(Some(Self { kept, used })),
            Err(error @ CheckError::Refused(_)) => {
                tracing::debug!(%error);
                Ok(None)
            }
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// RFC 8176: a key that never leaves its device, or one that is copied to others.
    pub(super) fn amr(&self) -> &'static str {
        if self.used.synchronised { "swk" } else { "hwk" }
    }

    pub(super) fn use_up(
        &self,
        db: &Connection,
        account: &str,
        now: i64,
    ) -> rusqlite::Result<bool> {
        passkeys::used(db, account, &self.kept, self.used.state, now)
    }
}

/// What checks passkeys here.
///
/// # Errors
/// 409 `passkeys_unavailable`
pub(super) fn host(app: &App, client: &Client) -> Result<Arc<Host>, Problem> {
    app.passkeys
        .host(client)
        .map_err(|reason| Problem::new(StatusCode::CONFLICT, "passkeys_unavailable", reason))
}

/// Begin to make a passkey. It can sign in without a name (a discoverable credential), and its owner has to be verified (PIN, finger, face).
#[utoipa::path(post, path = "/auth/passkeys/begin", tag = "second factors",
    responses(
        (status = 200, body = wire::Success<Options>, description = "For `navigator.credentials.create`; good once, for 5 minutes, for this session"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 409, description = "`passkeys_unavailable`: this host has no name, or it is plain http; the message says which")))]
pub async fn begin(State(app): State<Arc<App>>, client: Client, Fresh(caller): Fresh) -> Response {
    match options(&app, &client, &caller).await {
        Ok(options) => success(Options { options }),
        Err(problem) => problem.into_response(),
    }
}

async fn options(app: &App, client: &Client, caller: &SignedIn) -> Result<Value, Problem> {
    let host = host(app, client)?;
    let account = &caller.session.account;
    let id = account.id.clone();
    let name = host.name().to_owned();
    let known = app.store.read(move |db| passkeys::kept_of(db, &id, &name)).await?;
    let owner = Owner { id: &account.id, name: &account.name };
    let begun = host.ask_for_new(owner, known);
    let (options, exchange) = begun.map_err(|error| Problem::internal(&error))?;
    app.passkeys.begin(caller.token, exchange, clock::now());
    Ok(options)
}

/// Keep the passkey that was made. This session gets a new token. With the first second factor all other sessions end and ten recovery codes
/// come; from then on a password alone is not enough.
#[utoipa::path(post, path = "/auth/passkeys", tag = "second factors", request_body = AddPasskey,
    responses(
        (status = 200, body = wire::Success<RecoveryCodes>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 400, description = "`invalid_field`; `invalid_passkey`: not what was asked for, for another host, or its owner wasn't verified"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 409, description = "`passkeys_unavailable`; `no_exchange`: POST /auth/passkeys/begin first, or again; `passkey_exists`; `too_many_passkeys`")))]
pub async fn add(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let changer = Changer { app: &app, client: &client, headers: &headers, caller: &caller };
    let added = match body::read::<AddPasskey>(&app, request).await {
        Ok(asked) => keep(&changer, asked).await,
        Err(problem) => Err(problem),
    };
    match added {
        Ok((recovery_codes, cookies)) => {
            entry::with_cookies(success(RecoveryCodes { recovery_codes }), cookies)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn keep(
    changer: &Changer<'_>,
    asked: AddPasskey,
) -> Result<(Vec<String>, Vec<HeaderValue>), Problem> {
    let Changer { app, client, caller, .. } = changer;
    let name = name(&asked.name)?;
    let host = host(app, client)?;
    let entry = Entry::new("add_factor", client).detail("passkey");
    let now = clock::now();
    let Some(Exchange::Register(exchange)) = app.passkeys.take(&caller.token, now) else {
        return Err(no_exchange());
    };
    let kept = host.check_new(exchange, &asked.credential.0).map_err(|error| {
        tracing::debug!(%error, "a new passkey was refused");
        app.audit.note(entry.clone().by(&caller.session.account).result(audit::REFUSED));
        Problem::bad_request("invalid_passkey", format!("this passkey can't be kept: {error}"))
    })?;
    let id = crate::secret::public_id().map_err(entry::random)?;
    let new = New { id, name, host: host.name().to_owned(), kept };
    let codes = Codes::new().map_err(entry::random)?;
    let limit = app.config.passkeys_per_account;
    let ((codes, _), cookies) = changer
        .change(
            entry,
            None,
            move |db, account| {
                let first = !factors::of(db, account)?.any();
                if let Err(refusal) = passkeys::add(db, account, &new, limit, now)? {
                    return Ok(Err(refused(refusal, limit)));
                }
                Ok(Ok((give_codes(db, account, codes)?, first)))
            },
            |(_, first)| *first,
        )
        .await?;
    Ok((codes, cookies))
}

/// Give a passkey another name.
#[utoipa::path(post, path = "/auth/passkeys/rename", tag = "second factors", request_body = RenamePasskey,
    responses(
        (status = 200, body = wire::Success<Done>),
        (status = 400, description = "`invalid_field`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 404, description = "`unknown_passkey`")))]
pub async fn rename(
    State(app): State<Arc<App>>,
    client: Client,
    caller: SignedIn,
    request: Request,
) -> Response {
    let renamed = async {
        let asked: RenamePasskey = body::read(&app, request).await?;
        let name = name(&asked.name)?;
        let account = caller.session.account.clone();
        app.change(
            Entry::new("rename_passkey", &client).by(&account),
            move |db, _| {
                let renamed = passkeys::rename(db, &account.id, &asked.id, &name)?;
                Ok(if renamed { Ok(()) } else { Err(unknown()) })
            },
            |()| (),
        )
        .await
    };
    match renamed.await {
        Ok(()) => success(Done {}),
        Err(problem) => problem.into_response(),
    }
}

/// Remove a passkey. All other sessions of the account end, this one gets a new token. The recovery codes go with the last second factor.
#[utoipa::path(post, path = "/auth/passkeys/remove", tag = "second factors", request_body = RemovePasskey,
    responses(
        (status = 200, body = wire::Success<Done>, description = "Set-Cookie renews the session", headers(("set-cookie" = String, description = "The session, with a new token"))),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`reauth_required`: POST /auth/reauth first"),
        (status = 404, description = "`unknown_passkey`"),
        (status = 409, description = "`last_way_in`: the account has no password, and nothing else to sign in with here")))]
pub async fn remove(
    State(app): State<Arc<App>>,
    client: Client,
    Fresh(caller): Fresh,
    request: Request,
) -> Response {
    let headers: HeaderMap = request.headers().clone();
    let changer = Changer { app: &app, client: &client, headers: &headers, caller: &caller };
    let removed = async {
        let RemovePasskey { id } = body::read(&app, request).await?;
        let entry = Entry::new("remove_factor", &client).detail("passkey");
        let doors = doors(&app, &client);
        let remove = move |db: &rusqlite::Transaction<'_>, account: &str| {
            let left = ways::without_passkey(db, account, &doors, &id)?;
            let is_there = passkeys::of_account(db, account)?.iter().any(|one| one.id == id);
            if is_there && !left.any() {
                return Ok(Err(super::oidc::last_way_in()));
            }
            Ok(if factors::remove_passkey(db, account, &id)? { Ok(()) } else { Err(unknown()) })
        };
        changer.change(entry, None, remove, |()| true).await
    };
    match removed.await {
        Ok(((), cookies)) => entry::with_cookies(success(Done {}), cookies),
        Err(problem) => problem.into_response(),
    }
}

fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Problem::bad_request("invalid_field", "name: 1 to 64 characters"));
    }
    Ok(name.to_owned())
}

fn refused(refusal: Refusal, limit: usize) -> Problem {
    let (code, message) = match refusal {
        Refusal::Known => ("passkey_exists", "this passkey is in use already".to_owned()),
        Refusal::TooMany => (
            "too_many_passkeys",
            format!("an account has at most {limit} passkeys: remove one first"),
        ),
    };
    Problem::new(StatusCode::CONFLICT, code, message)
}

fn unknown() -> Problem {
    Problem::not_found("unknown_passkey", "you have no passkey with this id")
}

/// 409: nothing was asked of this browser's authenticator.
pub(super) fn no_exchange() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no_exchange",
        "nothing was asked of your authenticator, or that took too long: begin again",
    )
}

//! The two steps of a sign-in: the password, and a code where the account asks for a second factor.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};
use wire::PeerId;
use wire::auth::{Account, Login};
use wire::factors::{EnterCode, Factor, SecondFactorNeeded};

use super::calls::{SignInError, Tracker, sign_in_error};
use super::http::{Call, CallError, Http};
use super::session::Session;

/// What an answer to the password says when it is not enough.
const SECOND_FACTOR_NEEDED: &str = "second_factor_needed";
/// The cookie of half a session: for plain http, and for https.
const HALF_COOKIES: [&str; 2] = ["half", "__Host-half"];

/// Where the password leads.
pub(super) enum Entry {
    /// In.
    In(Session),
    /// To the second factor.
    HalfWay { cookie: String, factors: Vec<Factor> },
}

/// A sign-in whose password was right, and that still owes a code.
pub struct HalfWay {
    pub(super) http: Http,
    pub(super) user: PeerId,
    pub(super) password: String,
    pub(super) folder: PathBuf,
    pub(super) cookie: String,
    pub(super) factors: Vec<Factor>,
}

impl HalfWay {
    /// Whether the account has codes: of an app, or for recovery. A passkey can't be shown in a terminal.
    pub fn takes_codes(&self) -> bool {
        self.factors.iter().any(|factor| *factor != Factor::Passkey)
    }

    /// What to ask a person for.
    pub fn question(&self) -> String {
        let app = self.factors.contains(&Factor::Totp);
        let recovery = self.factors.contains(&Factor::RecoveryCode);
        let what = match (app, recovery) {
            (true, true) => "Code of the app, or a recovery code",
            (true, false) => "Code of the app",
            (false, _) => "Recovery code",
        };
        format!("{what}, of {} at {}: ", self.user, self.http.server())
    }

    /// Shows a code of the app or a recovery code; the session that comes of it is kept.
    ///
    /// # Errors
    /// [`SignInError`]; after [`SignInError::Refused`] another code may do.
    pub async fn show(&self, code: &str) -> Result<Tracker, SignInError> {
        let body = serde_json::to_vec(&EnterCode { code: code.to_owned() })
            .map_err(|error| SignInError::Refused(error.to_string()))?;
        let call = Call {
            method: Method::POST,
            path: "/login/code",
            body: Some(body.into()),
            cookie: Some(self.cookie.clone()),
        };
        let answered = self.http.call::<Account>(&call).await;
        let session = answered
            .and_then(|(account, headers)| session(&self.http, &account, &headers))
            .map_err(sign_in_error)?;
        Tracker::entered(self.http.clone(), self.password.clone(), self.folder.clone(), session)
    }
}

impl fmt::Display for HalfWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, .. } = self;
        if self.takes_codes() {
            write!(
                f,
                "{user} has a second factor: `peer login` takes its code, and keeps the session"
            )
        } else {
            write!(
                f,
                "{user} has no second factor but a passkey, which can't be shown here: sign in with a browser and make recovery codes or an \
                 access token (settings, Account); programs call the server with the token"
            )
        }
    }
}

impl fmt::Debug for HalfWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the password nor the cookie.
        f.debug_struct("HalfWay").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Shows the password.
pub(super) async fn log_in(http: &Http, user: &PeerId, password: &str) -> Result<Entry, CallError> {
    let login = Login {
        username: user.to_string(),
        password: password.to_owned(),
        // A program in a terminal is not closed every evening, as a browser is.
        remember: true,
        brief: false,
        next: None,
    };
    let body = serde_json::to_vec(&login).map_err(unsendable)?;
    let call = Call { method: Method::POST, path: "/login", body: Some(body.into()), cookie: None };
    let (status, headers, body) = http.answer(&call).await?;
    if let Some(half) = half_way(status, &headers, &body) {
        return Ok(half);
    }
    let (account, headers) = http.read::<Account>(status, headers, &body)?;
    session(http, &account, &headers).map(Entry::In)
}

fn half_way(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<Entry> {
    if status != StatusCode::FORBIDDEN {
        return None;
    }
    let needed: SecondFactorNeeded = serde_json::from_slice(body).ok()?;
    if needed.code != SECOND_FACTOR_NEEDED {
        return None;
    }
    let mut pairs = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok()?.split(';').next()?.trim().split_once('='));
    let (name, value) = pairs.find(|(name, _)| HALF_COOKIES.contains(name))?;
    Some(Entry::HalfWay { cookie: format!("{name}={value}"), factors: needed.factors })
}

fn session(http: &Http, account: &Account, headers: &HeaderMap) -> Result<Session, CallError> {
    let name = PeerId::parse(&account.username).map_err(unsendable)?;
    Session::from_answer(http.server().to_string(), name, headers).ok_or_else(|| {
        CallError::Unreachable(format!(
            "{} gives no session: name the proxy's address, not a service behind it",
            http.server()
        ))
    })
}

fn unsendable(error: impl fmt::Display) -> CallError {
    CallError::Unreachable(error.to_string())
}

//! `POST /login`: backend-auth is asked, so that curl against the tracker alone can sign in. Where the account asks for a second factor, a code
//! that came along is shown as well; who sent none hears what is needed.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use service::Problem;
use wire::auth::{AccessToken, Login};
use wire::factors::EnterCode;

use crate::caller::Origin;
use crate::http_client::{AskError, ask};
use crate::tracker::Tracker;

/// `POST /login`, with what an account's second factor asks for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// Name and password.
    #[serde(flatten)]
    pub login: Login,
    /// For accounts with a second factor: six digits of the app, or a recovery code.
    pub code: Option<String>,
}

/// What backend-auth says when it refuses.
#[derive(Deserialize)]
struct Refused {
    message: String,
    #[serde(default)]
    code: String,
}

/// Signs in at backend-auth and exchanges the session for a token.
///
/// # Errors
/// 401 and 429 as backend-auth says it, 503 when it is down.
pub async fn login(
    tracker: &Tracker,
    from: &Origin,
    SignIn { login, code }: &SignIn,
) -> Result<AccessToken, Problem> {
    // The session is left behind, since what ends it ends its tokens: it ends with the token.
    let brief = Login { brief: true, ..login.clone() };
    let body = serde_json::to_vec(&brief).map_err(|error| Problem::internal(&error))?;
    let forwarded = HeaderValue::from_str(from.forwarded_for());
    let forwarded = forwarded.map_err(|error| Problem::internal(&error))?;
    let sign_in = post("/login", &forwarded)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Problem::internal(&error))?;
    let mut answer = ask(tracker.identity.auth_url(), sign_in).await.map_err(unavailable)?;
    if let (Some(code), true) = (code, second_factor_needed(&answer)) {
        let body = serde_json::to_vec(&EnterCode { code: code.clone() })
            .map_err(|error| Problem::internal(&error))?;
        let show = post("/login/code", &forwarded)
            .header(CONTENT_TYPE, "application/json")
            .header(COOKIE, cookies(&answer)?)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Problem::internal(&error))?;
        answer = ask(tracker.identity.auth_url(), show).await.map_err(unavailable)?;
    }
    if !answer.status().is_success() {
        return Err(refused(&answer));
    }
    // Only its token goes to the caller.
    let cookies = cookies(&answer)?;
    let exchange = post("/token", &forwarded)
        .header(COOKIE, cookies)
        .body(Full::new(Bytes::new()))
        .map_err(|error| Problem::internal(&error))?;
    let answer = ask(tracker.identity.auth_url(), exchange).await.map_err(unavailable)?;
    if !answer.status().is_success() {
        return Err(refused(&answer));
    }
    serde_json::from_slice(answer.body()).map_err(|error| {
        tracing::error!(%error, "backend-auth's answer to POST /token can't be read");
        Problem::unavailable("auth_unavailable", "backend-auth gave an unreadable answer", 2)
    })
}

const SECOND_FACTOR_NEEDED: &str = "second_factor_needed";

fn second_factor_needed(answer: &Response<Bytes>) -> bool {
    answer.status() == StatusCode::FORBIDDEN && code_of(answer) == SECOND_FACTOR_NEEDED
}

fn code_of(answer: &Response<Bytes>) -> String {
    serde_json::from_slice::<Refused>(answer.body()).map_or(String::new(), |refused| refused.code)
}

fn post(path: &str, forwarded: &HeaderValue) -> http::request::Builder {
    Request::post(path).header("x-forwarded-for", forwarded)
}

fn cookies(answer: &Response<Bytes>) -> Result<HeaderValue, Problem> {
    let pairs: Vec<&str> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    HeaderValue::from_str(&pairs.join("; ")).map_err(|error| Problem::internal(&error))
}

fn unavailable(error: AskError) -> Problem {
    tracing::warn!(%error, "backend-auth can't be asked");
    Problem::unavailable("auth_unavailable", "backend-auth doesn't answer now: try again", 2)
}

/// What backend-auth refuses goes on to the caller as it is; what it can't do is 503.
fn refused(answer: &Response<Bytes>) -> Problem {
    let told = serde_json::from_slice::<Refused>(answer.body()).ok();
    let message = told.map_or_else(|| "backend-auth refused".to_owned(), |told| told.message);
    match answer.status() {
        StatusCode::BAD_REQUEST if code_of(answer) == "invalid_recovery_code" => {
            Problem::unauthenticated(message)
        }
        StatusCode::UNAUTHORIZED => Problem::unauthenticated(message),
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
            let wait = wait.and_then(|wait| wait.parse().ok()).unwrap_or(1);
            Problem::too_many_requests(message, wait)
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::bad_request("invalid_body", message)
        }
        StatusCode::FORBIDDEN if second_factor_needed(answer) => Problem::forbidden(
            SECOND_FACTOR_NEEDED,
            "this account also asks for a second factor: send its `code` (of the app, or a recovery code) along; \
             who has a passkey alone uses a personal access token",
        ),
        StatusCode::FORBIDDEN => Problem::forbidden("forbidden", message),
        status => {
            tracing::warn!(%status, "backend-auth could not sign a caller in");
            Problem::unavailable("auth_unavailable", "backend-auth can't do this now", 2)
        }
    }
}

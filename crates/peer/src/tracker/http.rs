//! One call: a request to the server, and its envelope back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::connect::connect;
use super::server::Server;

/// How long a call may take, from the first byte of the request to the last one of the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 32 << 20;
/// Idle connections that are kept for the next call.
const IDLE: usize = 4;
/// What the program calls itself.
pub const AGENT: &str = concat!("hybrid-chat-peer/", env!("CARGO_PKG_VERSION"));

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refused: with its code and its words.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Stable, for programs.
        code: String,
        /// For people.
        message: String,
        /// When to try again, where the server said so.
        retry_after: Option<Duration>,
    },
    /// No answer, or none of ours.
    #[error("{0}")]
    Unreachable(String),
}

impl CallError {
    /// Whether the same call may work later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => matches!(status, 401 | 408 | 425 | 429 | 500..),
        }
    }

    /// Whether the server does not know who calls.
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }

    /// The refusal's code; empty when there was no answer.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Unreachable(_) => "",
        }
    }

    /// When the server said to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable(_) => None,
        }
    }
}

/// The error envelope.
#[derive(Deserialize)]
struct Envelope {
    code: String,
    message: String,
}

/// Calls to one server over HTTP/1.1. Cheap to clone.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    server: Server,
    // A std lock: held for a push or a pop.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// What to call.
pub struct Call<'a> {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, with its query.
    pub path: &'a str,
    /// The body of a `POST`: JSON.
    pub body: Option<Bytes>,
    /// The session's `Cookie` header.
    pub cookie: Option<String>,
}

impl Http {
    /// Calls to this server.
    pub fn new(server: Server) -> Self {
        Self(Arc::new(Inner { server, idle: Mutex::default() }))
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// Makes a call and reads its answer's fields.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<(T, HeaderMap), CallError> {
        let (status, headers, body) = self.answer(call).await?;
        self.read(status, headers, &body)
    }

    /// Makes a call, for its answer as it is.
    ///
    /// # Errors
    /// [`CallError::Unreachable`].
    pub(super) async fn answer(
        &self,
        call: &Call<'_>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        let exchanged = tokio::time::timeout(PATIENCE, self.exchange(call)).await;
        exchanged.map_err(|_| {
            let seconds = PATIENCE.as_secs();
            self.unreachable(&format!("no answer within {seconds} s"))
        })?
    }

    /// Reads an answer's fields.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<(T, HeaderMap), CallError> {
        if status.is_success() {
            let answer = serde_json::from_slice(body).map_err(|error| {
                self.unreachable(&format!("it does not answer as a hybrid chat server: {error}"))
            })?;
            return Ok((answer, headers));
        }
        Err(refused(&self.0.server, status, &headers, body))
    }

    /// Forgets the kept connections: the network may have changed under them, and a request over a dead one would wait
    /// for nothing.
    pub fn forget_connections(&self) {
        self.idle().clear();
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        // A kept connection may have been closed meanwhile. Each call is safe to repeat: what makes something new
        // carries an id of its own.
        while let Some(mut kept) = self.kept() {
            if kept.ready().await.is_err() {
                continue;
            }
            match self.over(&mut kept, call).await {
                Ok(answer) => {
                    self.keep(kept);
                    return Ok(answer);
                }
                Err(error) => tracing::debug!(%error, "a kept connection was closed"),
            }
        }
        let mut fresh = self.connect().await?;
        let answer = self.over(&mut fresh, call).await?;
        self.keep(fresh);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        let stream =
            connect(&self.0.server).await.map_err(|error| self.unreachable(&error.to_string()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the server broke off");
            }
        });
        Ok(sender)
    }

    async fn over(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        call: &Call<'_>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        let request = self.request(call)?;
        let response = connection
            .send_request(request)
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        Ok((head.status, head.headers, body.to_bytes()))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path)
            .header(HOST, self.0.server.authority())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json");
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(cookie) = &call.cookie {
            let mut value = HeaderValue::try_from(cookie)
                .map_err(|error| CallError::Unreachable(error.to_string()))?;
            value.set_sensitive(true);
            request = request.header(COOKIE, value);
        }
        request
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|error| CallError::Unreachable(error.to_string()))
    }

    fn unreachable(&self, reason: &str) -> CallError {
        CallError::Unreachable(format!("{}: {reason}", self.0.server))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle().pop()
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle();
        if !connection.is_closed() && idle.len() < IDLE {
            idle.push(connection);
        }
    }
}

/// What an answer other than a good one says.
pub(super) fn refused(
    server: &Server,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> CallError {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after =
        text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    if let Ok(Envelope { code, message }) = serde_json::from_slice(body) {
        return CallError::Refused { status: status.as_u16(), code, message, retry_after };
    }
    let reason = match text(LOCATION).filter(|_| status.is_redirection()) {
        Some(location) => format!("it sends us to {location}: name that server instead"),
        None => format!("it answers {status}, and not as a hybrid chat server"),
    };
    CallError::Unreachable(format!("{server}: {reason}"))
}

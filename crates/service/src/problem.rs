//! The error envelope: what a caller reads when something went wrong.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;

/// An error as its caller sees it: a fitting HTTP status, a stable code in snake_case for programs,
/// and a message for people. What went wrong inside belongs into the log, not in here.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The envelope on the wire.
#[derive(Serialize)]
struct Envelope<'a> {
    status: &'static str,
    message: &'a str,
    code: &'a str,
}

impl Problem {
    /// A problem of any status.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401 `unauthenticated` with the `WWW-Authenticate` that RFC 9110 §11.6.1 asks for.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: known, but not allowed.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 403 `insufficient_scope`: the token is for something else (RFC 6750 §3.1).
    pub fn insufficient_scope(scope: &str, message: impl Into<String>) -> Self {
        let problem = Self::forbidden("insufficient_scope", message);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 405 `method_not_allowed` with the `Allow` list.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("use one of: {allowed}"),
        );
        match HeaderValue::from_str(allowed) {
            Ok(value) => problem.with_header(ALLOW, value),
            Err(_) => problem,
        }
    }

    /// 429 `too_many_requests`, with the seconds to wait.
    pub fn too_many_requests(message: impl Into<String>, retry_after: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// 503: it should work, but not now; with the seconds to wait.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// 500 `internal`: logs the cause, tells the caller nothing of it.
    pub fn internal(cause: &(dyn std::fmt::Display + Sync)) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on the server; its log says what",
        )
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The envelope as JSON bytes.
    pub fn body(&self) -> Bytes {
        let envelope = Envelope { status: "error", message: &self.message, code: self.code };
        // Three strings always serialise; an empty body is still a truthful error with its status.
        serde_json::to_vec(&envelope).map(Bytes::from).unwrap_or_default()
    }

    /// The whole answer, its body made by `wrap`.
    pub fn into_response_with<B>(self, wrap: impl FnOnce(Bytes) -> B) -> Response<B> {
        let mut response = Response::new(wrap(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        self.into_response_with(axum::body::Body::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_status_message_and_code() {
        let problem = Problem::not_found("peer_not_registered", "no peer \"bob\"");
        assert_eq!(
            problem.body(),
            r#"{"status":"error","message":"no peer \"bob\"","code":"peer_not_registered"}"#
        );
    }

    #[test]
    fn a_refused_method_lists_the_allowed_ones() {
        let response = Problem::method_not_allowed("GET, POST").into_response_with(|body| body);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, POST");
    }
}

//! What can go wrong with a request, and the one table that turns it into an answer.
//!
//! Every failure has a class: it is the code of the answer, the field of the access-log line and the label
//! of the counter, so that one word leads from a user's screen to the cause.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::target::{ALLOWED, Refused};

/// A request that got no answer from its upstream.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request itself may not be served.
    Rejected(Refused),
    /// No host or path of the configuration matches.
    NoRoute,
    /// The route doesn't serve this method.
    MethodNotAllowed { allow: HeaderValue },
    /// Too many requests; in so many seconds another one may come.
    RateLimited { after: u64 },
    /// Another site's page sent it.
    CrossSite,
    /// A WebSocket by cookie, and nobody knows for which site's page.
    WithoutOrigin,
    /// A session is needed.
    Unauthenticated,
    /// The session may not do this.
    Forbidden,
    /// backend-auth could not be asked, or its answer was no decision.
    AuthUnavailable,
    /// backend-auth said yes without saying who.
    AuthWithoutIdentity,
    /// The request body is longer than the route allows.
    BodyTooLarge { limit: u64 },
    /// The client stopped in the middle of its request.
    ClientTimeout,
    /// The client's request body broke off or was malformed.
    ClientBroke,
    /// No address is known, or the health check failed everywhere.
    NoServer { upstream: Arc<str> },
    /// No server took a connection.
    Refused { upstream: Arc<str> },
    /// No server took a connection in time.
    ConnectTimeout { upstream: Arc<str> },
    /// All connections that are allowed are in use, and enough requests wait for one.
    UpstreamBusy { upstream: Arc<str> },
    /// No connection became free in time.
    QueueTimeout { upstream: Arc<str> },
    /// The server closed the connection without an answer.
    UpstreamClosed { upstream: Arc<str> },
    /// The server's answer is not HTTP.
    UpstreamInvalid { upstream: Arc<str> },
    /// The server switched protocols unasked, or to another one than was asked for.
    BadSwitch { upstream: Arc<str> },
    /// No response head in time.
    UpstreamTimeout { upstream: Arc<str> },
    /// A reload removed the server, and no response head came in the time that was left.
    Removed { upstream: Arc<str> },
}

/// Classes of what goes wrong after the response head, when no other answer can be given any more.
pub(crate) mod late {
    /// The client went away before the answer was complete.
    pub(crate) const CLIENT_CLOSED: &str = "client_closed";
    /// The client did not take its answer.
    pub(crate) const CLIENT_STALLED: &str = "client_stalled";
    /// The upstream's answer broke off.
    pub(crate) const UPSTREAM_TRUNCATED: &str = "upstream_truncated";
    /// The upstream fell silent in the middle of its answer.
    pub(crate) const UPSTREAM_STALLED: &str = "upstream_stalled";
    /// A reload removed the server, and the time that was left is over.
    pub(crate) const UPSTREAM_REMOVED: &str = "upstream_removed";
    /// A live stream was ended because the proxy goes down.
    pub(crate) const DRAINED: &str = "drained";
}

/// Status, class, and the seconds after which a retry makes sense.
struct Row(StatusCode, &'static str, Option<u16>);

impl Failure {
    /// The table.
    fn row(&self) -> Row {
        match self {
            Self::Rejected(refused) => Row(refused.status, refused.class, None),
            Self::NoRoute => Row(StatusCode::NOT_FOUND, "no_route", None),
            Self::MethodNotAllowed { .. } => {
                Row(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None)
            }
            Self::RateLimited { after } => {
                let after = u16::try_from(*after).unwrap_or(u16::MAX);
                Row(StatusCode::TOO_MANY_REQUESTS, "rate_limited", Some(after))
            }
            Self::CrossSite | Self::WithoutOrigin => Row(StatusCode::FORBIDDEN, "cross_site", None),
            Self::Unauthenticated => Row(StatusCode::UNAUTHORIZED, "unauthenticated", None),
            Self::Forbidden => Row(StatusCode::FORBIDDEN, "forbidden", None),
            Self::AuthUnavailable => {
                Row(StatusCode::SERVICE_UNAVAILABLE, "auth_unavailable", Some(2))
            }
            Self::AuthWithoutIdentity => {
                Row(StatusCode::BAD_GATEWAY, "auth_without_identity", None)
            }
            Self::BodyTooLarge { .. } => Row(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", None),
            Self::ClientTimeout => Row(StatusCode::REQUEST_TIMEOUT, "client_timeout", None),
            Self::ClientBroke => Row(StatusCode::BAD_REQUEST, "bad_body", None),
            Self::NoServer { .. } => Row(StatusCode::SERVICE_UNAVAILABLE, "no_server", Some(2)),
            Self::Refused { .. } => {
                Row(StatusCode::SERVICE_UNAVAILABLE, "upstream_refused", Some(2))
            }
            Self::ConnectTimeout { .. } => {
                Row(StatusCode::GATEWAY_TIMEOUT, "connect_timeout", None)
            }
            Self::UpstreamBusy { .. } => {
                Row(StatusCode::SERVICE_UNAVAILABLE, "upstream_busy", Some(1))
            }
            Self::QueueTimeout { .. } => {
                Row(StatusCode::SERVICE_UNAVAILABLE, "queue_timeout", Some(1))
            }
            Self::UpstreamClosed { .. } => Row(StatusCode::BAD_GATEWAY, "upstream_closed", None),
            Self::UpstreamInvalid { .. } => Row(StatusCode::BAD_GATEWAY, "upstream_invalid", None),
            Self::BadSwitch { .. } => Row(StatusCode::BAD_GATEWAY, "bad_switch", None),
            Self::UpstreamTimeout { .. } => {
                Row(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", None)
            }
            Self::Removed { .. } => Row(StatusCode::GATEWAY_TIMEOUT, late::UPSTREAM_REMOVED, None),
        }
    }

    /// The class.
    pub(crate) fn class(&self) -> &'static str {
        self.row().1
    }

    /// Whether the client's connection can serve no further request.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(self, Self::BodyTooLarge { .. } | Self::ClientTimeout | Self::ClientBroke)
    }

    /// The text for the caller.
    fn message(&self) -> String {
        match self {
            Self::Rejected(refused) => refused.message.clone().into_owned(),
            Self::NoRoute => "no route of this proxy matches this host and path".into(),
            Self::MethodNotAllowed { allow } => {
                format!("this path serves {}", allow.to_str().unwrap_or_default())
            }
            Self::RateLimited { after } => {
                format!("too many requests; try again in {after} s")
            }
            Self::CrossSite => {
                "a page of another site may not make this call with your session".into()
            }
            Self::WithoutOrigin => {
                "a WebSocket by cookie needs an Origin header; programs may use a bearer token"
                    .into()
            }
            Self::Unauthenticated => "sign in first: this needs a session or a bearer token".into(),
            Self::Forbidden => "your account may not do this".into(),
            Self::AuthUnavailable => {
                "sessions can't be checked at the moment; try again shortly".into()
            }
            Self::AuthWithoutIdentity => "the session service gave no identity".into(),
            Self::BodyTooLarge { limit } => {
                format!("the request body is longer than {limit} bytes")
            }
            Self::ClientTimeout => "the request body took too long to arrive".into(),
            Self::ClientBroke => "the request body is malformed or incomplete".into(),
            Self::NoServer { upstream } => format!("no server of {upstream} is available"),
            Self::Refused { upstream } => format!("no server of {upstream} takes connections"),
            Self::ConnectTimeout { upstream } => {
                format!("{upstream} did not take a connection in time")
            }
            Self::UpstreamBusy { upstream } => format!("all connections to {upstream} are in use"),
            Self::QueueTimeout { upstream } => {
                format!("no connection to {upstream} became free in time")
            }
            Self::UpstreamClosed { upstream } => {
                format!("{upstream} closed the connection without an answer")
            }
            Self::UpstreamInvalid { upstream } => {
                format!("{upstream} answered something that is not HTTP")
            }
            Self::BadSwitch { upstream } => {
                format!("{upstream} switched to a protocol that was not asked for")
            }
            Self::UpstreamTimeout { upstream } => format!("{upstream} did not answer in time"),
            Self::Removed { upstream } => {
                format!(
                    "the server of {upstream} is no longer in use, and did not answer before that"
                )
            }
        }
    }

    /// The answer: the error envelope with the request's id, by which the log line is found.
    pub(crate) fn response(&self, request_id: &HeaderValue) -> Response<Bytes> {
        let Row(status, class, retry_after) = self.row();
        let message = self.message();
        let envelope = Envelope {
            status: "error",
            message: &message,
            code: class,
            request_id: request_id.to_str().unwrap_or_default(),
        };
        let body = serde_json::to_vec(&envelope).map(Bytes::from).unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(REQUEST_ID, request_id.clone());
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(
                ALLOW,
                match self {
                    Self::MethodNotAllowed { allow } => allow.clone(),
                    _ => HeaderValue::from_static(ALLOWED),
                },
            );
        }
        if self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The header that carries the id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The error envelope of every service of the project, with the id added.
#[derive(Serialize)]
struct Envelope<'a> {
    status: &'static str,
    message: &'a str,
    code: &'a str,
    request_id: &'a str,
}

/// Ids for requests: unlike each other over workers and restarts, and cheap. They are no secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// 32 hexadecimal digits; the first half stays.
    text: std::cell::Cell<[u8; 32]>,
    last: std::cell::Cell<u64>,
}

impl RequestIds {
    /// A sequence of its own, seeded by the system.
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let random = || RandomState::new().hash_one(std::process::id());
        let mut text = [b'0'; 32];
        text[..16].copy_from_slice(&hexadecimal(random()));
        Self { text: std::cell::Cell::new(text), last: std::cell::Cell::new(random()) }
    }

    /// The next id.
    pub(crate) fn next(&self) -> HeaderValue {
        let last = self.last.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.last.set(last);
        let mut text = self.text.get();
        text[16..].copy_from_slice(&hexadecimal(mix(last)));
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

/// The sixteen digits of a number, all at once: a byte of a u128 for each.
fn hexadecimal(value: u64) -> [u8; 16] {
    // Spreads the nibbles, from halves to quarters and so on, over the bytes.
    let mut nibbles = u128::from(value);
    nibbles = (nibbles | nibbles << 32) & 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff;
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & (ONES * 15);
    // 1 in each byte whose nibble is a letter: adding 6 carries into its fifth bit.
    let letters = ((nibbles + ONES * 6) >> 4) & ONES;
    (nibbles + ONES * u128::from(b'0') + letters * u128::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// 1 in each byte.
const ONES: u128 = u128::from_ne_bytes([1; 16]);

/// The finalizer of splitmix64: neighbours in, nothing alike out.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The chain of causes in one line, for the log.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_the_status_that_was_decided_once() {
        let upstream: Arc<str> = "chat".into();
        let table = [
            (Failure::NoRoute, 404, "no_route"),
            (
                Failure::MethodNotAllowed { allow: HeaderValue::from_static("GET") },
                405,
                "method_not_allowed",
            ),
            (Failure::RateLimited { after: 7 }, 429, "rate_limited"),
            (Failure::CrossSite, 403, "cross_site"),
            (Failure::WithoutOrigin, 403, "cross_site"),
            (Failure::Unauthenticated, 401, "unauthenticated"),
            (Failure::Forbidden, 403, "forbidden"),
            (Failure::AuthUnavailable, 503, "auth_unavailable"),
            (Failure::AuthWithoutIdentity, 502, "auth_without_identity"),
            (Failure::BodyTooLarge { limit: 1 }, 413, "body_too_large"),
            (Failure::ClientTimeout, 408, "client_timeout"),
            (Failure::ClientBroke, 400, "bad_body"),
            (Failure::NoServer { upstream: upstream.clone() }, 503, "no_server"),
            (Failure::Refused { upstream: upstream.clone() }, 503, "upstream_refused"),
            (Failure::ConnectTimeout { upstream: upstream.clone() }, 504, "connect_timeout"),
            (Failure::UpstreamBusy { upstream: upstream.clone() }, 503, "upstream_busy"),
            (Failure::QueueTimeout { upstream: upstream.clone() }, 503, "queue_timeout"),
            (Failure::UpstreamClosed { upstream: upstream.clone() }, 502, "upstream_closed"),
            (Failure::UpstreamInvalid { upstream: upstream.clone() }, 502, "upstream_invalid"),
            (Failure::BadSwitch { upstream: upstream.clone() }, 502, "bad_switch"),
            (Failure::UpstreamTimeout { upstream: upstream.clone() }, 504, "upstream_timeout"),
            (Failure::Removed { upstream }, 504, "upstream_removed"),
        ];
        let id = RequestIds::new().next();
        for (failure, status, class) in table {
            let response = failure.response(&id);
            assert_eq!(response.status(), status, "{class}");
            assert_eq!(failure.class(), class);
            assert_eq!(response.headers()[REQUEST_ID], id);
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, matches!(status, 429 | 503), "{class}");
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["status"], "error");
            assert_eq!(body["code"], class);
            assert_eq!(body["request_id"], id.to_str().unwrap());
        }
    }

    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::new();
        let made: std::collections::HashSet<_> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 1000);
        for value in [0, 0x0123_4567_89ab_cdef, u64::MAX, 0xfedc_ba98_7654_3210] {
            assert_eq!(hexadecimal(value), format!("{value:016x}").as_bytes());
        }
        assert!(made.iter().all(|id| id.len() == 32));
    }
}

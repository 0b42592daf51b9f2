//! What a request asks for: one host and one path, the same for routing and for forwarding.

use std::borrow::Cow;

use http::StatusCode;
use service::Problem;

/// A request that goes no further, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable class: code of the answer, field of the log line, label of the counter.
    pub class: &'static str,
    /// What is wrong, for the caller.
    pub message: Cow<'static, str>,
}

impl Refused {
    /// A refusal of any status.
    pub(crate) fn new(
        status: StatusCode,
        class: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, class, message: message.into() }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.class, refused.message)
    }
}

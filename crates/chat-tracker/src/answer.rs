//! Answers: a good one in `{"status":"success", …}`, and what a failure of the store looks like to a caller.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use service::Problem;
use wire::Success;

use crate::store::{Failure, Refusal};

/// A good answer.
pub(crate) struct Answer<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(Success::of(self.0)).into_response()
    }
}

/// The outcome of a call.
pub(crate) type Outcome<T> = Result<Answer<T>, Problem>;

/// What the caller reads when the store did not do it.
pub(crate) fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(refusal) => refused(&refusal),
        Failure::Unavailable(reason) => {
            tracing::warn!(reason, "the store could not do it");
            Problem::unavailable(
                "store_unavailable",
                "the server's storage can't do this now; nothing was changed, try again",
                2,
            )
        }
    }
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::NotYours => {
            Problem::forbidden("not_your_peer", "this peer id belongs to an account")
        }
        Refusal::ChannelExists => Problem::new(
            http::StatusCode::CONFLICT,
            "channel_exists",
            "there is a channel of this name: join it, or choose another name",
        ),
        Refusal::NoSuchChannel => no_such_channel(),
        Refusal::Private => {
            Problem::forbidden("private_channel", "this channel is private: a member can add you")
        }
        Refusal::NotAMember => not_a_member(),
        Refusal::IdConflict => Problem::new(
            http::StatusCode::CONFLICT,
            "id_conflict",
            "this id was used for another message: a new message needs a new id",
        ),
        Refusal::DeviceTaken => Problem::new(
            http::StatusCode::CONFLICT,
            "device_taken",
            "this device's key is registered for another peer: make a new key, or remove it there",
        ),
        Refusal::MailboxFull => Problem::new(
            http::StatusCode::TOO_MANY_REQUESTS,
            "mailbox_full",
            "the recipient's mailbox is full: it has to fetch and acknowledge its messages first",
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static("60")),
    }
}

/// 404 `channel_not_found`
pub(crate) fn no_such_channel() -> Problem {
    Problem::not_found("channel_not_found", "there is no such channel: POST /add-list makes it")
}

/// 403 `not_a_member`
pub(crate) fn not_a_member() -> Problem {
    Problem::forbidden("not_a_member", "only members can do this: join with POST /add-list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status_and_code() {
        let told = |failure| {
            let problem = problem(failure);
            (problem.status().as_u16(), problem.code())
        };
        for (refusal, status, code) in [
            (Refusal::NotYours, 403, "not_your_peer"),
            (Refusal::ChannelExists, 409, "channel_exists"),
            (Refusal::NoSuchChannel, 404, "channel_not_found"),
            (Refusal::Private, 403, "private_channel"),
            (Refusal::NotAMember, 403, "not_a_member"),
            (Refusal::IdConflict, 409, "id_conflict"),
            (Refusal::DeviceTaken, 409, "device_taken"),
            (Refusal::MailboxFull, 429, "mailbox_full"),
        ] {
            assert_eq!(told(Failure::Refused(refusal)), (status, code));
        }
        let disk_full = Failure::Unavailable("database or disk is full".to_owned());
        assert_eq!(told(disk_full), (503, "store_unavailable"));
    }
}

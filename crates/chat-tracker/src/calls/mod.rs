//! What the calls do, for HTTP and WebSocket alike: each takes the tracker, the caller and the request, and
//! gives the answer or a [`Problem`].

mod channels;
mod devices;
mod direct;
mod ice;
mod login;
mod messages;
mod peers;
mod signals;

pub use channels::{add_list, channels, create, join, leave, mark_read, members};
pub(crate) use devices::device_not_registered;
pub use devices::{devices, register_device, remove_device};
pub use direct::{ack, mailbox, send, statuses};
pub use ice::ice;
pub use login::{SignIn, login};
pub use messages::{broadcast, history};
pub use peers::{connect, list, me, peers, submit};
pub use signals::signal;

use service::Problem;
use wire::MessageId;

use crate::settings::Limits;

/// A client's id, or a new one (version 7, so that ids made here sort by time).
fn id_or_new(id: Option<MessageId>) -> Result<MessageId, Problem> {
    match id {
        Some(id) => Ok(id),
        None => MessageId::try_from(uuid::Uuid::now_v7().to_string())
            .map_err(|error| Problem::internal(&error)),
    }
}

fn check_text(text: &str, limits: &Limits) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::bad_request("invalid_body", "field `message`: must not be empty"));
    }
    if text.len() > limits.message_bytes {
        return Err(Problem::new(
            http::StatusCode::PAYLOAD_TOO_LARGE,
            "message_too_large",
            format!(
                "field `message`: has {} bytes of UTF-8, at most {} fit",
                text.len(),
                limits.message_bytes
            ),
        ));
    }
    Ok(())
}

/// Refuses what would be one too many. Calls at the same moment may pass a few more; the limit is there
/// against thousands.
fn check_room(now: usize, most: usize, code: &'static str, what: &str) -> Result<(), Problem> {
    if now < most {
        return Ok(());
    }
    Err(Problem::new(
        http::StatusCode::TOO_MANY_REQUESTS,
        code,
        format!("there are {now} {what} already, and this tracker keeps no more"),
    ))
}

fn page_limit(limit: Option<u32>, limits: &Limits) -> Result<u32, Problem> {
    let most = limits.page_messages;
    match limit {
        None => Ok(wire::limits::PAGE_DEFAULT.min(most)),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(
            "invalid_limit",
            format!("field `limit`: {limit} is not in 1 to {most}"),
        )),
    }
}

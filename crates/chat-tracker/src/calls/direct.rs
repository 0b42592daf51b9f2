//! Direct messages by way of the mailbox.

use std::time::Instant;

use service::Problem;
use wire::chat::{AckMailbox, Acked, AskDelivery, Deliveries, DeliveryState, GetMailbox, Mailbox};
use wire::limits::IDS_PER_CALL;
use wire::tracker::{Delivery, SendPeer, Sent};

use super::{check_text, id_or_new, page_limit};
use crate::answer::problem;
use crate::caller::{Caller, not_registered};
use crate::clock::rfc3339_millis;
use crate::store::{Acknowledge, Queue, deliveries, waiting};
use crate::tracker::Tracker;

/// `POST /send-peer`
///
/// # Errors
/// A wrong text, an unknown or foreign peer, an id used twice, a full mailbox, the store.
pub async fn send(tracker: &Tracker, caller: &Caller, request: SendPeer) -> Result<Sent, Problem> {
    let sender = caller.acting_as(tracker, Some(&request.from_peer))?;
    check_text(&request.message, &tracker.limits)?;
    tracker.metrics.direct_content(request.message.len());
    let recipient =
        tracker.peers.get(&request.to_peer).ok_or_else(|| not_registered(&request.to_peer))?;
    let active = tracker.presence.is_active(&recipient.peer, Instant::now());
    let peer_info = recipient.info(active);
    let id = id_or_new(request.id)?;
    let queue = Queue {
        sender,
        recipient,
        id: id.clone(),
        body: request.message,
        room: tracker.limits.mailbox,
        keep: tracker.limits.mailbox_keep,
    };
    let queued = tracker.store.write(queue).await.map_err(problem)?;
    if !queued.duplicate {
        tracker.metrics.direct_message();
    }
    Ok(Sent {
        message: "Message sent".to_owned(),
        peer_info,
        id,
        timestamp: rfc3339_millis(queued.at),
        delivery: queued.delivery,
        duplicate: queued.duplicate,
    })
}

/// `GET /chat/mailbox`
///
/// # Errors
/// An unknown or foreign peer, a wrong limit, the store.
pub async fn mailbox(
    tracker: &Tracker,
    caller: &Caller,
    request: GetMailbox,
) -> Result<Mailbox, Problem> {
    let reader = caller.acting_as(tracker, request.peer_id.as_ref())?;
    let limit = page_limit(request.limit, &tracker.limits)?;
    // One more than asked for tells whether there are more.
    let found = tracker
        .store
        .read(move |db| waiting(db, reader.id, reader.peer.id(), limit.saturating_add(1)))
        .await;
    let mut messages = found.map_err(problem)?;
    let more = messages.len() > limit as usize;
    messages.truncate(limit as usize);
    Ok(Mailbox { count: messages.len(), messages, more })
}

/// `POST /chat/mailbox/ack`
///
/// # Errors
/// An unknown or foreign peer, no message or too many, the store.
pub async fn ack(
    tracker: &Tracker,
    caller: &Caller,
    request: AckMailbox,
) -> Result<Acked, Problem> {
    let recipient = caller.acting_as(tracker, request.peer_id.as_ref())?;
    check_count("messages", request.messages.len())?;
    let keep = tracker.limits.mailbox_keep;
    let acknowledge = Acknowledge { recipient, messages: request.messages, keep };
    let acked = tracker.store.write(acknowledge).await.map_err(problem)?;
    Ok(Acked { acked: acked.len() })
}

/// `POST /chat/direct/status`
///
/// # Errors
/// An unknown or foreign peer, no id or too many, the store.
pub async fn statuses(
    tracker: &Tracker,
    caller: &Caller,
    request: AskDelivery,
) -> Result<Deliveries, Problem> {
    let sender = caller.acting_as(tracker, request.peer_id.as_ref())?;
    check_count("ids", request.ids.len())?;
    let ids = request.ids.clone();
    let found = tracker.store.read(move |db| deliveries(db, sender.id, &ids)).await;
    let found = found.map_err(problem)?;
    let state = |id| {
        let delivery = found.get(&id).copied().unwrap_or(Delivery::Unknown);
        DeliveryState { id, delivery }
    };
    Ok(Deliveries { deliveries: request.ids.into_iter().map(state).collect() })
}

fn check_count(field: &str, count: usize) -> Result<(), Problem> {
    if (1..=IDS_PER_CALL).contains(&count) {
        return Ok(());
    }
    Err(Problem::bad_request(
        "invalid_body",
        format!("field `{field}`: has {count} entries, 1 to {IDS_PER_CALL} are taken"),
    ))
}

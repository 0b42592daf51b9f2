//! Messages to channels, and their history.

use service::Problem;
use wire::tracker::{BroadcastPeer, Broadcasted, GetMessages, Messages};

use super::{check_text, id_or_new, page_limit};
use crate::answer::{no_such_channel, not_a_member, problem};
use crate::caller::Caller;
use crate::clock::rfc3339_millis;
use crate::store::{Append, Page, page};
use crate::tracker::Tracker;

/// `POST /broadcast-peer`
///
/// # Errors
/// A wrong text, an unknown or foreign peer or channel, an id used twice, the store.
pub async fn broadcast(
    tracker: &Tracker,
    caller: &Caller,
    request: BroadcastPeer,
) -> Result<Broadcasted, Problem> {
    let sender = caller.acting_as(tracker, Some(&request.peer_id))?;
    check_text(&request.message, &tracker.limits)?;
    tracker.metrics.channel_content(request.message.len());
    let channel = tracker.channels.get(&request.channel).ok_or_else(no_such_channel)?;
    let id = id_or_new(request.id)?;
    let recipients = || {
        let members = tracker.channels.get(&request.channel).map(|channel| channel.members);
        let others = members.iter().flat_map(|members| members.iter());
        others.filter(|peer| **peer != sender.peer).map(|peer| peer.id().clone()).collect()
    };
    let append = Append { sender: sender.clone(), channel, id: id.clone(), body: request.message };
    let appended = tracker.store.write(append).await.map_err(problem)?;
    if !appended.duplicate {
        tracker.metrics.channel_message();
    }
    Ok(Broadcasted {
        message: "Message broadcasted".to_owned(),
        recipients: recipients(),
        channel: request.channel.clone(),
        id,
        seq: appended.seq,
        timestamp: rfc3339_millis(appended.at),
        duplicate: appended.duplicate,
    })
}

/// `GET` or `POST /get-messages`, `GET /chat/messages`
///
/// # Errors
/// An unknown channel, a private one of which the caller isn't a member, a wrong limit, the store.
pub async fn history(
    tracker: &Tracker,
    caller: &Caller,
    request: GetMessages,
) -> Result<Messages, Problem> {
    let reader = caller.acting_as_or_guest(tracker, request.peer_id.as_ref())?;
    let limit = page_limit(request.limit, &tracker.limits)?;
    let channel = tracker.channels.get(&request.channel).ok_or_else(no_such_channel)?;
    if channel.private && !reader.is_some_and(|reader| channel.members.contains(&reader.peer)) {
        return Err(not_a_member());
    }
    let id = channel.id;
    let wanted = Page { before: request.before_seq, after: request.after_seq, limit };
    let messages = tracker.store.read(move |db| page(db, id, wanted)).await.map_err(problem)?;
    // The page may be newer than the index, never the other way round for long.
    let newest = messages.last().map_or(0, |message| message.seq);
    Ok(Messages {
        channel: request.channel,
        count: messages.len(),
        head_seq: channel.head.max(newest),
        messages,
    })
}

//! The newer calls, under `/chat/`.

use axum::extract::State;
use wire::Success;
use wire::chat::{
    AckMailbox, Acked, AskDelivery, Channels, CreateChannel, Deliveries, GetMailbox, JoinChannel,
    ListChannels, ListMembers, Mailbox, MarkRead, Me, Members, Membership, Peers, ReadMarker,
};
use wire::tracker::{GetMessages, Messages};

use super::openapi::{Errors, ErrorsOfPeers};
use crate::answer::{Answer, Outcome};
use crate::caller::Caller;
use crate::calls;
use crate::extract::{JsonBody, Query};
use crate::tracker::Tracker;

/// As whom the tracker sees the caller.
#[utoipa::path(get, path = "/chat/me", tag = "chat",
    responses((status = 200, body = Success<Me>), Errors))]
pub(crate) async fn me(State(tracker): State<Tracker>, caller: Caller) -> Answer<Me> {
    Answer(calls::me(&tracker, &caller))
}

/// The peer's channels, or all that it may see, with unread counts.
#[utoipa::path(get, path = "/chat/channels", tag = "chat", params(ListChannels),
    responses((status = 200, body = Success<Channels>), Errors, ErrorsOfPeers))]
pub(crate) async fn channels(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<ListChannels>,
) -> Outcome<Channels> {
    calls::channels(&tracker, &caller, &request).await.map(Answer)
}

/// Makes a channel and joins it.
#[utoipa::path(post, path = "/chat/channels", tag = "chat", request_body = CreateChannel,
    responses((status = 200, body = Success<Membership>), Errors, ErrorsOfPeers))]
pub(crate) async fn create(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<CreateChannel>,
) -> Outcome<Membership> {
    calls::create(&tracker, &caller, request).await.map(Answer)
}

/// Joins a channel, or adds another peer to it. What was said before counts as read.
#[utoipa::path(post, path = "/chat/channels/join", tag = "chat", request_body = JoinChannel,
    responses((status = 200, body = Success<Membership>), Errors, ErrorsOfPeers))]
pub(crate) async fn join(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<JoinChannel>,
) -> Outcome<Membership> {
    calls::join(&tracker, &caller, request).await.map(Answer)
}

/// Leaves a channel.
#[utoipa::path(post, path = "/chat/channels/leave", tag = "chat", request_body = JoinChannel,
    responses((status = 200, body = Success<Membership>), Errors, ErrorsOfPeers))]
pub(crate) async fn leave(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<JoinChannel>,
) -> Outcome<Membership> {
    calls::leave(&tracker, &caller, request).await.map(Answer)
}

/// A channel's members, with their presence.
#[utoipa::path(get, path = "/chat/members", tag = "chat", params(ListMembers),
    responses((status = 200, body = Success<Members>), Errors, ErrorsOfPeers))]
pub(crate) async fn members(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<ListMembers>,
) -> Outcome<Members> {
    calls::members(&tracker, &caller, request).map(Answer)
}

/// All known peers, with their presence.
#[utoipa::path(get, path = "/chat/peers", tag = "chat",
    responses((status = 200, body = Success<Peers>), Errors))]
pub(crate) async fn peers(State(tracker): State<Tracker>, caller: Caller) -> Answer<Peers> {
    Answer(calls::peers(&tracker, &caller))
}

/// A page of a channel's history, oldest first.
#[utoipa::path(get, path = "/chat/messages", tag = "chat", params(GetMessages),
    responses((status = 200, body = Success<Messages>), Errors, ErrorsOfPeers))]
pub(crate) async fn messages(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<GetMessages>,
) -> Outcome<Messages> {
    calls::history(&tracker, &caller, request).await.map(Answer)
}

/// Moves the read marker forward.
#[utoipa::path(post, path = "/chat/read", tag = "chat", request_body = MarkRead,
    responses((status = 200, body = Success<ReadMarker>), Errors, ErrorsOfPeers))]
pub(crate) async fn read(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<MarkRead>,
) -> Outcome<ReadMarker> {
    calls::mark_read(&tracker, &caller, request).await.map(Answer)
}

/// Direct messages that wait to be acknowledged, oldest first.
#[utoipa::path(get, path = "/chat/mailbox", tag = "chat", params(GetMailbox),
    responses((status = 200, body = Success<Mailbox>), Errors, ErrorsOfPeers))]
pub(crate) async fn mailbox(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<GetMailbox>,
) -> Outcome<Mailbox> {
    calls::mailbox(&tracker, &caller, request).await.map(Answer)
}

/// The receiver has stored these messages: the tracker forgets their text and tells the senders.
#[utoipa::path(post, path = "/chat/mailbox/ack", tag = "chat", request_body = AckMailbox,
    responses((status = 200, body = Success<Acked>), Errors, ErrorsOfPeers))]
pub(crate) async fn ack(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<AckMailbox>,
) -> Outcome<Acked> {
    calls::ack(&tracker, &caller, request).await.map(Answer)
}

/// How far the sender's direct messages have come.
#[utoipa::path(post, path = "/chat/direct/status", tag = "chat", request_body = AskDelivery,
    responses((status = 200, body = Success<Deliveries>), Errors, ErrorsOfPeers))]
pub(crate) async fn statuses(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<AskDelivery>,
) -> Outcome<Deliveries> {
    calls::statuses(&tracker, &caller, request).await.map(Answer)
}

//! The seven calls of the original API, and its two sample calls.

use axum::extract::State;
use http::Method;
use serde::{Deserialize, Serialize};
use wire::Success;
use wire::auth::AccessToken;
use wire::tracker::{
    AddList, Added, BroadcastPeer, Broadcasted, ConnectPeer, Connected, GetMessages, Messages,
    PeerList, SendPeer, Sent, SubmitInfo, Submitted,
};

use super::openapi::{ErrorEnvelope, Errors, ErrorsOfPeers};
use crate::answer::{Answer, Outcome};
use crate::caller::{Caller, Origin};
use crate::calls;
use crate::extract::{JsonBody, MaybeJson, Query, QueryOrBody};
use crate::tracker::Tracker;

/// Registers a peer or renews its address.
#[utoipa::path(post, path = "/submit-info", tag = "original", request_body = SubmitInfo,
    responses((status = 200, body = Success<Submitted>), Errors, ErrorsOfPeers))]
pub(crate) async fn submit_info(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<SubmitInfo>,
) -> Outcome<Submitted> {
    calls::submit(&tracker, &caller, request).await.map(Answer)
}

/// Lists the active peers.
#[utoipa::path(get, path = "/get-list", tag = "original",
    responses((status = 200, body = Success<PeerList>), Errors))]
pub(crate) async fn get_list(State(tracker): State<Tracker>, _: Caller) -> Outcome<PeerList> {
    calls::list(&tracker).map(Answer)
}

/// Joins a channel, which comes into being with its first member.
#[utoipa::path(post, path = "/add-list", tag = "original", request_body = AddList,
    responses((status = 200, body = Success<Added>), Errors, ErrorsOfPeers))]
pub(crate) async fn add_list(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<AddList>,
) -> Outcome<Added> {
    calls::add_list(&tracker, &caller, request).await.map(Answer)
}

/// Tells where another peer is.
#[utoipa::path(post, path = "/connect-peer", tag = "original", request_body = ConnectPeer,
    responses((status = 200, body = Success<Connected>), Errors, ErrorsOfPeers))]
pub(crate) async fn connect_peer(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<ConnectPeer>,
) -> Outcome<Connected> {
    calls::connect(&tracker, &caller, &request).map(Answer)
}

/// Sends a message to a channel; the answer comes when it is on disk.
#[utoipa::path(post, path = "/broadcast-peer", tag = "original", request_body = BroadcastPeer,
    responses((status = 200, body = Success<Broadcasted>), Errors, ErrorsOfPeers))]
pub(crate) async fn broadcast_peer(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<BroadcastPeer>,
) -> Outcome<Broadcasted> {
    calls::broadcast(&tracker, &caller, request).await.map(Answer)
}

/// Sends a direct message to a peer's mailbox; the answer comes when it is on disk.
#[utoipa::path(post, path = "/send-peer", tag = "original", request_body = SendPeer,
    responses((status = 200, body = Success<Sent>), Errors, ErrorsOfPeers))]
pub(crate) async fn send_peer(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<SendPeer>,
) -> Outcome<Sent> {
    calls::send(&tracker, &caller, request).await.map(Answer)
}

/// A page of a channel's history, oldest first. The fields may also come as a JSON body.
#[utoipa::path(get, path = "/get-messages", tag = "original", params(GetMessages),
    responses((status = 200, body = Success<Messages>), Errors, ErrorsOfPeers))]
pub(crate) async fn get_messages(
    State(tracker): State<Tracker>,
    caller: Caller,
    QueryOrBody(request): QueryOrBody<GetMessages>,
) -> Outcome<Messages> {
    calls::history(&tracker, &caller, request).await.map(Answer)
}

/// As `GET`, with the fields in the body.
#[utoipa::path(post, path = "/get-messages", tag = "original", request_body = GetMessages,
    responses((status = 200, body = Success<Messages>), Errors, ErrorsOfPeers))]
pub(crate) async fn post_get_messages(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<GetMessages>,
) -> Outcome<Messages> {
    calls::history(&tracker, &caller, request).await.map(Answer)
}

/// Whom to greet.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
pub(crate) struct Hello {
    /// A name, if any.
    #[serde(default)]
    name: Option<String>,
}

/// A greeting.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Greeting {
    /// The greeting.
    message: String,
    /// The method it was asked with.
    method: String,
}

/// Greets: shows that the tracker answers.
#[utoipa::path(method(get, post, put), path = "/hello", tag = "original", params(Hello),
    request_body = Hello,
    responses((status = 200, body = Success<Greeting>), Errors))]
pub(crate) async fn hello(
    method: Method,
    Query(asked): Query<Hello>,
    MaybeJson(body): MaybeJson<Hello>,
) -> Answer<Greeting> {
    let name = body.and_then(|body| body.name).or(asked.name);
    let message = match name {
        Some(name) => format!("Hello, {name}!"),
        None => "Hello from the hybrid chat tracker!".to_owned(),
    };
    Answer(Greeting { message, method: method.to_string() })
}

/// Signs in at backend-auth and answers with a token for `Authorization: Bearer`.
#[utoipa::path(post, path = "/login", tag = "original", request_body = calls::SignIn,
    responses((status = 200, body = Success<AccessToken>),
        (status = 403, body = ErrorEnvelope, description = "`second_factor_needed`: the password is right, and a `code` is to be sent along"),
        (status = 429, body = ErrorEnvelope, description = "`too_many_requests`, with `Retry-After`"), Errors))]
pub(crate) async fn login(
    State(tracker): State<Tracker>,
    from: Origin,
    JsonBody(request): JsonBody<calls::SignIn>,
) -> Outcome<AccessToken> {
    calls::login(&tracker, &from, &request).await.map(Answer)
}

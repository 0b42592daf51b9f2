//! Direct links: devices, signals between them, and the servers that help.

use axum::extract::State;
use wire::Success;
use wire::device::{Device, Devices, ListDevices, RegisterDevice, RemoveDevice, RemovedDevice};
use wire::signal::{AskIce, Ice, SendSignal, Signalled};

use super::openapi::{Errors, ErrorsOfPeers};
use crate::answer::{Answer, Outcome};
use crate::caller::Caller;
use crate::calls;
use crate::extract::{JsonBody, Query};
use crate::tracker::Tracker;

/// Registers a device's key, or renews its label. `signature` is over `hybrid-chat device 1`, the peer id in
/// lower case and the device id, joined by line breaks.
#[utoipa::path(post, path = "/chat/devices", tag = "links", request_body = RegisterDevice,
    responses((status = 200, body = Success<Device>), Errors, ErrorsOfPeers))]
pub(crate) async fn register(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<RegisterDevice>,
) -> Outcome<Device> {
    calls::register_device(&tracker, &caller, request).await.map(Answer)
}

/// A peer's devices, oldest first.
#[utoipa::path(get, path = "/chat/devices", tag = "links", params(ListDevices),
    responses((status = 200, body = Success<Devices>), Errors, ErrorsOfPeers))]
pub(crate) async fn devices(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<ListDevices>,
) -> Outcome<Devices> {
    calls::devices(&tracker, &caller, request).await.map(Answer)
}

/// Removes a device. Its live streams end.
#[utoipa::path(post, path = "/chat/devices/remove", tag = "links", request_body = RemoveDevice,
    responses((status = 200, body = Success<RemovedDevice>), Errors, ErrorsOfPeers))]
pub(crate) async fn remove(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<RemoveDevice>,
) -> Outcome<RemovedDevice> {
    calls::remove_device(&tracker, &caller, request).await.map(Answer)
}

/// Hands a signal to the live streams of a device, where it is an event of type `signal` without a cursor.
/// Nothing of it is kept: when the device isn't live, the answer is `"delivered": false`.
#[utoipa::path(post, path = "/chat/signal", tag = "links", request_body = SendSignal,
    responses((status = 200, body = Success<Signalled>), Errors, ErrorsOfPeers))]
pub(crate) async fn signal(
    State(tracker): State<Tracker>,
    caller: Caller,
    JsonBody(request): JsonBody<SendSignal>,
) -> Outcome<Signalled> {
    calls::signal(&tracker, &caller, request).map(Answer)
}

/// STUN and TURN servers, with credentials for a while.
#[utoipa::path(get, path = "/chat/ice", tag = "links", params(AskIce),
    responses((status = 200, body = Success<Ice>), Errors, ErrorsOfPeers))]
pub(crate) async fn ice(
    State(tracker): State<Tracker>,
    caller: Caller,
    Query(request): Query<AskIce>,
) -> Outcome<Ice> {
    calls::ice(&tracker, &caller, &request).map(Answer)
}

//! The OpenAPI document, generated from the handlers.

use axum::Json;
use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use wire::headers::{Declared, Shape, declare};
use wire::identity::IDENTITY_HEADER;

use super::{chat, links, original, service_calls};
use crate::{sse, ws};

/// The envelope of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorEnvelope {
    /// Always `error`.
    #[schema(example = "error")]
    status: String,
    /// What is wrong, for people.
    message: String,
    /// What is wrong, for programs: stable, snake_case.
    #[schema(example = "peer_not_registered")]
    code: String,
}

/// Errors that any call may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is read by the derive only")]
pub(crate) enum Errors {
    /// `invalid_body`, `invalid_query`, `invalid_limit`, `peer_id_required`, `identity_conflict`: the
    /// message names the field and says why.
    #[response(status = 400)]
    BadRequest(#[to_schema] ErrorEnvelope),
    /// `unauthenticated`: a wrong token, or none where one is needed.
    #[response(status = 401)]
    Unauthenticated(#[to_schema] ErrorEnvelope),
    /// `method_not_allowed`, with `Allow`.
    #[response(status = 405)]
    MethodNotAllowed(#[to_schema] ErrorEnvelope),
    /// `body_too_large`, `message_too_large`, `signal_too_large`.
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorEnvelope),
    /// `unsupported_media_type`: the body isn't declared as JSON.
    #[response(status = 415)]
    UnsupportedMediaType(#[to_schema] ErrorEnvelope),
    /// `store_unavailable`, `identity_unavailable`, `auth_unavailable`, with `Retry-After`: nothing was
    /// changed.
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorEnvelope),
}

/// Errors of calls that name peers and channels.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is read by the derive only")]
pub(crate) enum ErrorsOfPeers {
    /// `not_your_peer`, `not_a_member`, `private_channel`, `bad_signature`.
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorEnvelope),
    /// `peer_not_registered`, `channel_not_found`, `device_not_registered`.
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorEnvelope),
    /// `id_conflict`, `channel_exists`, `device_taken`.
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorEnvelope),
    /// `too_many_requests`, `mailbox_full`, with `Retry-After`.
    #[response(status = 429)]
    TooMany(#[to_schema] ErrorEnvelope),
}

/// The whole API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hybrid chat tracker",
        description = "Peers, channels, durable messages and live events. Every path also works with a \
                       trailing slash. In open mode calls need no identity: guests act as any peer that \
                       no account owns.",
    ),
    paths(
        original::submit_info, original::get_list, original::add_list, original::connect_peer,
        original::broadcast_peer, original::send_peer, original::get_messages,
        original::post_get_messages, original::hello, original::login,
        chat::me, chat::channels, chat::create, chat::join, chat::leave, chat::members, chat::peers,
        chat::messages, chat::read, chat::mailbox, chat::ack, chat::statuses,
        links::register, links::devices, links::remove, links::signal, links::ice,
        sse::events, ws::socket,
        service_calls::health, service_calls::ready, document,
    ),
    components(schemas(
        wire::event::Event, wire::event::Command, wire::chat::Scope, wire::PeerId, wire::ChannelName,
        wire::MessageId, ErrorEnvelope,
    )),
    modifiers(&Security, &MayBeEmpty, &Headers),
    security((), ("bearer" = []), ("proxy" = [])),
)]
pub(crate) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some("The token of POST /login."))
                    .build(),
            ),
        );
        components.add_security_scheme(
            "proxy",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                IDENTITY_HEADER,
                "The same kind of token, set by the proxy for a session's calls.",
            ))),
        );
    }
}

/// What answers of these statuses have.
const HEADERS: [Declared; 2] = [
    Declared {
        status: Some("405"),
        name: "allow",
        about: "The methods that there are",
        shape: Shape::Pattern("^[A-Z]+(, [A-Z]+)*$"),
        always: true,
    },
    Declared {
        status: Some("429"),
        name: "retry-after",
        about: "Seconds to wait, where that helps",
        shape: Shape::Seconds,
        always: false,
    },
];

struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        declare(document, &HEADERS);
    }
}

/// A greeting needs no body.
struct MayBeEmpty;

impl Modify for MayBeEmpty {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let Some(path) = document.paths.paths.get_mut("/hello") else { return };
        for operation in [&mut path.get, &mut path.post, &mut path.put].into_iter().flatten() {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                body.required = Some(Required::False);
            }
        }
    }
}

/// This document.
#[utoipa::path(get, path = "/chat/openapi.json", tag = "service", responses((status = 200, body = Object)))]
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

//! `/auth/openapi.json`, generated from the handlers.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Required, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use wire::headers::{Declared, Shape, declare};

use crate::handlers::{
    account, admin, factors, guide, invites, login, logout, oidc, passkey_login, passkeys,
    password, reauth, register, reset, revocations, second, sessions, strength, token, tokens,
    totp, verify,
};
use crate::router;

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "hybrid chat: accounts",
        description = "Accounts, cookie sessions and identity tokens. Every answer has `status`; an error adds `message` for people and `code` for programs. State-changing calls from another site's page are refused (403 `cross_site`)."
    ),
    paths(
        register::register,
        login::login,
        second::code,
        passkey_login::begin,
        passkey_login::finish,
        passkey_login::begin_second,
        passkey_login::finish_second,
        oidc::login::login,
        oidc::callback::callback,
        oidc::name::choose,
        oidc::link::begin,
        oidc::link::unlink,
        logout::logout,
        account::me,
        password::change,
        reauth::reauth,
        sessions::list,
        sessions::revoke,
        factors::list,
        totp::enrol,
        totp::confirm,
        totp::remove,
        factors::renew_codes,
        passkeys::begin,
        passkeys::add,
        passkeys::rename,
        passkeys::remove,
        tokens::list,
        tokens::create,
        tokens::revoke,
        reset::reset,
        strength::estimate,
        invites::create,
        token::token,
        verify::verify,
        verify::key_set,
        guide::info,
        guide::addresses,
        guide::qr,
        admin::users::list,
        admin::users::set_role,
        admin::users::disable,
        admin::users::enable,
        admin::users::end_sessions,
        admin::users::delete,
        admin::factors::remove,
        admin::factors::unlink,
        admin::resets::create,
        admin::bots::create,
        admin::bots::list_tokens,
        admin::bots::create_token,
        admin::bots::revoke_token,
        admin::invites::list,
        admin::invites::revoke,
        admin::audit::search,
        admin::audit::export,
        revocations::since,
        router::health,
        router::ready,
        router::document
    ),
    modifiers(&Bodies, &Headers, &Pages),
    tags(
        (name = "accounts", description = "Who one is"),
        (name = "second factors", description = "What shows who one is besides the password. An account that has one is asked for it by `POST /login`: 403 `second_factor_needed`"),
        (name = "administration", description = "What administrators ask and change. A change needs a sign-in of the last minutes: 403 `reauth_required` otherwise"),
        (name = "identity", description = "What the proxy and the tracker ask"),
        (name = "pages", description = "What the web client asks"),
        (name = "service", description = "The program itself")
    )
)]
pub struct Document;

/// What all answers have, and those of these statuses.
const HEADERS: [Declared; 5] = [
    Declared {
        status: None,
        name: "cache-control",
        about: "Nothing of it is to be kept",
        shape: Shape::Pattern("^no-store$"),
        always: true,
    },
    Declared {
        status: Some("303"),
        name: "location",
        about: "Where a browser goes on",
        shape: Shape::Text,
        always: true,
    },
    Declared {
        status: Some("303"),
        name: "set-cookie",
        about: "When someone signed in or out, or is half-way",
        shape: Shape::Text,
        always: false,
    },
    Declared {
        status: Some("303"),
        name: "retry-after",
        about: "With `error=too_many_requests` and the like: seconds to wait",
        shape: Shape::Seconds,
        always: false,
    },
    Declared {
        status: Some("429"),
        name: "retry-after",
        about: "Seconds to wait",
        shape: Shape::Seconds,
        always: true,
    },
];

/// A search of the audit log has pages and no format, its export a format and no pages.
struct Pages;

impl Modify for Pages {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, without) in
            [("/auth/admin/audit", "format"), ("/auth/admin/audit/export", "limit")]
        {
            let call = document.paths.paths.get_mut(path).and_then(|item| item.get.as_mut());
            if let Some(parameters) = call.and_then(|call| call.parameters.as_mut()) {
                parameters.retain(|parameter| match parameter {
                    RefOr::T(parameter) => parameter.name != without,
                    RefOr::Ref(_) => true,
                });
            }
        }
    }
}

struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        declare(document, &HEADERS);
    }
}

/// What every call with a body may answer, whatever it is about.
const OF_BODIES: [(&str, &str); 4] = [
    ("400", "`invalid_json`, `invalid_form`, `invalid_field`"),
    ("408", "`request_timeout`: the body came too slowly"),
    ("413", "`payload_too_large`"),
    ("415", "`unsupported_media_type`: neither JSON nor a form"),
];
/// Calls whose body may be left out.
const MAY_BE_EMPTY: [&str; 2] = ["/invites", "/token"];

struct Bodies;

impl Modify for Bodies {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            // There is none with another method.
            if let Some(operation) = &mut item.post {
                complete(path, operation);
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    if MAY_BE_EMPTY.contains(&path) {
        body.required = Some(Required::False);
    }
    for (status, description) in OF_BODIES {
        let response = ResponseBuilder::new().description(description).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(response.into());
    }
}

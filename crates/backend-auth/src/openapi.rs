//! `/auth/openapi.json`, generated from the handlers.

use utoipa::OpenApi;

use crate::handlers::{
    account, admin, factors, guide, invites, login, logout, password, reauth, register, reset,
    second, sessions, strength, token, tokens, totp, verify,
};

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
        admin::resets::create,
        admin::bots::create,
        admin::bots::list_tokens,
        admin::bots::create_token,
        admin::bots::revoke_token,
        admin::invites::list,
        admin::invites::revoke,
        admin::audit::search,
        admin::audit::export
    ),
    tags(
        (name = "accounts", description = "Who one is"),
        (name = "second factors", description = "What shows who one is besides the password. An account that has one is asked for it by `POST /login`: 403 `second_factor_needed`"),
        (name = "administration", description = "What administrators ask and change. A change needs a sign-in of the last minutes: 403 `reauth_required` otherwise"),
        (name = "identity", description = "What the proxy and the tracker ask"),
        (name = "pages", description = "What the web client asks")
    )
)]
pub struct Document;

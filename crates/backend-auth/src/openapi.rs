//! `/auth/openapi.json`, generated from the handlers.

use utoipa::OpenApi;

use crate::handlers::{account, guide, invites, login, logout, password, register, token, verify};

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
        logout::logout,
        account::me,
        password::change,
        invites::create,
        token::token,
        verify::verify,
        verify::key_set,
        guide::info,
        guide::addresses,
        guide::qr_svg
    ),
    tags(
        (name = "accounts", description = "Who one is"),
        (name = "identity", description = "What the proxy and the tracker ask"),
        (name = "pages", description = "What the web client asks")
    )
)]
pub struct Document;

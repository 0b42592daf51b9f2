//! Calls that are refused before they are read: nobody is signed in, or someone who may not, or whose sign-in was too long ago. The audit log
//! gets them under the name that such a call has when it is made. They cost their caller nothing, so that they are one row a minute.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::Method;
use http::request::Parts;
use service::Problem;

use super::SignedIn;
use crate::App;
use crate::audit::Entry;
use crate::client::Client;

/// What looking at what only administrators see is called.
const LOOK: &str = "admin";

/// Notes that a call was refused, and gives the reason back.
pub(super) async fn note(
    parts: &mut Parts,
    app: &Arc<App>,
    caller: Option<&SignedIn>,
    problem: Problem,
) -> Problem {
    let Some(event) = event(&parts.method, parts.uri.path(), &problem) else { return problem };
    let Ok(client) = Client::from_request_parts(parts, app).await;
    let entry = Entry::new(event, &client);
    let entry = match caller {
        Some(caller) => entry.by(&caller.session.account),
        None => entry.by_name("(nobody)"),
    };
    let entry = if event == LOOK { entry.detail(parts.uri.path()) } else { entry };
    app.audit.refuse(entry, problem)
}

/// What a call is to the audit log; nothing when it is none of its business.
fn event(method: &Method, path: &str, problem: &Problem) -> Option<&'static str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if *method != Method::POST {
        let look = path.starts_with("/auth/admin/") && problem.code() == "not_an_admin";
        return look.then_some(LOOK);
    }
    Some(match path {
        "/auth/admin/users/role" => "role",
        "/auth/admin/users/disable" => "disable",
        "/auth/admin/users/enable" => "enable",
        "/auth/admin/users/end-sessions" | "/auth/sessions/revoke" => "end_sessions",
        "/auth/admin/users/delete" => "delete_user",
        "/auth/admin/users/remove-factors" => "remove_factors",
        "/auth/admin/users/unlink" | "/auth/oidc/unlink" => "unlink",
        "/auth/admin/users/reset-link" => "reset_link",
        "/auth/admin/bots" => "create_bot",
        "/auth/admin/tokens" | "/auth/tokens" => "create_token",
        "/auth/admin/tokens/revoke" | "/auth/tokens/revoke" => "revoke_token",
        "/auth/admin/invites/revoke" => "revoke_invite",
        "/invites" => "invite",
        "/token" => "token",
        "/password" => "password",
        "/auth/reauth" => "reauth",
        "/auth/oidc/link" => "link",
        "/auth/totp" => "enrol_totp",
        "/auth/totp/confirm" | "/auth/passkeys" | "/auth/passkeys/begin" => "add_factor",
        "/auth/totp/remove" | "/auth/passkeys/remove" => "remove_factor",
        "/auth/passkeys/rename" => "rename_passkey",
        "/auth/recovery-codes" => "recovery_codes",
        _ => return None,
    })
}

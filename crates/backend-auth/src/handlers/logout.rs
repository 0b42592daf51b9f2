//! `POST /logout`. There is no `GET /logout`: a link or an image must not sign anyone out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::{Done, entry, success};
use crate::App;
use crate::audit::Entry;
use crate::body::Reply;
use crate::client::Client;
use crate::clock;
use crate::store::{self, sessions};

/// End the session. A form gets a redirect to the login page.
#[utoipa::path(post, path = "/logout", tag = "accounts",
    responses(
        (status = 200, body = wire::Success<Done>, description = "Signed out, or never signed in"),
        (status = 303, description = "A form: to /login")))]
pub async fn logout(State(app): State<Arc<App>>, client: Client, headers: HeaderMap) -> Response {
    let token = match app.cookies.session(&headers) {
        Ok(token) => token,
        Err(problem) => return problem.into_response(),
    };
    if let Some(token) = token {
        let now = clock::now();
        let known = app.sessions.touch(&token, now);
        let entry = known.map(|(session, _)| Entry::new("logout", &client).by(&session.account));
        let row = entry.clone();
        let table = app.sessions.clone();
        let ended = app
            .store
            .write(
                move |db| {
                    if let Some(entry) = &row {
                        store::audit::insert(db, entry)?;
                    }
                    sessions::delete(db, token, now)
                },
                move |_| table.remove(&token),
            )
            .await;
        if let Err(error) = ended {
            return service::Problem::from(error).into_response();
        }
        if let Some(entry) = entry {
            entry.line();
        }
    }
    let response = match Reply::for_headers(&headers) {
        Reply::Json => success(Done {}),
        Reply::Redirect => entry::see_other("/login"),
    };
    entry::with_cookies(response, app.cookies.clear_session())
}

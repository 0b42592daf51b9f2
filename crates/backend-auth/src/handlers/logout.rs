//! `POST /logout`. There is no `GET /logout`: a link or an image must not sign anyone out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::{Done, entry, success};
use crate::App;
use crate::audit;
use crate::body::Reply;
use crate::client::Client;
use crate::clock;
use crate::store::sessions;

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
        let known = app.sessions.touch(&token, clock::now());
        let table = app.sessions.clone();
        let ended = app
            .store
            .write(move |db| sessions::delete(db, token), move |()| table.remove(&token))
            .await;
        if let Err(error) = ended {
            return service::Problem::from(error).into_response();
        }
        if let Some((session, _)) = known {
            audit::logout(&client, &session);
        }
    }
    let response = match Reply::for_headers(&headers) {
        Reply::Json => success(Done {}),
        Reply::Redirect => entry::see_other("/login"),
    };
    entry::with_cookies(response, app.cookies.clear_session())
}

//! Bodies and queries in, with errors that say which field is wrong and why.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use service::Problem;

use crate::tracker::Tracker;

/// A body of JSON, within the configured size.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Tracker> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, tracker: &Tracker) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let bytes = read(body, tracker.limits.body_bytes).await?;
        json(&head.headers, &bytes).map(Self)
    }
}

/// The fields of a query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Tracker> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &Tracker) -> Result<Self, Problem> {
        query(head).map(Self)
    }
}

/// Fields from the query string, or else from a JSON body: `GET /get-messages` takes both.
pub(crate) struct QueryOrBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Tracker> for QueryOrBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, tracker: &Tracker) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        if head.uri.query().is_some_and(|query| !query.is_empty()) {
            return query(&head).map(Self);
        }
        let bytes = read(body, tracker.limits.body_bytes).await?;
        if bytes.is_empty() {
            // Says which field is missing, in the words of a query.
            return query(&head).map(Self);
        }
        json(&head.headers, &bytes).map(Self)
    }
}

/// A JSON body where there is one; anything else counts as none.
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<Tracker> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, tracker: &Tracker) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let bytes = read(body, tracker.limits.body_bytes).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        json(&head.headers, &bytes).map(|body| Self(Some(body)))
    }
}

fn query<T: DeserializeOwned>(head: &Parts) -> Result<T, Problem> {
    let text = head.uri.query().unwrap_or_default();
    let fields = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(fields)
        .map_err(|error| Problem::bad_request("invalid_query", explain("query", &error)))
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body has more than {limit} bytes"),
        )),
        Err(error) => {
            Err(Problem::bad_request("body_unreadable", format!("the body broke off: {error}")))
        }
    }
}

fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    if !is_json(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be JSON and say so: with curl, add -H 'Content-Type: application/json'",
        ));
    }
    // Serde would take the fields of a struct from a list as well, by their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_request("invalid_body", "body: must be an object"));
    }
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text)
        .map_err(|error| Problem::bad_request("invalid_body", explain("body", &error)))?;
    text.end().map_err(|error| Problem::bad_request("invalid_body", format!("body: {error}")))?;
    Ok(value)
}

/// `application/json` and its kin (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json")
}

/// ``field `port`: invalid type: string "x", expected u16``
fn explain<E: std::fmt::Display>(whole: &str, error: &serde_path_to_error::Error<E>) -> String {
    match error.path().to_string().as_str() {
        // serde names a missing field itself.
        "." | "" => format!("{whole}: {}", error.inner()),
        path => format!("field `{path}`: {}", error.inner()),
    }
}

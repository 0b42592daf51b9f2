//! Request bodies: bounded in size and time, JSON or form, with errors that name the field.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use service::Problem;

use crate::App;

/// What the sender of a body expects back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// A JSON document.
    Json,
    /// A redirect, as a browser's form does.
    Redirect,
}

impl Reply {
    /// A form gets a redirect, unless it asks for JSON; everything else gets JSON.
    pub fn for_headers(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind(headers) == Kind::Form && !accept.starts_with("application/json") {
            Self::Redirect
        } else {
            Self::Json
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    Missing,
    Other,
}

fn kind(headers: &HeaderMap) -> Kind {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Kind::Missing };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Kind::Form
    } else {
        Kind::Other
    }
}

/// Reads a body as JSON or as a form.
///
/// # Errors
/// 400, 408, 413 or 415, with a message that says what is wrong.
pub async fn read<T: DeserializeOwned>(app: &Arc<App>, request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let kind = kind(&parts.headers);
    if matches!(kind, Kind::Other | Kind::Missing) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send JSON (curl: -H 'content-type: application/json' -d '{…}') or a form (curl: -d name=value)",
        ));
    }
    let bytes = collect(app, body).await?;
    match kind {
        Kind::Form => from_value(Value::Object(parse_form(&bytes)?)),
        _ => from_json(&bytes),
    }
}

/// [`read`], where a body may be left out: then all of its fields are.
///
/// # Errors
/// As [`read`].
pub async fn read_optional<T: DeserializeOwned>(
    app: &Arc<App>,
    request: Request,
) -> Result<T, Problem> {
    if kind(request.headers()) == Kind::Missing {
        let bytes = collect(app, request.into_body()).await?;
        return if bytes.is_empty() {
            from_value(Value::Object(Map::new()))
        } else {
            from_json(&bytes)
        };
    }
    read(app, request).await
}

/// The fields of a query string.
///
/// # Errors
/// 400 `invalid_query`.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(fields)| fields)
        .map_err(|error| Problem::bad_request("invalid_query", error.body_text()))
}

/// How many entries a page has.
///
/// # Errors
/// 400 `invalid_query`.
pub fn page(wanted: Option<usize>, usual: usize, most: usize) -> Result<usize, Problem> {
    let limit = wanted.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        return Err(Problem::bad_request("invalid_query", format!("limit: from 1 to {most}")));
    }
    Ok(limit)
}

async fn collect(app: &Arc<App>, body: Body) -> Result<Bytes, Problem> {
    let limit = app.config.body_max_bytes;
    let read = Limited::new(body, limit).collect();
    match tokio::time::timeout(app.config.body_timeout, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            format!("a body has at most {limit} bytes"),
        )),
        Ok(Err(_)) => Err(Problem::bad_request("incomplete_body", "the body ended too early")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the body took too long to arrive",
        )),
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take the fields of a struct from a list as well, by their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_request("invalid_field", "the body must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(explain)?;
    reader.end().map_err(|error| Problem::bad_request("invalid_json", error.to_string()))?;
    Ok(value)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(explain)
}

fn explain(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let inner = error.into_inner();
    if inner.is_syntax() || inner.is_eof() {
        return Problem::bad_request("invalid_json", format!("the body is not JSON: {inner}"));
    }
    let message = if path == "." { inner.to_string() } else { format!("{path}: {inner}") };
    Problem::bad_request("invalid_field", message)
}

/// `name=value&…` as the object that the same fields would be in JSON. An empty field counts as left
/// out, as browsers send all fields of a form; a ticked box is `true`.
fn parse_form(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let mut fields = Map::new();
    for pair in bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let name = decode(&pair[..at])?;
        let value = decode(pair.get(at + 1..).unwrap_or_default())?;
        let value = match (name.as_str(), value.as_str()) {
            ("remember" | "brief", "on" | "true" | "1" | "yes") => Value::Bool(true),
            ("remember" | "brief", "off" | "false" | "0" | "no" | "") => Value::Bool(false),
            ("uses" | "expires_in", number) if number.bytes().all(|b| b.is_ascii_digit()) => {
                number.parse::<u64>().map_or(Value::Null, Value::from)
            }
            ("next" | "invite", "") => continue,
            _ => Value::String(value),
        };
        if fields.insert(name.clone(), value).is_some() {
            return Err(Problem::bad_request("invalid_field", format!("{name}: given twice")));
        }
    }
    Ok(fields)
}

fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let spaced: Vec<u8> =
        bytes.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Problem::bad_request("invalid_form", "a field of the form is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::auth::Login;

    #[test]
    fn a_form_is_the_json_of_its_fields() {
        let fields = parse_form(b"username=alice&password=a%2Bb+c%26&remember=on&next=").unwrap();
        let login: Login = from_value(Value::Object(fields)).unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("alice", "a+b c&"));
        assert!(login.remember && login.next.is_none());
    }

    #[test]
    fn errors_name_the_field() {
        let message = |bytes: &[u8]| from_json::<Login>(bytes).unwrap_err().message().to_owned();
        assert!(message(br#"{"username":1,"password":"x"}"#).starts_with("username: invalid type"));
        assert!(message(br#"{"username":"a"}"#).contains("missing field `password`"));
        assert!(message(b"{").contains("not JSON"));
        assert!(message(br#"{"username":"a","password":"b"} x"#).contains("trailing"));
        let twice = parse_form(b"a=1&a=2").unwrap_err();
        assert!(twice.message().starts_with("a: "));
    }
}

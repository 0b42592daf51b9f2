//! `Max-Forwards`: how many more gateways an `OPTIONS` may pass (RFC 9110 §7.6.2). `TRACE`, the other method
//! that has it, is not served at all.

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue, MAX_FORWARDS};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::target::{ALLOWED, Refused};

/// The answer to a request that was to go as far as here. One that may go further is counted.
///
/// # Errors
/// [`Refused`] (400 `bad_max_forwards`) if there is no telling how far it was to go.
pub fn last_hop(parts: &mut Parts) -> Result<Option<Response<Bytes>>, Refused> {
    if parts.method != Method::OPTIONS {
        return Ok(None);
    }
    let mut lines = parts.headers.get_all(MAX_FORWARDS).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let number = line.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (Some(left), None) = (number.and_then(|text| text.parse::<u32>().ok()), lines.next())
    else {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "bad_max_forwards",
            "Max-Forwards is one number",
        ));
    };
    if let Some(left) = left.checked_sub(1) {
        parts.headers.insert(MAX_FORWARDS, HeaderValue::from(left));
        return Ok(None);
    }
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED));
    Ok(Some(response))
}

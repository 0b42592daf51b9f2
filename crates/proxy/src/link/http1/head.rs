//! The head of a response (RFC 9112 §4-6), and how long the body behind it is.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::Response;
use hyper::ext::ReasonPhrase;

use crate::chunks::Chunks;

/// Header lines at most.
const LINES: usize = 128;

/// How long a response's body is.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Sized(u64),
    Chunked(Chunks),
    /// Until the server closes the connection.
    UntilClose,
}

/// A response's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether another exchange may follow on the connection.
    pub(super) keeps_alive: bool,
}

/// What a response has that it may not have.
pub(super) type Malformed = &'static str;

/// Reads a response's head, if all of it is there, and cuts it off `bytes`. `headers` is an empty map whose
/// space is used; `to_head`: it answers HEAD.
pub(super) fn parse(
    bytes: &mut Bytes,
    headers: &mut HeaderMap,
    to_head: bool,
) -> Result<Option<Head>, Malformed> {
    let all = bytes.clone();
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut read = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut read, &all, &mut lines)
        .map_err(|error| match error {
            httparse::Error::TooManyHeaders => "it has too many headers",
            _ => "it is not HTTP/1",
        })?;
    let Status::Complete(length) = parsed else { return Ok(None) };
    let _ = bytes.split_to(length);
    let status = read.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("its status is none")?;
    let is_1_1 = read.version == Some(1);
    let mut fields = Fields::default();
    headers.reserve(read.headers.len());
    for line in &*read.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| "the name of a header is none")?;
        // What is of this connection alone needn't be taken out later.
        let is_kept = match name {
            CONTENT_LENGTH => fields.length(line.value)?,
            TRANSFER_ENCODING => fields.coding(line.value).map(|()| false)?,
            CONNECTION => fields.connection(line.value),
            _ => true,
        };
        if is_kept {
            let value = HeaderValue::from_maybe_shared(all.slice_ref(line.value))
                .map_err(|_| "the value of a header is none")?;
            headers.append(name, value);
        }
    }
    let framing = fields.framing(status, is_1_1, to_head)?;
    // Somebody on the way may have gone by the length: what comes behind may be neither's (RFC 9112 §6.3).
    let two = fields.chunked && fields.length.is_some();
    if two {
        headers.remove(CONTENT_LENGTH);
    }
    // It has none (RFC 9110 §15.3.6): what comes all the same is not the next answer.
    let wrong = status == StatusCode::RESET_CONTENT
        && (fields.chunked || fields.length.is_some_and(|length| length > 0));
    if wrong {
        headers.remove(CONTENT_LENGTH);
    }
    let keeps_alive = !matches!(framing, Framing::UntilClose)
        && !two
        && !wrong
        && !fields.close
        && (is_1_1 || fields.keep_alive);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = if is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *response.headers_mut() = std::mem::take(headers);
    let reason = read.reason.unwrap_or_default();
    if !reason.is_empty()
        && Some(reason) != status.canonical_reason()
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    Ok(Some(Head { response, framing, keeps_alive }))
}

/// What the headers say of the connection and the body.
#[derive(Debug, Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    /// Gives whether it is new.
    fn length(&mut self, value: &[u8]) -> Result<bool, Malformed> {
        const BAD: Malformed = "its Content-Length is no number, or there are two";
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits).ok_or(BAD)?;
        let length = text.parse().map_err(|_| BAD)?;
        match self.length.replace(length) {
            Some(other) if other != length => Err(BAD),
            known => Ok(known.is_none()),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.chunked, true) || !value.eq_ignore_ascii_case(b"chunked") {
            return Err("it has a transfer coding that is not one `chunked`");
        }
        Ok(())
    }

    /// Gives whether it names anything besides the connection itself.
    fn connection(&mut self, value: &[u8]) -> bool {
        let mut names = false;
        for word in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if word.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if word.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else {
                names = true;
            }
        }
        names
    }

    fn framing(
        &self,
        status: StatusCode,
        is_1_1: bool,
        to_head: bool,
    ) -> Result<Framing, Malformed> {
        if self.chunked && !is_1_1 {
            return Err("it has a transfer coding, which HTTP/1.0 does not know");
        }
        let never = to_head
            || status.is_informational()
            || matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
            );
        Ok(match (never, self.chunked, self.length) {
            (true, ..) => Framing::Sized(0),
            (false, true, _) => Framing::Chunked(Chunks::default()),
            (false, false, Some(length)) => Framing::Sized(length),
            (false, false, None) => Framing::UntilClose,
        })
    }
}

#[cfg(test)]
mod tests;

//! The head of a server's answer, read from bytes alone.

use bytes::Bytes;
use http::HeaderMap;

use super::head::{self, Framing};

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Its own length.
    pub length: usize,
    /// The status.
    pub status: u16,
    /// The headers, without those that are about the connection alone.
    pub headers: HeaderMap,
    /// What follows.
    pub body: Body,
    /// Whether the connection may serve another request after that.
    pub keeps_alive: bool,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Sized(u64),
    /// Its chunks say.
    Chunked,
    /// It goes on until the connection is closed.
    UntilClose,
}

/// Reads the head at the beginning of these bytes, if all of it is there. `to_head`: it answers HEAD.
///
/// # Errors
/// What is wrong with it.
pub fn told(bytes: &[u8], to_head: bool) -> Result<Option<Told>, &'static str> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let Some(head) = head::parse(&mut rest, &mut HeaderMap::new(), to_head)? else {
        return Ok(None);
    };
    Ok(Some(Told {
        length: bytes.len() - rest.len(),
        status: head.response.status().as_u16(),
        headers: head.response.headers().clone(),
        body: match head.framing {
            Framing::Sized(length) => Body::Sized(length),
            Framing::Chunked(_) => Body::Chunked,
            Framing::UntilClose => Body::UntilClose,
        },
        keeps_alive: head.keeps_alive,
    }))
}

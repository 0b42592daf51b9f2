//! A request on its way to a server: its head, then its body, framed anew.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::{CutShort, RequestBody};
use crate::scratch;

/// A request as far as it is written.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The head, or the line before a chunk. A head without a body stays here until the next request: it
    /// may have to be written again.
    lead: Vec<u8>,
    /// How much of that is written.
    at: usize,
    /// A piece of the body.
    piece: Bytes,
    /// What ends the piece, or the body.
    tail: &'static [u8],
    body: RequestBody,
    framing: Framing,
    /// The server takes nothing more.
    deaf: bool,
    /// A byte was written.
    begun: bool,
}

/// What is still to come of the body.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Framing {
    #[default]
    Done,
    Sized(u64),
    Chunked,
}

/// Why a request can't be written to its end.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The connection.
    Io(io::Error),
    /// The client's side.
    Body(CutShort),
}

impl Outgoing {
    /// Begins with another request, and takes its body.
    pub(super) fn start(&mut self, request: &mut Request<RequestBody>) {
        self.body = std::mem::take(request.body_mut());
        self.piece = Bytes::new();
        (self.at, self.tail, self.begun) = (0, b"", false);
        self.framing = match self.body.size_hint().exact() {
            Some(0) => Framing::Done,
            Some(length) => Framing::Sized(length),
            None => Framing::Chunked,
        };
        self.lead.clear();
        write_head(&mut self.lead, request, self.framing);
    }

    /// The body, if nothing was written of its request.
    pub(super) fn take_back(&mut self) -> Option<RequestBody> {
        (!self.begun && self.piece.is_empty()).then(|| std::mem::take(&mut self.body))
    }

    /// Whether a byte of it is written.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The head that was written, if it is still there.
    pub(super) fn head(&self) -> &[u8] {
        &self.lead
    }

    /// Whether the server has all of it.
    pub(super) fn is_done(&self) -> bool {
        self.is_over() && !self.deaf
    }

    /// Whether there is nothing more to write.
    fn is_over(&self) -> bool {
        self.framing == Framing::Done && !self.has_unwritten()
    }

    /// Writes what is there. Ready when all of the request is written.
    ///
    /// A server that closes while it is still being sent a body has often said why: then this goes on as if
    /// it still took everything, until the answer, or the end, has been read (RFC 9112 §9.5).
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unwritten>> {
        if self.is_over() {
            return Poll::Ready(Ok(()));
        }
        loop {
            // The head goes out with the first piece of the body, if that is there.
            let asleep = !self.has_piece() && !self.poll_piece(cx)?;
            while self.has_unwritten() {
                match ready!(self.poll_write(stream, cx)) {
                    Ok(0) => {
                        return Poll::Ready(Err(Unwritten::Io(io::ErrorKind::WriteZero.into())));
                    }
                    Ok(count) => self.written(count),
                    Err(error) if is_hangup(&error) => self.deaf = true,
                    Err(error) => return Poll::Ready(Err(Unwritten::Io(error))),
                }
            }
            if asleep || self.framing == Framing::Done {
                // What is written must not lie in a buffer while something else is waited for.
                if let Err(error) = ready!(Pin::new(&mut *stream).poll_flush(cx))
                    && !is_hangup(&error)
                {
                    return Poll::Ready(Err(Unwritten::Io(error)));
                }
                return if asleep { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    fn has_piece(&self) -> bool {
        !self.piece.is_empty() || !self.tail.is_empty() || self.framing == Framing::Done
    }

    fn has_unwritten(&self) -> bool {
        self.at < self.lead.len() || !self.piece.is_empty() || !self.tail.is_empty()
    }

    /// Asks for the next piece; gives whether one, or the end, is there.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Result<bool, Unwritten> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return Ok(false),
        };
        let data = match frame {
            Some(frame) => frame.map_err(Unwritten::Body)?.into_data().ok(),
            None => None,
        };
        // The head is still in front of the first piece.
        if self.at == self.lead.len() {
            self.lead.clear();
            self.at = 0;
        }
        match (&mut self.framing, data) {
            (Framing::Sized(left), Some(data)) => {
                let rest = left.checked_sub(data.len() as u64);
                *left = rest.ok_or(Unwritten::Body(CutShort("longer than it said")))?;
                if *left == 0 {
                    self.framing = Framing::Done;
                }
                self.piece = data;
            }
            (Framing::Sized(_), None) => {
                return Err(Unwritten::Body(CutShort("shorter than it said")));
            }
            (Framing::Chunked, Some(data)) => {
                // An empty chunk would be the end.
                if !data.is_empty() {
                    let _ = write!(self.lead, "{:x}\r\n", data.len());
                    self.tail = b"\r\n";
                    self.piece = data;
                }
                if self.body.is_end_stream() {
                    self.tail = if self.piece.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" };
                    self.framing = Framing::Done;
                }
            }
            (Framing::Chunked, None) => {
                self.tail = b"0\r\n\r\n";
                self.framing = Framing::Done;
            }
            (Framing::Done, _) => {}
        }
        Ok(true)
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let lead = &self.lead[self.at..];
        if self.deaf {
            return Poll::Ready(Ok(lead.len() + self.piece.len() + self.tail.len()));
        }
        let mut stream = Pin::new(stream);
        if self.piece.is_empty() && self.tail.is_empty() {
            return stream.poll_write(cx, lead);
        }
        let slices = [IoSlice::new(lead), IoSlice::new(&self.piece), IoSlice::new(self.tail)];
        let joined = scratch::lend_joined(&slices, |bytes| stream.as_mut().poll_write(cx, bytes));
        if let Some(polled) = joined {
            return polled;
        }
        // The first may be empty, and who writes but one slice takes the first.
        let first =
            usize::from(lead.is_empty()) + usize::from(lead.is_empty() && self.piece.is_empty());
        stream.poll_write_vectored(cx, &slices[first..])
    }

    fn written(&mut self, mut count: usize) {
        self.begun = true;
        let lead = count.min(self.lead.len() - self.at);
        self.at += lead;
        count -= lead;
        let piece = count.min(self.piece.len());
        self.piece.advance(piece);
        count -= piece;
        self.tail = &self.tail[count.min(self.tail.len())..];
    }
}

/// Writes a request's head. What frames the body is written anew.
fn write_head(head: &mut Vec<u8>, request: &Request<RequestBody>, framing: Framing) {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    for piece in [request.method().as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\n"] {
        head.extend_from_slice(piece);
    }
    let mut declared = false;
    for (name, value) in request.headers() {
        if *name == CONTENT_LENGTH {
            declared = true;
        } else if *name != TRANSFER_ENCODING {
            write_line(head, name, value);
        }
    }
    match framing {
        // Some servers refuse these without a length (RFC 9110 §8.6).
        Framing::Done
            if declared
                || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) =>
        {
            head.extend_from_slice(b"content-length: 0\r\n");
        }
        Framing::Done => {}
        Framing::Sized(length) => {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    head.extend_from_slice(b"\r\n");
}

fn write_line(head: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    head.reserve(name.as_str().len() + value.len() + 4);
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests;

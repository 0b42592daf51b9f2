//! A connection that speaks HTTP/1.1, with one exchange on it at a time (RFC 9112).
//!
//! hyper has a client for this too. It runs as a task beside the one that serves the request, and hands it
//! everything through channels: that cost a third of what a request costs in all. Here the one who waits for
//! the response moves the bytes. A request is written from its headers, a response's headers are slices of
//! what was read, and pieces of its body are too.
//!
//! - [`outgoing`]: the request, written with a framing of its own whatever the client's was.
//! - [`head`]: the response's head; how long its body is.
//! - A connection is used again only after a whole request and a whole response with a clear end, and with
//!   nothing behind that. If the server closed it meanwhile, this shows before anything is written, and the
//!   request is given back.
//! - A connection holds no buffer while it waits: short reads go through the one that the worker's
//!   connections share. The pieces of a large body are read into memory of their own, and not copied.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::SizeHint;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};

use super::{Broken, SendError, Stream};
use crate::body::RequestBody;
use crate::chunks::Part;
use crate::scratch;

pub mod answer;
mod head;
mod outgoing;
mod recall;

use head::{Framing, Head};
use outgoing::{Outgoing, Unwritten};

/// Response head at most.
const HEAD: usize = 64 * 1024;
/// Interim responses to one request at most.
const INTERIM: u8 = 16;
/// Read at once of a body of which more comes than fits into the shared buffer.
const PIECE: usize = 64 * 1024;
/// Reads smaller than that need no space of their own.
const TRICKLE: usize = PIECE / 4;

/// A connection with one exchange on it or none.
pub(crate) struct Link {
    stream: Stream,
    outgoing: Outgoing,
    /// What was read and not yet looked at.
    input: Bytes,
    /// The last read of the body filled the buffer.
    pours: bool,
    framing: Framing,
    phase: Phase,
    exchanges: u32,
    interim: u8,
    /// Any byte of a response was read in this exchange.
    answered: bool,
}

/// How far the response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// None is under way; another exchange may begin.
    Idle,
    Head,
    /// What happens at its end.
    Body {
        keeps_alive: bool,
    },
    /// The protocol was switched.
    Tunnel,
    /// The connection is of no use any more.
    Over,
}

impl Link {
    /// Begins to speak on a connection.
    pub(super) fn over(stream: Stream) -> Self {
        Self {
            stream,
            outgoing: Outgoing::default(),
            input: Bytes::new(),
            pours: false,
            framing: Framing::Sized(0),
            phase: Phase::Idle,
            exchanges: 0,
            interim: 0,
            answered: false,
        }
    }

    /// Whether the next exchange may start: the last one is over in both directions.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.outgoing.is_done() && self.input.is_empty()
    }

    /// Whether an exchange took place on it before.
    pub(super) fn is_reused(&self) -> bool {
        self.exchanges > 0
    }

    /// The last request once more, if it had no body.
    pub(super) fn recall(&self) -> Option<Request<RequestBody>> {
        recall::parse(self.outgoing.head())
    }

    /// Sends the request in the slot and waits for the response head, or until `stop` has a reason to
    /// stop, asked at every wake-up.
    pub(super) async fn send<S>(
        &mut self,
        slot: &mut Option<Request<RequestBody>>,
        mut stop: impl FnMut(&mut Context<'_>) -> Poll<S>,
    ) -> Result<Response<()>, SendError<S>> {
        let Some(request) = slot else { return Err(SendError::Unsent) };
        let to_head = *request.method() == Method::HEAD;
        self.exchanges = self.exchanges.saturating_add(1);
        self.phase = Phase::Head;
        (self.interim, self.answered) = (0, false);
        self.outgoing.start(request);
        let outcome = std::future::poll_fn(|cx| {
            // If the server has closed it, this shows now; and nobody answers what wasn't asked.
            let silent = !self.outgoing.has_begun()
                && match self.poll_fill(cx) {
                    Poll::Pending => true,
                    Poll::Ready(Ok(_)) => return Poll::Ready(Ok(Err(Broken::Closed))),
                    Poll::Ready(Err(error)) => return Poll::Ready(Ok(Err(error.into()))),
                };
            if let Poll::Ready(Err(unwritten)) = self.outgoing.poll(&mut self.stream, cx) {
                return Poll::Ready(Ok(Err(unwritten.into())));
            }
            // Nothing can have come since the question above.
            if !silent
                && let Poll::Ready(outcome) = self.poll_head(cx, request.headers_mut(), to_head)
            {
                return Poll::Ready(Ok(outcome));
            }
            stop(cx).map(Err)
        })
        .await;
        let error = match outcome {
            Ok(Ok(response)) => {
                *slot = None;
                return Ok(response);
            }
            Ok(Err(error)) => error,
            Err(stopped) => {
                self.phase = Phase::Over;
                *slot = None;
                return Err(SendError::Stopped(stopped));
            }
        };
        self.phase = Phase::Over;
        if !matches!(error, Broken::Request(_))
            && let Some(body) = self.outgoing.take_back()
        {
            *request.body_mut() = body;
            return Err(SendError::Unsent);
        }
        *slot = None;
        Err(SendError::Broken { error, answered: self.answered })
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        headers: &mut HeaderMap,
        to_head: bool,
    ) -> Poll<Result<Response<()>, Broken>> {
        // A head that comes in pieces is read again only when its end may be there.
        let mut whole = true;
        loop {
            if !self.input.is_empty() && whole {
                headers.clear();
                match head::parse(&mut self.input, headers, to_head).map_err(Broken::Malformed)? {
                    Some(Head { response, .. })
                        if response.status().is_informational()
                            && response.status() != StatusCode::SWITCHING_PROTOCOLS =>
                    {
                        self.interim += 1;
                        if self.interim > INTERIM {
                            return Poll::Ready(Err(Broken::Malformed(
                                "it sends interim responses without end",
                            )));
                        }
                        continue;
                    }
                    Some(head) => return Poll::Ready(Ok(self.begin(head))),
                    None if self.input.len() >= HEAD => {
                        return Poll::Ready(Err(Broken::Malformed("its head is too large")));
                    }
                    None => {}
                }
            }
            let before = self.input.len();
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(Broken::Closed));
            }
            self.answered = true;
            let new = &self.input[before.saturating_sub(3)..];
            whole = before == 0 || has_empty_line(new) || self.input.len() >= HEAD;
        }
    }

    fn begin(&mut self, head: Head) -> Response<()> {
        let Head { response, framing, keeps_alive } = head;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.phase = Phase::Tunnel;
        } else {
            self.framing = framing;
            self.phase = Phase::Body { keeps_alive };
            self.finish_if_over();
        }
        response
    }

    /// The next piece of the response's body; `None` at its end.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        // The request may not have been sent to its end yet.
        if let Poll::Ready(Err(unwritten)) = self.outgoing.poll(&mut self.stream, cx) {
            self.phase = Phase::Over;
            return Poll::Ready(Some(Err(unwritten.into())));
        }
        loop {
            match self.cut() {
                Err(error) => {
                    self.phase = Phase::Over;
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(Some(data)) => {
                    self.finish_if_over();
                    return Poll::Ready(Some(Ok(data)));
                }
                Ok(None) if self.is_over() => return Poll::Ready(None),
                Ok(None) => {}
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => {
                    self.phase = Phase::Over;
                    return Poll::Ready(match self.framing {
                        Framing::UntilClose => None,
                        _ => Some(Err(Broken::Closed)),
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    self.phase = Phase::Over;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    /// Whether nothing more comes of the response's body.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.phase, Phase::Body { .. })
    }

    /// How much of the response's body is still to come, as far as that is known.
    pub(super) fn size_hint(&self) -> SizeHint {
        match (self.is_over(), &self.framing) {
            (true, _) => SizeHint::with_exact(0),
            (false, Framing::Sized(left)) => SizeHint::with_exact(*left),
            (false, _) => SizeHint::default(),
        }
    }

    /// Cuts the next piece of the body off what was read.
    fn cut(&mut self) -> Result<Option<Bytes>, Broken> {
        while !self.input.is_empty() {
            match &mut self.framing {
                Framing::UntilClose => return Ok(Some(std::mem::take(&mut self.input))),
                Framing::Sized(left) => {
                    let have = self.input.len();
                    let take = usize::try_from(*left).map_or(have, |left| left.min(have));
                    *left -= take as u64;
                    return Ok(Some(self.input.split_to(take)));
                }
                Framing::Chunked(chunks) => match chunks.next(&self.input) {
                    Part::Between(count) => drop(self.input.split_to(count)),
                    Part::Data(count) => return Ok(Some(self.input.split_to(count))),
                    Part::End(count) => {
                        drop(self.input.split_to(count));
                        self.end();
                        return Ok(None);
                    }
                    Part::Bad(_) => return Err(Broken::Malformed("its chunks are none")),
                },
            }
        }
        Ok(None)
    }

    /// Looks whether the end of the body is already there, so that the last piece is known to be that.
    fn finish_if_over(&mut self) {
        match &mut self.framing {
            Framing::Sized(0) => self.end(),
            Framing::Sized(_) | Framing::UntilClose => {}
            Framing::Chunked(chunks) => {
                while !self.input.is_empty() && !chunks.is_at_data() {
                    match chunks.next(&self.input) {
                        Part::Between(count) => drop(self.input.split_to(count)),
                        Part::End(count) => {
                            drop(self.input.split_to(count));
                            return self.end();
                        }
                        // Told to whoever asks for the next piece.
                        Part::Data(count) | Part::Bad(count) => {
                            drop(self.input.split_to(count));
                            return;
                        }
                    }
                }
            }
        }
    }

    fn end(&mut self) {
        if let Phase::Body { keeps_alive } = self.phase {
            self.phase = if keeps_alive { Phase::Idle } else { Phase::Over };
        }
    }

    /// Reads what is there, once; gives how much, and 0 at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let of_body = matches!(self.phase, Phase::Body { .. });
        if of_body && self.pours && self.input.is_empty() {
            let mut space = BytesMut::with_capacity(PIECE);
            let read = ready!(pin!(self.stream.read_buf(&mut space)).poll(cx))?;
            self.pours = read >= TRICKLE;
            self.input = space.freeze();
            return Poll::Ready(Ok(read));
        }
        let Self { stream, input, .. } = self;
        let read = scratch::lend(|buffer| {
            let most = buffer.len();
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            let new = buffer.filled();
            if input.is_empty() {
                *input = Bytes::copy_from_slice(new);
            } else {
                *input = [&**input, new].concat().into();
            }
            Poll::Ready(io::Result::Ok((new.len(), new.len() == most)))
        });
        let (read, full) = ready!(read)?;
        self.pours = of_body && full;
        Poll::Ready(Ok(read))
    }

    /// Lets an idle connection notice that the server closed it. Reads no more than that.
    pub(super) fn check(&mut self) -> bool {
        if self.is_idle() && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_ready() {
            self.phase = Phase::Over;
        }
        self.is_idle()
    }

    /// The bare connection after a 101, with the bytes that were read behind the response head.
    pub(super) fn into_tunnel(self) -> Option<(Stream, Bytes)> {
        (self.phase == Phase::Tunnel).then_some((self.stream, self.input))
    }
}

/// Whether a line is empty.
fn has_empty_line(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\n\r\n").is_some()
        || memchr::memmem::find(bytes, b"\n\n").is_some()
}

impl From<Unwritten> for Broken {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Io(error) => Self::Io(error),
            Unwritten::Body(error) => Self::Request(error),
        }
    }
}

#[cfg(test)]
mod tests;

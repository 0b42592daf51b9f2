//! Sends one file over one channel: between the disk, the machine and the channel.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::carrier::Channel;
use super::digests::Violation;
use super::outgoing::{Known, Outgoing};
use super::source::{Part, Source, SourceError};
use crate::links::FileMessage;

/// How it ended.
#[derive(Debug)]
pub enum Sent {
    /// The channel is closed, or it was stopped.
    Interrupted {
        /// Whether the receiver had said that it has every piece.
        delivered: bool,
    },
    /// The receiver broke the protocol.
    Violated(Violation),
    /// The file can't be read any further, or has changed.
    Failed(SourceError),
}

/// Sends a file of `size` bytes from a piece on. It ends when the receiver closes the channel, after it has got all or
/// before. `done` tells how many bytes the receiver has. Gives what is known of the digests too.
pub async fn send<C: Channel>(
    channel: &mut C,
    source: Source,
    (size, first, known): (u64, u64, Known),
    done: &AtomicU64,
    stop: &CancellationToken,
) -> (Sent, Known) {
    let mut parts = source.read(first, known.clone());
    let before = tokio::select! {
        before = parts.recv() => before,
        () = stop.cancelled() => None,
    };
    let digests = match before {
        Some(Ok(Part::Before(digests))) => digests,
        Some(Err(error)) => return (Sent::Failed(error), known),
        _ => return (Sent::Interrupted { delivered: false }, known),
    };
    let mut outgoing = Outgoing::new(size, digests);
    done.store(outgoing.done(), Ordering::Relaxed);
    let outcome = tokio::select! {
        Err(outcome) = pass(channel, &mut parts, &mut outgoing, done) => outcome,
        () = stop.cancelled() => Sent::Interrupted { delivered: outgoing.delivered() },
    };
    (outcome, outgoing.into_known())
}

/// Why `pass` ends; it never ends otherwise.
type Never = std::convert::Infallible;

async fn pass<C: Channel>(
    channel: &mut C,
    parts: &mut mpsc::Receiver<Result<Part, SourceError>>,
    outgoing: &mut Outgoing,
    done: &AtomicU64,
) -> Result<Never, Sent> {
    loop {
        // What has come already; only then wait for more.
        while let Some(message) = channel.recv().now_or_never() {
            take(message, outgoing, done)?;
        }
        if let Some(end) = outgoing.end() {
            said(channel.send(FileMessage::Control(end)).await, outgoing)?;
        } else if outgoing.next().is_none() {
            take(channel.recv().await, outgoing, done)?;
        } else {
            tokio::select! {
                biased;
                message = channel.recv() => take(message, outgoing, done)?,
                part = parts.recv() => piece(channel, part, outgoing).await?,
            }
        }
    }
}

async fn piece<C: Channel>(
    channel: &mut C,
    part: Option<Result<Part, SourceError>>,
    outgoing: &mut Outgoing,
) -> Result<(), Sent> {
    let (bytes, digest) = match part {
        Some(Ok(Part::Piece(bytes, digest))) => (bytes, digest),
        Some(Err(error)) => return Err(Sent::Failed(error)),
        _ => return Err(Sent::Interrupted { delivered: false }),
    };
    said(channel.send(FileMessage::Data(bytes)).await, outgoing)?;
    let complete = outgoing.complete(digest);
    said(channel.send(FileMessage::Control(complete)).await, outgoing)
}

fn take(
    message: Option<FileMessage>,
    outgoing: &mut Outgoing,
    done: &AtomicU64,
) -> Result<(), Sent> {
    match message {
        None => Err(Sent::Interrupted { delivered: outgoing.delivered() }),
        Some(FileMessage::Data(_)) => Err(Sent::Violated(Violation::Role)),
        Some(FileMessage::Control(control)) => {
            outgoing.take(&control).map_err(Sent::Violated)?;
            done.store(outgoing.done(), Ordering::Relaxed);
            Ok(())
        }
    }
}

fn said<E>(outcome: Result<(), E>, outgoing: &Outgoing) -> Result<(), Sent> {
    outcome.map_err(|_| Sent::Interrupted { delivered: outgoing.delivered() })
}

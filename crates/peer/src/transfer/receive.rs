//! Receives one file over one channel: between the channel, the machine and the disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use wire::p2p::Digest;

use super::carrier::Channel;
use super::digests::{Digests, Violation};
use super::incoming::{Incoming, Said};
use super::target::{Target, TargetError};
use super::writer::{Left, Writer, Written};
use crate::links::FileMessage;

/// How it ended.
#[derive(Debug)]
pub enum Received {
    /// All of it is there, checked; the digest over its pieces, and where.
    Finished(Digest, PathBuf),
    /// The channel is closed, or it was stopped.
    Interrupted,
    /// The sender broke the protocol.
    Violated(Violation),
    /// The disk can't go on, or a piece arrived damaged.
    Failed(TargetError),
}

/// Receives the rest of a file of `size` bytes into `target`, where the pieces in `digests` are already. `done` tells how
/// many bytes are there. Gives the partial file too, and how many of its pieces are checked, unless all is done.
pub async fn receive<C: Channel>(
    channel: &mut C,
    (target, digests): (Target, Digests),
    size: u64,
    done: &AtomicU64,
    stop: &CancellationToken,
) -> (Received, Option<(PathBuf, u64)>) {
    let mut writer = Writer::start(target, digests.pieces());
    let mut incoming = Incoming::new(size, digests);
    done.store(incoming.done(), Ordering::Relaxed);
    let mut total = None;
    let outcome = tokio::select! {
        outcome = pass(channel, &mut incoming, &mut writer, &mut total, done) => outcome,
        () = stop.cancelled() => Received::Interrupted,
    };
    match (writer.end().await, total) {
        // However it ended for the link: the file is there.
        (Some(Left::Placed(path)), Some(total)) => (Received::Finished(total, path), None),
        (Some(Left::Part(part, pieces)), _) => (outcome, Some((part, pieces))),
        _ => (outcome, None),
    }
}

async fn pass<C: Channel>(
    channel: &mut C,
    incoming: &mut Incoming,
    writer: &mut Writer,
    total: &mut Option<Digest>,
    done: &AtomicU64,
) -> Received {
    loop {
        tokio::select! {
            biased;
            written = writer.written() => match written {
                Some(Written::Pieces(pieces)) => {
                    let have = incoming.stored(pieces);
                    done.store(incoming.done(), Ordering::Relaxed);
                    // When all is here, the sender's waiting for the answer has no bearing on the file.
                    if channel.send(FileMessage::Control(have)).await.is_err() && total.is_none() {
                        return Received::Interrupted;
                    }
                }
                Some(Written::Failed(error)) => return Received::Failed(error),
                Some(Written::Placed) | None => return Received::Interrupted,
            },
            message = channel.recv(), if total.is_none() => match message {
                Some(FileMessage::Data(bytes)) => match incoming.bytes(bytes.len()) {
                    Ok(()) => writer.write(bytes).await,
                    Err(violation) => return Received::Violated(violation),
                },
                Some(FileMessage::Control(control)) => match incoming.take(&control) {
                    Ok(Said::Piece(_, digest)) => writer.complete(digest).await,
                    Ok(Said::End(digest)) => {
                        *total = Some(digest);
                        writer.finish().await;
                    }
                    Ok(Said::Nothing) => (),
                    Err(violation) => return Received::Violated(violation),
                },
                None => return Received::Interrupted,
            },
        }
    }
}

/// A file that is here already: waits for the sender's word that it is the same one.
pub async fn confirm<C: Channel>(
    channel: &mut C,
    size: u64,
    total: Digest,
    stop: &CancellationToken,
) -> Result<(), Received> {
    let mut incoming = Incoming::complete(size, total);
    loop {
        let message = tokio::select! {
            message = channel.recv() => message,
            () = stop.cancelled() => None,
        };
        let said = match message {
            None => return Err(Received::Interrupted),
            Some(FileMessage::Data(bytes)) => incoming.bytes(bytes.len()).map(|()| Said::Nothing),
            Some(FileMessage::Control(control)) => incoming.take(&control),
        };
        match said {
            Ok(Said::End(_)) => return Ok(()),
            Ok(_) => (),
            Err(violation) => return Err(Received::Violated(violation)),
        }
    }
}

//! What takes time: a file's channel, its place on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::p2p::Digest;

use super::carrier::{Carrier, Channel};
use super::desk::{Look, Prepare, Run, Start};
use super::digests::{Digests, bytes_of};
use super::folder;
use super::manager::Report;
use super::outgoing::Known;
use super::receive::{Received, confirm, receive};
use super::send::{Sent, send};
use super::source::{Source, SourceError};
use super::target::{Place, Target, TargetError};

/// How long a channel may take to open.
const OPENING: Duration = Duration::from_secs(30);
/// How long the sender may take to close a channel once it has heard that all is there.
const CLOSING: Duration = Duration::from_secs(10);

/// Sends a file over a channel of its own.
pub(super) async fn send_file<C: Carrier>(
    links: C,
    start: Start,
    done: Arc<AtomicU64>,
    stop: CancellationToken,
    reports: mpsc::Sender<Report>,
) {
    let run = start.run;
    let (outcome, known) = sending(links, start, &done, &stop).await;
    let _ = reports.send(Report::Sent(run, outcome, known)).await;
}

async fn sending<C: Carrier>(
    links: C,
    start: Start,
    done: &AtomicU64,
    stop: &CancellationToken,
) -> (Sent, Known) {
    let Start { key, remote, path, stamp, first, known, .. } = start;
    let source = match opened(path, stamp).await {
        Ok(source) => source,
        Err(error) => return (Sent::Failed(error), known),
    };
    let opening = tokio::select! {
        opening = tokio::time::timeout(OPENING, links.open(&remote, key.file)) => opening,
        () = stop.cancelled() => return (Sent::Interrupted { delivered: false }, known),
    };
    match opening {
        Ok(Ok(mut channel)) => {
            send(&mut channel, source, (stamp.size, first, known), done, stop).await
        }
        _ => (Sent::Interrupted { delivered: false }, known),
    }
}

async fn opened(path: PathBuf, stamp: super::source::Stamp) -> Result<Source, SourceError> {
    let opening = tokio::task::spawn_blocking(move || Source::open(&path, stamp));
    opening.await.unwrap_or_else(|error| Err(SourceError::Disk(std::io::Error::other(error))))
}

/// Receives a file over a channel into its place.
pub(super) async fn receive_file<C: Channel>(
    run: Run,
    mut channel: C,
    place: (Target, Digests),
    size: u64,
    done: Arc<AtomicU64>,
    stop: CancellationToken,
    reports: mpsc::Sender<Report>,
) {
    let (outcome, left) = receive(&mut channel, place, size, &done, &stop).await;
    let finished = matches!(outcome, Received::Finished(..));
    let _ = reports.send(Report::Received(run, outcome, left)).await;
    if finished {
        linger(channel, &stop).await;
    }
}

/// Hears the end of a file that is here already.
pub(super) async fn confirm_file<C: Channel>(
    run: Run,
    mut channel: C,
    size: u64,
    total: Digest,
    stop: CancellationToken,
    reports: mpsc::Sender<Report>,
) {
    let outcome = confirm(&mut channel, size, total, &stop).await;
    let fits = outcome.is_ok();
    let _ = reports.send(Report::Confirmed(run, outcome)).await;
    if fits {
        linger(channel, &stop).await;
    }
}

/// Leaves it to the sender to close the channel: it does so when it has heard that all is there, and would take a closed
/// channel for a broken one before.
async fn linger<C: Channel>(mut channel: C, stop: &CancellationToken) {
    let closed = async { while channel.recv().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(CLOSING, closed) => (),
        () = stop.cancelled() => (),
    }
}

/// Finds a file's partial file, or makes one, if there is room for the rest.
pub(super) fn prepare(folder: &Path, prepare: Prepare) -> Result<(Target, Digests), TargetError> {
    let Prepare { offer, part, reserved, .. } = prepare;
    let (size, name, file) = (offer.size, offer.name, offer.file);
    let place = Place { folder: folder.to_owned(), name, file, size };
    let fits = |there: u64| {
        let needed = (size - there).saturating_add(reserved).saturating_add(folder::SPARE);
        // A disk that doesn't tell may be written to all the same.
        match folder::room(folder) {
            Ok(free) if free < needed && there < size => Err(TargetError::NoSpace),
            _ => Ok(()),
        }
    };
    if let Some((part, trusted)) = part {
        match Target::resume(place.clone(), &part, trusted) {
            Ok((target, digests)) => {
                fits(bytes_of(size, digests.pieces()))?;
                return Ok((target, digests));
            }
            Err(error) => {
                tracing::warn!(part = %part.display(), %error, "a partial file begins anew");
            }
        }
    }
    fits(0)?;
    Ok((Target::create(place)?, Digests::default()))
}

/// Whether a file that was received is still where it was put.
pub(super) fn is_there(look: &Look) -> bool {
    let facts = std::fs::symlink_metadata(&look.path);
    facts.is_ok_and(|facts| facts.is_file() && facts.len() == look.offer.size)
}

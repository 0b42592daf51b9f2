//! The rows.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use peer::event::{Delivery, FileState, Route};
use peer::{Event, Peer};
use serde_json::json;
use tokio::sync::mpsc;
use wire::limits::MESSAGE_BYTES;
use wire::{MessageId, PeerId};

use crate::Failure;
use crate::stats::{cpu, percentile};

/// What a message says.
const TEXT: &str =
    "The quick brown fox jumps over the lazy dog, twice: see you at ten, same room as last week.";
/// The longest that any single step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The measuring side.
pub(crate) struct Alice {
    pub(crate) peer: Peer,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) to: PeerId,
    /// The other side's process.
    pub(crate) other: u32,
}

impl Alice {
    /// Waits for the link.
    pub(crate) async fn link(&mut self) -> Result<(), Failure> {
        self.peer.connect(&self.to);
        let began = Instant::now();
        while self.peer.links().up().is_empty() {
            self.next().await?;
        }
        let took = began.elapsed();
        row(&json!({"row": "link", "ms": took.as_secs_f64() * 1e3}));
        Ok(())
    }

    /// `ping` and `pong` on the link: no disk is involved.
    pub(crate) async fn pings(&mut self, count: usize) -> Result<(), Failure> {
        let (remote, _) = self.peer.links().up().into_iter().next().ok_or("there is no link")?;
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            samples.push(self.peer.links().ping(&remote).await?);
        }
        row_of_samples("ping", samples);
        Ok(())
    }

    /// A message from its writing to its acknowledgement: on disk at the sender, on disk at the receiver.
    pub(crate) async fn one_by_one(&mut self, count: usize) -> Result<(), Failure> {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            let id = self.peer.send(&self.to, TEXT).await?;
            self.delivered(HashSet::from([id])).await?;
            samples.push(began.elapsed());
        }
        row_of_samples("message", samples);
        Ok(())
    }

    /// Messages a second, as many in flight as there are, until the last one is acknowledged.
    pub(crate) async fn burst(&mut self, count: usize) -> Result<(), Failure> {
        let (began, used) = (Instant::now(), self.used());
        self.texts(std::iter::repeat_n(TEXT.to_owned(), count)).await?;
        let (took, used) = (began.elapsed().as_secs_f64(), self.used() - used);
        let count = count as f64;
        row(&json!({
            "row": "burst", "messages_per_second": count / took,
            "cpu_us_per_message": used.as_secs_f64() * 1e6 / count,
        }));
        Ok(())
    }

    /// A file, from the offer to the receiver's word that all of it is there and checked.
    pub(crate) async fn file(&mut self, work: &Path, mib: u64) -> Result<(), Failure> {
        let path = work.join("source");
        std::fs::write(&path, noise(usize::try_from(mib << 20)?))?;
        let (began, used) = (Instant::now(), self.used());
        let file = self.peer.send_file(&self.to, &path).await?;
        loop {
            match self.next().await? {
                Event::File(status) if status.id() == file => match status.state {
                    FileState::Done { .. } => break,
                    FileState::Declined(_) | FileState::Cancelled(_) => {
                        return Err(format!("the file came to nothing: {:?}", status.state).into());
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        self.file_row(mib, began, used);
        std::fs::remove_file(&path)?;
        Ok(())
    }

    /// The same bytes as texts, the longest that fit.
    pub(crate) async fn file_as_texts(&mut self, mib: u64) -> Result<(), Failure> {
        // Three bytes become four letters.
        let bytes_a_text = MESSAGE_BYTES / 4 * 3;
        let texts = usize::try_from(mib << 20)?.div_ceil(bytes_a_text);
        let (began, used) = (Instant::now(), self.used());
        self.texts((0..texts).map(|n| format!("{n:0MESSAGE_BYTES$}"))).await?;
        self.file_row(mib, began, used);
        Ok(())
    }

    fn file_row(&self, mib: u64, began: Instant, used: Duration) {
        let (took, used) = (began.elapsed().as_secs_f64(), self.used() - used);
        let megabytes = (mib << 20) as f64 / 1e6;
        row(&json!({
            "row": "file", "mib": mib, "megabytes_per_second": megabytes / took,
            "cpu_ms_per_megabyte": used.as_secs_f64() * 1e3 / megabytes,
        }));
    }

    /// Sends texts, as many in flight as the peer takes, and waits for them all.
    async fn texts(&mut self, texts: impl Iterator<Item = String> + Send) -> Result<(), Failure> {
        // The mailbox holds so many for one peer; and nothing is gained by more.
        const IN_FLIGHT: usize = 1_000;
        let mut waiting = HashSet::new();
        for text in texts {
            waiting.insert(self.peer.send(&self.to, &text).await?);
            while let Ok(event) = self.events.try_recv() {
                settle(&mut waiting, event)?;
            }
            while waiting.len() >= IN_FLIGHT {
                settle(&mut waiting, self.next().await?)?;
            }
        }
        self.delivered(waiting).await
    }

    async fn delivered(&mut self, mut waiting: HashSet<MessageId>) -> Result<(), Failure> {
        while !waiting.is_empty() {
            settle(&mut waiting, self.next().await?)?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await?;
        event.ok_or_else(|| "the peer ended".into())
    }

    fn used(&self) -> Duration {
        cpu(std::process::id()) + cpu(self.other)
    }
}

/// Takes an acknowledged message off the list.
fn settle(waiting: &mut HashSet<MessageId>, event: Event) -> Result<(), Failure> {
    if let Event::Delivery { id, delivery, .. } = event {
        match delivery {
            Delivery::Delivered(Route::Direct | Route::Relayed | Route::Mailbox) => {
                waiting.remove(&id);
            }
            Delivery::Failed { reason } => return Err(reason.into()),
            Delivery::Sending | Delivery::Queued => {}
        }
    }
    Ok(())
}

/// Bytes that don't compress, the same ones every time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

fn row_of_samples(name: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    row(&json!({
        "row": name, "count": samples.len(),
        "p50_us": percentile(&samples, 50), "p99_us": percentile(&samples, 99),
    }));
}

fn row(row: &serde_json::Value) {
    print(&row.to_string());
}

/// Prints a line at once, for whoever reads along.
pub(crate) fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: the run is over anyway.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

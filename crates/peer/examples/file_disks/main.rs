//! How fast a file moves from disk to disk when the link costs nothing: reading, two digests, checking and writing.
//!
//! ```text
//! cargo run --release -p peer --example file_disks -- [--mib N] [--folder FOLDER]
//! ```
//!
//! Prints one JSON line: bytes a second, and the most memory that the process ever had. The folder should be in memory
//! (`/dev/shm`) unless the disk itself is the question.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use clap::Parser;
use peer::links::{FileMessage, NotLinked};
use peer::transfer::carrier::Channel;
use peer::transfer::digests::Digests;
use peer::transfer::outgoing::Known;
use peer::transfer::receive::{Received, receive};
use peer::transfer::send::send;
use peer::transfer::source::{Source, inspect};
use peer::transfer::target::{Place, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::p2p::FileId;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    /// The file's size.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Where both files are.
    #[arg(long, default_value = "/dev/shm")]
    folder: PathBuf,
}

/// A channel within the process.
struct Pipe {
    out: mpsc::Sender<FileMessage>,
    back: mpsc::Receiver<FileMessage>,
}

impl Channel for Pipe {
    async fn send(&mut self, message: FileMessage) -> Result<(), NotLinked> {
        self.out.send(message).await.map_err(|_| NotLinked)
    }

    async fn recv(&mut self) -> Option<FileMessage> {
        self.back.recv().await
    }
}

/// Both ends; as much as in front of a real link may wait in between.
fn pipe() -> (Pipe, Pipe) {
    let ((there, taken), (back, answered)) = (mpsc::channel(16), mpsc::channel(16));
    (Pipe { out: there, back: answered }, Pipe { out: back, back: taken })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { mib, folder } = Arguments::parse();
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("source.bin");
    write(&path, mib)?;
    let took = measure(&path, folder.path().join("downloads")).await?;
    let speed = (mib << 20) as f64 / took.as_secs_f64();
    let line = serde_json::json!({
        "mib": mib,
        "seconds": took.as_secs_f64(),
        "mb_per_second": (speed / 1e6).round(),
        "peak_rss_kib": peak_rss_kib(),
    });
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    {
        println!("{line}");
    }
    Ok(())
}

fn write(path: &std::path::Path, mib: u64) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    for at in 0..mib << 17 {
        std::io::Write::write_all(
            &mut file,
            &at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes(),
        )?;
    }
    std::io::Write::flush(&mut file)
}

async fn measure(path: &std::path::Path, downloads: PathBuf) -> Result<Duration, Failure> {
    let (name, stamp) = inspect(path)?;
    let source = Source::open(path, stamp)?;
    let size = stamp.size;
    let place = Place { folder: downloads, name, file: FileId::new([0; 16]), size };
    let target = Target::create(place)?;
    let (mut here, mut there) = pipe();
    let stop = CancellationToken::new();
    let began = Instant::now();
    let sending = tokio::spawn({
        let stop = stop.clone();
        async move {
            let known = Known::default();
            send(&mut here, source, (size, 0, known), &AtomicU64::new(0), &stop).await.0
        }
    });
    let place = (target, Digests::default());
    let (outcome, _) = receive(&mut there, place, size, &AtomicU64::new(0), &stop).await;
    let took = began.elapsed();
    stop.cancel();
    sending.await?;
    match outcome {
        Received::Finished(..) => Ok(took),
        other => Err(format!("{other:?}").into()),
    }
}

/// The most memory that this process ever had, where the system tells.
fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

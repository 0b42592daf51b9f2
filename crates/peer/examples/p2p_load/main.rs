//! The load of `scripts/bench-p2p`: two native peers as two processes, as guests of one tracker.
//!
//! ```text
//! p2p_load run --server URL --work FOLDER [--way direct|mailbox] [--pings N] [--messages N] [--burst N] [--file-mib N]
//! ```
//!
//! `run` is Alice. She starts `p2p_load answer` as Bob, who accepts every file and ends when his standard input does. One
//! JSON line a row goes to standard output; what each row measures stands in [`measure`].

mod measure;
mod stats;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use peer::config::Login;
use peer::{Config, Event, Peer};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use wire::PeerId;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measures, and starts the other side itself.
    Run(Run),
    /// The other side.
    Answer(Place),
}

#[derive(Args)]
struct Place {
    /// The tracker.
    #[arg(long)]
    server: String,
    /// Where both peers keep their data.
    #[arg(long)]
    work: PathBuf,
    /// Which way messages go.
    #[arg(long, value_enum, default_value_t = Way::Direct)]
    way: Way,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    place: Place,
    /// Round trips on the link alone, one after another.
    #[arg(long, default_value_t = 0)]
    pings: usize,
    /// Messages, each sent when the one before is acknowledged.
    #[arg(long, default_value_t = 0)]
    messages: usize,
    /// Messages at once.
    #[arg(long, default_value_t = 0)]
    burst: usize,
    /// Size of the file, in MiB. By the mailbox its bytes travel as texts.
    #[arg(long, default_value_t = 0)]
    file_mib: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// From device to device.
    Direct,
    /// By the tracker's mailbox, though both are there: no link is ever made.
    Mailbox,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().role {
        Role::Run(run) => measure_all(run).await,
        Role::Answer(place) => answer(&place).await,
    }
}

async fn measure_all(run: Run) -> Result<(), Failure> {
    let bob = start_other(&run.place)?;
    let (peer, events) = start("alice", &run.place).await?;
    let to = PeerId::parse("bob")?;
    let mut alice = measure::Alice { peer, events, to, other: bob.0.id() };
    if run.place.way == Way::Direct {
        alice.link().await?;
    }
    if run.pings > 0 {
        alice.pings(run.pings).await?;
    }
    if run.messages > 0 {
        alice.one_by_one(run.messages).await?;
    }
    if run.burst > 0 {
        alice.burst(run.burst).await?;
    }
    match run.place.way {
        _ if run.file_mib == 0 => {}
        Way::Direct => alice.file(&run.place.work, run.file_mib).await?,
        Way::Mailbox => alice.file_as_texts(run.file_mib).await?,
    }
    alice.peer.close().await;
    drop(bob);
    Ok(())
}

async fn answer(place: &Place) -> Result<(), Failure> {
    let (peer, mut events) = start("bob", place).await?;
    measure::print("ready");
    // Somebody has to take the events; Alice closes our standard input when she is done.
    let taken = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    peer.close().await;
    taken.await?;
    Ok(())
}

async fn start(name: &str, place: &Place) -> Result<(Peer, mpsc::Receiver<Event>), Failure> {
    let login = Login::Guest { name: PeerId::parse(name)? };
    let mut config = Config::new(place.server.clone(), login, place.work.join(name));
    config.ip = Some([127, 0, 0, 1].into());
    config.accept_files = true;
    if place.way == Way::Mailbox {
        config.links_max = 0;
        config.ack_patience = Duration::ZERO;
    }
    Ok(Peer::start(config).await?)
}

/// The other side's process; it ends with this value.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the other side is there; nothing else happens meanwhile.
fn start_other(place: &Place) -> Result<Other, Failure> {
    let way = place.way.to_possible_value().map(|value| value.get_name().to_owned());
    let child = Command::new(std::env::current_exe()?)
        .args(["answer", "--server", &place.server, "--way", &way.unwrap_or_default(), "--work"])
        .arg(&place.work)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut other = Other(child);
    let output = other.0.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    match line.trim() {
        "ready" => Ok(other),
        line => Err(format!("the other side said {line:?} instead of `ready`").into()),
    }
}

//! Load for the tracker, as scripts/bench-tracker starts it. Each subcommand prints one JSON object a line.
//!
//! - `durable`: messages a second, each acknowledged after its commit.
//! - `fanout`: deliveries a second to the members of a channel.
//! - `nats`: the same through a NATS server (core publish and subscribe), to compare with.
//! - `idle`: opens streams and holds them until standard input ends.

mod durable;
mod fanout;
mod http;
mod idle;
mod nats;
mod stats;

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};

/// Why a run failed.
type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Messages a second, each acknowledged after its commit.
    Durable {
        tracker: SocketAddr,
        #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
        senders: Vec<usize>,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// Deliveries a second to the members of a channel.
    Fanout {
        tracker: SocketAddr,
        #[arg(long, value_enum)]
        kind: Kind,
        #[command(flatten)]
        plan: fanout::Plan,
    },
    /// The same through a NATS server.
    Nats {
        server: SocketAddr,
        #[command(flatten)]
        plan: fanout::Plan,
    },
    /// Registers guests, who join a channel.
    Register {
        tracker: SocketAddr,
        #[arg(long, default_value_t = 10_000)]
        peers: usize,
    },
    /// Opens streams and holds them until standard input ends.
    Idle {
        address: SocketAddr,
        #[arg(long, value_enum)]
        kind: Kind,
        #[arg(long, default_value_t = 10_000)]
        streams: usize,
        /// Sent with each request, e.g. a session's cookie; without it each stream is another guest's.
        #[arg(long)]
        cookie: Option<String>,
    },
}

/// The kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Server-Sent Events.
    Sse,
    /// WebSocket.
    Ws,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    match Args::parse().command {
        Command::Durable { tracker, senders, seconds } => {
            durable::run(tracker, &senders, seconds).await
        }
        Command::Fanout { tracker, kind, plan } => fanout::tracker(tracker, kind, &plan).await,
        Command::Nats { server, plan } => nats::run(server, &plan).await,
        Command::Register { tracker, peers } => idle::register(tracker, peers).await,
        Command::Idle { address, kind, streams, cookie } => {
            idle::hold(address, kind, streams, cookie.as_deref()).await
        }
    }
}

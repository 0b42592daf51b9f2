//! The tracker as a program.

use std::process::ExitCode;

use chat_tracker::settings::{ListenArgs, TrackerArgs};
use chat_tracker::{Tracker, run};
use clap::{Parser, Subcommand};
use service::args::{AdminArgs, LogArgs, parse, socket_addr, usage_error};
use service::http::HttpLimits;
use service::{admin, bind, probe, shutdown, telemetry};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The tracker of hybrid chat: peers, channels, durable messages, live events.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    tracker: TrackerArgs,
    #[command(flatten)]
    http: HttpLimits,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the tracker at --server-ip and --server-port whether it is alive.
    Health,
}

const EXAMPLES: &str = "Examples:
  chat-tracker                                            guests too, on 127.0.0.1:8001
  chat-tracker --server-ip 0.0.0.0 --auth required        accounts only
  chat-tracker --data-dir /var/lib/chat --admin 127.0.0.1:9101
  chat-tracker health";

fn main() -> ExitCode {
    let args: Args = parse();
    let addr = socket_addr(args.listen.server_ip, args.listen.server_port);
    match args.command {
        Some(Command::Health) => return probe::exit_code(addr),
        None => {}
    }
    if let Err(error) = telemetry::init(&args.log) {
        return usage_error(&format!("--log-level: {error}"));
    }
    serve(args, addr)
}

#[tokio::main]
async fn serve(args: Args, addr: std::net::SocketAddr) -> ExitCode {
    let started = async {
        // Bound first: a second tracker by mistake is told of the port, which it can change.
        let listener = TcpListener::from_std(bind::tcp(addr)?)?;
        let (tracker, writer) = Tracker::open(&args.tracker)?;
        let shutdown = shutdown::on_signal()?;
        if let Some(admin) = args.admin.admin {
            let listener = TcpListener::from_std(bind::tcp(admin)?)?;
            tracing::info!("Serving metrics on {admin}");
            tokio::spawn(admin::serve(
                listener,
                std::sync::Arc::new(tracker.clone()),
                shutdown.clone(),
            ));
        }
        tracing::info!("Starting hybrid chat server on {}", listener.local_addr()?);
        run(listener, tracker, writer, args.http, shutdown).await;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    match started.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage_error(&error),
    }
}

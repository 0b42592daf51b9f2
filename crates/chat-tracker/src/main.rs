//! The tracker as a program.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use chat_tracker::settings::{Args, Command};
use chat_tracker::{Tracker, run};
use service::args::{parse, socket_addr, usage_error};
use service::{admin, bind, memory, probe, shutdown, telemetry};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    memory::small_pages();
    let args: Args = parse();
    let addr = socket_addr(args.listen.server_ip, args.listen.server_port);
    if let Some(Command::Health) = args.command {
        return probe::exit_code(addr);
    }
    if let Err(error) = telemetry::init(&args.log) {
        return usage_error(&format!("--log-level: {error}"));
    }
    match serve(args, addr) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage_error(&error),
    }
}

#[tokio::main]
async fn serve(args: Args, addr: SocketAddr) -> Result<(), Box<dyn Error>> {
    args.tracker.check()?;
    // Bound first: a second tracker by mistake is told of the port, which it can change.
    let listener = TcpListener::from_std(bind::tcp(addr)?)?;
    let admin = args.admin.admin.map(bind::tcp).transpose()?;
    let (tracker, background) = Tracker::open(&args.tracker)?;
    let shutdown = shutdown::on_signal()?;
    if let Some(admin) = admin {
        tracing::info!("Serving metrics on {}", admin.local_addr()?);
        let probe = Arc::new(tracker.clone());
        tokio::spawn(admin::serve(TcpListener::from_std(admin)?, probe, shutdown.clone()));
    }
    tracing::info!("Starting hybrid chat server on {}", listener.local_addr()?);
    run(listener, tracker, background, args.http, shutdown).await;
    Ok(())
}

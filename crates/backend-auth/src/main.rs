//! The program `backend-auth`: flags, log, serve until a signal, drain.

use std::io::Write as _;
use std::process::ExitCode;

use backend_auth::backup;
use backend_auth::config::{Cli, Command};
use backend_auth::host::{self, HostError};
use backend_auth::{AuthServer, Config};
use service::{args, probe, shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli: Cli = args::parse();
    match cli.command {
        None => {}
        Some(Command::Health) => return probe::exit_code(cli.flags.addr()),
        Some(Command::RotateKey { emergency }) => {
            return said(host::rotate_key(&cli.flags, emergency));
        }
        Some(Command::Backup { file }) => return said(backup::write(&cli.flags.data_dir, &file)),
        Some(Command::Restore { file }) => {
            return said(backup::restore(&cli.flags.data_dir, &file));
        }
        Some(Command::RemoveFactors { user }) => {
            return said(host::remove_factors(&cli.flags, &user));
        }
        Some(Command::ResetLink { user }) => return said(host::reset_link(&cli.flags, &user)),
    }
    if let Err(error) = telemetry::init(&cli.log) {
        return args::usage_error(&format!("--log-level: {error}"));
    }
    let config = match Config::try_from(cli.flags) {
        Ok(config) => config,
        Err(error) => return args::usage_error(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return args::usage_error(&error),
    };
    runtime.block_on(run(config))
}

/// What a command on the host came to: its answer on standard output, or one line about what is wrong.
fn said(outcome: Result<String, HostError>) -> ExitCode {
    match outcome {
        Ok(answer) => {
            // A reader that went away has heard enough.
            let _ = writeln!(std::io::stdout(), "{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => args::usage_error(&error),
    }
}

async fn run(config: Config) -> ExitCode {
    let signalled = match shutdown::on_signal() {
        Ok(signalled) => signalled,
        Err(error) => return args::usage_error(&error),
    };
    let server = match AuthServer::bind(config).await {
        Ok(server) => server,
        Err(error) => return args::usage_error(&error),
    };
    signalled.cancelled().await;
    server.shutdown().await;
    ExitCode::SUCCESS
}

//! `proxy`: flags, configuration, listening, following changes, draining.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proxy::config::{Config, Loaded};
use proxy::follow::Follow;
use proxy::handover::{self, Door};
use proxy::log::Format;
use proxy::{Options, Proxy, activation};
use service::args::{self, AdminArgs, LogArgs, LogFormat};
use service::{Shutdown, probe, shutdown, telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

// The default allocator costs a tenth more per request, and gives memory back less readily.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reverse proxy of hybrid chat: routes by host and path, asks backend-auth who it is, streams everything.
#[derive(Debug, Parser)]
#[command(
    name = "proxy",
    version,
    after_help = "Examples:
  proxy                                  serve what ./proxy.conf says
  proxy --config /etc/chat/proxy.conf --admin 127.0.0.1:9100
  proxy check                            is proxy.conf right? (exit code 2 if not)
  proxy routes localhost /chat/x         which route does this request take, and why?
  proxy --handover /run/proxy.sock       replace the proxy that was started so, without a refused connection
  proxy health --admin 127.0.0.1:9100    is the running one alive?

A changed configuration is taken into use within two seconds, or at once with SIGHUP; what is wrong with it
is in the log, and the old one stays. SIGUSR1 opens the access log again.

The configuration explains itself: see the comments in proxy.conf."
)]
struct Args {
    /// The configuration file.
    #[arg(
        long,
        env = "PROXY_CONFIG",
        value_name = "FILE",
        default_value = "proxy.conf",
        global = true
    )]
    config: PathBuf,
    /// A unix socket for replacing the running proxy: if one waits there, this one takes over its listeners,
    /// and that one finishes what it has and ends.
    #[arg(long, env = "PROXY_HANDOVER", value_name = "SOCKET")]
    handover: Option<PathBuf>,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads the configuration and the certificates it names, says what is wrong or odd, and serves nothing.
    Check,
    /// Says which route a request takes and why, and what the others were (exit code 1: none).
    Routes {
        /// The host, with or without a port.
        host: String,
        /// The path, from its / on.
        path: String,
    },
    /// Asks a running proxy, at its --admin address, whether it is alive.
    Health {
        /// The address, unless it is in the environment.
        #[arg(long = "admin", env = "ADMIN", value_name = "IP:PORT", id = "health_admin")]
        admin: Option<std::net::SocketAddr>,
    },
}

fn main() -> ExitCode {
    let args: Args = args::parse();
    match &args.command {
        Some(Command::Check) => check(&args.config),
        Some(Command::Routes { host, path }) => routes(&args.config, host, path),
        Some(Command::Health { admin }) => match admin.or(args.admin.admin) {
            Some(addr) => probe::exit_code(addr),
            None => args::usage_error(&"say where: --admin IP:PORT, or ADMIN in the environment"),
        },
        None => serve(&args),
    }
}

#[expect(clippy::print_stdout, reason = "the report is what `proxy check` is for")]
fn check(file: &Path) -> ExitCode {
    let report = proxy::check::report(&file.display().to_string(), &Config::load(file));
    if report.ok {
        print!("{}", report.text);
        return ExitCode::SUCCESS;
    }
    eprint!("{}", report.text);
    ExitCode::from(args::USAGE)
}

#[expect(clippy::print_stdout, reason = "the report is what `proxy routes` is for")]
fn routes(file: &Path, host: &str, path: &str) -> ExitCode {
    let config = match Config::load(file) {
        Ok(loaded) => loaded.config,
        Err(error) => return args::usage_error(&error),
    };
    let report = proxy::explain::report(&config, host, path);
    print!("{}", report.text);
    if report.found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(args: &Args) -> ExitCode {
    // Before the file is read: a change in between must not be missed.
    let follow = Follow::new(&args.config);
    let Loaded { config, warnings } = match Config::load(&args.config) {
        Ok(loaded) => loaded,
        Err(error) => return args::usage_error(&error),
    };
    if let Err(error) = telemetry::init(&args.log) {
        return args::usage_error(&format!("--log-level: {error}"));
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let json = match args.log.log_format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let log_format = if json { Format::Json } else { Format::Text };
    let options = Options { log_format, admin: args.admin.admin, ..Options::default() };
    let passed = match activation::inherit(&config, args.admin.admin) {
        Ok(passed) => passed,
        Err(error) => return failed(&format!("LISTEN_FDS: {error}")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let stop = match shutdown::on_signal() {
            Ok(stop) => stop,
            Err(error) => return failed(&error),
        };
        let news = match News::new(follow) {
            Ok(news) => news,
            Err(error) => return failed(&error),
        };
        let (predecessor, estate) = match args.handover.as_deref().map(handover::inherit) {
            None | Some(Ok(None)) => (None, passed),
            // The very same sockets, where both have them.
            Some(Ok(Some((predecessor, estate)))) => (Some(predecessor), estate.or(passed)),
            Some(Err(error)) => return failed(&format!("--handover: {error}")),
        };
        let mut proxy = match Proxy::succeed(config, options, estate) {
            Ok(proxy) => proxy,
            Err(error) => return failed(&error),
        };
        for addr in proxy.addrs() {
            tracing::info!(%addr, "listening");
        }
        if let Some(addr) = proxy.admin() {
            tracing::info!(%addr, "metrics and health");
        }
        if let Some(predecessor) = predecessor {
            match predecessor.release() {
                Ok(()) => tracing::info!("took over from the proxy that ran before"),
                Err(error) => tracing::warn!(%error, "the proxy that ran before is gone"),
            }
        }
        let door = match args.handover.as_deref().map(Door::open).transpose() {
            Ok(door) => door,
            Err(error) => return failed(&format!("--handover: {error}")),
        };
        match keep_up(&mut proxy, &args.config, news, door.as_ref(), &stop).await {
            End::Successor => {
                let _ = stop.run_until_cancelled(proxy.retire()).await;
            }
            End::Stop => {
                if let Some(door) = door {
                    door.close();
                }
                proxy.shutdown().await;
            }
        }
        ExitCode::SUCCESS
    })
}

/// Why the proxy ends.
enum End {
    /// It was told to.
    Stop,
    /// Another process serves in its place.
    Successor,
}

/// Reasons to look at the configuration again.
struct News {
    file: Follow,
    hang_up: Signal,
    user: Signal,
}

impl News {
    fn new(file: Follow) -> std::io::Result<Self> {
        let hang_up = signal(SignalKind::hangup())?;
        Ok(Self { file, hang_up, user: signal(SignalKind::user_defined1())? })
    }
}

/// Follows the configuration until the end.
async fn keep_up(
    proxy: &mut Proxy,
    file: &Path,
    mut news: News,
    door: Option<&Door>,
    stop: &Shutdown,
) -> End {
    loop {
        let heir = async {
            match door {
                Some(door) => door.heir().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return End::Stop,
            heir = heir => {
                match stop.run_until_cancelled(proxy.hand_over(heir)).await {
                    Some(Ok(())) => {
                        tracing::info!("handed over to another proxy: finishing what is open");
                        return End::Successor;
                    }
                    Some(Err(error)) => tracing::warn!(%error, "not handed over: going on"),
                    None => return End::Stop,
                }
                continue;
            }
            Some(()) = news.user.recv() => {
                match proxy.reopen_log() {
                    Ok(()) => tracing::info!("the access log was opened again"),
                    Err(error) => tracing::error!(%error, "the access log can't be opened again"),
                }
                continue;
            }
            Some(()) = news.hang_up.recv() => news.file.read(),
            () = news.file.changed() => {}
        }
        // What came of it is in the log.
        let _ = stop.run_until_cancelled(proxy.reload(file)).await;
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

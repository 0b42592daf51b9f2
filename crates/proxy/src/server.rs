//! The running proxy: its listeners, its worker threads, and one more thread for what happens in the
//! background (names, health checks, the admin address).

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use service::Shutdown;
use service::bind::{self, BindError};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::config::Config;
use crate::health;
use crate::log::{AccessLog, Format, Sink};
use crate::resolve::{Directory, Resolver};
use crate::site::Site;
use crate::stats::{self, Stats};
use crate::worker::Worker;

/// How long the start waits for the first answer of the resolver; a name that takes longer is served as
/// soon as it is known.
const FIRST_ANSWER: Duration = Duration::from_millis(500);

/// Why the proxy does not start. One line, with the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log can't be opened.
    #[error("the access log can't be opened: {0}")]
    AccessLog(std::io::Error),
    /// The system refused a thread or an event queue.
    #[error("a worker can't be started: {0}")]
    Worker(std::io::Error),
}

/// What isn't in proxy.conf.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How access-log lines look.
    pub log_format: Format,
    /// Where `/metrics`, `/health` and `/ready` are served, if anywhere.
    pub admin: Option<SocketAddr>,
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Proxy {
    addrs: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    workers: Vec<JoinHandle<()>>,
    background: Option<JoinHandle<()>>,
    stop: Shutdown,
    /// Cancelled after the workers have ended: until then names and metrics are looked after.
    stop_background: Shutdown,
}

impl Proxy {
    /// Binds all addresses and starts to serve.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub fn bind(config: Config, options: Options) -> Result<Self, StartError> {
        let workers = config.server.workers.max(1);
        let (addrs, mut listeners) = listen(&config.server.listen, workers)?;
        let admin = options.admin.map(bind::tcp).transpose()?;
        let admin_addr = admin.as_ref().and_then(|listener| listener.local_addr().ok());
        let sink = Sink::open(&config.server.access_log).map_err(StartError::AccessLog)?;
        let config = Arc::new(config);
        let directories: Vec<Arc<Directory>> = config
            .upstreams
            .iter()
            .map(|upstream| Arc::new(Directory::new(&upstream.servers)))
            .collect();
        let stats: Vec<Arc<Stats>> =
            (0..workers).map(|_| Arc::new(Stats::new(config.upstreams.len()))).collect();
        let stop_background = Shutdown::new();
        let background = Background {
            config: config.clone(),
            directories: directories.clone(),
            stats: stats.clone(),
            admin,
            stop: stop_background.clone(),
        };
        let background = background.start()?;
        let mut proxy = Self {
            addrs,
            admin: admin_addr,
            workers: Vec::new(),
            background: Some(background),
            stop: Shutdown::new(),
            stop_background,
        };
        for ((number, stats), sockets) in stats.into_iter().enumerate().zip(listeners.drain(..)) {
            let (config, directories) = (config.clone(), directories.clone());
            let (sink, stop) = (sink.clone(), proxy.stop.clone());
            let thread = thread(format!("worker-{number}"), move |runtime| {
                let site = Site::new(config, &directories, number);
                let log = AccessLog::new(sink, options.log_format);
                runtime.block_on(async move {
                    match sockets.into_iter().map(TcpListener::from_std).collect() {
                        Ok(listeners) => Worker::new(site, log, stats).run(listeners, stop).await,
                        Err(error) => tracing::error!(%error, "a worker can't listen"),
                    }
                });
            });
            // An early return drops `proxy`, which ends the workers that already run.
            proxy.workers.push(thread?);
        }
        Ok(proxy)
    }

    /// The addresses it listens on.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The first of them.
    ///
    /// # Panics
    /// Never: a configuration without an address is refused when it is read.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "a configuration has at least one address")]
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// The admin address, if there is one.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Stops accepting, lets open requests finish for at most the drain time, and ends.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let workers = std::mem::take(&mut self.workers);
        let background = self.background.take();
        let stop_background = self.stop_background.clone();
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!("a worker panicked");
                }
            }
            stop_background.cancel();
            background.map(JoinHandle::join)
        });
        let _ = joined.await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if !self.workers.is_empty() {
            self.stop_background.cancel();
        }
    }
}

/// One set of listeners a worker, all on the same addresses.
fn listen(
    wanted: &[SocketAddr],
    workers: usize,
) -> Result<(Vec<SocketAddr>, Vec<Vec<std::net::TcpListener>>), StartError> {
    let mut addrs = Vec::new();
    let mut listeners: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for &addr in wanted {
        // Not shared at first: sharing would hide that somebody else already has the port.
        let probe = bind::tcp(addr)?;
        let addr = probe.local_addr().map_err(|source| BindError::Other { addr, source })?;
        drop(probe);
        for worker in &mut listeners {
            worker.push(bind::tcp_shared(addr)?);
        }
        addrs.push(addr);
    }
    Ok((addrs, listeners))
}

/// A thread with a runtime of its own, which exists when this returns.
fn thread(
    name: String,
    run: impl FnOnce(&LocalRuntime) + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let (built, outcome) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                Ok(runtime) => {
                    let _ = built.send(Ok(()));
                    run(&runtime);
                }
                Err(error) => drop(built.send(Err(error))),
            }
        })
        .map_err(StartError::Worker)?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(StartError::Worker(error)),
        Err(_) => Err(StartError::Worker(std::io::Error::other("its thread ended"))),
    }
}

/// What isn't part of any request.
struct Background {
    config: Arc<Config>,
    directories: Vec<Arc<Directory>>,
    stats: Vec<Arc<Stats>>,
    admin: Option<std::net::TcpListener>,
    stop: Shutdown,
}

impl Background {
    /// Starts the thread, and waits a moment for the first answers of the resolver.
    fn start(self) -> Result<JoinHandle<()>, StartError> {
        let (asked, answered) = mpsc::channel();
        let thread = thread("background".into(), move |runtime| runtime.block_on(self.run(asked)))?;
        let _ = answered.recv_timeout(FIRST_ANSWER);
        Ok(thread)
    }

    async fn run(self, asked: mpsc::Sender<()>) {
        for (upstream, directory) in self.config.upstreams.iter().zip(&self.directories) {
            if let Some(mut resolver) = Resolver::new(upstream, directory.clone()) {
                // The start goes on when the last of these is dropped.
                let asked = asked.clone();
                tokio::task::spawn_local(async move {
                    resolver.refresh().await;
                    drop(asked);
                    resolver.run().await;
                });
            }
            if let Some(check) = &upstream.health {
                let check = check.clone();
                tokio::task::spawn_local(health::watch(
                    upstream.name.clone(),
                    check,
                    directory.clone(),
                ));
            }
        }
        drop(asked);
        if let Some(listener) = self.admin {
            let view =
                View { config: self.config, directories: self.directories, stats: self.stats };
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    tokio::task::spawn_local(service::admin::serve(
                        listener,
                        Arc::new(view),
                        self.stop.clone(),
                    ));
                }
                Err(error) => tracing::error!(%error, "the admin address can't be served"),
            }
        }
        self.stop.cancelled().await;
    }
}

/// What the admin address shows.
struct View {
    config: Arc<Config>,
    directories: Vec<Arc<Directory>>,
    stats: Vec<Arc<Stats>>,
}

impl service::admin::Probe for View {
    fn metrics(&self) -> String {
        let names: Vec<Arc<str>> =
            self.config.upstreams.iter().map(|upstream| upstream.name.clone()).collect();
        stats::render(&self.stats, &names)
    }

    fn ready(&self) -> Result<(), String> {
        let missing: Vec<&str> = self
            .config
            .upstreams
            .iter()
            .zip(&self.directories)
            .filter(|(_, directory)| !directory.known().iter().any(|known| known.is_healthy()))
            .map(|(upstream, _)| &*upstream.name)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("no server is known, or none is healthy, of: {}", missing.join(", ")))
        }
    }
}

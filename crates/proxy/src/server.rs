//! The running proxy: its listeners, its worker threads, and one more thread for what happens in the
//! background (names, health checks, the admin address).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use service::Shutdown;
use service::bind::BindError;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::config::Config;
use crate::front::certificates::CertificateError;
use crate::front::tls::Keyring;
use crate::handover::Estate;
use crate::log::{Format, Sink};
use crate::plan::Plan;
use crate::resolve::Lookup;
use crate::stats::{Reloads, Stats};
use crate::worker::{Order, Worker};

mod admin;
mod background;
mod leave;
mod listening;
mod reload;

use admin::Admin;
use background::{Background, Chore, View};
pub(crate) use listening::{Address, Opened};
use listening::{Change, Held};
pub use reload::ReloadError;

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
    /// A certificate or key can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system refused a thread or an event queue.
    #[error("a worker can't be started: {0}")]
    Worker(std::io::Error),
}

/// What isn't in proxy.conf.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How access-log lines look.
    pub log_format: Format,
    /// Where `/metrics`, `/health` and `/ready` are served, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Asked for the addresses of servers instead of the system's resolver.
    pub names: Option<Arc<dyn Lookup>>,
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Proxy {
    /// What is served; changed by one reload at a time.
    serving: Serving,
    admin: Option<Admin>,
    workers: Vec<Crew>,
    background: Option<JoinHandle<()>>,
    chores: UnboundedSender<Chore>,
    reloads: Arc<Reloads>,
    stop: Shutdown,
    /// Cancelled after the workers have ended: until then names and metrics are looked after.
    stop_background: Shutdown,
}

/// What is served at the moment.
#[derive(Debug)]
struct Serving {
    /// Also seen by the admin address.
    plan: Arc<Mutex<Plan>>,
    addresses: Vec<Address>,
    held: Held,
}

/// A worker's thread, and the way to tell it something.
#[derive(Debug)]
struct Crew {
    thread: JoinHandle<()>,
    orders: UnboundedSender<Order>,
}

impl Proxy {
    /// Binds all addresses and starts to serve.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub fn bind(config: Config, options: Options) -> Result<Self, StartError> {
        Self::succeed(config, options, Estate::default())
    }

    /// Starts to serve with the listeners that another process has left, and binds the rest.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub fn succeed(
        config: Config,
        options: Options,
        mut estate: Estate,
    ) -> Result<Self, StartError> {
        let workers = config.server.workers.max(1);
        let change = Change::prepare(&[], &config.server.addresses(), workers, &mut estate)?;
        let mut held = Held::default();
        held.follow(&change).map_err(StartError::Worker)?;
        let admin = match options.admin {
            Some(wanted) => Some(Admin::open(wanted, &mut estate)?),
            None => None,
        };
        let shown = admin.as_ref().map(Admin::shown).transpose().map_err(StartError::Worker)?;
        let sink = Sink::open(&config.server.access_log).map_err(StartError::AccessLog)?;
        let keyring = Keyring::open(&config, None)?;
        introduce(&keyring, None);
        let plan = Plan::new(config, sink, keyring, None);
        let serving =
            Serving { plan: Arc::new(Mutex::new(plan.clone())), addresses: change.addresses, held };
        let reloads = Arc::new(Reloads::new());
        let stats: Vec<Arc<Stats>> = (0..workers).map(|_| Arc::default()).collect();
        let stop_background = Shutdown::new();
        let (chores, chores_come) = unbounded_channel();
        let background = Background {
            chores: chores_come,
            names: options.names,
            admin: shown,
            view: View {
                plan: serving.plan.clone(),
                stats: stats.clone(),
                reloads: reloads.clone(),
            },
            stop: stop_background.clone(),
        };
        let background = background.start()?;
        let mut proxy = Self {
            serving,
            admin,
            workers: Vec::new(),
            background: Some(background),
            chores,
            reloads,
            stop: Shutdown::new(),
            stop_background,
        };
        let _ = proxy.tend(&plan, None).recv_timeout(FIRST_ANSWER);
        for ((number, stats), sockets) in stats.into_iter().enumerate().zip(change.open) {
            let (plan, stop) = (plan.clone(), proxy.stop.clone());
            let (orders, orders_come) = unbounded_channel();
            let thread = thread(format!("worker-{number}"), move |runtime| {
                let worker = Worker::new(&plan, number, options.log_format, stats);
                runtime.block_on(worker.run(sockets, orders_come, stop));
            });
            // An early return drops `proxy`, which ends the workers that already run.
            proxy.workers.push(Crew { thread: thread?, orders });
        }
        Ok(proxy)
    }

    /// Has the background look after the upstreams that are not in `before`. Nothing is received; the
    /// channel ends when all their names were asked for once.
    fn tend(&self, plan: &Plan, before: Option<&Plan>) -> mpsc::Receiver<()> {
        let (asked, answered) = mpsc::channel();
        for upstream in plan.beyond(before) {
            let _ = self.chores.send(Chore { upstream: upstream.clone(), asked: asked.clone() });
        }
        answered
    }

    /// The addresses it listens on.
    #[must_use]
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.serving.addresses.iter().map(|address| address.bound).collect()
    }

    /// The first of them.
    ///
    /// # Panics
    /// Never: a configuration without an address is refused when it is read.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "a configuration has at least one address")]
    pub fn addr(&self) -> SocketAddr {
        self.serving.addresses[0].bound
    }

    /// The admin address, if there is one.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.bound)
    }

    /// Stops accepting, lets open requests finish for at most the drain time, and ends.
    pub async fn shutdown(mut self) {
        self.serving.held.release();
        self.stop.cancel();
        let workers = std::mem::take(&mut self.workers);
        let background = self.background.take();
        let stop_background = self.stop_background.clone();
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.thread.join().is_err() {
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

/// Says which local CA is in use, unless it was before.
fn introduce(keyring: &Keyring, before: Option<&Keyring>) {
    if let Some(fingerprint) = keyring.fingerprint()
        && before.and_then(Keyring::fingerprint).as_ref() != Some(&fingerprint)
    {
        tracing::info!(
            fingerprint,
            "the local CA; its certificate is at /.well-known/hybrid-chat/ca.crt"
        );
    }
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

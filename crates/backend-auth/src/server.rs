//! The running server: everything opened, the port bound, and ended in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use service::admin::Probe;
use service::bind::BindError;
use service::{Shutdown, admin, bind};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::audit::{self, Entry};
use crate::config::Config;
use crate::cookies::Cookies;
use crate::data_dir::{DataDir, DataDirError};
use crate::files::Files;
use crate::half::Halves;
use crate::hasher::{HashError, Hasher};
use crate::identity::Mint;
use crate::keys::{KeyError, KeyFile};
use crate::metrics::Metrics;
use crate::passkeys::Passkeys;
use crate::password::Policy;
use crate::seal::{Seal, SealError};
use crate::sessions::Sessions;
use crate::store::{self, OpenError, Store, StoreError, accounts};
use crate::throttle::Throttle;
use crate::{App, clock, oidc, router};

/// How often the uses of sessions are written down.
const FLUSH: Duration = Duration::from_secs(60);
/// How often the keys' file is looked at.
const TEND: Duration = Duration::from_secs(1);
/// How often what is too old is removed.
const SWEEP: Duration = Duration::from_secs(3600);
/// How often readiness is looked at, for the admin address.
const LOOK: Duration = Duration::from_secs(5);

/// Why the server does not start. One line, with what to try next.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database, while reading sessions.
    #[error(transparent)]
    Load(#[from] StoreError),
    /// The identity key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key of second factors.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The password hash.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The web client's folder.
    #[error("--www {path}: {source}")]
    Www {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The port, for another reason.
    #[error("listening: {0}")]
    Listen(#[from] std::io::Error),
}

/// A server that answers.
pub struct AuthServer {
    addr: SocketAddr,
    admin_addr: Option<SocketAddr>,
    shutdown: Shutdown,
    tasks: JoinSet<()>,
    audit: (Shutdown, tokio::task::JoinHandle<()>),
    app: Arc<App>,
    store_thread: JoinHandle<()>,
    _data: DataDir,
}

impl AuthServer {
    /// Opens everything, then binds, then answers. Nothing is bound when anything else is wrong.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let data = DataDir::take(&config.data_dir)?;
        let (store, store_thread) = Store::open(&data.database())?;
        let now = clock::now();
        // What was done on the host while no server ran.
        store.write(move |db| store::endings::carry_out(db, now), |_| ()).await?;
        let sealed = store.read(store::factors::any_seed).await?;
        let sessions = store
            .read(move |db| {
                let mut stored = store::sessions::load(db, now)?;
                stored.extend(store::tokens::load(db, now)?);
                Ok(stored)
            })
            .await?;
        let first_run = !store.read(accounts::any).await?;
        let files = Files::of(&config.www)
            .map_err(|source| StartError::Www { path: config.www.display().to_string(), source })?;
        let keys = KeyFile::new(data.identity_keys(), config.keys);
        let metrics = Metrics::new()?;
        let (audit, pending) = audit::Log::new(metrics.audit_dropped.clone());
        let app = Arc::new(App {
            mint: Mint::load(keys, &data.older_identity_key(), config.issuer(), now)?,
            hasher: Hasher::start(config.hasher.clone())?,
            halves: Halves::new(config.halves),
            passkeys: Passkeys::of(config.origin.as_ref()),
            oidc: config.oidc.clone().map(oidc::Provider::new),
            seal: Seal::load(&data.factors_key(), sealed)?,
            throttle: Throttle::new(config.throttle.clone()),
            cookies: Cookies::new(config.https()),
            policy: Policy { min_chars: config.password_min, max_bytes: config.password_max_bytes },
            sessions: Sessions::load(&sessions),
            first_run: AtomicBool::new(first_run),
            ready: AtomicBool::new(true),
            metrics,
            audit,
            files: Arc::new(files),
            store,
            config,
        });
        let listener = listen(app.config.addr)?;
        let admin_listener = app.config.admin.map(listen).transpose()?;
        let addr = listener.local_addr()?;
        let admin_addr = admin_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        announce(&app.config, addr, admin_addr);
        let shutdown = Shutdown::new();
        let mut tasks = JoinSet::new();
        let http = app.config.http.clone();
        tasks.spawn(service::http::serve(listener, router::build(&app), http, shutdown.clone()));
        if let Some(listener) = admin_listener {
            tasks.spawn(admin::serve(listener, app.clone(), shutdown.clone()));
        }
        tasks.spawn(housekeeping(app.clone(), shutdown.clone()));
        // It ends after all who write into it.
        let end = Shutdown::new();
        let writing = tokio::spawn(audit::run(pending, app.store.clone(), end.clone()));
        let audit = (end, writing);
        Ok(Self { addr, admin_addr, shutdown, tasks, audit, app, store_thread, _data: data })
    }

    /// Where it answers.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it shows its metrics.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Finishes open requests, writes what is unwritten, closes the database.
    pub async fn shutdown(self) {
        let Self { shutdown, mut tasks, audit: (end, writing), app, store_thread, .. } = self;
        shutdown.cancel();
        while tasks.join_next().await.is_some() {}
        flush(&app).await;
        end.cancel();
        if let Err(error) = writing.await {
            tracing::warn!(%error, "the audit log ended badly");
        }
        // Connections that were cut hold the app a moment longer than their tasks are listed.
        drop(app);
        let closed = tokio::task::spawn_blocking(move || store_thread.join());
        if tokio::time::timeout(Duration::from_secs(2), closed).await.is_err() {
            tracing::warn!("the database was still in use at the end");
        }
    }
}

fn listen(addr: SocketAddr) -> Result<TcpListener, StartError> {
    Ok(TcpListener::from_std(bind::tcp(addr)?)?)
}

fn announce(config: &Config, addr: SocketAddr, admin: Option<SocketAddr>) {
    let origin = config.origin.as_ref().map_or("any host", |origin| origin.as_str());
    tracing::info!(%addr, ?admin, origin, "Starting backend-auth on {addr}");
    if !config.https() {
        tracing::warn!(
            "cookies and passwords travel unencrypted: fine on this machine or a trusted network; else put \
             TLS in front and set --public-origin https://… (PUBLIC_ORIGIN)"
        );
    }
}

/// Writes down uses of sessions once a minute, looks whether the database is there, and removes what is too old.
async fn housekeeping(app: Arc<App>, shutdown: Shutdown) {
    let mut flushes = tokio::time::interval(FLUSH);
    let mut looks = tokio::time::interval(LOOK);
    let mut tends = tokio::time::interval(TEND);
    tends.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sweeps = tokio::time::interval(SWEEP);
    flushes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = flushes.tick() => flush(&app).await,
            _ = tends.tick() => tend(&app),
            _ = sweeps.tick() => sweep(&app).await,
            _ = looks.tick() => {
                app.ready.store(app.is_ready().await, Ordering::Relaxed);
                end_on_request(&app).await;
            }
        }
    }
}

async fn flush(app: &App) {
    let now = clock::now();
    let (seen, over) = app.sessions.unwritten(now);
    if seen.is_empty() && over.is_empty() {
        return;
    }
    let sessions = app.sessions.clone();
    let written = seen.clone();
    let flushed = app
        .store
        .write(
            move |db| store::sessions::flush(db, &seen, &over, now),
            move |()| sessions.written(&written),
        )
        .await;
    if let Err(error) = flushed {
        // They stay unwritten and go with the next batch.
        tracing::warn!(%error, "the use of sessions could not be written down");
    }
}

/// The file is small and local: reading it takes no longer than asking another thread to.
fn tend(app: &App) {
    match app.mint.tend(clock::now()) {
        Ok(None) => {}
        Ok(Some(kid)) => {
            app.audit.note(Entry::on_host("rotate_key").detail(format!("{kid}, by age")));
        }
        Err(error) => tracing::error!(%error, "the identity keys stay as they are"),
    }
}

/// Ends the sessions whose end was asked for on the host.
async fn end_on_request(app: &App) {
    match app.store.read(store::endings::any).await {
        Ok(true) => {}
        // What fails is asked again in a moment, and readiness says that it failed.
        Ok(false) | Err(_) => return,
    }
    let (now, sessions) = (clock::now(), app.sessions.clone());
    let ended = app
        .store
        .write(move |db| store::endings::carry_out(db, now), move |ended| sessions.end(ended))
        .await;
    if let Err(error) = ended {
        tracing::warn!(%error, "sessions that were to end because of a command on the host did not yet");
    }
}

async fn sweep(app: &App) {
    let now = clock::now();
    let (keep, failures) = (app.config.audit_keep, app.config.audit_failures);
    let swept = app
        .store
        .write(
            move |db| {
                store::revocations::sweep(db, now)?;
                store::tokens::sweep(db, now)?;
                store::factors::sweep(db, now)?;
                store::audit::sweep(db, now.saturating_sub(keep), failures)
            },
            |_| (),
        )
        .await;
    match swept {
        Ok(0) => {}
        Ok(entries) => tracing::info!(entries, "old entries of the audit log were removed"),
        Err(error) => tracing::warn!(%error, "what is too old could not be removed"),
    }
}

impl Probe for App {
    fn metrics(&self) -> String {
        self.metrics.render(self.sessions.len(), self.hasher.waiting())
    }

    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("the database does not answer".to_owned())
        }
    }
}

//! Another configuration while the proxy runs.
//!
//! 1. The file is read and checked; new addresses are bound, the access log is opened, new names are
//!    resolved. If any of this fails, everything stays as it was.
//! 2. Each worker puts the new site in the place of the old one, between two of its tasks. Requests,
//!    streams and tunnels under way go on with what they began with.
//! 3. What nobody needs any more ends: listeners of removed addresses (after the connections that the
//!    kernel has queued for them), idle connections and checks of removed upstreams.

use std::path::Path;
use std::time::Duration;

use service::bind::BindError;
use tokio::sync::oneshot;

use super::{Change, Proxy, introduce};
use crate::config::{Config, ConfigError, Loaded};
use crate::front::certificates::CertificateError;
use crate::front::tls::Keyring;
use crate::handover::Estate;
use crate::lock::lock;
use crate::log::Sink;
use crate::plan::Plan;
use crate::worker::Order;

/// How long a reload waits for new names to be resolved. The old configuration serves meanwhile.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// Why the configuration stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file can't be read, or something in it is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A new address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log can't be opened.
    #[error("the access log can't be opened: {0}")]
    AccessLog(std::io::Error),
    /// A certificate or key can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A new listener can't be kept.
    #[error("a new address can't be listened on: {0}")]
    Listen(std::io::Error),
    /// A setting that is fixed when the proxy starts.
    #[error(
        "{key} can't change from {from} to {to} while the proxy runs: restart it, or undo the change"
    )]
    NeedsRestart {
        /// The key.
        key: &'static str,
        /// What is in use.
        from: usize,
        /// What the file says.
        to: usize,
    },
}

impl Proxy {
    /// Reads `file` again and serves what it says. Says in the log what came of it, and counts it.
    ///
    /// # Errors
    /// [`ReloadError`]; the configuration in use stays.
    pub async fn reload(&mut self, file: &Path) -> Result<(), ReloadError> {
        let outcome = match Config::load(file) {
            Ok(loaded) => self.take(loaded).await,
            Err(error) => Err(error.into()),
        };
        self.reloads.count(outcome.is_ok());
        match &outcome {
            Ok(()) => tracing::info!(file = %file.display(), "the configuration was reloaded"),
            Err(error) => {
                for line in error.to_string().lines() {
                    tracing::error!("not reloaded, the old configuration stays: {line}");
                }
            }
        }
        outcome
    }

    async fn take(&mut self, loaded: Loaded) -> Result<(), ReloadError> {
        let Loaded { config, warnings } = loaded;
        let before = self.plan();
        let (from, to) = (before.config.server.workers, config.server.workers);
        if from != to {
            return Err(ReloadError::NeedsRestart { key: "server.workers", from, to });
        }
        let sink = Sink::open(&config.server.access_log).map_err(ReloadError::AccessLog)?;
        let keyring = Keyring::open(&config, Some(&before.keyring))?;
        let current = &self.serving.addresses;
        let workers = self.workers.len();
        let addresses = config.server.addresses();
        let change = Change::prepare(current, &addresses, workers, &mut Estate::default())?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        introduce(&keyring, Some(&before.keyring));
        self.serving.held.follow(&change).map_err(ReloadError::Listen)?;
        let plan = Plan::new(config, sink, keyring, Some(&before));
        let answered = self.tend(&plan, Some(&before));
        let waited = tokio::task::spawn_blocking(move || answered.recv_timeout(FIRST_ANSWER));
        let _ = waited.await;
        for address in change.addresses.iter().filter(|address| !current.contains(address)) {
            tracing::info!(addr = %address.bound, "listening");
        }
        for address in &change.close {
            tracing::info!(addr = %address.bound, "no longer listening");
        }
        let mut done = Vec::new();
        for (worker, open) in self.workers.iter().zip(change.open) {
            let (taken, wait) = oneshot::channel();
            let close = change.close.clone();
            let _ = worker.orders.send(Order::Serve { plan: plan.clone(), open, close, taken });
            done.push(wait);
        }
        for worker in done {
            // An error is a worker that has ended: the proxy is going down.
            let _ = worker.await;
        }
        for old in before.beyond(Some(&plan)) {
            old.stop.cancel();
        }
        self.serving.addresses = change.addresses;
        *lock(&self.serving.plan) = plan;
        Ok(())
    }

    /// Opens the file of the access log again, for whoever has renamed it (logrotate).
    ///
    /// # Errors
    /// The system's word; lines go on to the file that was open.
    pub fn reopen_log(&mut self) -> std::io::Result<()> {
        let mut plan = lock(&self.serving.plan);
        let sink = Sink::open(&plan.config.server.access_log)?;
        plan.sink.clone_from(&sink);
        for worker in &self.workers {
            let _ = worker.orders.send(Order::Log(sink.clone()));
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        lock(&self.serving.plan).clone()
    }
}

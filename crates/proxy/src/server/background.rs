//! The thread for what is no part of any request: names, health checks, the admin address.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use service::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{StartError, thread};
use crate::health;
use crate::link::Manner;
use crate::lock::lock;
use crate::plan::{Plan, Tended};
use crate::resolve::{Names, Resolver};
use crate::stats::{self, Reloads, Stats};
use crate::trace::export;

/// Time between two looks at the files of certificates.
const LOOK: Duration = Duration::from_secs(1);

/// An upstream to look after, until it is stopped.
pub(super) struct Chore {
    pub(super) upstream: Arc<Tended>,
    /// Dropped when its names were asked for once.
    pub(super) asked: mpsc::Sender<()>,
}

/// What the thread starts with.
pub(super) struct Background {
    /// Upstreams to look after; they come with the start and with reloads.
    pub(super) chores: UnboundedReceiver<Chore>,
    pub(super) names: Names,
    /// The admin address, and when it is served no more.
    pub(super) admin: Option<(std::net::TcpListener, Shutdown)>,
    pub(super) view: View,
    pub(super) stop: Shutdown,
}

impl Background {
    pub(super) fn start(self) -> Result<JoinHandle<()>, StartError> {
        thread("background".into(), move |runtime| runtime.block_on(self.run()))
    }

    async fn run(mut self) {
        let plan = self.view.plan.clone();
        tokio::task::spawn_local(export::run(plan.clone(), self.view.stats.clone()));
        tokio::task::spawn_local(follow_certificates(plan));
        if let Some((listener, stop)) = self.admin {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    tokio::task::spawn_local(service::admin::serve(
                        listener,
                        Arc::new(self.view),
                        stop,
                    ));
                }
                Err(error) => tracing::error!(%error, "the admin address can't be served"),
            }
        }
        loop {
            let chore = tokio::select! {
                () = self.stop.cancelled() => return,
                chore = self.chores.recv() => chore,
            };
            match chore {
                Some(chore) => tend(chore, self.names.clone()),
                None => return self.stop.cancelled().await,
            }
        }
    }
}

/// Looks for changed certificates as long as the proxy runs.
async fn follow_certificates(plan: Arc<Mutex<Plan>>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let keyring = lock(&plan).keyring.clone();
        keyring.refresh();
    }
}

/// Starts to look after an upstream.
fn tend(Chore { upstream, asked }: Chore, names: Names) {
    let tended = upstream.clone();
    let resolver = Resolver::new(&upstream.config, upstream.directory.clone(), names);
    if let Some(mut resolver) = resolver {
        tokio::task::spawn_local(async move {
            let resolving = async move {
                resolver.refresh().await;
                drop(asked);
                resolver.run().await;
            };
            tended.stop.run_until_cancelled(resolving).await;
        });
    }
    if let Some(check) = upstream.config.health.clone() {
        tokio::task::spawn_local(async move {
            let name = upstream.config.name.clone();
            let manner = Manner::of(&upstream.config);
            let checking = health::watch(name, check, manner, upstream.directory.clone());
            upstream.stop.run_until_cancelled(checking).await;
        });
    }
}

/// What the admin address shows.
pub(super) struct View {
    pub(super) plan: Arc<Mutex<Plan>>,
    pub(super) stats: Vec<Arc<Stats>>,
    pub(super) reloads: Arc<Reloads>,
}

impl View {
    fn plan(&self) -> Plan {
        lock(&self.plan).clone()
    }
}

impl service::admin::Probe for View {
    fn metrics(&self) -> String {
        stats::render(&self.stats, &self.plan(), &self.reloads)
    }

    fn ready(&self) -> Result<(), String> {
        let plan = self.plan();
        let missing = plan.missing();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("no server is known, or none is healthy, of: {}", missing.join(", ")))
        }
    }
}

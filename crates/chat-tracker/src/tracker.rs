//! The parts together, and how they are served.

use std::ops::Deref;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::extract::FromRef;
use jiff::Timestamp;
use service::admin::Probe;
use service::http::HttpLimits;
use service::{Problem, Shutdown};
use tokio::net::TcpListener;

use crate::channels::Channels;
use crate::devices::Devices;
use crate::hub::Hub;
use crate::ice::Servers;
use crate::identity::{Identity, revocations};
use crate::live;
use crate::metrics::{Levels, Metrics};
use crate::peers::{PeerKey, Peers};
use crate::presence::Directory;
use crate::rate::Rates;
use crate::router::router;
use crate::settings::{Limits, TrackerArgs};
use crate::store::{Expire, Live, OpenError, Store};
use crate::stun;

/// How often old mailbox entries are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(300);
/// How long the writer may take to end; what was acknowledged is on disk long before.
const WRITER_PATIENCE: Duration = Duration::from_secs(3);

/// The tracker. Cheap to clone.
#[derive(Clone)]
pub struct Tracker(Arc<Parts>);

/// What a tracker is made of; each part is a handle of its own.
pub struct Parts {
    /// Who calls.
    pub identity: Identity,
    /// Who is known.
    pub peers: Peers,
    /// Who is where.
    pub channels: Channels,
    /// Which devices are registered.
    pub devices: Devices,
    /// Live events.
    pub hub: Hub,
    /// Who is there.
    pub presence: Directory,
    /// Limits of calls.
    pub limits: Limits,
    /// Servers that help with direct links.
    pub ice: Servers,
    /// The numbers.
    pub metrics: Metrics,
    pub(crate) revocations_every: Duration,
    pub(crate) rates: Rates<PeerKey>,
    pub(crate) signal_rates: Rates<PeerKey>,
    pub(crate) store: Store,
}

impl Deref for Tracker {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<Tracker> for Hub {
    fn from_ref(tracker: &Tracker) -> Self {
        tracker.hub.clone()
    }
}

impl FromRef<Tracker> for Directory {
    fn from_ref(tracker: &Tracker) -> Self {
        tracker.presence.clone()
    }
}

/// What works beside the calls; [`run`] sees to it.
pub struct Background {
    /// The thread that writes: it ends, with everything committed, after the last [`Tracker`] is gone.
    writer: JoinHandle<()>,
    stun: Option<stun::Server>,
}

impl Tracker {
    /// Binds the STUN server, opens the store and puts the parts together. Call it inside the runtime.
    ///
    /// # Errors
    /// When a flag is wrong, the STUN server's port is taken, or the store can't be opened.
    pub fn open(args: &TrackerArgs) -> Result<(Self, Background), OpenError> {
        let metrics = Metrics::new()?;
        let ice = Servers::new(&args.links)?;
        let stun = stun::Server::bind(&args.links, &metrics)?;
        let stun_port = stun.as_ref().map(|stun| stun.local_addr().port());
        let hub = Hub::new(args.streams.hub());
        let live = Live {
            peers: Peers::default(),
            channels: Channels::default(),
            devices: Devices::default(),
            hub,
        };
        let (store, writer) = Store::open(&args.store(), live.clone(), metrics.clone())?;
        let parts = Parts {
            identity: Identity::new(args.auth, args.auth_url.clone(), args.data_dir.clone()),
            peers: live.peers,
            channels: live.channels,
            devices: live.devices,
            hub: live.hub,
            presence: Directory::new(args.streams.patience(), Instant::now()),
            limits: Limits::new(&args.limits, &args.links),
            ice: ice.with_stun_port(stun_port),
            metrics,
            revocations_every: args.revocations_every,
            rates: Rates::new(args.limits.rate, args.limits.rate_burst),
            signal_rates: Rates::new(args.links.signal_rate, args.links.signal_burst),
            store,
        };
        Ok((Self(Arc::new(parts)), Background { writer, stun }))
    }

    /// Whether calls can be answered: the store writes, and identities that are demanded can be verified.
    ///
    /// # Errors
    /// `not_ready` with the reason.
    pub fn ready(&self) -> Result<(), Problem> {
        let reason = if !self.store.is_alive() {
            "the store has ended"
        } else if !self.identity.lets_guests_in() && !self.identity.has_keys() {
            "backend-auth has not told its keys yet"
        } else {
            return Ok(());
        };
        Err(Problem::unavailable("not_ready", reason, 1))
    }

    /// Removes mailbox entries whose time is over at `now`. How many.
    ///
    /// # Errors
    /// When the store can't do it now.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, Problem> {
        let mut all = 0;
        loop {
            let removed = self.store.write(Expire { now }).await.map_err(crate::answer::problem)?;
            if removed == 0 {
                return Ok(all);
            }
            self.metrics.expired(removed);
            all += removed;
        }
    }

    async fn expire_until(self, shutdown: Shutdown) {
        loop {
            if let Err(problem) = self.expire(Timestamp::now()).await {
                tracing::warn!(reason = problem.message(), "old mailbox entries stay for now");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EXPIRY_EVERY) => {}
            }
        }
    }
}

impl Probe for Tracker {
    fn metrics(&self) -> String {
        self.metrics.render(Levels {
            peers: self.peers.count(),
            active_peers: self.presence.active(Instant::now()).len(),
            channels: self.channels.count(),
            devices: self.devices.count(),
            live_devices: self.presence.live_devices(),
            store_waiting: self.store.waiting(),
            hub: self.hub.counts(),
        })
    }

    fn ready(&self) -> Result<(), String> {
        Self::ready(self).map_err(|problem| problem.message().to_owned())
    }
}

/// Serves a tracker until `shutdown`, and ends when everything is on disk.
pub async fn run(
    listener: TcpListener,
    tracker: Tracker,
    background: Background,
    limits: HttpLimits,
    shutdown: Shutdown,
) {
    let keys = tokio::spawn(tracker.identity.clone().refresh_until(shutdown.clone()));
    let every = tracker.revocations_every;
    let sessions = tokio::spawn(revocations::follow(
        tracker.identity.clone(),
        tracker.hub.clone(),
        every,
        shutdown.clone(),
    ));
    let expiry = tokio::spawn(tracker.clone().expire_until(shutdown.clone()));
    let streams = tokio::spawn(live::run(tracker.clone(), shutdown.clone()));
    let stun = background.stun.map(|stun| tokio::spawn(stun.run(shutdown.clone())));
    service::http::serve(listener, router(tracker), limits, shutdown).await;
    for task in [keys, sessions, expiry, streams].into_iter().chain(stun) {
        if let Err(error) = task.await {
            tracing::warn!(%error, "a background task ended badly");
        }
    }
    // All clones of the tracker but those of connections that were cut are gone: the writer ends.
    let ended = tokio::task::spawn_blocking(move || background.writer.join());
    if tokio::time::timeout(WRITER_PATIENCE, ended).await.is_err() {
        tracing::warn!("the store's writer is still busy; what was acknowledged is on disk");
    }
}

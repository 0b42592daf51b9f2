//! What is kept up to date beside the core: this device's address, and the servers that help to find a way.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::links::Links;
use crate::tracker::backoff::{Backoff, random};
use crate::tracker::{Live, Tracker, ice};

/// How often the machine's addresses are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first wait before the servers are asked for again after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// Tells a changed address to the tracker, and that the network may have changed to the live stream.
pub(super) async fn address(
    links: Links,
    live: Live,
    address: watch::Sender<Option<SocketAddr>>,
    ends: CancellationToken,
) {
    let mut known = links.addresses();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = ends.cancelled() => return,
            _ = looks.tick() => {}
        }
        let now = links.addresses();
        if now == known {
            continue;
        }
        tracing::info!(addresses = ?now, "the machine's network has changed");
        address.send_if_modified(|told| {
            let first = now.first().copied();
            // Without any network the last address stays: there is nobody to tell.
            let news = first.is_some() && *told != first;
            if news {
                *told = first;
            }
            news
        });
        known = now;
        live.nudge();
    }
}

/// Asks for STUN and TURN servers whenever the tracker is there anew, and before credentials end.
pub(super) async fn servers(
    tracker: Tracker,
    links: Links,
    mut online: watch::Receiver<bool>,
    ends: CancellationToken,
) {
    let mut backoff = Backoff::new(WAITS.0, WAITS.1);
    loop {
        let waited = tokio::select! {
            () = ends.cancelled() => return,
            waited = online.wait_for(|online| *online) => waited.map(drop),
        };
        if waited.is_err() {
            return;
        }
        let wait = match tracker.ice().await {
            Ok(found) => {
                backoff.reset();
                links.set_ice(ice::resolve(&found, tracker.server().host()).await);
                ice::good_for(&found, Timestamp::now())
            }
            Err(error) => {
                tracing::debug!(%error, "no STUN and TURN servers are known now");
                backoff.next(random())
            }
        };
        tokio::select! {
            () = ends.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            // After an absence they are asked for anew.
            gone = online.wait_for(|online| !*online) => if gone.is_err() { return },
        }
    }
}

//! Live streams: what both transports (`sse` and `ws`) have in common, and the one
//! clock that drives heartbeats and presence for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use serde::Deserialize;
use service::{Problem, Shutdown};
use tokio::time::MissedTickBehavior;
use wire::event::Event;
use wire::{DeviceId, PeerId};

use crate::caller::Caller;
use crate::calls::device_not_registered;
use crate::channels::MemberSet;
use crate::hub::{Audience, Place, Refused, Subscription};
use crate::presence::Directory;
use crate::store::SawDevice;
use crate::tracker::Tracker;

/// The query of `GET /chat/events` and `GET /chat/ws`.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
pub struct Listen {
    /// As whom to listen; a caller with an identity may leave it out.
    #[serde(default)]
    pub peer_id: Option<PeerId>,
    /// On which of the peer's registered devices: it is live as long as the stream is, and gets the
    /// device's signals.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// The last cursor that arrived; the header `Last-Event-ID` wins over it.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A live stream of a peer, which is online as long as it lives.
pub(crate) struct Stream {
    pub(crate) events: Subscription,
    presence: Directory,
    ends: Option<Instant>,
}

impl Stream {
    /// Opens a stream for a caller.
    pub(crate) fn open(
        tracker: &Tracker,
        caller: &Caller,
        listen: &Listen,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let peer = caller.acting_as(tracker, listen.peer_id.as_ref())?.peer;
        let check_device = || match listen.device {
            Some(device) if !tracker.devices.belongs(device, &peer) => {
                Err(device_not_registered(device, peer.id()))
            }
            _ => Ok(()),
        };
        check_device()?;
        // A browser that reconnects sends the newest id, in front of the URL's old one.
        let last_event_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let cursor = last_event_id.or(listen.cursor.as_deref()).filter(|text| !text.is_empty());
        let session = caller.account().map(|account| account.sid.clone());
        let place = Place { device: listen.device, session };
        let events = tracker.hub.subscribe_at(&peer, place, cursor).map_err(refused)?;
        // A device that was removed, a peer that got another owner, a session that ended meanwhile: what ended the
        // streams that were there has not seen this one.
        caller.may_act_as(tracker, listen.peer_id.as_ref())?;
        check_device()?;
        caller.is_still_signed_in(tracker)?;
        let now = Instant::now();
        tracker.presence.stream_opened(&peer, listen.device, now);
        if let Some(device) = listen.device {
            tracker.store.offer(SawDevice { device });
        }
        // Should backend-auth not be there to tell that the session is over, it comes out at the front door.
        let lifetime = tracker.hub.limits().lifetime;
        let ends = (caller.account().is_some() && !lifetime.is_zero()).then(|| now + lifetime);
        Ok(Self { events, presence: tracker.presence.clone(), ends })
    }

    /// Whether it is time to come back. Asked at heartbeats, so that no stream needs a timer.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| now >= ends)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (peer, device) = (self.events.peer(), self.events.device());
        self.presence.stream_closed(peer, device, Instant::now());
    }
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::PeerFull => Problem::too_many_requests(
            "this peer has as many live streams as it may: close some, in other windows perhaps",
            5,
        ),
        Refused::Full => {
            Problem::unavailable("too_many_streams", "the tracker has no room for more streams", 5)
        }
        Refused::Closing => Problem::unavailable("shutting_down", "the tracker is restarting", 1),
    }
}

/// How often the clock ticks.
const TICK: Duration = Duration::from_secs(1);

/// Drives heartbeats and presence until `shutdown`, then ends all streams.
pub async fn run(tracker: Tracker, shutdown: Shutdown) {
    let slots = usize::try_from(tracker.hub.limits().heartbeat).unwrap_or(1).max(1);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for slot in (0..slots).cycle() {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => {}
        }
        tracker.hub.beat(slot, slots);
        tell_presence(&tracker, Instant::now());
    }
    tracker.hub.close();
}

/// Tells those who share a channel with a peer that it came or went. A crowd that comes at once is told
/// of over several ticks, and large channels are not told at all: `GET /chat/members` shows who is there.
fn tell_presence(tracker: &Tracker, now: Instant) {
    let patience = tracker.presence.patience();
    let mut told = 0;
    for (peer, presence) in tracker.presence.due(now) {
        let shared = tracker.channels.of(&peer).into_iter().map(|channel| channel.members);
        let shared: Arc<[Arc<MemberSet>]> =
            shared.filter(|members| members.len() <= patience.crowd).collect();
        let cost: usize = shared.iter().map(|members| members.len()).sum();
        if told > 0 && told + cost > patience.budget {
            return;
        }
        told += cost;
        tracker.presence.told(&peer, &presence, now);
        tracker.hub.publish(Audience::Channels(shared), &Event::Presence(presence));
    }
}

//! What is known of one peer, and what others know of it.

use std::time::{Duration, Instant};

use wire::DeviceId;
use wire::chat::Presence;

/// One peer.
pub(super) struct Seen {
    streams: usize,
    /// In the order of their ids.
    devices: Vec<Live>,
    pub(super) heard: Instant,
    /// When its last stream ended.
    closed: Instant,
    /// Active until then without a stream.
    pub(super) until: Instant,
    pub(super) told: Status,
    /// An answer showed it otherwise than `told`: whoever asked has to hear how it went on.
    pub(super) shown: bool,
}

/// A device and its streams. One of which others know stays for a while without streams.
struct Live {
    device: DeviceId,
    streams: usize,
    /// When its last stream ended.
    closed: Instant,
}

/// What others know of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Status {
    pub(super) active: bool,
    pub(super) online: bool,
    /// Those that are live, in the order of their ids.
    pub(super) devices: Vec<DeviceId>,
}

impl Status {
    pub(super) fn of(presence: &Presence) -> Self {
        let mut devices = presence.devices.clone();
        devices.sort_unstable();
        Self { active: presence.active, online: presence.online, devices }
    }
}

impl Seen {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            streams: 0,
            devices: Vec::new(),
            heard: now,
            closed: now,
            until: now,
            told: Status::default(),
            shown: false,
        }
    }

    pub(super) fn opened(&mut self, device: Option<DeviceId>, now: Instant) {
        self.streams += 1;
        self.heard = now;
        let Some(device) = device else { return };
        match self.place(device) {
            Ok(at) => self.devices[at].streams += 1,
            Err(at) => self.devices.insert(at, Live { device, streams: 1, closed: now }),
        }
    }

    pub(super) fn closed(&mut self, device: Option<DeviceId>, now: Instant, until: Instant) {
        self.streams = self.streams.saturating_sub(1);
        self.heard = now;
        self.closed = now;
        self.until = until;
        let Some(Ok(at)) = device.map(|device| self.place(device)) else { return };
        let live = &mut self.devices[at];
        live.streams = live.streams.saturating_sub(1);
        live.closed = now;
        if live.streams == 0 && !self.told.devices.contains(&live.device) {
            self.devices.remove(at);
        }
    }

    /// As it is at this moment.
    pub(super) fn status(&self, now: Instant) -> Status {
        let devices = self.live().collect();
        Status { active: self.is_active(now), online: self.streams > 0, devices }
    }

    /// As others are to know it now: what went away is still there until it has been away for a while.
    pub(super) fn settled(&mut self, now: Instant, settle: Duration) -> Status {
        self.devices.retain(|live| live.streams > 0 || now < live.closed + settle);
        let online = self.streams > 0 || (self.told.online && now < self.closed + settle);
        let devices = self.devices.iter().map(|live| live.device).collect();
        Status { active: online || self.is_active(now), online, devices }
    }

    /// Whether what was shown is to be told as it is now, even though it is what was told before: not while it
    /// may be a reload.
    pub(super) fn owes_news(&self, now: Instant, settle: Duration) -> bool {
        let settled = self.streams > 0 || now >= self.closed + settle;
        self.shown && settled && self.devices.iter().all(|live| live.streams > 0)
    }

    /// Whether others know something else than what is so at this moment.
    pub(super) fn differs(&self, now: Instant) -> bool {
        let Status { active, online, devices } = &self.told;
        (*active, *online) != (self.is_active(now), self.streams > 0)
            || !self.live().eq(devices.iter().copied())
    }

    /// Whether others will have to be told something when time passes and nothing else happens.
    pub(super) fn may_change(&self, now: Instant) -> bool {
        self.shown || self.differs(now) || (self.is_active(now) && self.streams == 0)
    }

    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.streams > 0 || now < self.until
    }

    pub(super) fn last_seen(&self, now: Instant) -> Instant {
        if self.streams > 0 { now } else { self.heard }
    }

    /// The devices that are live, in the order of their ids.
    pub(super) fn live(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.iter().filter(|live| live.streams > 0).map(|live| live.device)
    }

    fn place(&self, device: DeviceId) -> Result<usize, usize> {
        self.devices.binary_search_by_key(&device, |live| live.device)
    }
}

//! What all pairings of an engine share: settings, sockets, this device's addresses, what is to be told.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use str0m::Candidate;

use super::super::file::FileChannels;
use super::super::pairing::Desk;
use super::super::shared::Shared;
use super::super::sockets::Sockets;
use super::super::{IceServers, LinkEvent, Remote, Settings};

/// Events that may wait; from then on signals, which may get lost anyway, are dropped. Frames are bounded for each
/// partner, and links that come and go are bounded by the intervals between them.
const SIGNALS_BEHIND: usize = 4096;

/// Events on their way to the links' owner, each with the bytes that count for its partner.
#[derive(Default)]
pub(in super::super) struct Outbox(VecDeque<(LinkEvent, usize)>);

impl Outbox {
    pub(in super::super) fn push(&mut self, event: LinkEvent, bytes: usize) {
        if self.0.len() < SIGNALS_BEHIND || !matches!(event, LinkEvent::Signal(_)) {
            self.0.push_back((event, bytes));
        }
    }

    pub(in super::super) fn pop(&mut self) -> Option<(LinkEvent, usize)> {
        self.0.pop_front()
    }

    pub(super) fn waits(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The shared part.
pub(super) struct Office {
    pub(super) now: Instant,
    pub(super) settings: Settings,
    pub(super) me: Remote,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Outbox,
    pub(super) sockets: Sockets,
    channels: FileChannels,
    locals: Vec<Candidate>,
    changed: Vec<(Candidate, bool)>,
    links: u64,
}

impl Office {
    /// Binds the sockets.
    pub(super) fn open(
        settings: Settings,
        shared: Arc<Shared>,
        channels: FileChannels,
    ) -> io::Result<Self> {
        let sockets = Sockets::bind(settings.ip, settings.port)?;
        let me = Remote { peer: settings.me.clone(), device: settings.key.device() };
        let mut office = Self {
            now: Instant::now(),
            settings,
            me,
            shared,
            outbox: Outbox::default(),
            sockets,
            channels,
            locals: Vec::new(),
            changed: Vec::new(),
            links: 0,
        };
        for addr in office.sockets.addresses() {
            office.add(host(addr));
        }
        office.changed.clear();
        office.publish();
        Ok(office)
    }

    pub(super) fn desk(&mut self, room: bool) -> Desk<'_> {
        Desk {
            now: self.now,
            clock: clock(),
            settings: &self.settings,
            me: &self.me,
            locals: &self.locals,
            net: &mut self.sockets,
            shared: &self.shared,
            channels: &self.channels,
            events: &mut self.outbox,
            links: &mut self.links,
            room,
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        None
    }

    pub(super) fn tick(&mut self) {}

    pub(super) fn set_ice(&mut self, _servers: IceServers) {}

    /// Looks at the machine's addresses again.
    pub(super) fn rescan(&mut self) {
        let changes = self.sockets.rescan();
        for addr in &changes.removed {
            self.remove(*addr);
        }
        for addr in &changes.added {
            self.add(host(*addr));
        }
        if !changes.removed.is_empty() || !changes.added.is_empty() {
            tracing::info!(added = ?changes.added, removed = ?changes.removed, "the network changed");
            self.publish();
        }
    }

    /// This device's addresses that came (`true`) or went since the last call.
    pub(super) fn changed_locals(&mut self) -> Vec<(Candidate, bool)> {
        std::mem::take(&mut self.changed)
    }

    /// Gives back what others hold for this device.
    pub(super) fn leave(&mut self) {}

    fn publish(&self) {
        self.shared.bound(self.sockets.addresses());
    }

    fn add(&mut self, candidate: Option<Candidate>) {
        let Some(candidate) = candidate else { return };
        if self.settings.relay_only && candidate.kind() != str0m::CandidateKind::Relayed {
            return;
        }
        self.locals.push(candidate.clone());
        self.changed.push((candidate, true));
    }

    /// Whatever was reached through a socket is gone with it.
    fn remove(&mut self, socket: std::net::SocketAddr) {
        let changed = &mut self.changed;
        self.locals.retain(|candidate| {
            let keep = candidate.local() != socket;
            if !keep {
                changed.push((candidate.clone(), false));
            }
            keep
        });
    }
}

fn host(addr: std::net::SocketAddr) -> Option<Candidate> {
    Candidate::host(addr, "udp").ok()
}

fn clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

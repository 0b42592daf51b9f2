//! What all pairings of an engine share: settings, wires, this device's candidates, what is to be told.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use str0m::Candidate;

use super::super::file::FileChannels;
use super::super::pairing::Desk;
use super::super::shared::Shared;
use super::super::{LinkEvent, Remote, Settings};
use super::wires::Wires;

/// Events that may wait; from then on signals, which may get lost anyway, are dropped. Frames are bounded for each
/// partner, and links that come and go are bounded by the intervals between them.
const SIGNALS_BEHIND: usize = 4096;

/// Events on their way to the links' owner, each with the bytes that count for its partner.
#[derive(Default)]
pub(in super::super) struct Outbox {
    waiting: VecDeque<(LinkEvent, usize)>,
    broke: bool,
}

impl Outbox {
    pub(in super::super) fn push(&mut self, event: LinkEvent, bytes: usize) {
        self.broke |= matches!(event, LinkEvent::Down { .. });
        if self.waiting.len() < SIGNALS_BEHIND || !matches!(event, LinkEvent::Signal(_)) {
            self.waiting.push_back((event, bytes));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(LinkEvent, usize)> {
        self.waiting.pop_front()
    }

    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a link broke since the last call.
    pub(super) fn broke(&mut self) -> bool {
        std::mem::take(&mut self.broke)
    }
}

/// The shared part.
pub(super) struct Office {
    pub(super) now: Instant,
    pub(super) settings: Settings,
    pub(super) me: Remote,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Outbox,
    pub(super) wires: Wires,
    channels: FileChannels,
    locals: Vec<Candidate>,
    links: u64,
}

impl Office {
    /// Binds the sockets.
    pub(super) fn open(
        settings: Settings,
        shared: Arc<Shared>,
        channels: FileChannels,
    ) -> io::Result<Self> {
        let wires = Wires::open(settings.ip, settings.port, settings.relay_only)?;
        let me = Remote { peer: settings.me.clone(), device: settings.key.device() };
        let mut office = Self {
            now: Instant::now(),
            settings,
            me,
            shared,
            outbox: Outbox::default(),
            wires,
            channels,
            locals: Vec::new(),
            links: 0,
        };
        office.changes();
        office.publish();
        Ok(office)
    }

    /// Time passes.
    pub(super) fn at(&mut self, now: Instant) {
        self.now = now;
        self.wires.at(now);
    }

    pub(super) fn desk(&mut self, room: bool) -> Desk<'_> {
        Desk {
            now: self.now,
            clock: clock(),
            settings: &self.settings,
            me: &self.me,
            locals: &self.locals,
            net: &mut self.wires,
            shared: &self.shared,
            channels: &self.channels,
            events: &mut self.outbox,
            links: &mut self.links,
            room,
        }
    }

    /// Looks at the machine's addresses again.
    pub(super) fn rescan(&mut self) {
        if self.wires.rescan() {
            self.publish();
        }
    }

    /// Candidates that came, and that went, since the last call.
    pub(super) fn changes(&mut self) -> (Vec<Candidate>, Vec<Candidate>) {
        let Some(now) = self.wires.candidates() else { return (Vec::new(), Vec::new()) };
        let before = std::mem::replace(&mut self.locals, now);
        let came = self.locals.iter().filter(|candidate| !before.contains(candidate)).cloned();
        let came = came.collect();
        let went = before.into_iter().filter(|candidate| !self.locals.contains(candidate));
        (came, went.collect())
    }

    fn publish(&self) {
        // Who hides its addresses doesn't want them in the tracker's list, either.
        let hidden = self.settings.relay_only;
        self.shared.bound(if hidden { Vec::new() } else { self.wires.sockets.addresses() });
    }
}

fn clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

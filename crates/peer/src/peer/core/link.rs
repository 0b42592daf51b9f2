//! What the links tell.

use std::time::Instant;

use futures_util::FutureExt;
use jiff::Timestamp;
use wire::limits::MESSAGE_BYTES;
use wire::p2p::Frame;
use wire::signal::SendSignal;

use super::Core;
use super::done::{Done, Kept, Source};
use crate::delivery::inbox::judge;
use crate::delivery::stamp;
use crate::event::{Event, Route};
use crate::links::{LinkEvent, Remote, Way};
use crate::peer::rooms::Post;
use crate::store::devices;
use crate::store::direct::Arrived;

/// Calls that may be under way; beyond it signals are dropped: their senders repeat them.
const CALLS: usize = 4_096;

impl Core {
    pub(super) fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Signal(signal) => self.signal(signal),
            LinkEvent::Up { remote, way } => {
                self.pipes.open(&remote);
                self.outbox.linked(&remote, way, Instant::now());
                self.files.up(&remote, way);
                self.meet(&remote);
                self.teller.tell(Event::Link { remote, way: Some(way) });
            }
            LinkEvent::Way { remote, way } => {
                self.outbox.rerouted(&remote, way);
                self.files.way(&remote, way);
                self.teller.tell(Event::Link { remote, way: Some(way) });
            }
            LinkEvent::Down { remote } => {
                self.pipes.close(&remote);
                self.acks.remove(&remote);
                self.outbox.unlinked(&remote, Instant::now());
                self.files.down(&remote);
                self.teller.tell(Event::Link { remote, way: None });
            }
            LinkEvent::InVain { remote } => self.outbox.in_vain(&remote, Instant::now()),
            LinkEvent::Frame { remote, frame } => self.frame(remote, frame),
            LinkEvent::File { remote, file, channel } => {
                let room = self.files.channel(&remote, file, channel);
                self.cut_unless(room, &remote);
            }
            LinkEvent::Refused { remote, reason } => {
                self.teller.tell(Event::Refused { remote, reason });
            }
        }
    }

    fn frame(&mut self, remote: Remote, frame: Frame) {
        match frame {
            Frame::Text { id, to, message, timestamp } => {
                if let Err(code) = judge(&self.me, &remote.peer, &to, &message) {
                    return self.send(&remote, Frame::Refuse { id, code });
                }
                let arrived = Arrived {
                    id,
                    from: remote.peer.clone(),
                    to,
                    message,
                    at: self.clock.file(&timestamp),
                    route: match self.outbox.way(&remote) {
                        Some(Way::Relayed) => Route::Relayed,
                        Some(Way::Direct) | None => Route::Direct,
                    },
                };
                self.receive(arrived, Source::Link(remote));
            }
            Frame::Ack { ids } => self.outbox.acked(&remote, &ids, Instant::now()),
            Frame::Refuse { id, code } => self.outbox.refused(&remote, &id, code, Instant::now()),
            Frame::Post { id, channel, message, timestamp } => {
                if (1..=MESSAGE_BYTES).contains(&message.len()) {
                    let timestamp = stamp::wire(self.clock.file(&timestamp));
                    self.post(Post { from: remote.peer, id, channel, message, timestamp });
                }
            }
            Frame::FileOffer(_)
            | Frame::FileAccept { .. }
            | Frame::FileDecline { .. }
            | Frame::FileCancel { .. }
            | Frame::FileDone { .. } => {
                let room = self.files.frame(&remote, frame);
                self.cut_unless(room, &remote);
            }
            // The links see to these.
            Frame::Hello { .. } | Frame::Ping { .. } | Frame::Pong { .. } | Frame::Bye => {}
            Frame::Unknown => {}
        }
    }

    fn cut_unless(&self, room: bool, remote: &Remote) {
        if !room {
            tracing::warn!(peer = %remote.peer, "too much about files at once: the link is cut");
            self.links.forget(remote);
        }
    }

    /// A device has proved whose it is: it is remembered, and the person told of a new one.
    fn meet(&mut self, remote: &Remote) {
        let remote = remote.clone();
        let (folded, device) = (remote.peer.folded(), remote.device);
        let now = Timestamp::now().as_millisecond();
        let met = self.store.submit(move |db| devices::meet(db, &folded, device, now));
        self.writes.push_back(met.map(|met| Kept::Met { remote, met }).boxed());
    }

    /// Over the live stream, or by a call of its own while that is being opened.
    fn signal(&mut self, signal: SendSignal) {
        if self.calls.len() >= CALLS {
            return;
        }
        let remote = Remote { peer: signal.to.clone(), device: signal.to_device };
        let done = |outcome| Done::Signalled(remote, outcome);
        self.calls.push(match self.outbox.is_online() {
            true => self.live.signal(signal).map(done).boxed(),
            false => {
                let tracker = self.tracker.clone();
                async move { done(tracker.signal(&signal).await) }.boxed()
            }
        });
    }
}

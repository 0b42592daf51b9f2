//! What the live stream tells.

use std::time::Instant;

use futures_util::FutureExt;
use jiff::Timestamp;
use wire::ChannelName;
use wire::chat::DirectMessage;
use wire::event::Event as Told;

use super::Core;
use super::done::{Done, Kept, Source};
use crate::delivery::partners::same;
use crate::delivery::stamp;
use crate::event::{Event, Route};
use crate::store::direct::{self, Arrived};
use crate::tracker::LiveEvent;

impl Core {
    pub(super) fn heard(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::Up => {
                self.online.send_replace(true);
                self.away = None;
                self.rooms.forget();
                self.mail.online();
                self.outbox.online(Instant::now());
                for peer in self.files.partners() {
                    self.outbox.connect(&peer, Instant::now());
                }
                self.teller.tell(Event::Online);
            }
            LiveEvent::Down { reason } => {
                self.online.send_replace(false);
                self.outbox.offline();
                // Each try that fails for the same reason is no news.
                if self.away.as_ref() != Some(&reason) {
                    self.away = Some(reason.clone());
                    self.teller.tell(Event::Offline { reason });
                }
            }
            LiveEvent::SignedOut { reason } => {
                tracing::warn!(reason, "the session is over");
                self.online.send_replace(false);
                self.outbox.offline();
                self.teller.tell(Event::SignedOut);
            }
            LiveEvent::Event(event) => self.told(*event),
        }
    }

    fn told(&mut self, event: Told) {
        match event {
            Told::Message { channel, message } => {
                self.rooms.log(&message.from, &message.id);
                self.teller.tell(Event::Message { channel, message });
            }
            Told::Direct(message) => self.mailed(message, false),
            Told::Delivered { id, to } => self.outbox.fetched(&id, &to),
            Told::Presence(presence) => {
                let now = Instant::now();
                self.outbox.told(&presence.peer_id, &presence.devices, now);
                if !presence.devices.is_empty() && self.files.wants(&presence.peer_id) {
                    self.outbox.connect(&presence.peer_id, now);
                }
                self.teller.tell(Event::Presence(presence));
            }
            Told::Membership { channel, peer_id, joined, .. } => {
                self.rooms.membership(&channel, &peer_id, joined);
                self.teller.tell(Event::Membership { channel, peer: peer_id, joined });
            }
            Told::Channel { channel } => self.teller.tell(Event::Channel(channel)),
            Told::Signal(signal) => self.links.signal(signal),
            Told::Reset { .. } => {
                self.rooms.forget();
                self.mail.reset();
                self.outbox.reset();
                self.teller.tell(Event::Reset);
            }
            Told::Read { .. } | Told::Hello { .. } => {}
        }
    }

    /// A message out of the mailbox, or an own one that another device has put into one.
    pub(super) fn mailed(&mut self, message: DirectMessage, paged: bool) {
        let now = Timestamp::now();
        let arrived = Arrived {
            id: message.id,
            from: message.from,
            to: message.to,
            message: message.message,
            at: stamp::given(&message.timestamp, now),
            route: Route::Mailbox,
        };
        let ours = same(&arrived.to, &self.me);
        if !ours && !same(&arrived.from, &self.me) {
            tracing::warn!(from = %arrived.from, to = %arrived.to, "a message for someone else");
            return self.mail.passed(paged);
        }
        self.receive(arrived, Source::Mail { ours, paged });
    }

    /// Stores what arrived; [`Kept::Received`] acknowledges it.
    pub(super) fn receive(&mut self, arrived: Arrived, source: Source) {
        let me = self.me.clone();
        let (from, id) = (arrived.from.clone(), arrived.id.clone());
        let kept = self.store.submit(move |db| direct::receive(db, &me, arrived));
        self.writes.push_back(kept.map(|kept| Kept::Received { source, from, id, kept }).boxed());
    }

    pub(super) fn ask_members(&mut self, channel: ChannelName) {
        let tracker = self.tracker.clone();
        self.calls.push(
            async move {
                let members = tracker.members(&channel).await;
                Done::Members(channel, members)
            }
            .boxed(),
        );
    }
}

//! The task that ties everything together: what the tracker, the links, the store and the owner tell goes through here,
//! one after another, so that no lock is needed.
//!
//! # Layout
//! - [`Core`]: the state, and the loop.
//! - `asks`: what the owner wants.
//! - `live`: what the live stream tells.
//! - `link`: what the links tell.
//! - `done`: what came of writes to the store, and of calls.

mod asks;
mod done;
mod link;
mod live;

use std::collections::HashMap;
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::p2p::{ACK_IDS, Frame};
use wire::tracker::SendPeer;
use wire::{MessageId, PeerId};

use super::files::Files;
use super::mail::{Errand, Mail};
use super::pipes::Pipes;
use super::rooms::Rooms;
use super::teller::Teller;
use crate::delivery::stamp::Clock;
use crate::delivery::{Action, Outbox};
use crate::event::Event;
use crate::links::{LinkEvent, Links, Remote};
use crate::store::{Folder, Store, direct};
use crate::tracker::{Live, LiveEvent, Tracker};

pub(super) use asks::{Ask, new_id};
use done::{Done, Kept};

/// Writes to the store that are under way; beyond it nothing new is taken, neither from links nor from the owner.
const WRITES: usize = 1_024;
/// Messages in a page of the mailbox.
const MAIL_PAGE: u32 = wire::limits::PAGE_MESSAGES;

/// What comes in.
pub(super) struct Inputs {
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) live: mpsc::Receiver<LiveEvent>,
    pub(super) links: mpsc::Receiver<LinkEvent>,
    pub(super) files: mpsc::Receiver<Event>,
}

/// The state.
pub(super) struct Core {
    pub(super) me: PeerId,
    pub(super) tracker: Tracker,
    pub(super) live: Live,
    pub(super) links: Links,
    pub(super) store: Store,
    /// Taken as long as this lives.
    pub(super) folder: Folder,
    pub(super) files: Files,
    pub(super) outbox: Outbox,
    pub(super) clock: Clock,
    pub(super) pipes: Pipes,
    pub(super) rooms: Rooms,
    pub(super) mail: Mail,
    pub(super) teller: Teller,
    pub(super) online: watch::Sender<bool>,
    /// Why the live stream is gone, as it was told; `None` when it is there, and before anything was told.
    pub(super) away: Option<String>,
    /// Ends what runs beside this.
    pub(super) ends: CancellationToken,
    /// Texts that are stored, and to be acknowledged over the links on which they came.
    pub(super) acks: HashMap<Remote, Vec<MessageId>>,
    /// In the order in which they were asked for.
    pub(super) writes: FuturesOrdered<BoxFuture<'static, Kept>>,
    pub(super) calls: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl Core {
    /// Runs until the owner closes the peer or drops it.
    pub(super) async fn run(mut self, mut inputs: Inputs) {
        let (mut hears, mut linked) = (true, true);
        let closed = loop {
            self.act();
            let room = self.writes.len() < WRITES;
            let wake = self.outbox.wake().map(tokio::time::Instant::from_std);
            tokio::select! {
                ask = inputs.asks.recv(), if room => match ask {
                    None => break None,
                    Some(Ask::Close { reply }) => break Some(reply),
                    Some(ask) => self.asked(ask),
                },
                event = inputs.live.recv(), if room && hears => match event {
                    Some(event) => self.heard(event),
                    None => hears = false,
                },
                event = inputs.links.recv(), if room && linked => match event {
                    Some(event) => self.link(event),
                    None => linked = false,
                },
                Some(event) = inputs.files.recv() => self.teller.tell(event),
                Some(kept) = self.writes.next(), if !self.writes.is_empty() => self.kept_all(kept),
                Some(done) = self.calls.next(), if !self.calls.is_empty() => self.done(done),
                () = self.teller.catch_up(), if self.teller.is_behind() => {}
                () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                    self.outbox.tick(Instant::now());
                }
            }
        };
        self.close(inputs).await;
        if let Some(reply) = closed {
            let _ = reply.send(());
        }
    }

    /// What one commit has made durable comes together: all of it is handled before it is acknowledged.
    fn kept_all(&mut self, first: Kept) {
        self.kept(first);
        while let Some(Some(next)) = self.writes.next().now_or_never() {
            self.kept(next);
        }
        for (remote, ids) in std::mem::take(&mut self.acks) {
            for ids in ids.chunks(ACK_IDS) {
                self.send(&remote, Frame::Ack { ids: ids.to_vec() });
            }
        }
    }

    /// Sends a frame. A link on which too much waits is cut: its other side takes nothing.
    pub(super) fn send(&mut self, remote: &Remote, frame: Frame) {
        if !self.pipes.send(remote, frame) {
            tracing::warn!(peer = %remote.peer, device = %remote.device, "this device takes nothing: its link is cut");
            self.links.forget(remote);
        }
    }

    /// Does what the outbox and the mailbox want done.
    fn act(&mut self) {
        while let Some(action) = self.outbox.poll() {
            self.do_action(action);
        }
        while let Some(errand) = self.mail.next() {
            let (tracker, live) = (self.tracker.clone(), self.live.clone());
            self.calls.push(match errand {
                Errand::Page(number) => {
                    async move { Done::Mail(number, tracker.mailbox(MAIL_PAGE).await) }.boxed()
                }
                Errand::Ack(messages) => {
                    async move { Done::MailAcked(live.ack(messages).await) }.boxed()
                }
            });
        }
    }

    fn do_action(&mut self, action: Action) {
        let (tracker, live) = (self.tracker.clone(), self.live.clone());
        match action {
            Action::Connect(remote) => self.links.connect(&remote),
            Action::Forget(remote) => self.links.forget(&remote),
            Action::Send(remote, text) => self.send(&remote, text.frame()),
            Action::Mailbox(text) => {
                let message = SendPeer {
                    from_peer: self.me.clone(),
                    to_peer: text.to.clone(),
                    message: text.message.clone(),
                    id: Some(text.id.clone()),
                };
                let (id, sent) = (text.id.clone(), live.send(message));
                self.calls.push(sent.map(|sent| Done::Posted(id, sent)).boxed());
            }
            Action::Ask(peer) => {
                let asked = self.outbox.asked();
                let call = async move {
                    let devices = tracker.devices(&peer).await;
                    Done::Devices(peer, asked, devices)
                };
                self.calls.push(call.boxed());
            }
            Action::AskAll => {
                let asked = self.outbox.asked();
                let call = async move { Done::Peers(asked, tracker.peers().await) };
                self.calls.push(call.boxed());
            }
            Action::Statuses(ids) => {
                self.calls.push(async move { Done::Statuses(tracker.statuses(ids).await) }.boxed());
            }
            Action::Changed { text, delivery, open, news } => {
                let (me, id, state) = (self.me.clone(), text.id.clone(), delivery.clone());
                let kept =
                    self.store.submit(move |db| direct::set_delivery(db, &me, &id, &state, open));
                self.writes.push_back(
                    kept.map(move |kept| Kept::Changed { text, delivery, news, kept }).boxed(),
                );
            }
        }
    }

    /// Until the tracker knows what was taken from the mailbox: its senders wait for that.
    async fn acknowledge(&mut self) {
        self.act();
        while self.mail.owes()
            && let Some(done) = self.calls.next().await
        {
            self.done(done);
            self.act();
        }
    }

    /// Says goodbye, and ends when everything is on disk.
    async fn close(mut self, inputs: Inputs) {
        // Without the tracker there is nobody to tell; the next start does it.
        if *self.online.borrow()
            && tokio::time::timeout(super::GOODBYE, self.acknowledge()).await.is_err()
        {
            tracing::debug!("the tracker was not told in time what was taken from the mailbox");
        }
        self.ends.cancel();
        self.outbox.close();
        self.act();
        // Nothing more is taken: what comes now would be acknowledged and told to nobody.
        drop(inputs);
        self.files.close().await;
        let Self { links, store, mut writes, folder, pipes, live, .. } = self;
        drop((pipes, live));
        if tokio::time::timeout(super::GOODBYE, links.close()).await.is_err() {
            tracing::warn!("the links took too long to say goodbye");
        }
        while writes.next().await.is_some() {}
        store.settle().await;
        drop(folder);
    }
}

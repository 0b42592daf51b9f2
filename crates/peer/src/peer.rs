//! The library's front.
//!
//! # Layout
//! - [`Peer`]: the handle.
//! - `start`: how a peer starts.
//! - `core`: the task that ties everything together.
//! - `keep`: what is kept up to date beside it: the address, the servers that help.
//! - `teller`: events to the owner.
//! - `pipes`: frames to each link.
//! - `files`: what the links tell the transfers.
//! - `mail`: the mailbox, emptied page by page.
//! - `rooms`: who is in which channel.
//! - `trust`: safety numbers; `partner`: devices of a partner.
//! - `error`: why something could not be done.

mod core;
mod error;
mod files;
mod keep;
mod mail;
mod partner;
mod pipes;
mod rooms;
mod start;
mod teller;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use wire::chat::{Channel, Presence, Scope};
use wire::p2p::FileId;
use wire::tracker::{GetMessages, Messages};
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use crate::config::Config;
use crate::event::{Direct, Event, FileStatus};
use crate::identity::DeviceKey;
use crate::links::Links;
use crate::store::direct::{self, Numbered};
use crate::store::{Folder, Store, devices};
use crate::tracker::{CallError, Tracker};
use crate::transfer::Transfers;

use self::core::{Ask, new_id};

pub use error::{PeerError, StartError};
pub use partner::PartnerDevice;
pub(crate) use partner::partner_devices;

/// The device key's file in the data folder.
pub(crate) const KEY: &str = "device.key";
/// How long a part may take to stop when the peer is closed.
const GOODBYE: Duration = Duration::from_secs(3);
/// How often a channel message is tried, and the pause between two tries: its id makes it one message.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// A peer: signed in, reachable, with a store of its own. Cheap to clone.
///
/// It lives until [`Peer::close`], or until its last clone is gone.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    me: PeerId,
    key: Arc<DeviceKey>,
    tracker: Tracker,
    links: Links,
    store: Store,
    transfers: Transfers,
    asks: mpsc::Sender<Ask>,
    online: watch::Receiver<bool>,
    followers: broadcast::Sender<Event>,
}

impl Peer {
    /// Signs in, opens the store, binds the UDP port, registers, and keeps itself alive from then on. An absent
    /// tracker is no error once the peer has signed in before: it starts offline and comes back.
    ///
    /// Events that the owner doesn't take are held, up to a number, and then replaced by one [`Event::Reset`]. They
    /// never hold up the peer.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let folder =
            Folder::take(&config.data_dir).map_err(|error| StartError::Local(error.to_string()))?;
        Self::start_in(folder, config).await
    }

    /// As [`Self::start`], in a folder that was taken already.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_in(
        folder: Folder,
        config: Config,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        start::start(folder, config).await
    }

    /// All events from now on, beside the owner. A follower that falls too far behind misses some and is told so
    /// (`RecvError::Lagged`).
    pub fn follow(&self) -> broadcast::Receiver<Event> {
        self.0.followers.subscribe()
    }

    /// Its id.
    pub fn id(&self) -> &PeerId {
        &self.0.me
    }

    /// Its device.
    pub fn device(&self) -> DeviceId {
        self.0.key.device()
    }

    /// Its direct links.
    pub fn links(&self) -> &Links {
        &self.0.links
    }

    /// Whether the live stream is there.
    pub fn online(&self) -> bool {
        *self.0.online.borrow()
    }

    /// Waits until the live stream is there.
    pub async fn until_online(&self) {
        // An error means that the peer has ended; whoever waits is told so by what it asks next.
        let _ = self.0.online.clone().wait_for(|online| *online).await;
    }

    /// Writes a direct message: it is on disk when this returns, and [`Event::Delivery`] tells how far it comes.
    ///
    /// # Errors
    /// [`PeerError::Local`] for a text that is empty or too long, or when it can't be stored.
    pub async fn send(&self, to: &PeerId, text: &str) -> Result<MessageId, PeerError> {
        self.write(to, text, false).await
    }

    /// As [`Self::send`], for a message that goes over links alone, and never to the mailbox. It is given up with
    /// [`Self::withdraw`], or with the end of the peer.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_direct(&self, to: &PeerId, text: &str) -> Result<MessageId, PeerError> {
        self.write(to, text, true).await
    }

    async fn write(
        &self,
        to: &PeerId,
        text: &str,
        direct_only: bool,
    ) -> Result<MessageId, PeerError> {
        self.begin(to, text, direct_only).await?.stored().await
    }

    /// As [`Self::send`] and [`Self::send_direct`], in two steps, for those who write many messages at once: they keep the
    /// order in which these calls return.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the peer is closed.
    pub async fn begin(
        &self,
        to: &PeerId,
        text: &str,
        direct_only: bool,
    ) -> Result<Begun, PeerError> {
        let (reply, answer) = oneshot::channel();
        let (to, message) = (to.clone(), text.to_owned());
        self.ask(Ask::Send { to, message, direct_only, reply }).await?;
        Ok(Begun(answer))
    }

    /// Gives up an own message: it becomes failed, with this reason. Whether that was still possible: neither a device
    /// nor the mailbox has it, as far as is known.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the peer is closed.
    pub async fn withdraw(&self, id: &MessageId, reason: &str) -> Result<bool, PeerError> {
        let (reply, answer) = oneshot::channel();
        let (id, reason) = (id.clone(), reason.to_owned());
        self.ask(Ask::Withdraw { id, reason, reply }).await?;
        answer.await.map_err(|_| closed())
    }

    /// Writes to a channel: it has its place in the log when this returns.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn broadcast(
        &self,
        channel: &ChannelName,
        text: &str,
    ) -> Result<MessageId, PeerError> {
        let id = new_id()?;
        let post = Ask::Post { id: id.clone(), channel: channel.clone(), message: text.to_owned() };
        self.ask(post).await?;
        let mut tries = 1;
        loop {
            match self.0.tracker.broadcast(channel, text, &id).await {
                Ok(_) => return Ok(id),
                Err(CallError::Unreachable(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Starts to link with a peer's live devices, so that the first message finds a link.
    pub fn connect(&self, to: &PeerId) {
        // Best effort: a busy peer links when there is something to send.
        let _ = self.0.asks.try_send(Ask::Connect(to.clone()));
    }

    /// How far own messages of this device have come; those that aren't known are left out.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn deliveries(&self, ids: &[MessageId]) -> Result<Vec<Direct>, PeerError> {
        let (me, ids) = (self.0.me.clone(), ids.to_vec());
        Ok(self.0.store.run(move |db| direct::written(db, &me, &ids)).await?)
    }

    /// Messages that came from elsewhere after a number, in the order in which they came.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn arrived_after(&self, seq: u64, limit: u32) -> Result<Vec<Numbered>, PeerError> {
        let me = self.0.me.clone();
        Ok(self.0.store.run(move |db| direct::arrived_after(db, &me, seq, limit)).await?)
    }

    /// The number of the newest message; 0 when there is none.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn newest(&self) -> Result<u64, PeerError> {
        Ok(self.0.store.run(direct::newest).await?)
    }

    /// Direct messages with a peer, oldest first: the newest `limit`, or those before a message.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn talk(
        &self,
        with: &PeerId,
        before: Option<&Direct>,
        limit: u32,
    ) -> Result<Vec<Direct>, PeerError> {
        let (me, with) = (self.0.me.clone(), with.clone());
        let before = before.map(|direct| (direct.from.clone(), direct.id.clone()));
        let page = move |db: &_| {
            let before = before.as_ref().map(|(from, id)| (from, id));
            direct::talk(db, &me, &with, before, limit)
        };
        Ok(self.0.store.run(page).await?)
    }

    /// Peers with whom there are direct messages, the most recent first.
    ///
    /// # Errors
    /// [`PeerError::Local`] when the store can't be read.
    pub async fn talks(&self) -> Result<Vec<PeerId>, PeerError> {
        Ok(self.0.store.run(direct::talks).await?)
    }

    /// The channels: the own ones, or all visible ones.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn channels(&self, all: bool) -> Result<Vec<Channel>, PeerError> {
        let scope = if all { Scope::All } else { Scope::Mine };
        Ok(self.0.tracker.channels(scope).await?.channels)
    }

    /// Joins a channel, which comes into being with its first member.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn join(&self, channel: &ChannelName) -> Result<(), PeerError> {
        self.0.tracker.join(channel).await?;
        Ok(())
    }

    /// Leaves a channel.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn leave(&self, channel: &ChannelName) -> Result<(), PeerError> {
        self.0.tracker.leave(channel).await?;
        Ok(())
    }

    /// A page of a channel's history: the newest, or before a `seq`.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn history(
        &self,
        channel: &ChannelName,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Messages, PeerError> {
        self.page(channel, before_seq, None, limit).await
    }

    /// A page of a channel's history after a `seq`.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn history_after(
        &self,
        channel: &ChannelName,
        after_seq: u64,
        limit: u32,
    ) -> Result<Messages, PeerError> {
        self.page(channel, None, Some(after_seq), limit).await
    }

    async fn page(
        &self,
        channel: &ChannelName,
        before_seq: Option<u64>,
        after_seq: Option<u64>,
        limit: u32,
    ) -> Result<Messages, PeerError> {
        let page = GetMessages {
            channel: channel.clone(),
            peer_id: None,
            limit: Some(limit),
            before_seq,
            after_seq,
        };
        Ok(self.0.tracker.history(&page).await?)
    }

    /// Moves the read marker.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn mark_read(&self, channel: &ChannelName, seq: u64) -> Result<(), PeerError> {
        self.0.tracker.mark_read(channel, seq).await?;
        Ok(())
    }

    /// A channel's members.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn members(&self, channel: &ChannelName) -> Result<Vec<Presence>, PeerError> {
        Ok(self.0.tracker.members(channel).await?.members)
    }

    /// All known peers.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn peers(&self) -> Result<Vec<Presence>, PeerError> {
        Ok(self.0.tracker.peers().await?.peers)
    }

    /// A peer's devices as the tracker tells them, each with the way of its link (if there is one), the safety
    /// number, and whether it was compared. A device whose key doesn't fit its id is left out.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn devices(&self, of: &PeerId) -> Result<Vec<PartnerDevice>, PeerError> {
        let Inner { tracker, store, key, links, .. } = &*self.0;
        partner_devices(tracker, store, key, of, &links.up()).await
    }

    /// Two people have compared the safety number of this device.
    ///
    /// # Errors
    /// [`PeerError::Local`] when it can't be stored.
    pub async fn mark_compared(&self, peer: &PeerId, device: DeviceId) -> Result<(), PeerError> {
        let (peer, now) = (peer.folded(), Timestamp::now().as_millisecond());
        let mark = move |db: &_| devices::mark_compared(db, &peer, device, now);
        Ok(self.0.store.run(mark).await?)
    }

    /// Offers a file; [`Event::File`] tells the rest. A file that was interrupted goes on.
    ///
    /// # Errors
    /// [`PeerError::Local`] when it can't be read.
    pub async fn send_file(&self, to: &PeerId, path: &Path) -> Result<FileId, PeerError> {
        let file = self.0.transfers.send_file(to, path).await?;
        self.connect(to);
        Ok(file)
    }

    /// Accepts an offered file.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is no such offer, or no room.
    pub async fn accept_file(&self, from: &PeerId, file: FileId) -> Result<(), PeerError> {
        self.0.transfers.accept(from, file).await?;
        // Its link may be gone by now: it goes on as soon as the sender offers it over a new one.
        self.connect(from);
        Ok(())
    }

    /// Declines an offered file.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is no such offer.
    pub async fn decline_file(&self, from: &PeerId, file: FileId) -> Result<(), PeerError> {
        Ok(self.0.transfers.decline(from, file).await?)
    }

    /// Stops a transfer, in whichever direction.
    ///
    /// # Errors
    /// [`PeerError::Local`] when there is none.
    pub async fn cancel_file(&self, with: &PeerId, file: FileId) -> Result<(), PeerError> {
        Ok(self.0.transfers.cancel(with, file).await?)
    }

    /// The transfers of this run, and those that wait to go on.
    pub fn files(&self) -> Vec<FileStatus> {
        self.0.transfers.list()
    }

    /// Says goodbye on all links and ends. What is not delivered stays in the outbox. When this returns, everything
    /// is on disk and the data folder is free.
    pub async fn close(self) {
        let (reply, answer) = oneshot::channel();
        if self.ask(Ask::Close { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }

    async fn ask(&self, ask: Ask) -> Result<(), PeerError> {
        self.0.asks.send(ask).await.map_err(|_| closed())
    }
}

/// A message that is being written.
#[derive(Debug)]
pub struct Begun(oneshot::Receiver<Result<MessageId, PeerError>>);

impl Begun {
    /// Waits until it is on disk.
    ///
    /// # Errors
    /// As [`Peer::send`].
    pub async fn stored(self) -> Result<MessageId, PeerError> {
        self.0.await.map_err(|_| closed())?
    }
}

fn closed() -> PeerError {
    PeerError::Local("the peer is closed".to_owned())
}

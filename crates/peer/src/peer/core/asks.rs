//! What the owner wants.

use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use wire::limits::MESSAGE_BYTES;
use wire::{ChannelName, MessageId, PeerId};

use super::done::Kept;
use super::{Core, Frame};
use crate::delivery::Text;
use crate::delivery::outbox;
use crate::delivery::stamp;
use crate::peer::PeerError;
use crate::peer::rooms::{Fate, Post};
use crate::store::direct;

/// What the owner wants.
pub(in crate::peer) enum Ask {
    /// A direct message is to be written.
    Send {
        to: PeerId,
        message: String,
        direct_only: bool,
        reply: oneshot::Sender<Result<MessageId, PeerError>>,
    },
    /// A message is to be given up, if that is still possible.
    Withdraw { id: MessageId, reason: String, reply: oneshot::Sender<bool> },
    /// Links to a peer's devices are wanted.
    Connect(PeerId),
    /// A channel message is on its way to the log: linked members get it now.
    Post { id: MessageId, channel: ChannelName, message: String },
    /// The end.
    Close { reply: oneshot::Sender<()> },
}

impl Core {
    pub(super) fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Send { to, message, direct_only, reply } => {
                self.write(to, message, direct_only, reply);
            }
            Ask::Withdraw { id, reason, reply } => {
                let _ = reply.send(self.outbox.withdraw(&id, &reason));
            }
            Ask::Connect(peer) => self.outbox.connect(&peer, Instant::now()),
            Ask::Post { id, channel, message } => {
                let timestamp = stamp::wire(self.clock.next());
                let post = Post { from: self.me.clone(), id, channel, message, timestamp };
                self.post(post);
            }
            // The loop ends before it comes here.
            Ask::Close { .. } => {}
        }
    }

    fn write(
        &mut self,
        to: PeerId,
        message: String,
        direct_only: bool,
        reply: oneshot::Sender<Result<MessageId, PeerError>>,
    ) {
        if let Err(why) = check(&message, self.outbox.has_room()) {
            let _ = reply.send(Err(PeerError::Local(why)));
            return;
        }
        let id = match new_id() {
            Ok(id) => id,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let at = self.clock.next();
        let timestamp = stamp::wire(at);
        let text = Text { id, to, message, timestamp, direct_only };
        let written = direct::Written {
            id: text.id.clone(),
            to: text.to.clone(),
            message: text.message.clone(),
            at,
            direct_only,
        };
        let me = self.me.clone();
        let place = self.store.submit(move |db| direct::write(db, &me, &written));
        self.writes.push_back(place.map(|place| Kept::Written { text, place, reply }).boxed());
    }

    /// A channel message goes to linked members, or came from one and is told.
    pub(super) fn post(&mut self, post: Post) {
        match self.rooms.judge(post) {
            Fate::Good(post) => self.pass(post),
            Fate::Ask(channel) => self.ask_members(channel),
            Fate::Nothing => {}
        }
    }

    pub(super) fn pass(&mut self, post: Post) {
        let Post { from, id, channel, message, timestamp } = post;
        if from != self.me {
            self.teller.tell(crate::Event::Post { from, id, channel, message, timestamp });
            return;
        }
        for remote in self.pipes.linked() {
            if self.rooms.has(&channel, &remote.peer) {
                let (id, channel, message, timestamp) =
                    (id.clone(), channel.clone(), message.clone(), timestamp.clone());
                self.pipes.try_send(remote, Frame::Post { id, channel, message, timestamp });
            }
        }
    }
}

/// Version 7: ids sort by time.
pub(in crate::peer) fn new_id() -> Result<MessageId, PeerError> {
    MessageId::try_from(uuid::Uuid::now_v7().to_string())
        .map_err(|error| PeerError::Local(error.to_string()))
}

fn check(message: &str, room: bool) -> Result<(), String> {
    if message.is_empty() {
        return Err("the message is empty".to_owned());
    }
    if message.len() > MESSAGE_BYTES {
        let bytes = message.len();
        return Err(format!("the message has {bytes} bytes of UTF-8, at most {MESSAGE_BYTES} fit"));
    }
    if !room {
        let most = outbox::MESSAGES;
        return Err(format!("{most} messages wait to be delivered already"));
    }
    Ok(())
}

//! What came of writes to the store, and of calls to the tracker.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use wire::chat::{Acked, Deliveries, DirectRef, Mailbox, Members, Peers, Presence};
use wire::device::Devices;
use wire::p2p::{Frame, RefuseCode};
use wire::signal::Signalled;
use wire::tracker::Sent;
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use super::Core;
use crate::delivery::Text;
use crate::delivery::outbox::Trouble;
use crate::delivery::partners::{Asked, same};
use crate::event::{Delivery, Direct, Event};
use crate::links::Remote;
use crate::peer::PeerError;
use crate::store::StoreError;
use crate::store::devices::Met;
use crate::tracker::CallError;

/// Where a message came from.
#[derive(Debug)]
pub(in crate::peer) enum Source {
    /// Over a link to this device.
    Link(Remote),
    /// From the mailbox: `ours` when this peer is the receiver and has to acknowledge it, `paged` when it is one of
    /// the page at hand.
    Mail { ours: bool, paged: bool },
}

/// A write to the store is durable, or failed.
pub(in crate::peer) enum Kept {
    Written {
        text: Text,
        place: Result<u64, StoreError>,
        reply: oneshot::Sender<Result<MessageId, PeerError>>,
    },
    Received {
        source: Source,
        from: PeerId,
        id: MessageId,
        kept: Result<Option<Direct>, StoreError>,
    },
    Changed {
        text: Arc<Text>,
        delivery: Delivery,
        news: bool,
        kept: Result<(), StoreError>,
    },
    Met {
        remote: Remote,
        met: Result<Met, StoreError>,
    },
}

/// A call was answered, or failed.
pub(in crate::peer) enum Done {
    Posted(MessageId, Result<Sent, CallError>),
    Devices(PeerId, Asked, Result<Devices, CallError>),
    Peers(Asked, Result<Peers, CallError>),
    Statuses(Result<Deliveries, CallError>),
    Signalled(Remote, Result<Signalled, CallError>),
    Members(ChannelName, Result<Members, CallError>),
    Mail(u64, Result<Mailbox, CallError>),
    MailAcked(Result<Acked, CallError>),
}

impl Core {
    pub(super) fn kept(&mut self, kept: Kept) {
        match kept {
            Kept::Written { text, place: Ok(place), reply } => {
                let _ = reply.send(Ok(text.id.clone()));
                self.outbox.write(place, text, Instant::now());
            }
            Kept::Written { place: Err(error), reply, .. } => {
                let _ = reply.send(Err(PeerError::Local(error.to_string())));
            }
            Kept::Received { source, from, id, kept } => self.received(source, from, id, kept),
            Kept::Changed { text, delivery, news, kept } => {
                if let Err(error) = kept {
                    // It is told all the same: what happened has happened. The next start sends it again.
                    tracing::error!(id = %text.id, %error, "how far a message has come can't be kept");
                }
                if news {
                    let (id, to) = (text.id.clone(), text.to.clone());
                    self.teller.tell(Event::Delivery { id, to, delivery });
                }
            }
            Kept::Met { remote, met } => match met {
                Ok(Met::Another) => {
                    self.teller.tell(Event::NewDevice { peer: remote.peer, device: remote.device })
                }
                Ok(Met::Before | Met::First) => {}
                Err(error) => tracing::error!(%error, "a device can't be remembered"),
            },
        }
    }

    fn received(
        &mut self,
        source: Source,
        from: PeerId,
        id: MessageId,
        kept: Result<Option<Direct>, StoreError>,
    ) {
        let new = match kept {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(%from, %error, "a message can't be stored");
                return match source {
                    Source::Link(remote) => {
                        self.send(&remote, Frame::Refuse { id, code: RefuseCode::Unstorable });
                    }
                    Source::Mail { paged, .. } => self.mail.passed(paged),
                };
            }
        };
        match source {
            Source::Link(remote) => self.acks.entry(remote).or_default().push(id),
            Source::Mail { ours: true, paged } => self.mail.stored(DirectRef { from, id }, paged),
            Source::Mail { ours: false, paged } => self.mail.passed(paged),
        }
        if let Some(direct) = new {
            let partner = if same(&direct.from, &self.me) { &direct.to } else { &direct.from };
            self.outbox.heard(partner, Instant::now());
            self.teller.tell(Event::Direct(direct));
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Posted(id, Ok(sent)) => self.outbox.taken(&id, sent.delivery, now),
            Done::Posted(id, Err(error)) => self.outbox.untaken(&id, trouble(&error), now),
            Done::Devices(peer, asked, Ok(found)) => {
                let live: Vec<DeviceId> = found
                    .devices
                    .into_iter()
                    .filter(|device| device.live)
                    .map(|device| device.device)
                    .collect();
                self.outbox.answered(&peer, &live, asked, now);
            }
            // Nobody of this name is live; the mailbox says the rest.
            Done::Devices(peer, asked, Err(error)) if error.code() == "peer_not_registered" => {
                self.outbox.answered(&peer, &[], asked, now);
            }
            Done::Devices(peer, _, Err(error)) => {
                tracing::debug!(%peer, %error, "its devices can't be asked for now");
            }
            Done::Peers(asked, Ok(found)) => {
                for presence in found.peers {
                    let Presence { peer_id, devices, .. } = presence;
                    self.outbox.answered(&peer_id, &devices, asked, now);
                }
            }
            Done::Peers(_, Err(error)) => {
                tracing::debug!(%error, "the peers can't be asked for now")
            }
            Done::Statuses(Ok(found)) => {
                let states: Vec<_> =
                    found.deliveries.into_iter().map(|state| (state.id, state.delivery)).collect();
                self.outbox.statuses(&states, now);
            }
            Done::Statuses(Err(error)) => {
                tracing::debug!(%error, "how far messages have come can't be asked now");
            }
            Done::Signalled(remote, outcome) => self.signalled(&remote, outcome, now),
            Done::Members(channel, outcome) => {
                let members = outcome.ok().map(|found| {
                    found.members.into_iter().map(|member| member.peer_id.folded()).collect()
                });
                for post in self.rooms.known(&channel, members) {
                    self.pass(post);
                }
            }
            Done::Mail(number, Ok(page)) => {
                self.mail.page(number, Some((page.messages.len(), page.more)));
                for message in page.messages {
                    self.mailed(message, true);
                }
            }
            Done::Mail(number, Err(error)) => {
                tracing::debug!(%error, "the mailbox can't be read now");
                self.mail.page(number, None);
            }
            Done::MailAcked(outcome) => self.mail.acked(outcome.ok().map(|acked| acked.acked)),
        }
    }

    fn signalled(&mut self, remote: &Remote, outcome: Result<Signalled, CallError>, now: Instant) {
        match outcome {
            Ok(Signalled { delivered: true }) => {}
            Ok(Signalled { delivered: false }) => self.outbox.absent(remote, now),
            Err(error) if error.code() == "device_not_registered" => {
                self.outbox.absent(remote, now);
            }
            Err(error) => tracing::debug!(%error, "a signal could not be handed on"),
        }
    }
}

fn trouble(error: &CallError) -> Trouble {
    match error {
        _ if error.code() == "mailbox_full" => Trouble::Full(error.retry_after()),
        _ if error.is_temporary() => Trouble::Later(error.retry_after()),
        _ => Trouble::Never(error.to_string()),
    }
}

//! Catching up with the own channels: what came into them while nobody listened.
//!
//! The tracker is asked step by step, and each answer is waited for beside everything else: a server that doesn't answer
//! holds up no direct message.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use wire::ChannelName;
use wire::chat::Channel;
use wire::tracker::StoredMessage;

use crate::Peer;
use crate::peer::PeerError;
use crate::store::Places;
use crate::tracker::backoff::{Backoff, random};

/// Messages that are read and printed together.
const PAGE: u32 = 200;
/// From the first to the longest wait after the tracker could not be asked.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is still to be caught up with.
pub struct CatchUp {
    peer: Peer,
    /// The channels have to be looked through again.
    behind: bool,
    /// Those that were not looked at yet.
    channels: VecDeque<Channel>,
    call: Option<BoxFuture<'static, Answer>>,
    backoff: Backoff,
}

enum Answer {
    Channels(Result<Vec<Channel>, PeerError>),
    Page(Channel, Result<Vec<StoredMessage>, PeerError>),
}

impl CatchUp {
    /// Nothing is missing yet.
    pub fn new(peer: Peer) -> Self {
        let backoff = Backoff::new(WAITS.0, WAITS.1);
        Self { peer, behind: false, channels: VecDeque::new(), call: None, backoff }
    }

    /// Something may be missing.
    pub fn wanted(&mut self) {
        self.behind = true;
    }

    /// Messages that were missing, in their order, one page after the other; comes back only with some. Whoever took
    /// them sets the channel's place. It can be given up at any time without losing anything.
    ///
    /// # Errors
    /// What the system said of the places.
    pub async fn next(
        &mut self,
        places: &mut Places,
    ) -> io::Result<(ChannelName, Vec<StoredMessage>)> {
        loop {
            if self.call.is_none() {
                self.call = self.ask(places)?;
            }
            let Some(call) = &mut self.call else { return pending().await };
            let answer = call.await;
            self.call = None;
            match answer {
                Answer::Channels(Ok(channels)) => {
                    self.backoff.reset();
                    self.channels = channels.into();
                }
                Answer::Page(channel, Ok(mut messages)) => {
                    let place = places.channel(&channel.channel)?;
                    messages.retain(|message| Some(message.seq) > place);
                    if !messages.is_empty() {
                        let name = channel.channel.clone();
                        self.channels.push_front(channel);
                        return Ok((name, messages));
                    }
                }
                Answer::Channels(Err(error)) | Answer::Page(_, Err(error)) => self.later(&error),
            }
        }
    }

    /// Begins the next call, if one is needed.
    fn ask(&mut self, places: &mut Places) -> io::Result<Option<BoxFuture<'static, Answer>>> {
        while let Some(channel) = self.channels.pop_front() {
            let name = channel.channel.clone();
            match places.channel(&name)? {
                None => places.set_channel(&name, channel.head_seq)?,
                Some(place) if place < channel.head_seq => {
                    let peer = self.peer.clone();
                    let page = async move {
                        let page = peer.history_after(&name, place, PAGE).await;
                        Answer::Page(channel, page.map(|page| page.messages))
                    };
                    return Ok(Some(page.boxed()));
                }
                Some(_) => {}
            }
        }
        Ok(std::mem::take(&mut self.behind).then(|| self.ask_channels(Duration::ZERO)))
    }

    fn ask_channels(&self, wait: Duration) -> BoxFuture<'static, Answer> {
        let peer = self.peer.clone();
        async move {
            tokio::time::sleep(wait).await;
            Answer::Channels(peer.channels(false).await)
        }
        .boxed()
    }

    fn later(&mut self, error: &PeerError) {
        tracing::debug!(%error, "the channels can't be read now");
        self.channels.clear();
        self.behind = false;
        let wait = self.backoff.next(random());
        self.call = Some(self.ask_channels(wait));
    }
}

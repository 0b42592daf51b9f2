//! `peer listen`: prints what arrives, as it arrives.
//!
//! A direct message is acknowledged when it is stored, and printed from the store; how far that came is noted after the
//! line was written. So none is lost, whatever is killed when: the next listener goes on there. Between the two a kill can
//! make it print a message twice; it has the same id then. Channel messages are numbered by the log, and treated the same
//! way; a first listener begins with those that come after it.

use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wire::ChannelName;

use super::args::ListenArgs;
use super::client::signed_out;
use super::event;
use super::exit::{Exit, Failed};
use super::output::Output;
use super::serve::{Door, commands};
use super::setup::{Interrupts, Setup};
use crate::peer::PeerError;
use crate::store::direct::Numbered;
use crate::store::{Folder, Places};
use crate::tracker::backoff::{Backoff, random};
use crate::{Event, Peer};

/// Messages that are read and printed together.
const PAGE: u32 = 200;

/// Prints what arrives until the person ends it, or nobody reads it any more.
///
/// # Errors
/// [`Failed`].
pub async fn run(setup: Setup, listen: ListenArgs) -> Result<Exit, Failed> {
    let who = setup.who()?;
    let path = setup.folder(&who)?;
    let folder = Folder::take(&path).map_err(|error| Failed::usage(error.to_string()))?;
    let mut interrupts = Interrupts::new()?;
    let (peer, events) = setup.start(folder, &who, listen.accept_files).await?;
    let door = Door::open(&path, &peer)
        .inspect_err(|error| tracing::info!(%error, "`peer send` can't go through this peer"));
    let outcome = match Listener::new(&peer, setup.output(), &path) {
        Ok(mut listener) => {
            let answers = listen.commands.then(|| commands(peer.clone(), tokio::io::stdin()));
            tokio::select! {
                outcome = listener.run(events, answers) => outcome,
                () = interrupts.next() => Ok(Exit::Done),
            }
        }
        Err(failed) => Err(failed),
    };
    interrupts.last();
    drop(door);
    peer.close().await;
    outcome
}

struct Listener {
    peer: Peer,
    output: Output,
    places: Places,
    /// Channels that have to be caught up with, when the tracker can be asked.
    behind: bool,
    backoff: Backoff,
}

impl Listener {
    fn new(peer: &Peer, output: Output, folder: &Path) -> Result<Self, Failed> {
        let places = Places::open(folder).map_err(|error| Failed::usage(error.to_string()))?;
        let (first, most) = (std::time::Duration::from_secs(1), std::time::Duration::from_secs(60));
        let backoff = Backoff::new(first, most);
        Ok(Self { peer: peer.clone(), output, places, behind: false, backoff })
    }

    async fn run(
        &mut self,
        mut events: mpsc::Receiver<Event>,
        mut answers: Option<mpsc::Receiver<Value>>,
    ) -> Result<Exit, Failed> {
        let ready =
            json!({ "type": "ready", "peer": self.peer.id(), "device": self.peer.device() });
        self.output.write(&ready, None)?;
        self.print_directs().await?;
        let mut again = None;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(Event::SignedOut) => {
                        self.print(&Event::SignedOut)?;
                        return Err(signed_out());
                    }
                    Some(event) => self.take(event).await?,
                    None => return Err(Failed::because("the peer has ended")),
                },
                Some(answer) = next(&mut answers) => match answer {
                    Some(answer) => self.output.lines(&[answer.to_string()])?,
                    // Whoever gave the commands has gone.
                    None => return Ok(Exit::Done),
                },
                () = wait(again), if again.is_some() => again = None,
            }
            if self.behind && again.is_none() {
                self.behind = self.catch_up().await? == Caught::Behind;
                if self.behind {
                    again = Some(tokio::time::Instant::now() + self.backoff.next(random()));
                } else {
                    self.backoff.reset();
                }
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), Failed> {
        match event {
            Event::Direct(_) => self.print_directs().await,
            Event::Message { channel, message } => {
                let place = self.places.channel(&channel)?;
                match place {
                    Some(place) if message.seq <= place => Ok(()),
                    Some(place) if message.seq > place + 1 => {
                        self.behind = true;
                        Ok(())
                    }
                    // The next one; or the first of a channel that nobody has listened to.
                    _ => {
                        let object = event::message(&channel, &message);
                        let line = event::message_line(&channel, &message);
                        self.output.write(&object, Some(&line))?;
                        Ok(self.places.set_channel(&channel, message.seq)?)
                    }
                }
            }
            Event::Online | Event::Reset => {
                self.print(&event)?;
                self.behind = true;
                self.print_directs().await
            }
            event => self.print(&event),
        }
    }

    fn print(&self, event: &Event) -> Result<(), Failed> {
        if let Some(object) = event::to_json(event) {
            self.output.write(&object, event::to_line(event).as_deref())?;
        }
        Ok(())
    }

    /// Prints the direct messages that were not printed yet.
    async fn print_directs(&mut self) -> Result<(), Failed> {
        loop {
            let place = self.places.direct()?;
            let page = self.peer.arrived_after(place, PAGE).await?;
            let Some(last) = page.last().map(|last| last.seq) else { return Ok(()) };
            let line = |numbered: Numbered| match self.output.json {
                true => {
                    let event = Event::Direct(numbered.direct);
                    event::to_json(&event).unwrap_or_default().to_string()
                }
                false => event::direct_line(&numbered.direct),
            };
            let lines: Vec<String> = page.into_iter().map(line).collect();
            self.output.lines(&lines)?;
            self.places.set_direct(last)?;
        }
    }

    /// Prints what came into the own channels meanwhile.
    async fn catch_up(&mut self) -> Result<Caught, Failed> {
        let channels = match self.peer.channels(false).await {
            Ok(channels) => channels,
            Err(error) => return late(&error),
        };
        for channel in channels {
            let (name, head) = (channel.channel, channel.head_seq);
            match self.places.channel(&name)? {
                None => self.places.set_channel(&name, head)?,
                Some(place) if place < head => {
                    if let Err(error) = self.print_channel(&name, place).await? {
                        return late(&error);
                    }
                }
                Some(_) => {}
            }
        }
        Ok(Caught::Up)
    }

    async fn print_channel(
        &mut self,
        channel: &ChannelName,
        after: u64,
    ) -> Result<Result<(), PeerError>, Failed> {
        let mut place = after;
        loop {
            let page = match self.peer.history_after(channel, place, PAGE).await {
                Ok(page) => page.messages,
                Err(error) => return Ok(Err(error)),
            };
            let Some(last) = page.last().map(|last| last.seq) else { return Ok(Ok(())) };
            let line = |message| match self.output.json {
                true => event::message(channel, message).to_string(),
                false => event::message_line(channel, message),
            };
            self.output.lines(&page.iter().map(line).collect::<Vec<_>>())?;
            self.places.set_channel(channel, last)?;
            place = last;
        }
    }
}

/// Whether the channels are caught up with.
#[derive(PartialEq, Eq)]
enum Caught {
    Up,
    Behind,
}

/// The tracker can't be asked now: later.
fn late(error: &PeerError) -> Result<Caught, Failed> {
    tracing::debug!(%error, "the channels can't be read now");
    Ok(Caught::Behind)
}

/// The next answer: `None` never comes when there are no commands, and `Some(None)` when they have ended.
async fn next(answers: &mut Option<mpsc::Receiver<Value>>) -> Option<Option<Value>> {
    match answers {
        Some(answers) => Some(answers.recv().await),
        None => std::future::pending().await,
    }
}

async fn wait(until: Option<tokio::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

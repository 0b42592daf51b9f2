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
use wire::tracker::StoredMessage;

use super::args::ListenArgs;
use super::catch_up::CatchUp;
use super::client::signed_out;
use super::event;
use super::exit::{Exit, Failed};
use super::output::Output;
use super::serve::{Door, commands};
use super::setup::{Interrupts, Setup};
use crate::store::direct::Numbered;
use crate::store::{Folder, Places};
use crate::{Event, Peer};

/// Direct messages that are read and printed together.
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
    catch_up: CatchUp,
}

impl Listener {
    fn new(peer: &Peer, output: Output, folder: &Path) -> Result<Self, Failed> {
        let places = Places::open(folder).map_err(|error| Failed::usage(error.to_string()))?;
        Ok(Self { peer: peer.clone(), output, places, catch_up: CatchUp::new(peer.clone()) })
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
                missed = self.catch_up.next(&mut self.places) => {
                    let (channel, messages) = missed?;
                    self.print_channel(&channel, &messages)?;
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
                        self.catch_up.wanted();
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
                self.catch_up.wanted();
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

    /// Prints messages of a channel that were missed.
    fn print_channel(
        &mut self,
        channel: &ChannelName,
        messages: &[StoredMessage],
    ) -> Result<(), Failed> {
        let line = |message| match self.output.json {
            true => event::message(channel, message).to_string(),
            false => event::message_line(channel, message),
        };
        self.output.lines(&messages.iter().map(line).collect::<Vec<_>>())?;
        match messages.last() {
            Some(last) => Ok(self.places.set_channel(channel, last.seq)?),
            None => Ok(()),
        }
    }
}

/// The next answer: `None` never comes when there are no commands, and `Some(None)` when they have ended.
async fn next(answers: &mut Option<mpsc::Receiver<Value>>) -> Option<Option<Value>> {
    match answers {
        Some(answers) => Some(answers.recv().await),
        None => std::future::pending().await,
    }
}

//! The loop: keys, the peer's events and what came of effects go into the model; drawings and effects come out.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::effect::{Effect, Outcome};
use super::model::{Input, Model, Now, Setting};
use super::perform::perform;
use super::screen::Screen;
use super::view;
use super::words::Words;
use crate::event::Event;
use crate::peer::Peer;

/// The time between two drawings: thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// How long the goodbye to the links may take.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long a program that was asked to stop may still run before it counts as one that can't be stopped.
const SUSPENDED: Duration = Duration::from_millis(200);
/// Outcomes that wait for the interface.
const OUTCOMES: usize = 64;

/// Runs the interactive client until the person leaves, and closes the peer.
///
/// # Errors
/// When there is no terminal, or it is gone, or the program has panicked; the terminal is given back in each case.
pub async fn run(peer: Peer, events: mpsc::Receiver<Event>) -> io::Result<()> {
    let signals = Signals::listen()?;
    let screen = Screen::enter()?;
    let model = Model::new(peer.id().clone(), setting(screen.size()?));
    let (sender, outcomes) = mpsc::channel(OUTCOMES);
    let chat = Chat { peer, model, screen, sender, dirty: true, drawn: None, goodbye: None };
    chat.run(events, outcomes, signals).await
}

fn setting(size: (u16, u16)) -> Setting {
    let var = |name: &str| std::env::var(name).ok();
    Setting {
        words: Words::of(var),
        zone: TimeZone::system(),
        home: std::env::var_os("HOME").map(PathBuf::from),
        // As https://no-color.org has it.
        colours: var("NO_COLOR").is_none_or(|value| value.is_empty()),
        size,
    }
}

/// What the system tells.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    resume: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            resume: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::End,
            _ = self.resume.recv() => Told::Resume,
        }
    }
}

/// What a signal says.
enum Told {
    /// The program is to end.
    End,
    /// The program was stopped, and goes on.
    Resume,
}

/// Whether the loop goes on.
#[derive(PartialEq)]
enum Next {
    Go,
    End,
}

struct Chat {
    peer: Peer,
    model: Model,
    screen: Screen,
    sender: mpsc::Sender<Outcome>,
    /// Something has changed since it was drawn.
    dirty: bool,
    drawn: Option<Instant>,
    goodbye: Option<JoinHandle<()>>,
}

impl Chat {
    async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut outcomes: mpsc::Receiver<Outcome>,
        mut signals: Signals,
    ) -> io::Result<()> {
        let mut keys = EventStream::new();
        self.start(&mut signals).await?;
        let mut listening = true;
        loop {
            let (deadline, frame) = (self.model.deadline().map(Instant::from), self.next_frame());
            let input = tokio::select! {
                told = signals.next() => match told {
                    Told::End => Input::Stop,
                    Told::Resume => {
                        self.screen.resume()?;
                        self.dirty = true;
                        continue;
                    }
                },
                () = self.screen.panicked() => return Err(io::Error::other("the program has failed")),
                key = keys.next() => match key {
                    Some(Ok(event)) => match input(event) {
                        Some(input) => input,
                        None => continue,
                    },
                    Some(Err(error)) => return Err(error),
                    // The terminal is gone.
                    None => Input::Stop,
                },
                event = events.recv(), if listening => match event {
                    Some(event) => Input::Event(event),
                    None => {
                        listening = false;
                        continue;
                    }
                },
                Some(outcome) = outcomes.recv() => Input::Outcome(outcome),
                () = until(deadline) => Input::Tick,
                () = until(frame) => {
                    self.draw()?;
                    continue;
                }
                () = finished(&mut self.goodbye) => return Ok(()),
            };
            if self.take(input, &mut signals).await? == Next::End {
                return Ok(());
            }
        }
    }

    async fn start(&mut self, signals: &mut Signals) -> io::Result<()> {
        for effect in self.model.start() {
            self.perform(effect, signals).await?;
        }
        if self.peer.online() {
            self.take(Input::Event(Event::Online), signals).await?;
        }
        for (remote, way) in self.peer.links().up() {
            self.take(Input::Event(Event::Link { remote, way: Some(way) }), signals).await?;
        }
        Ok(())
    }

    async fn take(&mut self, input: Input, signals: &mut Signals) -> io::Result<Next> {
        self.dirty = true;
        for effect in self.model.apply(input, Now::read()) {
            if self.perform(effect, signals).await? == Next::End {
                return Ok(Next::End);
            }
        }
        Ok(Next::Go)
    }

    async fn perform(&mut self, effect: Effect, signals: &mut Signals) -> io::Result<Next> {
        match perform(effect, &self.peer, &self.sender) {
            Some(Effect::Quit) => return Ok(Next::End),
            Some(Effect::Goodbye) => {
                let peer = self.peer.clone();
                self.goodbye = Some(tokio::spawn(async move {
                    // What is not said by then is not said.
                    let _ = timeout(GOODBYE, peer.close()).await;
                }));
            }
            Some(Effect::Suspend) => self.suspend(signals).await?,
            Some(Effect::Redraw) => self.screen.redraw()?,
            Some(Effect::Mouse(wanted)) => self.screen.mouse(wanted)?,
            Some(Effect::Bell) => self.screen.bell()?,
            _ => {}
        }
        Ok(Next::Go)
    }

    async fn suspend(&mut self, signals: &mut Signals) -> io::Result<()> {
        self.screen.suspend()?;
        // The signal reaches one of the threads in a moment; where nobody could wake the program it stops nothing.
        let _ = timeout(SUSPENDED, signals.resume.recv()).await;
        self.screen.resume()
    }

    fn next_frame(&self) -> Option<Instant> {
        let now = Instant::now();
        self.dirty.then(|| self.drawn.map_or(now, |drawn| drawn + FRAME))
    }

    fn draw(&mut self) -> io::Result<()> {
        // The window may have another size before that is told.
        let size = self.screen.size()?;
        if size != self.model.setting.size {
            self.model.apply(Input::Resize(size.0, size.1), Now::read());
        }
        let model = &self.model;
        self.screen.draw(|frame| view::draw(model, frame))?;
        self.dirty = false;
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// What an event of the terminal is to the model.
fn input(event: TerminalEvent) -> Option<Input> {
    Some(match event {
        TerminalEvent::Key(key) => Input::Key(key),
        TerminalEvent::Paste(text) => Input::Paste(text),
        TerminalEvent::Resize(columns, rows) => Input::Resize(columns, rows),
        TerminalEvent::FocusGained => Input::Focus(true),
        TerminalEvent::FocusLost => Input::Focus(false),
        TerminalEvent::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollUp => Input::Wheel(1),
            MouseEventKind::ScrollDown => Input::Wheel(-1),
            MouseEventKind::Down(MouseButton::Left) => Input::Click(mouse.column, mouse.row),
            _ => return None,
        },
    })
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

async fn finished(task: &mut Option<JoinHandle<()>>) {
    match task {
        Some(task) => {
            // A goodbye that failed is over as well.
            let _ = task.await;
        }
        None => pending().await,
    }
}

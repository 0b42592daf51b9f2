//! The engine: one thread with a runtime of its own owns the sockets and all connections, and moves bytes between
//! them.
//!
//! What is to be done is decided elsewhere, without waiting and without a network: [`super::session`] (signals),
//! [`super::connection`] (one link), [`super::pairing`] (both, for one other device).

pub(super) mod office;
mod wires;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use str0m::Input;
use str0m::net::{Protocol, Receive};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{sleep_until, timeout};
use wire::p2p::FileId;
use wire::signal::{Signal, Signalling};

use super::file::{FileChannel, FileChannels, FileMessage};
use super::pairing::{Desk, Pairing};
use super::shared::Shared;
use super::sockets::Buffers;
use super::{IceServers, LinkEvent, Remote, Settings};
use office::Office;

/// Events that wait in the channel to the links' owner; more wait in the engine.
const EVENTS: usize = 256;
/// Commands at once, before the sockets are looked at.
const COMMANDS: usize = 64;
/// Receives of one socket at once, before something else is looked at.
const RECEIVES: usize = 16;
/// The machine's addresses are looked at so often.
const RESCAN: Duration = Duration::from_secs(3);
/// Other devices that are remembered at most, those without a link included.
const PAIRINGS: usize = 1024;
/// How long the owner has to take the last events.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the handles ask for. Frames and files' messages hold a part of a bounded room, and signals are counted:
/// that is what bounds the channel.
#[derive(Debug)]
pub(super) enum Command {
    Connect(Remote),
    Forget(Remote),
    Ice(IceServers),
    Signal(Box<Signalling>),
    Frame { link: u64, frame: Vec<u8>, room: OwnedSemaphorePermit },
    Ping { link: u64, reply: oneshot::Sender<Duration> },
    OpenFile { link: u64, file: FileId, reply: oneshot::Sender<FileChannel> },
    File { link: u64, channel: u64, message: FileMessage, room: OwnedSemaphorePermit },
    CloseFile { link: u64, channel: u64 },
    Close(oneshot::Sender<()>),
}

/// What a started engine is talked to with.
pub(super) struct Started {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) events: mpsc::Receiver<LinkEvent>,
    pub(super) shared: Arc<Shared>,
}

/// Starts an engine.
///
/// # Errors
/// When the sockets can't be bound, or there is no thread.
pub(super) async fn start(settings: Settings) -> io::Result<Started> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (outlet, events) = mpsc::channel(EVENTS);
    let shared = Arc::new(Shared::default());
    let (ready, bound) = oneshot::channel();
    let (here, channels) = (Arc::clone(&shared), FileChannels::new(commands.downgrade()));
    thread::Builder::new().name("links".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async move {
            match Office::open(settings, here, channels) {
                Ok(office) => {
                    // If nobody waits for it any more, there are no handles, and it ends at once.
                    let _ = ready.send(Ok(()));
                    Engine::new(office, inbox, outlet).run().await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    let gone = |_| io::Error::other("the engine ended before it began");
    bound.await.map_err(gone)??;
    Ok(Started { commands, events, shared })
}

struct Engine {
    office: Office,
    pairings: Vec<Pairing>,
    /// Which of them had the last datagram, or command: the next one is likely for it, too.
    hint: usize,
    inbox: mpsc::UnboundedReceiver<Command>,
    outlet: mpsc::Sender<LinkEvent>,
    buffers: Buffers,
    rescan: Instant,
}

impl Engine {
    fn new(
        office: Office,
        inbox: mpsc::UnboundedReceiver<Command>,
        outlet: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let rescan = Instant::now() + RESCAN;
        Self {
            office,
            pairings: Vec::new(),
            hint: 0,
            inbox,
            outlet,
            buffers: Buffers::new(),
            rescan,
        }
    }

    async fn run(mut self) {
        let mut commands = Vec::with_capacity(COMMANDS);
        let closing = loop {
            let deadline = self.deadline();
            let sockets = &self.office.wires.sockets;
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut commands, COMMANDS) => {
                    if count == 0 {
                        break None;
                    }
                }
                () = poll_fn(|context| sockets.poll_ready(context)) => {}
                Ok(permit) = self.outlet.reserve(), if self.office.outbox.waits() => {
                    if let Some((event, bytes)) = self.office.outbox.pop() {
                        taken(&mut self.pairings, &event, bytes);
                        permit.send(event);
                    }
                }
                () = sleep_until(deadline.into()) => {}
            }
            self.office.at(Instant::now());
            let mut stop = None;
            for command in commands.drain(..) {
                if let ControlFlow::Break(reply) = self.command(command) {
                    stop = Some(reply);
                }
            }
            self.receive();
            self.tick();
            self.tell();
            self.office.wires.sockets.flush();
            if let Some(reply) = stop {
                break Some(reply);
            }
        };
        self.leave().await;
        // Who asked may have gone.
        closing.map(|reply| reply.send(()));
    }

    fn deadline(&self) -> Instant {
        let pairings = self.pairings.iter().filter_map(Pairing::deadline).min();
        [pairings, self.office.wires.deadline()]
            .into_iter()
            .flatten()
            .fold(self.rescan, Instant::min)
    }

    fn command(&mut self, command: Command) -> ControlFlow<oneshot::Sender<()>> {
        match command {
            Command::Connect(remote) if remote.device == self.office.me.device => {}
            Command::Connect(remote) => {
                self.office.wires.refresh();
                self.of(remote, Pairing::want);
            }
            Command::Forget(remote) => {
                if self.pairings.iter().any(|pairing| *pairing.remote() == remote) {
                    self.of(remote, Pairing::forget);
                }
            }
            Command::Ice(servers) => {
                self.office.wires.set_ice(servers);
                self.hurry();
            }
            Command::Signal(signalling) => self.signal(*signalling),
            Command::Frame { link, frame, room } => {
                self.on(link, |pairing, desk| pairing.send(&frame, room, desk));
            }
            Command::Ping { link, reply } => {
                self.on(link, |pairing, desk| pairing.ping(reply, desk));
            }
            Command::OpenFile { link, file, reply } => {
                self.on(link, |pairing, desk| pairing.open_file(file, reply, desk));
            }
            Command::File { link, channel, message, room } => {
                self.on(link, |pairing, desk| pairing.send_file(channel, message, room, desk));
            }
            Command::CloseFile { link, channel } => {
                self.on(link, |pairing, desk| pairing.close_file(channel, desk));
            }
            Command::Close(reply) => return ControlFlow::Break(reply),
        }
        ControlFlow::Continue(())
    }

    fn signal(&mut self, signalling: Signalling) {
        self.office.shared.signal_taken();
        let me = &self.office.me;
        let to = Remote { peer: signalling.to, device: signalling.to_device };
        let from = Remote { peer: signalling.from, device: signalling.from_device };
        if to != *me || from.device == me.device {
            tracing::debug!(%from, %to, "a signal for somebody else");
            return;
        }
        if matches!(signalling.signal, Signal::Call | Signal::Offer(_)) {
            self.office.wires.refresh();
        }
        self.of(from, |pairing, desk| pairing.signal(signalling.session, signalling.signal, desk));
    }

    /// Works on the pairing with a device, which is made if there is none.
    fn of(&mut self, remote: Remote, what: impl FnOnce(&mut Pairing, &mut Desk<'_>)) {
        let links = self.pairings.iter().filter(|pairing| pairing.link().is_some()).count();
        let index = match self.pairings.iter().position(|pairing| *pairing.remote() == remote) {
            Some(index) => index,
            None if self.make_place() => {
                self.pairings.push(Pairing::new(&self.office.me, remote, self.office.now));
                self.pairings.len() - 1
            }
            None => return,
        };
        let pairing = &mut self.pairings[index];
        let others = links - usize::from(pairing.link().is_some());
        let room = others < self.office.settings.links_max;
        what(pairing, &mut self.office.desk(room));
    }

    /// Works on the pairing that has a link.
    fn on(&mut self, link: u64, what: impl FnOnce(&mut Pairing, &mut Desk<'_>)) {
        let is = |pairing: &Pairing| pairing.link() == Some(link);
        if !self.pairings.get(self.hint).is_some_and(is) {
            let Some(index) = self.pairings.iter().position(is) else { return };
            self.hint = index;
        }
        what(&mut self.pairings[self.hint], &mut self.office.desk(true));
    }

    /// Whether there is place for one more pairing; forgets the one that was idle for longest if need be.
    fn make_place(&mut self) -> bool {
        if self.pairings.len() < PAIRINGS {
            return true;
        }
        let idle = self.pairings.iter().enumerate();
        let idle = idle.filter_map(|(index, pairing)| Some((pairing.idle_since()?, index)));
        let Some((_, index)) = idle.min() else { return false };
        self.pairings.swap_remove(index);
        true
    }

    fn receive(&mut self) {
        for socket in 0..self.office.wires.sockets.count() {
            for _ in 0..RECEIVES {
                let Some(local) = self.office.wires.sockets.receive(socket, &mut self.buffers)
                else {
                    break;
                };
                self.office.at(Instant::now());
                for (source, datagram) in self.buffers.datagrams() {
                    route(
                        &mut self.pairings,
                        &mut self.hint,
                        &mut self.office,
                        (source, local),
                        datagram,
                    );
                }
                settle(&mut self.pairings, self.hint, &mut self.office);
                self.office.wires.sockets.flush();
            }
        }
    }

    fn tick(&mut self) {
        let now = self.office.now;
        if now >= self.rescan {
            self.rescan = now + RESCAN;
            self.office.rescan();
        }
        self.office.wires.tick();
        if self.office.outbox.broke() {
            self.office.wires.refresh();
        }
        let (came, went) = self.office.changes();
        for pairing in &mut self.pairings {
            let desk = &mut self.office.desk(false);
            went.iter().for_each(|candidate| pairing.remove_local(candidate, desk));
            came.iter().for_each(|candidate| pairing.add_local(candidate, desk));
        }
        if !came.is_empty() {
            self.hurry();
        }
        let due = |pairing: &Pairing| pairing.deadline().is_some_and(|at| at <= now);
        for index in 0..self.pairings.len() {
            if due(&self.pairings[index]) {
                let remote = self.pairings[index].remote().clone();
                self.of(remote, Pairing::tick);
            }
        }
    }

    fn hurry(&mut self) {
        for index in 0..self.pairings.len() {
            let remote = self.pairings[index].remote().clone();
            self.of(remote, Pairing::hurry);
        }
    }

    /// Hands over what the owner has room for now.
    fn tell(&mut self) {
        while self.office.outbox.waits() {
            match self.outlet.try_reserve() {
                Ok(permit) => {
                    if let Some((event, bytes)) = self.office.outbox.pop() {
                        taken(&mut self.pairings, &event, bytes);
                        permit.send(event);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => break,
                // Nobody listens: what happens is of no interest.
                Err(mpsc::error::TrySendError::Closed(())) => {
                    while let Some((event, bytes)) = self.office.outbox.pop() {
                        taken(&mut self.pairings, &event, bytes);
                    }
                }
            }
        }
    }

    /// Says goodbye on all links.
    async fn leave(mut self) {
        for pairing in &mut self.pairings {
            pairing.forget(&mut self.office.desk(false));
        }
        self.office.wires.leave(&mut self.buffers).await;
        self.office.shared.clear();
        let told = async {
            while let Some((event, _)) = self.office.outbox.pop() {
                if self.outlet.send(event).await.is_err() {
                    break;
                }
            }
        };
        if timeout(FAREWELL, told).await.is_err() {
            tracing::debug!("the last events were not taken");
        }
    }
}

fn taken(pairings: &mut [Pairing], event: &LinkEvent, bytes: usize) {
    if bytes > 0
        && let LinkEvent::Frame { remote, .. } | LinkEvent::File { remote, .. } = event
        && let Some(pairing) = pairings.iter_mut().find(|pairing| pairing.remote() == remote)
    {
        pairing.taken(bytes);
    }
}

/// Finds out to whom a datagram belongs.
fn route(
    pairings: &mut [Pairing],
    hint: &mut usize,
    office: &mut Office,
    (source, destination): (SocketAddr, SocketAddr),
    datagram: &[u8],
) {
    let Some((source, destination, datagram)) = office.wires.receive(destination, source, datagram)
    else {
        return;
    };
    let Ok(parsed) = Receive::new(Protocol::Udp, source, destination, datagram) else { return };
    let input = Input::Receive(office.now, parsed);
    if !pairings.get(*hint).is_some_and(|pairing| pairing.accepts(&input)) {
        let Some(index) = pairings.iter().position(|pairing| pairing.accepts(&input)) else {
            return;
        };
        settle(pairings, *hint, office);
        *hint = index;
    }
    pairings[*hint].receive(input, datagram, &mut office.desk(true));
}

/// What was received is made sense of.
fn settle(pairings: &mut [Pairing], index: usize, office: &mut Office) {
    if let Some(pairing) = pairings.get_mut(index) {
        pairing.settle(&mut office.desk(true));
    }
}

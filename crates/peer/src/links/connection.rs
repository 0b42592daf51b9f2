//! One connection to another device: ICE, DTLS, SCTP (all of them str0m), the data channels, and when it ends.
//!
//! Sans-IO like str0m: datagrams and time come in, datagrams and [`Happening`]s come out. What is changed or received
//! is followed by polling until str0m has nothing more to say ([`Connection::drain`]).

mod build;
mod channels;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::channel::ChannelId;
use str0m::net::Transmit;
use str0m::{Candidate, CandidateKind, Event, Input, Output, Rtc, RtcError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wire::p2p::{FileId, Frame};

use super::Way;
use super::dtls::Early;
use super::file::FileChannel;
use super::file::{FileChannels, FileMessage};
use super::files::Files;
use super::frames::{Frames, Violation};
use super::window::Window;

pub(super) use build::{Built, Described};

/// A connection without a working path is given up after this.
const PATIENCE: Duration = Duration::from_secs(5);
/// A path on which nothing came for so long doesn't work: both sides check it every two seconds or so. str0m alone
/// would notice after fifteen.
const SILENCE: Duration = Duration::from_secs(6);
/// Datagrams that are given to an established connection before str0m is polled. It asks for each by itself, but DTLS
/// only queues them (30 at most) until then; and SCTP, which acknowledges with a datagram whenever it is polled, needs
/// far fewer of those.
const TOGETHER: usize = 16;
/// Addresses that one connection takes datagrams from at most. A device has a few; who has many invents them.
const SOURCES: usize = 64;

/// Where datagrams go.
pub(super) trait Net {
    /// Sends one, or drops it: the network might have, too.
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]);
}

/// What a call may need.
pub(super) struct Scene<'a> {
    pub(super) now: Instant,
    pub(super) net: &'a mut dyn Net,
    pub(super) happened: &'a mut Vec<Happening>,
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// Both sides have said hello.
    Up(Way),
    /// It goes another way now.
    Way(Way),
    /// A frame, of so many bytes.
    Frame(Frame, usize),
    /// The other side opened a file's channel.
    File(FileId, FileChannel),
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The other side closed it on purpose.
    #[error("the other side said bye")]
    Bye,
    /// It carried nothing for long.
    #[error("it carried nothing for long")]
    Idle,
    /// The path, or the other side, is gone.
    #[error("no path to the other side any more")]
    Lost,
    /// The other side closed what carries the link.
    #[error("the other side closed the connection")]
    Closed,
    /// It ends at another certificate than the one that was signed.
    #[error("the connection ends at another certificate than the signed one")]
    Forged,
    /// The other side broke the rules.
    #[error("the other side broke the rules: {0}")]
    Violation(#[from] Violation),
    /// str0m gave up.
    #[error(transparent)]
    Rtc(RtcError),
}

impl From<RtcError> for End {
    fn from(error: RtcError) -> Self {
        match error {
            // That is how it says that the certificate is another one.
            RtcError::RemoteSdp(_) => Self::Forged,
            error => Self::Rtc(error),
        }
    }
}

/// A connection.
pub(super) struct Connection {
    rtc: Rtc,
    /// The engine's number for it.
    id: u64,
    offering: bool,
    /// The certificate that the other side signed for.
    fingerprint: Option<String>,
    msg: Option<ChannelId>,
    frames: Frames,
    files: Files,
    channels: FileChannels,
    /// File channels so far.
    numbers: u64,
    strangers: usize,
    window: Window,
    up: bool,
    /// Addresses of TURN servers, this side's and the other's.
    relays: HashSet<SocketAddr>,
    sources: HashSet<SocketAddr>,
    /// Until DTLS's handshake is over.
    early: Option<Early>,
    /// Between which addresses content goes.
    pair: Option<(SocketAddr, SocketAddr)>,
    way: Option<Way>,
    connected: bool,
    unwell: Option<Instant>,
    /// When the other side was last heard.
    heard: Instant,
    used: Instant,
    idle: Duration,
    agent: String,
    wake: Instant,
    /// Datagrams that str0m was given and not yet polled for.
    fed: usize,
}

impl Connection {
    /// The engine's number for it.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Instant {
        let idle = (self.up && self.files.len() == 0).then(|| self.used + self.idle);
        [self.gives_up(), idle].into_iter().flatten().fold(self.wake, Instant::min)
    }

    /// When it is given up if no path works before.
    fn gives_up(&self) -> Option<Instant> {
        let silent = self.connected.then(|| self.heard + SILENCE);
        let unwell = [self.unwell, silent].into_iter().flatten().min()?;
        Some(unwell + PATIENCE)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// [`End`]: the connection is over.
    pub(super) fn tick(&mut self, scene: &mut Scene<'_>) -> Result<(), End> {
        let now = scene.now;
        if self.gives_up().is_some_and(|at| now >= at) {
            return Err(End::Lost);
        }
        if self.up && self.files.len() == 0 && now >= self.used + self.idle {
            return Err(End::Idle);
        }
        if now >= self.wake {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.run(scene)?;
        }
        Ok(())
    }

    /// Whether a datagram belongs to this connection.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a datagram that it accepts.
    ///
    /// # Errors
    /// [`End`].
    pub(super) fn receive(
        &mut self,
        input: Input<'_>,
        datagram: &[u8],
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        if let Input::Receive(_, datagram) = &input
            && !self.sources.contains(&datagram.source)
        {
            if self.sources.len() == SOURCES {
                return Ok(());
            }
            self.sources.insert(datagram.source);
        }
        if self.early.as_mut().is_some_and(|early| !early.passes(datagram)) {
            return Ok(());
        }
        self.heard = scene.now;
        // Anybody can send a datagram that looks as if it came from the other side: what str0m can't make sense of
        // is dropped. What really fails shows when it is polled.
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::trace!(%error, "a datagram was dropped");
        }
        self.fed += 1;
        if self.up && self.fed < TOGETHER {
            return Ok(());
        }
        self.settle(scene)
    }

    /// Whether something was received that is not made sense of yet.
    pub(super) fn unsettled(&self) -> bool {
        self.fed > 0
    }

    /// Makes sense of what was received.
    ///
    /// # Errors
    /// [`End`].
    pub(super) fn settle(&mut self, scene: &mut Scene<'_>) -> Result<(), End> {
        self.run(scene)
    }

    /// An address of this device.
    pub(super) fn add_local(
        &mut self,
        candidate: Candidate,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        self.remember(&candidate);
        let line = self.rtc.add_local_candidate(candidate).map(Candidate::to_sdp_string);
        self.wake = scene.now;
        line
    }

    /// An address of this device is gone.
    ///
    /// # Errors
    /// [`End::Lost`] when content went that way: ICE might find another one, but the other side would go on sending
    /// to the old address for a quarter of a minute. A new connection is quicker.
    pub(super) fn remove_local(
        &mut self,
        candidate: &Candidate,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        // How a server saw an address says nothing about whether it still works.
        if candidate.kind() == CandidateKind::ServerReflexive {
            return Ok(());
        }
        if self.pair.is_some_and(|(source, _)| source == candidate.addr()) {
            return Err(End::Lost);
        }
        self.rtc.direct_api().invalidate_candidate(candidate);
        self.wake = scene.now;
        Ok(())
    }

    /// An address of the other side.
    pub(super) fn add_remote(&mut self, line: &str, scene: &mut Scene<'_>) {
        let Some(candidate) = super::candidate::parse(line) else { return };
        self.remember(&candidate);
        self.rtc.add_remote_candidate(candidate);
        self.wake = scene.now;
        self.rerouted(scene);
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// [`End`].
    pub(super) fn send(
        &mut self,
        frame: &[u8],
        room: OwnedSemaphorePermit,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        self.frames.send(frame, Some(room));
        self.used = scene.now;
        self.run(scene)
    }

    /// Measures the round trip.
    ///
    /// # Errors
    /// [`End`].
    pub(super) fn ping(
        &mut self,
        reply: oneshot::Sender<Duration>,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        self.frames.ping(scene.now, reply);
        self.run(scene)
    }

    /// Sends on a file's channel.
    ///
    /// # Errors
    /// [`End`].
    pub(super) fn send_file(
        &mut self,
        number: u64,
        message: FileMessage,
        room: OwnedSemaphorePermit,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        self.files.send(number, (message, room));
        self.used = scene.now;
        self.run(scene)
    }

    /// Says goodbye on the channel for frames, as far as that still goes.
    pub(super) fn leave(&mut self, scene: &mut Scene<'_>) {
        if self.up {
            self.frames.bye();
        }
        if let Err(error) = self.run(scene) {
            tracing::debug!(%error, "no goodbye");
        }
    }

    /// Closes what the other side holds open, so that it doesn't wait for a silence.
    pub(super) fn hang_up(&mut self, scene: &mut Scene<'_>) {
        let closed = self.rtc.close().map_err(End::from).and_then(|()| self.drain(scene));
        if let Err(error) = closed {
            tracing::trace!(%error, "not closed");
        }
    }

    fn remember(&mut self, candidate: &Candidate) {
        if candidate.kind() == CandidateKind::Relayed {
            self.relays.insert(candidate.addr());
        }
    }

    /// Writes what there is room for, and takes what str0m has to say.
    fn run(&mut self, scene: &mut Scene<'_>) -> Result<(), End> {
        self.fed = 0;
        self.drain(scene)?;
        self.write(scene)
    }

    /// Takes what str0m has to say.
    fn drain(&mut self, scene: &mut Scene<'_>) -> Result<(), End> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wake = at;
                    return Ok(());
                }
                Output::Transmit(datagram) => self.transmit(&datagram, scene),
                Output::Event(event) => self.event(event, scene)?,
            }
        }
    }

    fn transmit(&mut self, datagram: &Transmit, scene: &mut Scene<'_>) {
        let (source, destination) = (datagram.source, datagram.destination);
        scene.net.send(source, destination, &datagram.contents);
        // DTLS (RFC 7983 §7) goes between the addresses that ICE chose; its own checks go everywhere.
        let content = datagram.contents.first().is_some_and(|byte| (20..64).contains(byte));
        if content && self.pair != Some((source, destination)) {
            self.pair = Some((source, destination));
            self.window.rerouted();
            self.rerouted(scene);
        }
    }

    fn rerouted(&mut self, scene: &mut Scene<'_>) {
        let Some((source, destination)) = self.pair else { return };
        let relayed = self.relays.contains(&source) || self.relays.contains(&destination);
        let way = if relayed { Way::Relayed } else { Way::Direct };
        if self.way.replace(way) != Some(way) && self.up {
            scene.happened.push(Happening::Way(way));
        }
    }

    fn event(&mut self, event: Event, scene: &mut Scene<'_>) -> Result<(), End> {
        match event {
            Event::Connected => {
                self.early = None;
                self.check_certificate()
            }
            Event::IceConnectionStateChange(state) => {
                if state.is_connected() {
                    self.connected = true;
                    self.unwell = None;
                } else if self.connected {
                    self.unwell.get_or_insert(scene.now);
                }
                Ok(())
            }
            Event::ChannelOpen(id, label) => self.opened(id, &label, scene),
            Event::ChannelData(data) => self.take(data, scene),
            Event::ChannelClose(id) if self.msg == Some(id) => Err(End::Closed),
            Event::ChannelClose(id) => {
                self.files.closed(id);
                Ok(())
            }
            Event::Closed => Err(End::Closed),
            _ => Ok(()),
        }
    }

    /// str0m has compared the certificate with what it was told; this compares what it found with what was signed.
    fn check_certificate(&mut self) -> Result<(), End> {
        let found = self.rtc.direct_api().remote_dtls_fingerprint().map(ToString::to_string);
        match (&found, &self.fingerprint) {
            (Some(found), Some(signed)) if found.eq_ignore_ascii_case(signed) => Ok(()),
            _ => Err(End::Forged),
        }
    }
}

#[cfg(test)]
mod tests;

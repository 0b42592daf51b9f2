//! What there is between this device and one other: the signals, and at most one connection.
//!
//! Sans-IO: what is to be sent, told and signalled is collected in a [`Desk`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::{Candidate, Input};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wire::p2p::FileId;
use wire::signal::{Description, Role, SendSignal, Signal};

use super::connection::{Built, Connection, Described, End, Happening, Net, Scene};
use super::engine::office::Outbox;
use super::file::{FileChannel, FileChannels, FileMessage};
use super::proof::Proof;
use super::session::{Session, Step};
use super::shared::{Shared, UpLink};
use super::{LinkEvent, Remote, Settings};

/// Bytes of frames that may wait in front of SCTP's buffer, for each link.
pub(super) const FRAMES_BYTES: usize = 512 * 1024;
/// Bytes of frames that may wait for the links' owner, for each partner.
const INBOX_BYTES: usize = 4 * 1024 * 1024;
/// What an event counts beside its bytes.
const EVENT_BYTES: usize = 256;
/// A partner that proves nothing is told no more often than this.
const REFUSALS: Duration = Duration::from_secs(10);

/// What all pairings share while one of them is at work.
pub(super) struct Desk<'a> {
    pub(super) now: Instant,
    /// Milliseconds since 1970.
    pub(super) clock: u64,
    pub(super) settings: &'a Settings,
    pub(super) me: &'a Remote,
    /// This device's addresses.
    pub(super) locals: &'a [Candidate],
    pub(super) net: &'a mut dyn Net,
    pub(super) shared: &'a Shared,
    pub(super) channels: &'a FileChannels,
    /// What is to be told, and how many bytes of it count for its partner.
    pub(super) events: &'a mut Outbox,
    /// Numbers links.
    pub(super) links: &'a mut u64,
    /// Whether there may be one more connection.
    pub(super) room: bool,
}

struct Link {
    connection: Connection,
    frames: Arc<Semaphore>,
    up: bool,
}

/// What there is between this device and one other.
pub(super) struct Pairing {
    remote: Remote,
    session: Session,
    link: Option<Link>,
    /// Bytes that wait for the links' owner.
    held: usize,
    /// When something last happened.
    touched: Instant,
    refused: Option<Instant>,
    /// How many attempts in vain were told.
    failures: u64,
}

impl Pairing {
    pub(super) fn new(me: &Remote, remote: Remote, now: Instant) -> Self {
        let session = Session::new(me.clone(), remote.clone(), now);
        Self { remote, session, link: None, held: 0, touched: now, refused: None, failures: 0 }
    }

    /// With which device.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The engine's number for the connection, if there is one.
    pub(super) fn link(&self) -> Option<u64> {
        self.link.as_ref().map(|link| link.connection.id())
    }

    /// Since when nothing happened here, if nothing is under way.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.session.idle() && self.link.is_none() && self.held == 0).then_some(self.touched)
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().map(|link| link.connection.deadline());
        [link, self.session.deadline()].into_iter().flatten().min()
    }

    /// The owner has taken so many bytes.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// A link is wanted.
    pub(super) fn want(&mut self, desk: &mut Desk<'_>) {
        let steps = self.session.want(desk.now, desk.clock);
        self.follow(steps, desk);
    }

    /// What kept a link from coming up may be over.
    pub(super) fn hurry(&mut self, desk: &mut Desk<'_>) {
        let steps = self.session.hurry(desk.now, desk.clock);
        self.follow(steps, desk);
    }

    /// A link is no longer wanted.
    pub(super) fn forget(&mut self, desk: &mut Desk<'_>) {
        let steps = self.session.forget(desk.now);
        self.follow(steps, desk);
    }

    /// Takes a signal.
    pub(super) fn signal(&mut self, session: u64, signal: Signal, desk: &mut Desk<'_>) {
        let steps = self.session.signal(session, signal, desk.now, desk.clock);
        self.follow(steps, desk);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, desk: &mut Desk<'_>) {
        let due = self.link.as_ref().is_some_and(|link| link.connection.deadline() <= desk.now);
        if due {
            self.work(desk, Connection::tick);
        }
        let steps = self.session.tick(desk.now, desk.clock);
        self.follow(steps, desk);
    }

    /// Whether a datagram belongs here.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.link.as_ref().is_some_and(|link| link.connection.accepts(input))
    }

    /// Takes a datagram that it accepts.
    pub(super) fn receive(&mut self, input: Input<'_>, datagram: &[u8], desk: &mut Desk<'_>) {
        self.work(desk, |connection, scene| connection.receive(input, datagram, scene));
    }

    /// Makes sense of what was received.
    pub(super) fn settle(&mut self, desk: &mut Desk<'_>) {
        if self.link.as_ref().is_some_and(|link| link.connection.unsettled()) {
            self.work(desk, Connection::settle);
        }
    }

    /// Sends a frame, which counts as lost without a link.
    pub(super) fn send(&mut self, frame: &[u8], room: OwnedSemaphorePermit, desk: &mut Desk<'_>) {
        self.work(desk, |connection, scene| connection.send(frame, room, scene));
    }

    /// Measures the round trip.
    pub(super) fn ping(&mut self, reply: oneshot::Sender<Duration>, desk: &mut Desk<'_>) {
        self.work(desk, |connection, scene| connection.ping(reply, scene));
    }

    /// Opens a file's channel.
    pub(super) fn open_file(
        &mut self,
        file: FileId,
        reply: oneshot::Sender<FileChannel>,
        desk: &mut Desk<'_>,
    ) {
        self.work(desk, |connection, scene| connection.open_file(file, reply, scene));
    }

    /// Sends on a file's channel.
    pub(super) fn send_file(
        &mut self,
        channel: u64,
        message: FileMessage,
        room: OwnedSemaphorePermit,
        desk: &mut Desk<'_>,
    ) {
        self.work(desk, |connection, scene| connection.send_file(channel, message, room, scene));
    }

    /// Closes a file's channel.
    pub(super) fn close_file(&mut self, channel: u64, desk: &mut Desk<'_>) {
        self.work(desk, |connection, scene| connection.close_file(channel, scene));
    }

    /// An address of this device is new.
    pub(super) fn add_local(&mut self, candidate: &Candidate, desk: &mut Desk<'_>) {
        let Some(session) = self.session.current() else { return };
        let mut line = None;
        self.work(desk, |connection, scene| {
            line = connection.add_local(candidate.clone(), scene);
            Ok(())
        });
        if let Some(candidate) = line {
            self.say(session, Signal::Candidate { candidate }, desk);
        }
    }

    /// An address of this device is gone.
    pub(super) fn remove_local(&mut self, candidate: &Candidate, desk: &mut Desk<'_>) {
        self.work(desk, |connection, scene| connection.remove_local(candidate, scene));
    }

    fn follow(&mut self, steps: Vec<Step>, desk: &mut Desk<'_>) {
        for step in steps {
            self.touched = desk.now;
            match step {
                Step::Close => self.drop_link(desk),
                Step::Leave { session } => {
                    self.leave(desk);
                    self.say(session, Signal::Bye, desk);
                }
                Step::Call { session } => self.say(session, Signal::Call, desk),
                Step::Offer { session } => self.offer(session, desk),
                Step::Answer { session, sdp, fingerprint } => {
                    self.answer(session, &sdp, &fingerprint, desk);
                }
                Step::Accept { sdp, fingerprint } => {
                    self.accept(&sdp, &fingerprint, desk);
                }
                Step::Candidate(line) => self.work(desk, |connection, scene| {
                    connection.add_remote(&line, scene);
                    Ok(())
                }),
                Step::Refused(refusal) => self.refuse(&refusal.to_string(), desk),
            }
        }
        self.tell_in_vain(desk);
    }

    fn offer(&mut self, session: u64, desk: &mut Desk<'_>) {
        if !desk.room {
            tracing::info!(remote = %self.remote, "no link: there are as many as there may be");
            self.session.failed(desk.now);
            return;
        }
        let (connection, described) = Connection::offer(&built(session, desk));
        self.session.offered(described.fingerprint.clone());
        let description = self.signed(Role::Offer, session, described, None, desk);
        self.keep(connection);
        self.say(session, Signal::Offer(description), desk);
    }

    fn answer(&mut self, session: u64, sdp: &str, fingerprint: &str, desk: &mut Desk<'_>) {
        if !desk.room {
            tracing::info!(remote = %self.remote, "no link: there are as many as there may be");
            self.session.failed(desk.now);
            return;
        }
        match Connection::answer(&built(session, desk), sdp, fingerprint) {
            Ok((connection, described)) => {
                let description =
                    self.signed(Role::Answer, session, described, Some(fingerprint), desk);
                self.keep(connection);
                self.say(session, Signal::Answer(description), desk);
            }
            Err(error) => {
                tracing::warn!(remote = %self.remote, %error, "an offer is of no use");
                self.session.failed(desk.now);
            }
        }
    }

    fn accept(&mut self, sdp: &str, fingerprint: &str, desk: &mut Desk<'_>) {
        let mut outcome = Ok(());
        self.work(desk, |connection, scene| {
            outcome = connection.accept(sdp, fingerprint, scene);
            Ok(())
        });
        if let Err(error) = outcome {
            tracing::warn!(remote = %self.remote, %error, "an answer is of no use");
            self.drop_link(desk);
            self.session.failed(desk.now);
        }
    }

    fn keep(&mut self, connection: Connection) {
        let frames = Arc::new(Semaphore::new(FRAMES_BYTES));
        self.link = Some(Link { connection, frames, up: false });
    }

    fn signed(
        &self,
        role: Role,
        session: u64,
        described: Described,
        offered: Option<&str>,
        desk: &Desk<'_>,
    ) -> Description {
        Proof { role, session, from: desk.me, to: &self.remote, offered }.sign(
            described.sdp,
            &described.fingerprint,
            &desk.settings.key,
        )
    }

    fn say(&self, session: u64, signal: Signal, desk: &mut Desk<'_>) {
        let signal = SendSignal {
            from: Some(desk.me.peer.clone()),
            from_device: desk.me.device,
            to: self.remote.peer.clone(),
            to_device: self.remote.device,
            session,
            signal,
        };
        desk.events.push(LinkEvent::Signal(signal), 0);
    }

    /// Lets the connection do something, tells what happened, and ends it when it has to end.
    fn work(
        &mut self,
        desk: &mut Desk<'_>,
        what: impl FnOnce(&mut Connection, &mut Scene<'_>) -> Result<(), End>,
    ) {
        let Some(link) = &mut self.link else { return };
        let mut happened = Vec::new();
        let mut scene = Scene { now: desk.now, net: desk.net, happened: &mut happened };
        // Malformed packets never make str0m panic, as far as we know. If one does, it costs its sender the
        // connection, and nobody else anything.
        let outcome = catch_unwind(AssertUnwindSafe(|| what(&mut link.connection, &mut scene)));
        self.tell(happened, desk);
        match outcome {
            Ok(Ok(())) if self.held > INBOX_BYTES => {
                self.end(&End::Violation(super::frames::Violation::Flood), desk)
            }
            Ok(Ok(())) => {}
            Ok(Err(end)) => self.end(&end, desk),
            Err(_) => {
                tracing::error!(remote = %self.remote, "the connection failed in an unforeseen way");
                self.end(&End::Lost, desk);
            }
        }
    }

    fn tell(&mut self, happened: Vec<Happening>, desk: &mut Desk<'_>) {
        let Some(link) = &mut self.link else { return };
        for happening in happened {
            let remote = self.remote.clone();
            let (event, bytes) = match happening {
                Happening::Up(way) => {
                    link.up = true;
                    self.session.up(desk.now);
                    desk.shared.up(
                        &remote,
                        UpLink { id: link.connection.id(), way, frames: Arc::clone(&link.frames) },
                    );
                    (LinkEvent::Up { remote, way }, 0)
                }
                Happening::Way(way) => {
                    desk.shared.way(&remote, way);
                    (LinkEvent::Way { remote, way }, 0)
                }
                Happening::Frame(frame, bytes) => {
                    (LinkEvent::Frame { remote, frame }, bytes + EVENT_BYTES)
                }
                Happening::File(file, channel) => {
                    (LinkEvent::File { remote, file, channel }, EVENT_BYTES)
                }
            };
            self.held += bytes;
            desk.events.push(event, bytes);
        }
    }

    fn end(&mut self, end: &End, desk: &mut Desk<'_>) {
        tracing::debug!(remote = %self.remote, %end, "a connection ended");
        self.touched = desk.now;
        match end {
            End::Bye => {
                self.drop_link(desk);
                self.session.left(desk.now);
            }
            End::Idle => self.forget(desk),
            End::Forged => {
                self.refuse(&format!("the other side could not prove who it is: {end}"), desk);
                self.drop_link(desk);
                self.session.failed(desk.now);
            }
            End::Lost | End::Closed | End::Violation(_) | End::Rtc(_) => {
                self.drop_link(desk);
                self.session.failed(desk.now);
            }
        }
        self.tell_in_vain(desk);
    }

    fn tell_in_vain(&mut self, desk: &mut Desk<'_>) {
        let before = std::mem::replace(&mut self.failures, self.session.failures());
        if self.failures > before {
            desk.events.push(LinkEvent::InVain { remote: self.remote.clone() }, 0);
        }
    }

    /// Says goodbye on the connection and drops it.
    fn leave(&mut self, desk: &mut Desk<'_>) {
        self.last_words(desk, Connection::leave);
        self.drop_link(desk);
    }

    fn drop_link(&mut self, desk: &mut Desk<'_>) {
        self.last_words(desk, Connection::hang_up);
        let Some(link) = self.link.take() else { return };
        link.frames.close();
        if link.up {
            desk.shared.down(&self.remote);
            desk.events.push(LinkEvent::Down { remote: self.remote.clone() }, 0);
        }
    }

    /// Whatever the connection still hears is of no interest.
    fn last_words(
        &mut self,
        desk: &mut Desk<'_>,
        say: impl FnOnce(&mut Connection, &mut Scene<'_>),
    ) {
        let Some(link) = &mut self.link else { return };
        let mut scene = Scene { now: desk.now, net: desk.net, happened: &mut Vec::new() };
        if catch_unwind(AssertUnwindSafe(|| say(&mut link.connection, &mut scene))).is_err() {
            tracing::error!(remote = %self.remote, "the connection failed in an unforeseen way");
        }
    }

    fn refuse(&mut self, reason: &str, desk: &mut Desk<'_>) {
        tracing::warn!(remote = %self.remote, reason, "refused");
        if self.refused.is_some_and(|at| desk.now - at < REFUSALS) {
            return;
        }
        self.refused = Some(desk.now);
        let (remote, reason) = (self.remote.clone(), reason.to_owned());
        desk.events.push(LinkEvent::Refused { remote, reason }, 0);
    }
}

fn built<'a>(session: u64, desk: &'a mut Desk<'_>) -> Built<'a> {
    *desk.links += 1;
    Built {
        id: *desk.links,
        session,
        locals: desk.locals,
        settings: desk.settings,
        channels: desk.channels,
        now: desk.now,
    }
}

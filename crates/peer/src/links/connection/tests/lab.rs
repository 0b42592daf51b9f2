//! Two connections, and a network between them that takes time, loses and changes; the clock is the test's own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use str0m::net::{Protocol, Receive};
use tokio::sync::{Semaphore, mpsc};
use wire::PeerId;

use super::super::*;
use crate::identity::DeviceKey;
use crate::links::Settings;
use crate::links::engine::Command;

/// What the network does.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// From end to end.
    pub(super) delay: Duration,
    /// Bytes a second.
    pub(super) rate: f64,
    /// One of so many datagrams is lost; none with 0.
    pub(super) loss: u32,
}

pub(super) const LAN: Path = Path { delay: Duration::from_micros(200), rate: 100e6, loss: 0 };

pub(super) struct Side {
    pub(super) connection: Option<Connection>,
    pub(super) addr: SocketAddr,
    commands: mpsc::UnboundedReceiver<Command>,
    pub(super) happened: Vec<Happening>,
    pub(super) ended: Option<End>,
    channels: FileChannels,
    _sender: mpsc::UnboundedSender<Command>,
}

impl Side {
    pub(super) fn up(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.up)
    }
}

/// A datagram under way: to which side, from where, to where.
pub(super) type Flying = (usize, SocketAddr, SocketAddr, Vec<u8>);

pub(super) struct Lab {
    pub(super) now: Instant,
    pub(super) path: Path,
    pub(super) sides: [Side; 2],
    pub(super) flying: BTreeMap<(Instant, u64), Flying>,
    free_at: [Instant; 2],
    pub(super) sent: u64,
    pub(super) bytes: u64,
    noise: u64,
    /// Changes datagrams on their way.
    pub(super) change: Option<fn(&mut Vec<u8>, u64)>,
}

#[derive(Default)]
struct Out(Vec<(SocketAddr, SocketAddr, Vec<u8>)>);

impl Net for Out {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        self.0.push((source, destination, datagram.to_vec()));
    }
}

fn settings() -> Settings {
    Settings {
        me: PeerId::parse("alice").unwrap(),
        key: Arc::new(DeviceKey::generate()),
        ip: None,
        port: 0,
        idle: Duration::from_secs(600),
        links_max: 1,
        relay_only: false,
        agent: "test".to_owned(),
    }
}

impl Lab {
    /// Both descriptions have been exchanged.
    pub(super) fn new(path: Path) -> Self {
        let now = Instant::now();
        let side = |last| {
            let (sender, commands) = mpsc::unbounded_channel();
            Side {
                connection: None,
                addr: SocketAddr::from((Ipv4Addr::new(192, 0, 2, last), 4000)),
                commands,
                happened: Vec::new(),
                ended: None,
                channels: FileChannels::new(sender.downgrade()),
                _sender: sender,
            }
        };
        let mut lab = Self {
            now,
            path,
            sides: [side(1), side(2)],
            flying: BTreeMap::new(),
            free_at: [now; 2],
            sent: 0,
            bytes: 0,
            noise: 1,
            change: None,
        };
        let settings = settings();
        let locals = lab.sides.each_ref().map(|side| [Candidate::host(side.addr, "udp").unwrap()]);
        let built = |of: usize| Built {
            id: 1,
            session: 1,
            locals: &locals[of],
            settings: &settings,
            channels: &lab.sides[of].channels,
            now,
        };
        let (offering, offer) = Connection::offer(&built(0));
        let (answering, answer) =
            Connection::answer(&built(1), &offer.sdp, &offer.fingerprint).unwrap();
        lab.sides[0].connection = Some(offering);
        lab.sides[1].connection = Some(answering);
        lab.on(0, |connection, scene| {
            connection.accept(&answer.sdp, &answer.fingerprint, scene).unwrap();
            Ok(())
        });
        lab
    }

    /// One whose link is up.
    pub(super) fn up(path: Path) -> Self {
        let mut lab = Self::new(Path { loss: 0, ..path });
        assert!(lab.until(30, |lab| lab.sides.iter().all(Side::up)));
        lab.path = path;
        for side in &mut lab.sides {
            assert!(
                matches!(side.happened[..], [Happening::Up(Way::Direct)]),
                "{:?}",
                side.happened
            );
            side.happened.clear();
        }
        lab
    }

    pub(super) fn on(
        &mut self,
        of: usize,
        what: impl FnOnce(&mut Connection, &mut Scene<'_>) -> Result<(), End>,
    ) {
        let side = &mut self.sides[of];
        let Some(connection) = &mut side.connection else { return };
        let mut out = Out::default();
        let mut scene = Scene { now: self.now, net: &mut out, happened: &mut side.happened };
        if let Err(end) = what(connection, &mut scene) {
            connection.hang_up(&mut scene);
            side.connection = None;
            side.ended = Some(end);
        }
        for (source, destination, mut datagram) in out.0 {
            self.sent += 1;
            self.bytes += datagram.len() as u64;
            self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if self.path.loss > 0 && ((self.noise >> 40) as u32).is_multiple_of(self.path.loss) {
                continue;
            }
            if let Some(change) = self.change {
                change(&mut datagram, self.noise);
            }
            let took = Duration::from_secs_f64(datagram.len() as f64 / self.path.rate);
            self.free_at[of] = self.free_at[of].max(self.now) + took;
            let arrives = self.free_at[of] + self.path.delay;
            self.flying.insert((arrives, self.sent), (1 - of, source, destination, datagram));
        }
    }

    /// What was sent from files' channels, and let go of.
    fn commands(&mut self) {
        for of in 0..2 {
            while let Ok(command) = self.sides[of].commands.try_recv() {
                self.on(of, |connection, scene| match command {
                    Command::File { channel, message, room, .. } => {
                        connection.send_file(channel, message, room, scene)
                    }
                    Command::CloseFile { channel, .. } => connection.close_file(channel, scene),
                    _ => Ok(()),
                });
            }
        }
    }

    /// The next thing happens.
    pub(super) fn step(&mut self) {
        self.commands();
        let deadlines =
            self.sides.iter().filter_map(|side| Some(side.connection.as_ref()?.deadline()));
        let deadline = deadlines.min();
        let arrival = self.flying.keys().next().copied();
        if let Some((at, number)) = arrival
            && deadline.is_none_or(|deadline| at <= deadline)
        {
            self.now = self.now.max(at);
            let (to, source, destination, datagram) = self.flying.remove(&(at, number)).unwrap();
            self.receive(to, source, destination, &datagram);
        } else if let Some(at) = deadline {
            self.now = self.now.max(at);
            for of in 0..2 {
                self.on(of, Connection::tick);
            }
        }
    }

    pub(super) fn receive(
        &mut self,
        to: usize,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        let now = self.now;
        self.on(to, |connection, scene| {
            let parsed = Receive::new(Protocol::Udp, source, destination, datagram);
            let Ok(parsed) = parsed else { return Ok(()) };
            let input = Input::Receive(now, parsed);
            if !connection.accepts(&input) {
                return Ok(());
            }
            connection.receive(input, datagram, scene)?;
            connection.settle(scene)
        });
    }

    /// Runs until something is so, for so many seconds at most. Whether it came to be.
    pub(super) fn until(&mut self, seconds: u64, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end && self.sides.iter().any(|side| side.connection.is_some()) {
            if so(self) {
                return true;
            }
            self.step();
        }
        so(self)
    }

    pub(super) fn send(&mut self, of: usize, number: u32) {
        let frame = serde_json::to_vec(&Frame::FileDone { file: file(number) }).unwrap();
        let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        self.on(of, |connection, scene| connection.send(&frame, room, scene));
    }

    pub(super) fn heard(&mut self, of: usize) -> Vec<Frame> {
        let happened = self.sides[of].happened.drain(..);
        happened
            .filter_map(|happening| match happening {
                Happening::Frame(frame, _) => Some(frame),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn file(number: u32) -> FileId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    FileId::new(bytes)
}

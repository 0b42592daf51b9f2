//! Devices with everything but a tracker: signals are carried between them within the test.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer::delivery::stamp;
use peer::event::{Direction, FileState, FileStatus};
use peer::identity::DeviceKey;
use peer::links::{self, LinkEvent, Links, Remote};
use peer::store::{Folder, Store};
use peer::transfer::{Limits, Settings, Transfers};
use peer::{Event, event};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wire::PeerId;
use wire::p2p::FileId;
use wire::signal::{SendSignal, Signalling};

/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const MIB: usize = 1 << 20;

/// The tracker's part: signals go to the device that they name.
#[derive(Clone, Default)]
pub(crate) struct Switchboard(Arc<Mutex<HashMap<Remote, Links>>>);

impl Switchboard {
    fn pass(&self, signal: SendSignal) {
        let to = Remote { peer: signal.to.clone(), device: signal.to_device };
        let links = self.0.lock().unwrap().get(&to).cloned();
        if let Some(links) = links {
            links.signal(Signalling {
                from: signal.from.unwrap(),
                from_device: signal.from_device,
                to: signal.to,
                to_device: signal.to_device,
                session: signal.session,
                signal: signal.signal,
            });
        }
    }
}

/// A device.
pub(crate) struct Device {
    pub(crate) me: Remote,
    pub(crate) links: Links,
    pub(crate) transfers: Transfers,
    pub(crate) told: Vec<FileStatus>,
    events: mpsc::Receiver<Event>,
    /// Devices that are linked.
    up: watch::Receiver<Vec<Remote>>,
    pump: JoinHandle<()>,
    home: Home,
}

/// What survives when the program ends.
struct Home {
    board: Switchboard,
    folder: TempDir,
    key: Arc<DeviceKey>,
    settings: Settings,
}

/// A device that asks before it takes a file.
pub(crate) async fn device(board: &Switchboard, name: &str) -> Device {
    Home::new(board, name, false).start().await
}

/// A device that takes whatever comes.
pub(crate) async fn taker(board: &Switchboard, name: &str) -> Device {
    Home::new(board, name, true).start().await
}

/// As before, with its downloads elsewhere.
pub(crate) async fn taker_at(board: &Switchboard, name: &str, downloads: &Path) -> Device {
    let mut home = Home::new(board, name, true);
    home.settings.downloads = downloads.to_owned();
    home.start().await
}

/// Alice, and Bob who takes whatever comes, linked.
pub(crate) async fn pair() -> (Device, Device) {
    let board = Switchboard::default();
    let (mut alice, mut bob) = (device(&board, "alice").await, taker(&board, "bob").await);
    connect(&mut alice, &mut bob).await;
    (alice, bob)
}

/// Alice, and Bob who is asked, linked.
pub(crate) async fn asking_pair() -> (Device, Device) {
    let board = Switchboard::default();
    let (mut alice, mut bob) = (device(&board, "alice").await, device(&board, "bob").await);
    connect(&mut alice, &mut bob).await;
    (alice, bob)
}

/// Waits until two devices are linked.
pub(crate) async fn connect(one: &mut Device, other: &mut Device) {
    one.links.connect(&other.me);
    other.links.connect(&one.me);
    one.linked(&other.me, true).await;
    other.linked(&one.me, true).await;
}

/// Cuts the link between two devices.
pub(crate) async fn cut(one: &mut Device, other: &mut Device) {
    one.links.forget(&other.me);
    other.links.forget(&one.me);
    one.linked(&other.me, false).await;
    other.linked(&one.me, false).await;
}

impl Home {
    fn new(board: &Switchboard, name: &str, takes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let last = Arc::new(AtomicI64::new(0));
        let settings = Settings {
            me: PeerId::parse(name).unwrap(),
            downloads: folder.path().join("downloads"),
            accept_files: takes,
            limits: Limits::default(),
            clock: Arc::new(move || stamp::wire(last.fetch_add(1, Ordering::Relaxed))),
        };
        Self { board: board.clone(), folder, key: Arc::new(DeviceKey::generate()), settings }
    }

    async fn start(self) -> Device {
        let me = Remote { peer: self.settings.me.clone(), device: self.key.device() };
        let (links, from_links) = Links::start(links::Settings {
            me: me.peer.clone(),
            key: Arc::clone(&self.key),
            ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port: 0,
            idle: Duration::from_secs(600),
            links_max: 64,
            relay_only: false,
            agent: "test".to_owned(),
        })
        .await
        .unwrap();
        let taken = Folder::take(&self.folder.path().join("data")).unwrap();
        let store = Store::open(&taken).unwrap();
        let (tell, events) = mpsc::channel(64);
        let transfers =
            Transfers::start(links.clone(), store, self.settings.clone(), tell).await.unwrap();
        self.board.0.lock().unwrap().insert(me.clone(), links.clone());
        let (ups, up) = watch::channel(Vec::new());
        let pump = pump(self.board.clone(), from_links, transfers.clone(), ups);
        let pump = tokio::spawn(pump);
        Device { me, links, transfers, told: Vec::new(), events, up, pump, home: self }
    }
}

async fn pump(
    board: Switchboard,
    mut events: mpsc::Receiver<LinkEvent>,
    transfers: Transfers,
    up: watch::Sender<Vec<Remote>>,
) {
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Signal(signal) => board.pass(signal),
            LinkEvent::Up { remote, way } => {
                transfers.up(&remote, way).await;
                up.send_modify(|up| up.push(remote));
            }
            LinkEvent::Way { remote, way } => transfers.way(&remote, way).await,
            LinkEvent::Down { remote } => {
                transfers.down(&remote).await;
                up.send_modify(|up| up.retain(|linked| *linked != remote));
            }
            LinkEvent::Frame { remote, frame } => transfers.frame(&remote, frame).await,
            LinkEvent::File { remote, file, channel } => {
                transfers.channel(&remote, file, channel).await;
            }
            LinkEvent::InVain { .. } | LinkEvent::Refused { .. } => (),
        }
    }
}

impl Device {
    pub(crate) fn peer(&self) -> &PeerId {
        &self.me.peer
    }

    async fn linked(&mut self, remote: &Remote, linked: bool) {
        let waiting = self.up.wait_for(|up| up.contains(remote) == linked);
        tokio::time::timeout(PATIENCE, waiting).await.expect("in time").expect("the engine runs");
    }

    /// The program ends, and is started again.
    pub(crate) async fn restart(self) -> Self {
        let Self { links, transfers, pump, home, .. } = self;
        transfers.close().await;
        links.close().await;
        pump.await.unwrap();
        drop(transfers);
        home.start().await
    }

    /// A file of so many bytes that differ everywhere.
    pub(crate) fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.home.folder.path().join(name);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ bytes as u64;
        let content: Vec<u8> = std::iter::repeat_with(|| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .flatten()
        .take(bytes)
        .collect();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn downloads(&self) -> &Path {
        &self.home.settings.downloads
    }

    /// What is in the downloads folder.
    pub(crate) fn received(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.downloads()) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) async fn send(&self, to: &Device, path: &Path) -> FileId {
        self.transfers.send_file(to.peer(), path).await.unwrap()
    }

    pub(crate) async fn next(&mut self) -> FileStatus {
        let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        match next.unwrap_or_else(|_| panic!("{}: silence; last {:?}", self.me, self.told.last())) {
            Some(Event::File(status)) => {
                self.told.push(status.clone());
                status
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a state of a file.
    pub(crate) async fn until(
        &mut self,
        file: FileId,
        fits: impl Fn(&FileState) -> bool,
    ) -> FileStatus {
        loop {
            let status = self.next().await;
            if status.id() == file && fits(&status.state) {
                return status;
            }
        }
    }

    pub(crate) async fn until_offered(&mut self) -> FileId {
        loop {
            let status = self.next().await;
            if status.direction == Direction::Incoming && status.state == FileState::Offered {
                return status.id();
            }
        }
    }

    /// Waits until a file is there, and gives its path on the receiver's side.
    pub(crate) async fn until_done(&mut self, file: FileId) -> Option<PathBuf> {
        let status = self.until(file, |state| matches!(state, FileState::Done { .. })).await;
        match status.state {
            FileState::Done { path } => path,
            _ => None,
        }
    }

    /// Waits until at least so many bytes are there, but not all; gives how many.
    pub(crate) async fn until_some(&mut self, file: FileId, bytes: usize) -> u64 {
        let enough = |state: &FileState| matches!(state, FileState::Running { done, .. } if *done >= bytes as u64);
        let state = self.until(file, |state| enough(state) || ended(state)).await.state;
        match state {
            event::FileState::Running { done, .. } => done,
            other => panic!("too fast: {other:?}"),
        }
    }
}

fn ended(state: &FileState) -> bool {
    !matches!(state, FileState::Offered | FileState::Running { .. } | FileState::Waiting { .. })
}

/// Two files are the same, bit for bit.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}

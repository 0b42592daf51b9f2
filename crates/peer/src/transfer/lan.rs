//! Devices with real disks and stores, and links between them that a test can cut: what the stories are told with.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::p2p::{CHUNK_BYTES, FileId, Frame};
use wire::{DeviceId, PeerId};

use super::carrier::{Carrier, Channel};
use super::desk::Limits;
use super::handle::{Settings, Transfers};
use crate::delivery::stamp;
use crate::event::{Direction, Event, FileState, FileStatus};
use crate::links::{FileMessage, NotLinked, Remote, Way};
use crate::store::{Folder, Store};

/// What a test waits for something at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that a channel holds.
const BUFFERED: usize = 16;

/// The links between all devices of a test.
#[derive(Clone, Default)]
pub(super) struct Lan(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    devices: HashMap<Remote, Transfers<Wire>>,
    /// Both directions of each link.
    links: HashMap<(Remote, Remote), Ends>,
    gate: Arc<Gate>,
}

#[derive(Clone, Default)]
struct Ends {
    /// Both devices have been told.
    up: CancellationToken,
    cut: CancellationToken,
}

/// Counts the bytes of files that pass, and lets no more through than it should.
struct Gate {
    passed: AtomicU64,
    limit: watch::Sender<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { passed: AtomicU64::new(0), limit: watch::Sender::new(u64::MAX) }
    }
}

impl Gate {
    async fn pass(&self, bytes: u64) {
        let after = self.passed.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // The gate outlives every channel.
        let _ = self.limit.subscribe().wait_for(|limit| after <= *limit).await;
    }
}

/// One device's view of it.
#[derive(Clone)]
pub(super) struct Wire {
    me: Remote,
    lan: Lan,
}

pub(super) struct Pipe {
    out: mpsc::Sender<FileMessage>,
    back: mpsc::Receiver<FileMessage>,
    cut: CancellationToken,
    gate: Arc<Gate>,
}

impl Channel for Pipe {
    async fn send(&mut self, message: FileMessage) -> Result<(), NotLinked> {
        let FileMessage::Data(mut bytes) = message else { return self.put(message).await };
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            self.put(FileMessage::Data(chunk)).await?;
        }
        Ok(())
    }

    async fn recv(&mut self) -> Option<FileMessage> {
        tokio::select! {
            biased;
            () = self.cut.cancelled() => None,
            message = self.back.recv() => message,
        }
    }
}

impl Pipe {
    async fn put(&self, message: FileMessage) -> Result<(), NotLinked> {
        let (gate, out) = (&self.gate, &self.out);
        let passing = async {
            if let FileMessage::Data(bytes) = &message {
                gate.pass(bytes.len() as u64).await;
            }
            out.send(message).await
        };
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Err(NotLinked),
            sent = passing => sent.map_err(|_| NotLinked),
        }
    }
}

impl Wire {
    /// The other end of a link, if it is up.
    async fn other(
        &self,
        remote: &Remote,
    ) -> Result<(Transfers<Wire>, CancellationToken), NotLinked> {
        let (other, Ends { up, cut }) = {
            let state = self.lan.0.lock().unwrap();
            let ends = state.links.get(&(self.me.clone(), remote.clone())).ok_or(NotLinked)?;
            (state.devices.get(remote).ok_or(NotLinked)?.clone(), ends.clone())
        };
        // What is sent over a link arrives after the word that it is up.
        up.cancelled().await;
        Ok((other, cut))
    }
}

impl Carrier for Wire {
    type Channel = Pipe;

    async fn send(&self, remote: &Remote, frame: &Frame) -> Result<(), NotLinked> {
        let (other, _) = self.other(remote).await?;
        other.frame(&self.me, frame.clone()).await;
        Ok(())
    }

    async fn open(&self, remote: &Remote, file: FileId) -> Result<Pipe, NotLinked> {
        let (other, cut) = self.other(remote).await?;
        let gate = Arc::clone(&self.lan.0.lock().unwrap().gate);
        let ((out, there), (back, here)) = (mpsc::channel(BUFFERED), mpsc::channel(BUFFERED));
        let theirs = Pipe { out: back, back: there, cut: cut.clone(), gate: Arc::clone(&gate) };
        other.channel(&self.me, file, theirs).await;
        Ok(Pipe { out, back: here, cut, gate })
    }
}

/// A device of a test.
pub(super) struct Device {
    pub(super) remote: Remote,
    pub(super) transfers: Transfers<Wire>,
    events: mpsc::Receiver<Event>,
    /// What was told so far.
    pub(super) told: Vec<FileStatus>,
    folder: tempfile::TempDir,
    settings: Settings,
    lan: Lan,
}

impl Lan {
    /// A device that asks before it takes a file.
    pub(super) async fn device(&self, peer: &str, n: u8) -> Device {
        self.start(peer, n, false, Limits::default()).await
    }

    /// A device that takes whatever comes.
    pub(super) async fn taker(&self, peer: &str, n: u8) -> Device {
        self.start(peer, n, true, Limits::default()).await
    }

    pub(super) async fn start(&self, peer: &str, n: u8, takes: bool, limits: Limits) -> Device {
        let me = PeerId::parse(peer).unwrap();
        let remote = Remote { peer: me.clone(), device: DeviceId::new([n; 16]) };
        let folder = tempfile::tempdir().unwrap();
        let downloads = folder.path().join("downloads");
        let last = Arc::new(AtomicI64::new(0));
        let clock = Arc::new(move || stamp::wire(last.fetch_add(1, Ordering::Relaxed)));
        let settings = Settings { me, downloads, accept_files: takes, limits, clock };
        let (transfers, events) = run(self, &remote, folder.path(), &settings).await;
        let lan = self.clone();
        Device { remote, transfers, events, told: Vec::new(), folder, settings, lan }
    }

    /// A link comes up.
    pub(super) async fn link(&self, one: &Device, other: &Device) {
        let ends = Ends::default();
        for (from, to) in [(one, other), (other, one)] {
            let key = (from.remote.clone(), to.remote.clone());
            self.0.lock().unwrap().links.insert(key, ends.clone());
        }
        one.transfers.up(&other.remote, Way::Direct).await;
        other.transfers.up(&one.remote, Way::Direct).await;
        ends.up.cancel();
    }

    /// A link goes, with all that is on its way.
    pub(super) async fn cut(&self, one: &Device, other: &Device) {
        for (from, to) in [(one, other), (other, one)] {
            let key = (from.remote.clone(), to.remote.clone());
            let ends = self.0.lock().unwrap().links.remove(&key);
            ends.iter().for_each(|ends| ends.cut.cancel());
        }
        one.transfers.down(&other.remote).await;
        other.transfers.down(&one.remote).await;
    }

    /// Lets so many bytes of files pass, and then no more.
    pub(super) fn stop_at(&self, bytes: u64) {
        self.0.lock().unwrap().gate.limit.send_replace(bytes);
    }

    /// Lets everything pass from now on.
    pub(super) fn go_on(&self) {
        self.stop_at(u64::MAX);
    }

    /// Waits until so many bytes have passed, or want to; or `enough`.
    pub(super) async fn reached(&self, bytes: u64, enough: impl Fn() -> bool) {
        let waiting = async {
            while self.passed() < bytes && !enough() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("nothing moves");
    }

    /// Bytes of files that have passed so far.
    pub(super) fn passed(&self) -> u64 {
        self.0.lock().unwrap().gate.passed.load(Ordering::Relaxed)
    }
}

async fn run(
    lan: &Lan,
    remote: &Remote,
    folder: &Path,
    settings: &Settings,
) -> (Transfers<Wire>, mpsc::Receiver<Event>) {
    let store = loop {
        // The one before lets go of the folder when its last job is done.
        match Folder::take(folder) {
            Ok(folder) => break Store::open(&folder).unwrap(),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let (tell, events) = mpsc::channel(64);
    let wire = Wire { me: remote.clone(), lan: lan.clone() };
    let transfers = Transfers::start(wire, store, settings.clone(), tell).await.unwrap();
    lan.0.lock().unwrap().devices.insert(remote.clone(), transfers.clone());
    (transfers, events)
}

impl Device {
    pub(super) fn peer(&self) -> &PeerId {
        &self.remote.peer
    }

    pub(super) fn downloads(&self) -> &Path {
        &self.settings.downloads
    }

    /// A file of so many bytes that differ from those of any other.
    pub(super) fn file(&self, name: &str, size: usize) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut state = name.bytes().fold(size as u64 | 1, |state, byte| {
            state.wrapping_mul(31).wrapping_add(u64::from(byte)) | 1
        });
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) async fn send(&self, to: &Device, path: &Path) -> FileId {
        self.transfers.send_file(to.peer(), path).await.unwrap()
    }

    /// What is in the downloads folder.
    pub(super) fn received(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.downloads()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Waits for a state of a file.
    pub(super) async fn until(
        &mut self,
        file: FileId,
        fits: impl Fn(&FileState) -> bool,
    ) -> FileStatus {
        let waiting = async {
            while let Some(event) = self.events.recv().await {
                let Event::File(status) = event else { continue };
                self.told.push(status.clone());
                if status.id() == file && fits(&status.state) {
                    return status;
                }
            }
            panic!("{}: no more events", self.remote.peer);
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("{}: not told in time: {:#?}", self.remote.peer, self.states()),
        }
    }

    /// How all files stand.
    fn states(&self) -> Vec<(String, FileState)> {
        let named = |status: FileStatus| (status.offer.name, status.state);
        self.transfers.list().into_iter().map(named).collect()
    }

    /// Whether it was told that a file is through.
    pub(super) fn was_told_done(&self, file: FileId) -> bool {
        let done = |status: &FileStatus| matches!(status.state, FileState::Done { .. });
        self.told.iter().any(|status| status.id() == file && done(status))
    }

    pub(super) async fn until_done(&mut self, file: FileId) -> PathBuf {
        let status = self.until(file, |state| matches!(state, FileState::Done { .. })).await;
        match status.state {
            FileState::Done { path } => path.unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn until_offered(&mut self) -> FileStatus {
        let waiting = async {
            loop {
                let Some(Event::File(status)) = self.events.recv().await else { continue };
                self.told.push(status.clone());
                let incoming = status.direction == Direction::Incoming;
                if incoming && status.state == FileState::Offered {
                    return status;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no offer in time")
    }

    /// Waits until some of a file, but at least so many bytes, are there.
    pub(super) async fn until_some(&mut self, file: FileId, bytes: u64) {
        self.until(
            file,
            |state| matches!(state, FileState::Running { done, .. } if *done >= bytes),
        )
        .await;
    }

    /// The program ends (its links must be cut), and is started again.
    pub(super) async fn restart(self) -> Self {
        let Self { remote, transfers, folder, settings, lan, .. } = self;
        lan.0.lock().unwrap().devices.remove(&remote);
        transfers.close().await;
        drop(transfers);
        let (transfers, events) = run(&lan, &remote, folder.path(), &settings).await;
        Self { remote, transfers, events, told: Vec::new(), folder, settings, lan }
    }
}

/// Two files are the same, bit for bit.
pub(super) fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}

//! Devices whose signals are carried between them within the test.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer::identity::DeviceKey;
use peer::links::{FileChannel, LinkEvent, Links, Remote, Settings, Way};
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::p2p::{FileId, Frame};
use wire::signal::{SendSignal, Signalling};
use wire::{MessageId, PeerId};

/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a device is set up, when a test is about that.
pub(crate) fn settings(name: &str) -> Settings {
    Settings {
        me: PeerId::parse(name).unwrap(),
        key: Arc::new(DeviceKey::generate()),
        ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port: 0,
        idle: Duration::from_secs(600),
        links_max: 64,
        relay_only: false,
        agent: "test".to_owned(),
    }
}

/// The tracker's part: signals go to the device that they name.
#[derive(Clone, Default)]
pub(crate) struct Switchboard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    devices: Mutex<Vec<(Remote, Links)>>,
    /// Signals are lost while this is set.
    cut: AtomicBool,
    change: Mutex<Option<Change>>,
    taps: Mutex<Vec<(Remote, mpsc::UnboundedSender<Signalling>)>>,
    passed: Mutex<Vec<Signalling>>,
}

/// What is done to signals on their way.
pub(crate) type Change = Box<dyn FnMut(&mut Signalling) + Send>;

impl Switchboard {
    /// A new device that is connected to it.
    pub(crate) async fn device(&self, name: &str) -> Device {
        self.device_with(settings(name)).await
    }

    pub(crate) async fn device_with(&self, settings: Settings) -> Device {
        let me = Remote { peer: settings.me.clone(), device: settings.key.device() };
        let (links, mut events) = Links::start(settings).await.unwrap();
        self.0.devices.lock().unwrap().push((me.clone(), links.clone()));
        let (outlet, told) = mpsc::unbounded_channel();
        let board = self.clone();
        let ears = Arc::new(tokio::sync::Mutex::new(()));
        let open = Arc::clone(&ears);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let _open = open.lock().await;
                match event {
                    LinkEvent::Signal(signal) => board.pass(signal),
                    event => drop(outlet.send(event)),
                }
            }
        });
        Device { me, links, ears, told, passed: VecDeque::new() }
    }

    /// Forgets a device: nothing reaches it any more.
    pub(crate) fn remove(&self, device: &Remote) {
        self.0.devices.lock().unwrap().retain(|(remote, _)| remote != device);
    }

    /// Gets the signals for somebody who is no engine.
    pub(crate) fn tap(&self, remote: &Remote) -> mpsc::UnboundedReceiver<Signalling> {
        let (outlet, signals) = mpsc::unbounded_channel();
        self.0.taps.lock().unwrap().push((remote.clone(), outlet));
        signals
    }

    /// Whether signals are lost.
    pub(crate) fn cut(&self, cut: bool) {
        self.0.cut.store(cut, Ordering::Relaxed);
    }

    /// Does something to each signal.
    pub(crate) fn change(&self, change: impl FnMut(&mut Signalling) + Send + 'static) {
        *self.0.change.lock().unwrap() = Some(Box::new(change));
    }

    /// The signals so far.
    pub(crate) fn passed(&self) -> Vec<Signalling> {
        self.0.passed.lock().unwrap().clone()
    }

    fn pass(&self, signal: SendSignal) {
        self.put(Signalling {
            from: signal.from.unwrap(),
            from_device: signal.from_device,
            to: signal.to,
            to_device: signal.to_device,
            session: signal.session,
            signal: signal.signal,
        });
    }

    /// Passes a signal on.
    pub(crate) fn put(&self, mut signal: Signalling) {
        if let Some(change) = &mut *self.0.change.lock().unwrap() {
            change(&mut signal);
        }
        self.0.passed.lock().unwrap().push(signal.clone());
        if self.0.cut.load(Ordering::Relaxed) {
            return;
        }
        let to = Remote { peer: signal.to.clone(), device: signal.to_device };
        for (remote, outlet) in &*self.0.taps.lock().unwrap() {
            if *remote == to {
                let _ = outlet.send(signal.clone());
            }
        }
        for (remote, links) in &*self.0.devices.lock().unwrap() {
            if *remote == to {
                links.signal(signal.clone());
            }
        }
    }
}

/// A device.
pub(crate) struct Device {
    pub(crate) me: Remote,
    pub(crate) links: Links,
    /// While this is held, its owner takes nothing.
    pub(crate) ears: Arc<tokio::sync::Mutex<()>>,
    told: mpsc::UnboundedReceiver<LinkEvent>,
    /// What was told while something else was waited for.
    passed: VecDeque<LinkEvent>,
}

impl Device {
    /// Waits for what a test looks for among the events; the others can be waited for later.
    pub(crate) async fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&LinkEvent) -> Option<T>,
    ) -> T {
        let mut seen = 0;
        let search = async {
            loop {
                while let Some(event) = self.passed.get(seen) {
                    if let Some(found) = look(event) {
                        self.passed.remove(seen);
                        return found;
                    }
                    seen += 1;
                }
                let event = self.told.recv().await.expect("the engine runs");
                self.passed.push_back(event);
            }
        };
        let found = timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("{}: no {what}, but {:?}", self.me, self.passed))
    }

    /// The port that it tells others.
    pub(crate) fn port(&self) -> Option<u16> {
        Some(self.links.addresses().first()?.port())
    }

    pub(crate) async fn up(&mut self, with: &Remote) -> Way {
        self.wait("link", |event| match event {
            LinkEvent::Up { remote, way } if remote == with => Some(*way),
            _ => None,
        })
        .await
    }

    pub(crate) async fn down(&mut self, with: &Remote) {
        self.wait("end", |event| {
            matches!(event, LinkEvent::Down { remote } if remote == with).then_some(())
        })
        .await;
    }

    /// Waits until a link to a device was tried in vain.
    pub(crate) async fn in_vain(&mut self, with: &Remote) {
        self.wait("attempt", |event| {
            matches!(event, LinkEvent::InVain { remote } if remote == with).then_some(())
        })
        .await;
    }

    pub(crate) async fn refused(&mut self) -> String {
        self.wait("refusal", |event| match event {
            LinkEvent::Refused { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        self.wait("frame", |event| match event {
            LinkEvent::Frame { frame, .. } => Some(frame.clone()),
            _ => None,
        })
        .await
    }

    /// The next file's channel.
    pub(crate) async fn file(&mut self) -> (FileId, FileChannel) {
        let search = async {
            loop {
                match self.told.recv().await.expect("the engine runs") {
                    LinkEvent::File { file, channel, .. } => return (file, channel),
                    event => self.passed.push_back(event),
                }
            }
        };
        timeout(PATIENCE, search).await.expect("a file's channel")
    }

    /// Whether nothing has been told so far but what was waited for, and that links did not come up.
    pub(crate) fn quiet(&mut self) -> bool {
        while let Ok(event) = self.told.try_recv() {
            self.passed.push_back(event);
        }
        self.passed.iter().all(|event| matches!(event, LinkEvent::InVain { .. }))
    }
}

/// Two devices with a link: Alice offers.
pub(crate) async fn linked(board: &Switchboard) -> (Device, Device) {
    let (mut alice, mut bob) = (board.device("alice").await, board.device("bob").await);
    alice.links.connect(&bob.me);
    assert_eq!((alice.up(&bob.me).await, bob.up(&alice.me).await), (Way::Direct, Way::Direct));
    (alice, bob)
}

/// A direct message.
pub(crate) fn text(id: u32, message: &str) -> Frame {
    Frame::Text {
        id: MessageId::try_from(id.to_string()).unwrap(),
        to: PeerId::parse("bob").unwrap(),
        message: message.to_owned(),
        timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
    }
}

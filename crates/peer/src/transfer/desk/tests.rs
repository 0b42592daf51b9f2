//! What the desk decides, one rule after another.

mod ins;
mod noise;
mod outs;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use wire::p2p::{CancelReason, DeclineReason, FileId, FileOffer, Frame};
use wire::{DeviceId, PeerId};

use super::{Action, Desk, Key, Limits, Run};
use crate::event::FileState;
use crate::links::{Remote, Way};
use crate::transfer::digests::Digests;
use crate::transfer::source::Stamp;

/// A desk, and what it wants done.
struct Table {
    desk: Desk,
    now: Instant,
    /// Frames that it wants sent, and not looked at yet.
    said: Vec<(Remote, Frame)>,
    /// Runs that it wants started, and places that it wants prepared.
    started: Vec<(Run, Key)>,
    stopped: Vec<Run>,
    discarded: Vec<PathBuf>,
}

fn remote(peer: &str, n: u8) -> Remote {
    Remote { peer: PeerId::parse(peer).unwrap(), device: DeviceId::new([n; 16]) }
}

fn bob() -> Remote {
    remote("bob", 1)
}

fn id(n: u8) -> FileId {
    FileId::new([n; 16])
}

fn offer(to: &str, n: u8) -> FileOffer {
    FileOffer {
        file: id(n),
        to: PeerId::parse(to).unwrap(),
        name: format!("{n}.bin"),
        size: 100,
        mime: String::new(),
        timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
    }
}

fn over(n: u8, reason: CancelReason) -> Frame {
    Frame::FileCancel { file: id(n), reason }
}

fn declined(n: u8, reason: DeclineReason) -> Frame {
    Frame::FileDecline { file: id(n), reason }
}

fn accepted(n: u8) -> Frame {
    Frame::FileAccept { file: id(n), from: 0 }
}

/// Alice's desk.
fn table() -> Table {
    table_of(false)
}

fn table_of(takes: bool) -> Table {
    let desk = Desk::new(PeerId::parse("alice").unwrap(), takes, Limits::default());
    Table {
        desk,
        now: Instant::now(),
        said: Vec::new(),
        started: Vec::new(),
        stopped: Vec::new(),
        discarded: Vec::new(),
    }
}

impl Table {
    fn perform(&mut self) {
        for action in self.desk.actions() {
            match action {
                Action::Send(remote, frame) => self.said.push((remote, frame)),
                Action::Start(start) => self.started.push((start.run, start.key)),
                Action::Prepare(prepare) => self.started.push((prepare.run, prepare.key)),
                Action::Stop(run) => self.stopped.push(run),
                Action::Discard(part) => self.discarded.push(part),
                Action::Look(_) | Action::Keep(_) | Action::Forget(..) => (),
            }
        }
    }

    fn up(&mut self, remote: &Remote) {
        self.desk.up(self.now, remote, Way::Direct);
        self.perform();
    }

    fn down(&mut self, remote: &Remote) {
        self.desk.down(self.now, remote);
        self.perform();
    }

    fn hear(&mut self, remote: &Remote, frame: Frame) {
        self.desk.frame(self.now, remote, frame);
        self.perform();
    }

    fn send(&mut self, n: u8) {
        let stamp = Stamp { size: 100, modified: 0 };
        self.desk.send(self.now, offer("bob", n), "/file".into(), stamp).unwrap();
        self.perform();
    }

    /// Bob offers, and the person accepts.
    fn accept(&mut self, n: u8) {
        self.hear(&bob(), Frame::FileOffer(offer("alice", n)));
        self.desk.accept(&bob().peer, id(n)).unwrap();
        self.perform();
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.desk.tick(self.now);
        self.perform();
    }

    /// What was said since it was last asked.
    fn said(&mut self) -> Vec<Frame> {
        self.said.drain(..).map(|(_, frame)| frame).collect()
    }

    fn offered(&mut self) -> Vec<FileId> {
        let file = |frame| match frame {
            Frame::FileOffer(offer) => Some(offer.file),
            _ => None,
        };
        self.said().into_iter().filter_map(file).collect()
    }

    fn started(&mut self) -> Vec<(Run, Key)> {
        std::mem::take(&mut self.started)
    }

    fn prepare(&mut self, run: Run, key: &Key) {
        let place = Ok((PathBuf::from("/part"), &Digests::default()));
        self.desk.prepared(self.now, run, key, place);
        self.perform();
    }

    /// A file of Bob's that was accepted: it has its place and its channel, and begins to come.
    fn receiving(&mut self, n: u8) -> (Run, Key) {
        self.accept(n);
        let (run, key) = self.started().pop().unwrap();
        self.prepare(run, &key);
        self.desk.channel(self.now, &bob(), id(n));
        (run, key)
    }

    fn state(&self, n: u8) -> FileState {
        let list = self.desk.list();
        list.into_iter().find(|status| status.id() == id(n)).expect("no such file").state
    }

    fn news(&mut self) -> usize {
        std::iter::from_fn(|| self.desk.news()).count()
    }
}

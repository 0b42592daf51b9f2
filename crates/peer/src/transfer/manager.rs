//! The task that owns all transfers: hands the desk what happened, and has done what it decides. It never waits for a link,
//! a disk or the owner: each of them has a task of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::PeerId;
use wire::p2p::{FileId, FileOffer, Frame};

use super::carrier::Carrier;
use super::clerk::{self, Entry};
use super::desk::{Action, Desk, Id, Look, Refusal, Run, Side, Verdict};
use super::digests::Digests;
use super::handle::TransferError;
use super::outgoing::Known;
use super::post::Post;
use super::receive::Received;
use super::runs;
use super::send::Sent;
use super::source::Stamp;
use super::target::{Target, TargetError, discard};
use crate::event::Event;
use crate::links::{Remote, Way};
use crate::store::Store;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(200);
/// Reports of tasks that may wait.
const REPORTS: usize = 64;

/// What comes to the task.
pub enum Input<Channel> {
    /// The person offers a file.
    Send {
        /// What is offered, if it is new.
        offer: FileOffer,
        /// Where it is.
        path: PathBuf,
        /// What makes it this file.
        stamp: Stamp,
        /// Once it is kept.
        reply: oneshot::Sender<Result<(), TransferError>>,
    },
    /// The person accepts.
    Accept(PeerId, FileId, oneshot::Sender<Result<(), Refusal>>),
    /// The person declines.
    Decline(PeerId, FileId, oneshot::Sender<Result<(), Refusal>>),
    /// The person stops it.
    Cancel(PeerId, FileId, oneshot::Sender<Result<(), Refusal>>),
    /// A link is up.
    Up(Remote, Way),
    /// A link goes another way.
    Way(Remote, Way),
    /// A link is gone.
    Down(Remote),
    /// A frame arrived.
    Frame(Remote, Frame),
    /// A channel was opened from elsewhere.
    Channel(Remote, FileId, Channel),
}

/// What tasks tell when they are done.
pub(super) enum Report {
    /// A file's channel to elsewhere has ended.
    Sent(Run, Sent, Known),
    /// A file's channel from elsewhere has ended.
    Received(Run, Received, Option<(PathBuf, u64)>),
    /// A place on disk was found, or not.
    Prepared(Run, Id, Result<(Target, Digests), TargetError>),
    /// It was looked for a received file.
    Looked(Look, bool),
    /// The end of a file that was here already was heard, or not.
    Confirmed(Run, Result<(), Received>),
}

/// A task with a channel.
struct Running {
    id: Id,
    done: Arc<AtomicU64>,
    stop: CancellationToken,
}

/// The task.
pub(super) struct Manager<C: Carrier> {
    links: C,
    desk: Arc<Mutex<Desk>>,
    downloads: Arc<Path>,
    events: mpsc::Sender<Event>,
    post: Post<C>,
    clerk: mpsc::Sender<Entry>,
    /// Places on disk whose channel hasn't come yet.
    places: HashMap<Run, (Target, Digests)>,
    running: HashMap<Run, Running>,
    reports: mpsc::Sender<Report>,
    reported: mpsc::Receiver<Report>,
    /// Reports that are still to come.
    expected: usize,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<C: Carrier> Manager<C> {
    pub(super) fn new(
        links: C,
        store: Store,
        desk: Arc<Mutex<Desk>>,
        downloads: Arc<Path>,
        events: mpsc::Sender<Event>,
        (stop, tasks): (CancellationToken, TaskTracker),
    ) -> Self {
        let (reports, reported) = mpsc::channel(REPORTS);
        Self {
            post: Post::new(links.clone(), tasks.clone()),
            clerk: clerk::start(store, &tasks),
            links,
            desk,
            downloads,
            events,
            places: HashMap::new(),
            running: HashMap::new(),
            reports,
            reported,
            expected: 0,
            stop,
            tasks,
        }
    }

    /// Runs until it is stopped, or nobody can ask for anything any more.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input<C::Channel>>) {
        let stop = self.stop.clone();
        let mut progress = tokio::time::interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = self.events.clone();
        let mut deaf = false;
        self.perform().await;
        loop {
            let (deadline, news) = {
                let desk = self.desk();
                (desk.deadline(), desk.has_news())
            };
            tokio::select! {
                () = stop.cancelled() => break,
                input = inputs.recv() => match input {
                    Some(input) => self.input(input).await,
                    None => break,
                },
                Some(report) = self.reported.recv() => self.report(report),
                permit = events.reserve(), if news && !deaf => {
                    let news = self.desk().news();
                    match (permit, news) {
                        (Ok(permit), Some(news)) => permit.send(Event::File(news)),
                        (Ok(_), None) => (),
                        (Err(_), _) => deaf = true,
                    }
                }
                _ = progress.tick(), if !self.running.is_empty() => self.progress(),
                () = until(deadline), if deadline.is_some() => self.desk().tick(Instant::now()),
            }
            self.perform().await;
            if deaf {
                while self.desk().news().is_some() {}
            }
        }
        stop.cancel();
        self.tasks.close();
        self.wind_up().await;
    }

    /// Waits for tasks that have been stopped: what they leave behind is kept, or removed.
    async fn wind_up(&mut self) {
        while self.expected > 0 {
            let Some(report) = self.reported.recv().await else { return };
            self.report(report);
            let actions = self.desk().actions();
            for action in actions {
                if matches!(action, Action::Discard(_) | Action::Keep(_) | Action::Forget(..)) {
                    self.act(action).await;
                }
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every step leaves it whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn input(&mut self, input: Input<C::Channel>) {
        let now = Instant::now();
        match input {
            Input::Send { offer, path, stamp, reply } => {
                let limit = {
                    let mut desk = self.desk();
                    desk.send(now, offer, path, stamp).err().map(|_| desk.limits().outgoing)
                };
                self.perform().await;
                let _ = match limit {
                    Some(limit) => reply.send(Err(TransferError::TooMany(limit))).map_err(drop),
                    None => self.clerk.send(Entry::Settle(reply)).await.map_err(drop),
                };
            }
            Input::Accept(from, file, reply) => {
                let _ = reply.send(self.desk().accept(&from, file));
            }
            Input::Decline(from, file, reply) => {
                let _ = reply.send(self.desk().decline(&from, file));
            }
            Input::Cancel(with, file, reply) => {
                let _ = reply.send(self.desk().cancel(now, &with, file));
            }
            Input::Up(remote, way) => self.desk().up(now, &remote, way),
            Input::Way(remote, way) => self.desk().way(&remote, way),
            Input::Down(remote) => {
                self.desk().down(now, &remote);
                self.post.close(&remote);
            }
            Input::Frame(remote, frame) => self.desk().frame(now, &remote, frame),
            Input::Channel(remote, file, channel) => self.channel(now, &remote, file, channel),
        }
    }

    fn report(&mut self, report: Report) {
        self.expected -= 1;
        let now = Instant::now();
        match report {
            Report::Sent(run, outcome, known) => {
                if let Some(id) = self.over(now, run) {
                    self.desk().sent(now, run, &id.key, outcome, known);
                }
            }
            Report::Received(run, outcome, left) => {
                if let Some(id) = self.over(now, run) {
                    self.desk().received(run, &id.key, outcome, left);
                }
            }
            Report::Confirmed(run, outcome) => {
                if let Some(id) = self.over(now, run) {
                    self.desk().confirmed(run, &id.key, outcome);
                }
            }
            Report::Prepared(run, id, Ok((target, digests))) => {
                let found = Ok((target.part().to_owned(), &digests));
                self.desk().prepared(now, run, &id.key, found);
                self.places.insert(run, (target, digests));
            }
            Report::Prepared(run, id, Err(error)) => {
                self.desk().prepared(now, run, &id.key, Err(error));
            }
            Report::Looked(look, there) => self.desk().looked(look, there),
        }
    }

    /// A task with a channel is over: what it had got so far counts.
    fn over(&mut self, now: Instant, run: Run) -> Option<Id> {
        let running = self.running.remove(&run)?;
        let done = running.done.load(Ordering::Relaxed);
        self.desk().progress(now, run, &running.id, done);
        Some(running.id)
    }

    fn progress(&mut self) {
        let now = Instant::now();
        let mut desk = self.desk();
        for (run, running) in &self.running {
            desk.progress(now, *run, &running.id, running.done.load(Ordering::Relaxed));
        }
    }

    /// Has done what the desk decided.
    async fn perform(&mut self) {
        loop {
            let actions = self.desk().actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.act(action).await;
            }
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Send(remote, frame) => self.post.send(&remote, frame),
            Action::Start(start) => {
                let id = Id { side: Side::Out, key: start.key.clone() };
                let (done, stop) = self.begin(start.run, id);
                let (links, reports) = (self.links.clone(), self.reports.clone());
                self.tasks.spawn(runs::send_file(links, start, done, stop, reports));
            }
            Action::Prepare(prepare) => {
                self.expected += 1;
                let (folder, reports) = (Arc::clone(&self.downloads), self.reports.clone());
                self.tasks.spawn_blocking(move || {
                    let id = Id { side: Side::In, key: prepare.key.clone() };
                    let (run, place) = (prepare.run, runs::prepare(&folder, prepare));
                    let _ = reports.blocking_send(Report::Prepared(run, id, place));
                });
            }
            Action::Look(look) => {
                self.expected += 1;
                let reports = self.reports.clone();
                self.tasks.spawn_blocking(move || {
                    let there = runs::is_there(&look);
                    let _ = reports.blocking_send(Report::Looked(look, there));
                });
            }
            Action::Stop(run) => {
                self.places.remove(&run);
                if let Some(running) = self.running.get(&run) {
                    running.stop.cancel();
                }
            }
            Action::Discard(part) => {
                self.tasks.spawn_blocking(move || discard(&part));
            }
            Action::Keep(kept) => self.write(Entry::Keep(Box::new(kept))).await,
            Action::Forget(id, peer) => {
                self.write(Entry::Forget(id.side.into(), peer, id.key.file)).await;
            }
        }
    }

    async fn write(&self, entry: Entry) {
        // It ends only after this task.
        let _ = self.clerk.send(entry).await;
    }

    fn begin(&mut self, run: Run, id: Id) -> (Arc<AtomicU64>, CancellationToken) {
        let (done, stop) = (Arc::new(AtomicU64::new(0)), self.stop.child_token());
        let running = Running { id, done: Arc::clone(&done), stop: stop.clone() };
        self.running.insert(run, running);
        self.expected += 1;
        (done, stop)
    }

    fn channel(&mut self, now: Instant, remote: &Remote, file: FileId, channel: C::Channel) {
        let verdict = self.desk().channel(now, remote, file);
        let reports = self.reports.clone();
        match verdict {
            Verdict::Close => (),
            Verdict::Receive(run, key, size) => {
                let Some(place) = self.places.remove(&run) else { return };
                let (done, stop) = self.begin(run, Id { side: Side::In, key });
                self.tasks
                    .spawn(runs::receive_file(run, channel, place, size, done, stop, reports));
            }
            Verdict::Confirm(run, key, size, total) => {
                let (_, stop) = self.begin(run, Id { side: Side::In, key });
                self.tasks.spawn(runs::confirm_file(run, channel, size, total, stop, reports));
            }
        }
    }
}

/// Waits until then; for ever without a time.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

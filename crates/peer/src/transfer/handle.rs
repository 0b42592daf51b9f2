//! The front of all transfers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::PeerId;
use wire::p2p::{FileId, FileOffer, Frame};

use super::carrier::Carrier;
use super::desk::{Desk, Limits, Refusal};
use super::digests::file_id;
use super::manager::{Input, Manager};
use super::source::{Stamp, inspect};
use super::{folder, restore};
use crate::event::{Event, FileStatus};
use crate::links::{Links, Remote, Way};
use crate::store::Store;

/// Inputs that may wait for the task; whoever has more waits.
const INPUTS: usize = 256;

/// How transfers are set up.
#[derive(Clone)]
pub struct Settings {
    /// As whom.
    pub me: PeerId,
    /// Where received files go. The folder is made (mode 0700) when the first one is accepted.
    pub downloads: PathBuf,
    /// Whether an offer is accepted without asking.
    pub accept_files: bool,
    /// How much there may be at once.
    pub limits: Limits,
    /// Gives the time of this device's next message, as it goes on the wire, and never the same one twice.
    pub clock: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Why a transfer could not be started, answered or stopped.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a device, or a name that is no text.
    #[error("{path} can't be sent: {why}")]
    NotSendable {
        /// Its path.
        path: String,
        /// Why, in words.
        why: &'static str,
    },
    /// There is no such offer, or no such transfer.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// More files wait to be sent than may.
    #[error("too many files wait to be sent already ({0})")]
    TooMany(usize),
    /// The downloads folder has no room for the file.
    #[error(
        "{folder} has no room: {} MB are free, {} MB are needed",
        .free / 1_000_000,
        .needed.div_ceil(1_000_000)
    )]
    NoRoom {
        /// The downloads folder.
        folder: String,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed, for files that were accepted before as well.
        needed: u64,
    },
    /// The database could not keep it.
    #[error("{0}")]
    Store(String),
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
}

/// All transfers of this device. Cheap to clone. They end with [`Self::close`], or when the last clone is gone.
pub struct Transfers<C: Carrier = Links> {
    me: PeerId,
    downloads: Arc<Path>,
    clock: Arc<dyn Fn() -> String + Send + Sync>,
    limits: Limits,
    // A std lock: it is held for one question or one step of the task, never over an await.
    desk: Arc<Mutex<Desk>>,
    inputs: mpsc::Sender<Input<C::Channel>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<C: Carrier> Clone for Transfers<C> {
    fn clone(&self) -> Self {
        Self {
            me: self.me.clone(),
            downloads: Arc::clone(&self.downloads),
            clock: Arc::clone(&self.clock),
            limits: self.limits,
            desk: Arc::clone(&self.desk),
            inputs: self.inputs.clone(),
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

impl<C: Carrier> Transfers<C> {
    /// Starts, and goes on with what an earlier run left unfinished, as links come up. Every change is told as
    /// [`Event::File`]; progress at most five times a second for each file. An owner that doesn't read its events holds
    /// nothing up: it hears the newest state of each file once it does.
    ///
    /// # Errors
    /// [`TransferError::Store`] when the database can't be read.
    pub async fn start(
        links: C,
        store: Store,
        settings: Settings,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, TransferError> {
        let Settings { me, downloads, accept_files, limits, clock } = settings;
        let mut desk = Desk::new(me.clone(), accept_files, limits);
        restore::restore(&store, &mut desk).await?;
        let desk = Arc::new(Mutex::new(desk));
        let downloads: Arc<Path> = downloads.into();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (inputs, waiting) = mpsc::channel(INPUTS);
        let manager = Manager::new(
            links,
            store,
            Arc::clone(&desk),
            Arc::clone(&downloads),
            events,
            (stop.clone(), tasks.clone()),
        );
        tasks.spawn(manager.run(waiting));
        Ok(Self { me, downloads, clock, limits, desk, inputs, stop, tasks })
    }

    /// Offers a file to every device of a peer that is linked, now or later. The same file again (its name, its size, its time
    /// of change) goes on where it stopped.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn send_file(&self, to: &PeerId, path: &Path) -> Result<FileId, TransferError> {
        let (name, stamp, path) = facts(path.to_owned()).await?;
        let file = file_id(to, &name, stamp.size, stamp.modified);
        let offer = FileOffer {
            file,
            to: to.clone(),
            name,
            size: stamp.size,
            mime: String::new(),
            timestamp: (self.clock)(),
        };
        let (reply, answer) = oneshot::channel();
        self.input(Input::Send { offer, path, stamp, reply }).await?;
        answer.await.map_err(|_| TransferError::Closed)?.map(|()| file)
    }

    /// Accepts an offered file. One that was accepted already is no error.
    ///
    /// # Errors
    /// [`TransferError::Unknown`], or [`TransferError::NoRoom`]: then the offer stays as it is.
    pub async fn accept(&self, from: &PeerId, file: FileId) -> Result<(), TransferError> {
        let needed = self.desk().needed(from, file).map_err(|_| TransferError::Unknown("offer"))?;
        let folder = Arc::clone(&self.downloads);
        let free = tokio::task::spawn_blocking(move || folder::room(&folder));
        match free.await.map_err(|_| TransferError::Closed)? {
            Ok(free) if free < needed => {
                let folder = self.downloads.display().to_string();
                return Err(TransferError::NoRoom { folder, free, needed });
            }
            // A folder that can't be asked may be written to all the same.
            _ => (),
        }
        self.ask("offer", |reply| Input::Accept(from.clone(), file, reply)).await
    }

    /// Declines an offered file.
    ///
    /// # Errors
    /// [`TransferError::Unknown`].
    pub async fn decline(&self, from: &PeerId, file: FileId) -> Result<(), TransferError> {
        self.ask("offer", |reply| Input::Decline(from.clone(), file, reply)).await
    }

    /// Stops a transfer in whichever direction, on both sides, and removes a partial file.
    ///
    /// # Errors
    /// [`TransferError::Unknown`].
    pub async fn cancel(&self, with: &PeerId, file: FileId) -> Result<(), TransferError> {
        self.ask("transfer", |reply| Input::Cancel(with.clone(), file, reply)).await
    }

    async fn ask(
        &self,
        what: &'static str,
        input: impl FnOnce(oneshot::Sender<Result<(), Refusal>>) -> Input<C::Channel>,
    ) -> Result<(), TransferError> {
        let (reply, answer) = oneshot::channel();
        self.input(input(reply)).await?;
        let answer = answer.await.map_err(|_| TransferError::Closed)?;
        answer.map_err(|refusal| match refusal {
            Refusal::Unknown => TransferError::Unknown(what),
            Refusal::TooMany => TransferError::TooMany(self.limits.outgoing),
        })
    }

    async fn input(&self, input: Input<C::Channel>) -> Result<(), TransferError> {
        self.inputs.send(input).await.map_err(|_| TransferError::Closed)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every step leaves it whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transfers of this run, and those that wait to go on; the oldest first. Of those that are over, the newest
    /// [`Limits::remembered`].
    pub fn list(&self) -> Vec<FileStatus> {
        self.desk().list()
    }

    /// Whether something waits for a link to this peer: then its live devices should be connected.
    pub fn wants(&self, peer: &PeerId) -> bool {
        self.desk().wants(peer)
    }

    /// The peers to whom something waits for a link.
    pub fn wanted(&self) -> Vec<PeerId> {
        self.desk().wanted()
    }

    /// A link came up (`LinkEvent::Up`).
    pub async fn up(&self, remote: &Remote, way: Way) {
        let _ = self.input(Input::Up(remote.clone(), way)).await;
    }

    /// A link goes another way now (`LinkEvent::Way`).
    pub async fn way(&self, remote: &Remote, way: Way) {
        let _ = self.input(Input::Way(remote.clone(), way)).await;
    }

    /// A link is gone (`LinkEvent::Down`).
    pub async fn down(&self, remote: &Remote) {
        let _ = self.input(Input::Down(remote.clone())).await;
    }

    /// A frame about a file arrived (`file_*`). Others are ignored.
    pub async fn frame(&self, remote: &Remote, frame: Frame) {
        let _ = self.input(Input::Frame(remote.clone(), frame)).await;
    }

    /// The other side opened a file's channel (`LinkEvent::File`).
    pub async fn channel(&self, remote: &Remote, file: FileId, channel: C::Channel) {
        let _ = self.input(Input::Channel(remote.clone(), file, channel)).await;
    }

    /// Stops all transfers and waits until their files are closed. Unfinished ones go on in the next run.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What a file is: its name, its stamp, and its path from the root, for a later run.
async fn facts(path: PathBuf) -> Result<(String, Stamp, PathBuf), TransferError> {
    let looking = tokio::task::spawn_blocking(move || {
        let (name, stamp) = inspect(&path)?;
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok((name, stamp, path))
    });
    looking.await.map_err(|_| TransferError::Closed)?
}

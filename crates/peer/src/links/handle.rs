//! The handle by which the links are used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use wire::p2p::{FRAME_BYTES, FileId, Frame};
use wire::signal::Signalling;

use super::engine::{self, Command};
use super::shared::Shared;
use super::{FileChannel, IceServers, LinkEvent, NotLinked, Remote, Settings, Way};

/// All links of this device. Cheap to clone; the engine ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Links {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

impl Links {
    /// Binds the sockets and starts the engine.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start(settings: Settings) -> std::io::Result<(Self, mpsc::Receiver<LinkEvent>)> {
        let engine::Started { commands, events, shared } = engine::start(settings).await?;
        Ok((Self { commands, shared }, events))
    }

    /// Where the sockets are bound now, the most useful for others first. The first one goes into `/submit-info`. None
    /// with [`Settings::relay_only`].
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.addresses()
    }

    /// Which servers help from now on.
    pub fn set_ice(&self, servers: IceServers) {
        self.tell(Command::Ice(servers));
    }

    /// A link to this device is wanted, and tried again until [`Self::forget`]. One that is closed for being idle,
    /// or by the other side on purpose, is wanted no more.
    pub fn connect(&self, remote: &Remote) {
        self.tell(Command::Connect(remote.clone()));
    }

    /// A link to this device is no longer wanted: it isn't live, or is gone. An existing link is closed.
    pub fn forget(&self, remote: &Remote) {
        self.tell(Command::Forget(remote.clone()));
    }

    /// Takes a signal from the tracker. When too many wait, it gets lost, as signals may.
    pub fn signal(&self, signal: Signalling) {
        if self.shared.signal_waits() {
            self.tell(Command::Signal(Box::new(signal)));
        }
    }

    /// Sends a frame; waits while too much is buffered. It may still get lost with the link.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link.
    pub async fn send(&self, remote: &Remote, frame: &Frame) -> Result<(), NotLinked> {
        let link = self.shared.link(remote).ok_or(NotLinked)?;
        let frame = serde_json::to_vec(frame).map_err(|_| NotLinked)?;
        if frame.len() > FRAME_BYTES {
            // What the protocol allows fits; the other side would end the link.
            tracing::error!(bytes = frame.len(), "a frame that is too long was not sent");
            return Err(NotLinked);
        }
        let cost = u32::try_from(frame.len()).map_err(|_| NotLinked)?;
        let room = link.frames.acquire_many_owned(cost).await.map_err(|_| NotLinked)?;
        let command = Command::Frame { link: link.id, frame, room };
        self.commands.send(command).map_err(|_| NotLinked)
    }

    /// Opens a channel for a file.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link, or it has too many such channels.
    pub async fn open_file(&self, remote: &Remote, file: FileId) -> Result<FileChannel, NotLinked> {
        let link = self.shared.link(remote).ok_or(NotLinked)?.id;
        let (reply, channel) = oneshot::channel();
        self.tell(Command::OpenFile { link, file, reply });
        channel.await.map_err(|_| NotLinked)
    }

    /// The links that are up.
    pub fn up(&self) -> Vec<(Remote, Way)> {
        self.shared.links()
    }

    /// Measures the round trip to a device over its link (`ping`, `pong`).
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link, or it ends meanwhile.
    pub async fn ping(&self, remote: &Remote) -> Result<Duration, NotLinked> {
        let link = self.shared.link(remote).ok_or(NotLinked)?.id;
        let (reply, time) = oneshot::channel();
        self.tell(Command::Ping { link, reply });
        time.await.map_err(|_| NotLinked)
    }

    /// Says `bye` on all links and ends the engine.
    pub async fn close(self) {
        let (reply, done) = oneshot::channel();
        self.tell(Command::Close(reply));
        // If it has ended already, that is what was asked for.
        let _ = done.await;
    }

    /// An engine that has ended has no links, and nothing more to do.
    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

//! What transfers need of the links: frames to a device, and channels for files.

use std::future::Future;

use wire::p2p::{FileId, Frame};

use crate::links::{FileChannel, FileMessage, Links, NotLinked, Remote};

/// A file's data channel. Dropping it closes it.
pub trait Channel: Send + 'static {
    /// Sends a message; waits while too much is buffered.
    ///
    /// # Errors
    /// [`NotLinked`] when the channel is closed.
    fn send(&mut self, message: FileMessage) -> impl Future<Output = Result<(), NotLinked>> + Send;

    /// The next message; `None` when the channel is closed. No message is lost when the future is dropped.
    fn recv(&mut self) -> impl Future<Output = Option<FileMessage>> + Send;
}

/// The links, as far as transfers need them.
pub trait Carrier: Clone + Send + Sync + 'static {
    /// A file's channel.
    type Channel: Channel;

    /// Sends a frame; waits while too much is buffered.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link.
    fn send(
        &self,
        remote: &Remote,
        frame: &Frame,
    ) -> impl Future<Output = Result<(), NotLinked>> + Send;

    /// Opens a channel for a file.
    ///
    /// # Errors
    /// [`NotLinked`] when there is no link.
    fn open(
        &self,
        remote: &Remote,
        file: FileId,
    ) -> impl Future<Output = Result<Self::Channel, NotLinked>> + Send;
}

impl Channel for FileChannel {
    async fn send(&mut self, message: FileMessage) -> Result<(), NotLinked> {
        FileChannel::send(self, message).await
    }

    async fn recv(&mut self) -> Option<FileMessage> {
        FileChannel::recv(self).await
    }
}

impl Carrier for Links {
    type Channel = FileChannel;

    async fn send(&self, remote: &Remote, frame: &Frame) -> Result<(), NotLinked> {
        Links::send(self, remote, frame).await
    }

    async fn open(&self, remote: &Remote, file: FileId) -> Result<FileChannel, NotLinked> {
        self.open_file(remote, file).await
    }
}

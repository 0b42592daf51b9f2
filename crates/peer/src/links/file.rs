//! A file's data channel, as its owner holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wire::p2p::FileControl;

use super::NotLinked;
use super::engine::Command;

/// Bytes that may wait in front of SCTP's buffer, for each channel.
const OUTBOX_BYTES: usize = 256 * 1024;
/// Bytes that may wait for their owner, for each channel: a little more than a sender may be ahead.
const INBOX_BYTES: usize = 10 * 1024 * 1024;
/// Bytes that may wait for their owners, on all channels together.
const INBOXES_BYTES: usize = 256 * 1024 * 1024;
/// What a message counts beside its bytes.
const MESSAGE_BYTES: usize = 64;
/// Bytes that are handed to the engine at once: each handing over wakes a thread, and a second one when it is sent.
const HANDED_BYTES: usize = 64 * 1024;

/// What goes over a file's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMessage {
    /// The file's bytes.
    Data(Bytes),
    /// What is said about them.
    Control(FileControl),
}

impl FileMessage {
    fn cost(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len() + MESSAGE_BYTES,
            Self::Control(_) => MESSAGE_BYTES,
        }
    }
}

/// A file's data channel. Dropping it closes it; what was sent before still goes out.
#[derive(Debug)]
pub struct FileChannel {
    link: u64,
    channel: u64,
    room: Arc<Semaphore>,
    inbox: mpsc::UnboundedReceiver<FileMessage>,
    held: Arc<Held>,
    commands: mpsc::WeakUnboundedSender<Command>,
}

impl FileChannel {
    /// Sends a message; waits while too much is buffered. More than 16 KiB of a file's bytes become several messages.
    ///
    /// # Errors
    /// [`NotLinked`] when the channel is closed.
    pub async fn send(&mut self, message: FileMessage) -> Result<(), NotLinked> {
        match message {
            FileMessage::Data(mut bytes) => {
                while bytes.len() > HANDED_BYTES {
                    self.put(FileMessage::Data(bytes.split_to(HANDED_BYTES))).await?;
                }
                self.put(FileMessage::Data(bytes)).await
            }
            control => self.put(control).await,
        }
    }

    async fn put(&mut self, message: FileMessage) -> Result<(), NotLinked> {
        // At most 64 KiB and a little: it fits.
        let cost = u32::try_from(message.cost()).map_err(|_| NotLinked)?;
        let room = Arc::clone(&self.room).acquire_many_owned(cost).await.map_err(|_| NotLinked)?;
        let command = Command::File { link: self.link, channel: self.channel, message, room };
        self.commands.upgrade().ok_or(NotLinked)?.send(command).map_err(|_| NotLinked)
    }

    /// The next message; `None` when the channel is closed.
    pub async fn recv(&mut self) -> Option<FileMessage> {
        let message = self.inbox.recv().await?;
        self.held.give_back(message.cost());
        Some(message)
    }
}

impl Drop for FileChannel {
    fn drop(&mut self) {
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            self.held.give_back(message.cost());
        }
        if let Some(commands) = self.commands.upgrade() {
            // Without an engine there is nothing to close.
            let _ = commands.send(Command::CloseFile { link: self.link, channel: self.channel });
        }
    }
}

/// The bytes that wait for one channel's owner, and for all.
#[derive(Debug)]
struct Held {
    here: AtomicUsize,
    everywhere: Arc<AtomicUsize>,
}

impl Held {
    fn take(&self, bytes: usize) -> bool {
        let here = self.here.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let everywhere = self.everywhere.fetch_add(bytes, Ordering::Relaxed) + bytes;
        here <= INBOX_BYTES && everywhere <= INBOXES_BYTES
    }

    fn give_back(&self, bytes: usize) {
        self.here.fetch_sub(bytes, Ordering::Relaxed);
        self.everywhere.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A file's data channel, as the engine holds it. When it goes, the owner's waiting ends.
#[derive(Debug)]
pub(super) struct FileEnd {
    room: Arc<Semaphore>,
    inbox: mpsc::UnboundedSender<FileMessage>,
    held: Arc<Held>,
}

/// A channel's owner is gone, or doesn't keep up and more came than was agreed: it is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

impl FileEnd {
    /// Hands a message to the owner.
    pub(super) fn give(&self, message: FileMessage) -> Result<(), Overflow> {
        let cost = message.cost();
        if self.held.take(cost) && self.inbox.send(message).is_ok() {
            return Ok(());
        }
        self.held.give_back(cost);
        Err(Overflow)
    }
}

impl Drop for FileEnd {
    fn drop(&mut self) {
        self.room.close();
    }
}

/// What is common to the channels of one engine.
#[derive(Debug, Clone)]
pub(super) struct FileChannels {
    commands: mpsc::WeakUnboundedSender<Command>,
    everywhere: Arc<AtomicUsize>,
}

impl FileChannels {
    pub(super) fn new(commands: mpsc::WeakUnboundedSender<Command>) -> Self {
        Self { commands, everywhere: Arc::default() }
    }

    /// Both ends of a channel's hand-over.
    pub(super) fn pair(&self, link: u64, channel: u64) -> (FileChannel, FileEnd) {
        let room = Arc::new(Semaphore::new(OUTBOX_BYTES));
        let (sender, inbox) = mpsc::unbounded_channel();
        let held =
            Arc::new(Held { here: AtomicUsize::new(0), everywhere: Arc::clone(&self.everywhere) });
        let end = FileEnd { room: Arc::clone(&room), inbox: sender, held: Arc::clone(&held) };
        (FileChannel { link, channel, room, inbox, held, commands: self.commands.clone() }, end)
    }
}

/// A message on its way out, with the room that it takes.
pub(super) type Queued = (FileMessage, OwnedSemaphorePermit);

#[cfg(test)]
mod tests {
    use super::*;
    use wire::p2p::CHUNK_BYTES;

    fn channels() -> (mpsc::UnboundedReceiver<Command>, mpsc::UnboundedSender<Command>, FileChannels)
    {
        let (sender, commands) = mpsc::unbounded_channel();
        let channels = FileChannels::new(sender.downgrade());
        (commands, sender, channels)
    }

    fn data(bytes: usize) -> FileMessage {
        FileMessage::Data(Bytes::from(vec![0; bytes]))
    }

    #[tokio::test]
    async fn a_piece_is_handed_over_in_parts_and_waits_for_room() {
        let (mut commands, _sender, channels) = channels();
        let (mut channel, _end) = channels.pair(1, 2);
        let send = tokio::spawn(async move {
            channel.send(data(1 << 20)).await.unwrap();
            channel
        });
        let (mut held, mut bytes) = (Vec::new(), 0);
        while bytes < 1 << 20 {
            let Some(Command::File { message: FileMessage::Data(data), room, .. }) =
                commands.recv().await
            else {
                panic!("a message")
            };
            assert!(data.len() <= HANDED_BYTES);
            bytes += data.len();
            held.push(room);
            if held.len() == 3 {
                assert!(commands.try_recv().is_err(), "no room for more than 256 KiB");
                held.clear();
            }
        }
        send.await.unwrap();
    }

    #[tokio::test]
    async fn when_the_engine_lets_go_both_directions_end() {
        let (_commands, _sender, channels) = channels();
        let (mut channel, end) = channels.pair(1, 2);
        drop(end);
        assert_eq!(channel.recv().await, None);
        assert_eq!(channel.send(data(1)).await, Err(NotLinked));
    }

    #[tokio::test]
    async fn more_than_was_agreed_overflows_and_the_rest_counts_no_more() {
        let (_commands, _sender, channels) = channels();
        let (channel, end) = channels.pair(1, 2);
        let taken = (0..1000).take_while(|_| end.give(data(CHUNK_BYTES)).is_ok()).count();
        assert_eq!(taken, INBOX_BYTES / (CHUNK_BYTES + MESSAGE_BYTES));
        drop(channel);
        assert_eq!(channels.everywhere.load(Ordering::Relaxed), 0);
        assert_eq!(end.give(data(1)), Err(Overflow), "nobody is there");
        assert_eq!(channels.everywhere.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn all_channels_together_are_bounded() {
        let (_commands, _sender, channels) = channels();
        let pairs: Vec<_> = (0..40).map(|number| channels.pair(1, number)).collect();
        for (_, end) in &pairs {
            while end.give(data(CHUNK_BYTES)).is_ok() {}
        }
        assert!(channels.everywhere.load(Ordering::Relaxed) <= INBOXES_BYTES);
        let (mut channel, end) = pairs.into_iter().next().unwrap();
        channel.recv().await.unwrap();
        assert_eq!(end.give(data(CHUNK_BYTES)), Ok(()), "there is room again");
    }

    #[tokio::test]
    async fn dropping_it_asks_the_engine_to_close() {
        let (mut commands, _sender, channels) = channels();
        drop(channels.pair(1, 2));
        assert!(matches!(commands.recv().await, Some(Command::CloseFile { link: 1, channel: 2 })));
    }
}

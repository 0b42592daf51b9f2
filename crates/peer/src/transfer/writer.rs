//! The blocking thread that writes one file.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::p2p::Digest;

use super::target::{Target, TargetError};

/// Bytes that are written at once, or more.
const BATCH_BYTES: usize = 256 * 1024;
/// A message with fewer bytes is copied: what it costs to keep it apart would exceed what it holds.
const SMALL_BYTES: usize = 4 * 1024;
/// Batches that may wait. All that a sender may be ahead by fits in here.
const WAITING: usize = 64;

/// What is to be written at once.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<Bytes>,
    /// Small messages, put together.
    small: BytesMut,
    length: usize,
}

impl Batch {
    fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if bytes.len() < SMALL_BYTES {
            self.small.extend_from_slice(&bytes);
        } else {
            self.part();
            self.bytes.push(bytes);
        }
    }

    fn part(&mut self) {
        if !self.small.is_empty() {
            self.bytes.push(self.small.split().freeze());
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.part();
        self.length = 0;
        std::mem::take(&mut self.bytes)
    }
}

enum Order {
    Write(Vec<Bytes>),
    /// Write, and then a piece is complete.
    Complete(Vec<Bytes>, Digest),
    Finish,
}

/// What the thread has done.
#[derive(Debug)]
pub enum Written {
    /// So many pieces from the start are checked and written.
    Pieces(u64),
    /// The file has its name.
    Placed,
    /// It can't go on.
    Failed(TargetError),
}

/// What the thread leaves behind.
#[derive(Debug)]
pub enum Left {
    /// A complete file under its name.
    Placed(PathBuf),
    /// A partial file, with so many pieces from the start that are checked.
    Part(PathBuf, u64),
}

/// The way to the thread.
pub struct Writer {
    batch: Batch,
    orders: mpsc::Sender<Order>,
    written: mpsc::Receiver<Written>,
    thread: JoinHandle<Left>,
}

impl Writer {
    /// Starts the thread, with so many pieces that are there.
    pub fn start(target: Target, pieces: u64) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let (tell, written) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || run(target, pieces, waiting, &tell));
        Self { batch: Batch::default(), orders, written, thread }
    }

    /// Has bytes written behind those before; waits while too many wait.
    pub async fn write(&mut self, bytes: Bytes) {
        self.batch.push(bytes);
        if self.batch.length >= BATCH_BYTES {
            let order = Order::Write(self.batch.take());
            self.order(order).await;
        }
    }

    /// Has the bytes since the last piece checked against their digest.
    pub async fn complete(&mut self, digest: Digest) {
        let order = Order::Complete(self.batch.take(), digest);
        self.order(order).await;
    }

    /// Has the file finished.
    pub async fn finish(&mut self) {
        self.order(Order::Finish).await;
    }

    async fn order(&self, order: Order) {
        // A thread that has ended has told why.
        let _ = self.orders.send(order).await;
    }

    /// What has been done since; `None` when the thread has ended.
    pub async fn written(&mut self) -> Option<Written> {
        self.written.recv().await
    }

    /// Lets the thread do what it was asked for, and waits for its end. `None` when it broke.
    pub async fn end(self) -> Option<Left> {
        let Self { orders, written, thread, .. } = self;
        drop((orders, written));
        thread.await.ok()
    }
}

fn run(
    mut target: Target,
    mut pieces: u64,
    mut orders: mpsc::Receiver<Order>,
    tell: &mpsc::Sender<Written>,
) -> Left {
    let part = target.part().to_owned();
    // Nobody listens any more when the link is gone; what has come whole is written all the same.
    let tell = |written| drop(tell.blocking_send(written));
    while let Some(order) = orders.blocking_recv() {
        let done = match order {
            Order::Write(bytes) => target.write(&bytes),
            Order::Complete(bytes, digest) => {
                target.write(&bytes).and_then(|()| target.complete(&digest)).map(|()| {
                    pieces += 1;
                    tell(Written::Pieces(pieces));
                })
            }
            Order::Finish => match target.finish() {
                Ok(path) => {
                    tell(Written::Placed);
                    return Left::Placed(path);
                }
                Err(error) => {
                    tell(Written::Failed(error));
                    return Left::Part(part, pieces);
                }
            },
        };
        if let Err(error) = done {
            tell(Written::Failed(error));
            break;
        }
    }
    Left::Part(part, pieces)
}

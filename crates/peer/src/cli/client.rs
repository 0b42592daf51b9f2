//! How one-shot commands talk to a peer: to one that runs already in this data folder, through its socket; else to one
//! that this process starts for as long as the command takes.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::net::UnixStream;
use tokio_util::either::Either;

use super::exit::{Exit, Failed};
use super::serve::{SOCKET, serve};
use super::setup::Setup;
use crate::Peer;
use crate::store::{Folder, FolderError};

/// Bytes between this command and the peer of its own process.
const BUFFER: usize = 64 * 1024;

type Stream = Either<UnixStream, DuplexStream>;

/// The other side is a peer.
#[derive(Debug)]
pub struct Client {
    lines: Lines<BufReader<ReadHalf<Stream>>>,
    writer: WriteHalf<Stream>,
    events: VecDeque<Value>,
    asked: u64,
    own: Option<OwnPeer>,
}

/// The peer that this process has started.
struct OwnPeer(Peer);

impl std::fmt::Debug for OwnPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.id())
    }
}

impl Client {
    /// Finds the peer that runs, or starts one.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn open(setup: &Setup) -> Result<Self, Failed> {
        let who = setup.who()?;
        let path = setup.folder(&who)?;
        match Folder::take(&path) {
            Ok(folder) => {
                // Nobody takes the events: those who ask follow them, and what arrives is kept for the next listener.
                let (peer, _) = setup.start(folder, &who, false).await?;
                let (ours, theirs) = tokio::io::duplex(BUFFER);
                let served = peer.clone();
                tokio::spawn(async move { serve(served, theirs).await });
                Ok(Self::new(Either::Right(ours), Some(OwnPeer(peer))))
            }
            Err(taken @ FolderError::InUse { .. }) => Self::join(&path, &taken).await,
            Err(error) => Err(Failed::usage(error.to_string())),
        }
    }

    /// Joins the peer that has taken the folder.
    async fn join(path: &Path, taken: &FolderError) -> Result<Self, Failed> {
        match UnixStream::connect(path.join(SOCKET)).await {
            Ok(stream) => Ok(Self::new(Either::Left(stream), None)),
            Err(error) => {
                tracing::debug!(%error, "the peer that runs has no socket");
                Err(Failed::usage(taken.to_string()))
            }
        }
    }

    fn new(stream: Stream, own: Option<OwnPeer>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let lines = BufReader::new(reader).lines();
        Self { lines, writer, events: VecDeque::new(), asked: 0, own }
    }

    /// Gives a command; its answer's fields. Events that come meanwhile are kept.
    ///
    /// # Errors
    /// What the peer answers, or that it has ended.
    pub async fn ask(&mut self, what: &str, mut fields: Value) -> Result<Value, Failed> {
        self.asked += 1;
        fields["do"] = json!(what);
        fields["ref"] = json!(self.asked);
        self.writer.write_all(format!("{fields}\n").as_bytes()).await.map_err(|_| ended())?;
        loop {
            let line = self.read().await?;
            if line["type"] != "reply" {
                self.events.push_back(line);
            } else if line["ref"] == self.asked {
                return accepted(line);
            }
        }
    }

    /// The next event. Waiting can be given up without losing one.
    ///
    /// # Errors
    /// When the peer has ended.
    pub async fn event(&mut self) -> Result<Value, Failed> {
        match self.events.pop_front() {
            Some(event) => Ok(event),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Value, Failed> {
        let line = self.lines.next_line().await.map_err(|_| ended())?.ok_or_else(ended)?;
        serde_json::from_str(&line).map_err(|error| Failed::because(error.to_string()))
    }

    /// Waits until the peer is online: before that a tracker may not know it. Whether it is, in time.
    ///
    /// # Errors
    /// When the peer has ended, or is signed out.
    pub async fn until_online(&mut self, patience: Duration) -> Result<bool, Failed> {
        let deadline = tokio::time::Instant::now() + patience;
        if self.ask("status", json!({})).await?["online"] == true {
            return Ok(true);
        }
        while let Ok(event) = tokio::time::timeout_at(deadline, self.event()).await {
            match event?["type"].as_str() {
                Some("online") => return Ok(true),
                Some("signed_out") => return Err(signed_out()),
                _ => {}
            }
        }
        Ok(false)
    }

    /// The command is over: an own peer says goodbye.
    pub async fn close(self) {
        if let Some(OwnPeer(peer)) = self.own {
            peer.close().await;
        }
    }
}

fn accepted(reply: Value) -> Result<Value, Failed> {
    if reply["ok"] == true {
        return Ok(reply);
    }
    let words = reply["error"].as_str().unwrap_or("the peer refuses").to_owned();
    let exit = match reply["code"].as_str() {
        Some("unreachable") => Exit::Unreachable,
        Some("unauthenticated") => Exit::SignIn,
        _ => Exit::Failed,
    };
    Err(Failed::new(exit, words))
}

/// The session is over.
pub fn signed_out() -> Failed {
    Failed::new(Exit::SignIn, "the session is over: sign in again with `peer login`")
}

fn ended() -> Failed {
    Failed::because("the peer has ended")
}

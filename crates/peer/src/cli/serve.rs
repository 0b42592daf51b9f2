//! Commands and events over a pair of streams, or over the socket in the data folder: by it `peer send` finds a peer that
//! runs already, `peer chat` or `peer listen`, and goes through it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{command, event};
use crate::Peer;

/// The socket's name in the data folder.
pub const SOCKET: &str = "peer.sock";
/// Bytes of a command at most.
const LINE_BYTES: usize = 256 * 1024;
/// Commands of one client that are under way; further ones wait.
const COMMANDS: usize = 256;
/// Clients at once; further ones wait.
const CLIENTS: usize = 32;

/// Takes commands; the answers come in the order of the commands. They end when the commands do, after the last answer.
pub fn commands<R>(peer: Peer, reader: R) -> mpsc::Receiver<Value>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let (answers, told) = mpsc::channel(COMMANDS);
    tokio::spawn(async move {
        let mut lines = Lines { reader: BufReader::new(reader), held: Vec::new() };
        let mut under_way = FuturesOrdered::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            let answer = tokio::select! {
                line = lines.next(), if open && under_way.len() < COMMANDS => match line {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => {
                        under_way.push_back(command::begin(&peer, &line).await);
                        continue;
                    }
                    Ok(None) => {
                        open = false;
                        continue;
                    }
                    Err(error) => {
                        open = false;
                        command::refusal(&Value::Null, "invalid_command", &error.to_string())
                    }
                },
                Some(answer) = under_way.next(), if !under_way.is_empty() => answer,
            };
            if answers.send(answer).await.is_err() {
                return;
            }
        }
    });
    told
}

/// Carries commands, answers and events until the other side closes.
///
/// # Errors
/// What the system said.
pub async fn serve<S>(peer: Peer, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut events = peer.follow();
    let (reader, mut writer) = tokio::io::split(stream);
    let mut answers = commands(peer, reader);
    loop {
        let object = tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => Some(answer),
                None => return Ok(()),
            },
            event = events.recv() => match event {
                Ok(event) => event::to_json(&event),
                Err(RecvError::Lagged(_)) => Some(json!({ "type": "reset" })),
                Err(RecvError::Closed) => return Ok(()),
            },
        };
        if let Some(object) = object {
            writer.write_all(format!("{object}\n").as_bytes()).await?;
        }
    }
}

/// The socket in the data folder. It goes away with this.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    _ends: DropGuard,
}

impl Door {
    /// Opens it for this user alone. The folder must have been taken.
    ///
    /// # Errors
    /// What the system said; a path of more than about a hundred bytes is too long for a socket.
    pub fn open(folder: &Path, peer: &Peer) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let ends = CancellationToken::new();
        tokio::spawn(accept(listener, peer.clone(), ends.clone()));
        Ok(Self { path, _ends: ends.drop_guard() })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn accept(listener: UnixListener, peer: Peer, ends: CancellationToken) {
    let clients = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(turn) = clients.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            () = ends.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a command could not be taken");
                    continue;
                }
            },
        };
        let (peer, ends) = (peer.clone(), ends.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = ends.cancelled() => {}
                _ = serve(peer, stream) => {}
            }
            drop(turn);
        });
    }
}

/// Lines of bounded length; waiting for one can be given up without losing a byte.
struct Lines<R> {
    reader: R,
    held: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let part = self.reader.fill_buf().await?;
            if part.is_empty() {
                let last = std::mem::take(&mut self.held);
                return if last.is_empty() { Ok(None) } else { text(last).map(Some) };
            }
            let (part, ended) = match part.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&part[..=end], true),
                None => (part, false),
            };
            if self.held.len() + part.len() > LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "this line is too long"));
            }
            self.held.extend_from_slice(part);
            let taken = part.len();
            self.reader.consume(taken);
            if ended {
                return text(std::mem::take(&mut self.held)).map(Some);
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_whole_and_not_without_end() {
        let mut lines = Lines { reader: &b"one\n\ntwo"[..], held: Vec::new() };
        assert_eq!(lines.next().await.unwrap().unwrap(), "one\n");
        assert_eq!(lines.next().await.unwrap().unwrap(), "\n");
        assert_eq!(lines.next().await.unwrap().unwrap(), "two");
        assert!(lines.next().await.unwrap().is_none());
        let long = vec![b'x'; LINE_BYTES + 1];
        let mut lines = Lines { reader: &long[..], held: Vec::new() };
        assert!(lines.next().await.is_err());
        let mut lines = Lines { reader: &b"\xff\n"[..], held: Vec::new() };
        assert!(lines.next().await.is_err());
    }
}

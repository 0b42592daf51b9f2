//! A TCP relay between two programs that a test can pause and cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the link does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Passes them on.
    Open,
    /// Holds them back, connections stay.
    Paused,
    /// Ends connections, old and new.
    Cut,
}

/// The relay.
#[derive(Debug)]
pub struct Link {
    addr: String,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// Relays from a port of its own to `target`.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let (state, seen) = watch::channel(State::Open);
        let target = target.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() == State::Cut {
                    continue;
                }
                if let Ok(far) = TcpStream::connect(&target).await {
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    tokio::spawn(copy(near_read, far_write, seen.clone()));
                    tokio::spawn(copy(far_read, near_write, seen.clone()));
                }
            }
        });
        Self { addr, state, accepting }
    }

    /// `IP:PORT`
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Passes bytes on.
    pub fn open(&self) {
        self.state.send_replace(State::Open);
    }

    /// Holds bytes back.
    pub fn pause(&self) {
        self.state.send_replace(State::Paused);
    }

    /// Ends all connections, and each new one at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let now = *state.borrow_and_update();
        let read = tokio::select! {
            changed = state.changed() => {
                if changed.is_err() || *state.borrow() == State::Cut {
                    return;
                }
                continue;
            }
            read = from.read(&mut buffer), if now == State::Open => read,
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(read) if to.write_all(&buffer[..read]).await.is_err() => return,
            Ok(_) => {}
        }
    }
}
